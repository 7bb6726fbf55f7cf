"""Lets an input method compose while the focus is where nothing takes text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, QRect, QRectF, Qt, Slot
from PySide6.QtGui import QGuiApplication, QInputMethodEvent, QInputMethodQueryEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget

from gui.window.text_focus import passes_text_on
from gui.window.typing_target import focus_typing_target, typing_target

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow

_ENABLED = Qt.InputMethodQuery.ImEnabled
_CURSOR = Qt.InputMethodQuery.ImCursorRectangle


class InputElsewhere(QObject):
    """Passes what an input method asks and says on to the prompt or the caption, which gets the
    focus once a text is complete: to move the focus earlier would end the composition after its
    first letter."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window = window
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(watched, QWidget) or not self._is_passed_on(watched):
            return False
        target = typing_target(self._window, watched)
        if target is watched:  # A caption that is not read yet is still its own.
            return False
        match event:
            case QInputMethodQueryEvent():
                QCoreApplication.sendEvent(target, event)
                rect = event.value(_CURSOR)
                if isinstance(rect, QRect | QRectF):  # It is read as one of the watched widget.
                    moved = watched.mapFromGlobal(target.mapToGlobal(QPoint()))
                    event.setValue(_CURSOR, rect.translated(moved))
                return True
            case QInputMethodEvent():
                QCoreApplication.sendEvent(target, event)
                if event.commitString() and not event.preeditString():
                    focus_typing_target(self._window, watched)
                return True
        return False

    @Slot(QWidget, QWidget)
    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        if now is not None and self._is_passed_on(now):
            now.installEventFilter(self)  # Once only, however often it gets the focus.
            QGuiApplication.inputMethod().update(_ENABLED)

    def _is_passed_on(self, widget: QWidget) -> bool:
        window = self._window
        return (
            window.state.is_conversation
            and widget.window() is window
            and passes_text_on(widget)
            and not isinstance(widget, QAbstractItemView)  # There single keys work.
        )
