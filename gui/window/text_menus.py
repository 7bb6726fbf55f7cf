"""The context menu of text fields, made from the table of commands."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRectF, Qt, Slot
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QLineEdit,
    QWidget,
)

from gui.conversation.answer_text import AnswerText
from gui.window import text_focus
from gui.window.actions import Entry
from gui.window.availability import obstacle
from gui.window.command import Command
from gui.window.commands import Place
from gui.window.text_focus import Editor, focus_state
from gui.workspace.caption_editor import CaptionEditor

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow

_CHANGING = (Command.UNDO, Command.REDO, Command.CUT, Command.PASTE)


class TextMenus(QObject):
    """Opens it in the window and its dialogs, in place of Qt's own, for the text that has the
    focus: a right click moves the focus before it opens a menu."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window = window
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QContextMenuEvent):
            text = _text_of(watched)
            if text is not None:
                self._open(text, event)
                return True
        return False

    @Slot(QWidget, QWidget)
    def _on_focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        text = _text_of(now)
        if text is None or not _has_standard_menu(text):
            return
        text.installEventFilter(self)  # Once only, however often it gets the focus.
        if isinstance(text, QAbstractScrollArea):
            text.viewport().installEventFilter(self)
        if isinstance(box := text.parent(), QAbstractSpinBox):
            box.installEventFilter(self)

    def _open(self, text: QWidget, event: QContextMenuEvent) -> None:
        focus = focus_state(text)
        state = replace(self._window.state, focus=focus)
        runs = {
            Command.UNDO: text_focus.undo,
            Command.REDO: text_focus.redo,
            Command.CUT: text_focus.cut,
            Command.COPY_SELECTION: text_focus.copy,
            Command.PASTE: text_focus.paste,
            Command.SELECT_ALL: text_focus.select_all,
        }
        clicked: dict[Command, Entry | None] = {}
        for command, run in runs.items():
            # Without a change in the text, Undo and Redo would be about the page.
            is_pages = (command is Command.UNDO and not focus.undoes) or (
                command is Command.REDO and not focus.redoes
            )
            why = "" if is_pages else obstacle(state, command)
            clicked[command] = Entry(partial(run, text), why)
        if not state.focus.takes_text:
            clicked |= dict.fromkeys(_CHANGING)
        menu = self._window.command_actions.context_menu(Place.TEXT, clicked=clicked)
        if isinstance(text, CaptionEditor) and text.spelling:
            is_by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
            at = text.viewport().mapFromGlobal(event.globalPos())
            text.spelling.extend_menu(menu, None if is_by_key else at)
        menu.popup(_place(text, event))


def _text_of(watched: QObject | None) -> QWidget | None:
    """Returns the text field that a widget is, or that it is a part of."""
    if isinstance(watched, QAbstractSpinBox):
        return watched.lineEdit()
    if isinstance(watched, QWidget) and isinstance(watched.parent(), QAbstractScrollArea):
        watched = watched.parent()
    return watched if isinstance(watched, Editor) else None


def _has_standard_menu(widget: QWidget) -> bool:
    """Whether Qt would open a menu of its own for this widget's text."""
    if isinstance(widget.parent(), QAbstractSpinBox):
        return isinstance(widget, QLineEdit)
    is_default = widget.contextMenuPolicy() is Qt.ContextMenuPolicy.DefaultContextMenu
    return is_default and not isinstance(widget, AnswerText)


def _place(text: QWidget, event: QContextMenuEvent) -> QPoint:
    if event.reason() != QContextMenuEvent.Reason.Keyboard:
        return event.globalPos()
    at = text.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
    cursor = at.toRect() if isinstance(at, QRectF) else at
    return text.mapToGlobal(cursor.bottomLeft() if cursor else text.rect().center())
