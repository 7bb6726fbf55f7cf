"""Lets an input method compose in the prompt while the focus is where nothing takes text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, QRect, QRectF, Qt, Slot
from PySide6.QtGui import QGuiApplication, QInputMethodEvent, QInputMethodQueryEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

from gui.window.text_focus import passes_text_on

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow

_ENABLED = Qt.InputMethodQuery.ImEnabled
_CURSOR = Qt.InputMethodQuery.ImCursorRectangle


class InputElsewhere(QObject):
    """Passes what an input method asks and says on to the prompt, which gets the focus once a text
    is complete: to move the focus earlier would end the composition after its first letter."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window = window
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(watched, QWidget) or not self._is_for_prompt(watched):
            return False
        prompt = self._window.prompt_box.prompt_edit
        match event:
            case QInputMethodQueryEvent():
                QCoreApplication.sendEvent(prompt, event)
                rect = event.value(_CURSOR)
                if isinstance(rect, QRect | QRectF):  # It is read as one of the watched widget.
                    moved = watched.mapFromGlobal(prompt.mapToGlobal(QPoint()))
                    event.setValue(_CURSOR, rect.translated(moved))
                return True
            case QInputMethodEvent():
                QCoreApplication.sendEvent(prompt, event)
                if event.commitString() and not event.preeditString():
                    self._window.prompt_box.focus_prompt()
                return True
        return False

    @Slot(QWidget, QWidget)
    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        if now is not None and self._is_for_prompt(now):
            now.installEventFilter(self)  # Once only, however often it gets the focus.
            QGuiApplication.inputMethod().update(_ENABLED)

    def _is_for_prompt(self, widget: QWidget) -> bool:
        window = self._window
        return (
            window.state.is_conversation
            and widget.window() is window
            and passes_text_on(widget)
            and not isinstance(widget, QAbstractItemView)  # There single keys work.
        )
