"""What has the focus: what keys and menus are about, and what can be done with the text there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from gui.window.text_focus import focus_state
from gui.window.view_state import Page

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow


class FocusWatch(QObject):
    """Keeps the window's state true to the focus, and gives the focus a place if it has none."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window = window
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)

    @Slot()
    def note(self) -> None:
        """Read the focus into the window's state."""
        window = self._window
        focused, page = window.focusWidget(), window.state.page
        if focused is not None:  # Menus leave the page as it is, and so does the status line.
            if window.batch_panel.isAncestorOf(focused):
                page = Page.FOLDER_RUN
            elif window.workspace_page.isAncestorOf(focused):
                page = Page.CONVERSATION
        focus = focus_state(focused, window.state.conversation)
        index = window.transcript_view.index_around(focused)
        window.states.update(focus=replace(focus, exchange=index), page=page)

    @Slot(QWidget, QWidget)
    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        window = self._window
        if not isValid(window):  # Its parts lose the focus while it is deleted.
            return
        if now is not None and now.window() is window:
            self.note()
        elif now is None:
            # A list that opens an editor, or a dialog that closes, passes the focus on in a moment.
            QTimer.singleShot(0, self, self._place_focus)

    @Slot()
    def _place_focus(self) -> None:
        """A widget with the focus was hidden or deleted: unless another got it, choose one."""
        window = self._window
        if QApplication.focusWidget() is not None or QApplication.activePopupWidget() is not None:
            return
        if window.isActiveWindow():
            if window.state.is_conversation and window.state.shows_image:
                window.prompt_box.focus_prompt()
            else:
                window.batch_panel.focus_first()
