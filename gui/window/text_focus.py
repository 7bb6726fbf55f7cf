"""The Edit menu's commands for the text that has the focus."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QLineEdit,
    QMenuBar,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from gui.conversation.prompt_edit import PromptEdit
from gui.window.view_state import ConversationState, FocusState
from gui.workspace.caption_panel import CaptionPanel

NO_TALK = ConversationState()
Editor = QLineEdit | QPlainTextEdit | QTextEdit


def focus_state(widget: QWidget | None, talk: ConversationState = NO_TALK) -> FocusState:
    """Returns what can be done with the widget that has the focus."""
    above = widget
    while above is not None and not isinstance(above, CaptionPanel):
        above = above.parentWidget()
    return replace(_text_state(widget, talk), is_in_caption=above is not None)


def _text_state(widget: QWidget | None, talk: ConversationState) -> FocusState:
    """Returns what can be done with the text of a widget.

    Undo and Redo are about the prompt and the conversation `talk` in the order of their changes;
    they are about another text as long as it has the focus.
    """
    match widget:
        case PromptEdit():
            can_undo = widget.document().isUndoAvailable()
            can_redo = widget.document().isRedoAvailable()
            return FocusState(
                takes_text=True,
                can_undo=can_undo,
                can_redo=can_redo,
                has_selection=widget.textCursor().hasSelection(),
                has_text=not widget.document().isEmpty(),
                undo_waits=not can_undo or bool(talk.undo and talk.undo_at > widget.undo_at),
                redo_waits=not can_redo or bool(talk.redo and talk.redo_at > widget.redo_at),
            )
        case QLineEdit():
            return FocusState(
                takes_text=not widget.isReadOnly(),
                can_undo=widget.isUndoAvailable(),
                can_redo=widget.isRedoAvailable(),
                has_selection=widget.hasSelectedText(),
                has_text=bool(widget.text()),
            )
        case QPlainTextEdit() | QTextEdit():
            takes_text = not widget.isReadOnly()
            return FocusState(
                takes_text=takes_text,
                can_undo=takes_text and widget.document().isUndoAvailable(),
                can_redo=takes_text and widget.document().isRedoAvailable(),
                has_selection=widget.textCursor().hasSelection(),
                has_text=not widget.document().isEmpty(),
            )
        case QLabel():
            return FocusState(has_selection=widget.hasSelectedText())
    return FocusState()


def takes_text(widget: QWidget | None) -> bool:
    """Whether what is typed lands in this widget."""
    return focus_state(widget).takes_text


def passes_text_on(widget: QWidget | None) -> bool:
    """Whether what is typed while this widget has the focus is for another. In menus, also in
    the bar that the keys have gone to, letters choose, and those of greyed entries do nothing."""
    is_in_menu = isinstance(widget, QMenuBar) or QApplication.activePopupWidget() is not None
    return not is_in_menu and not takes_text(widget)


# Each is about the text that has the focus, unless a widget is given.


def cut(widget: QWidget | None = None) -> None:
    """Cuts the selection."""
    if isinstance(editor := widget or QApplication.focusWidget(), Editor):
        editor.cut()


def copy(widget: QWidget | None = None) -> None:
    """Copies the selection."""
    match widget or QApplication.focusWidget():
        case QLabel() as label:
            QGuiApplication.clipboard().setText(label.selectedText())
        case QLineEdit() | QPlainTextEdit() | QTextEdit() as editor:
            editor.copy()


def select_all(widget: QWidget | None = None) -> None:
    """Selects all of the text."""
    if isinstance(editor := widget or QApplication.focusWidget(), Editor):
        editor.selectAll()


def paste(widget: QWidget | None = None) -> bool:
    """Pastes into the text field. Returns False if there is none."""
    editor = widget or QApplication.focusWidget()
    if not isinstance(editor, Editor) or not takes_text(editor):
        return False
    editor.paste()
    return True


def undo(widget: QWidget | None = None) -> bool:
    """Takes back the last change of the text field. Returns False if it has none to take back."""
    editor = widget or QApplication.focusWidget()
    if not isinstance(editor, Editor) or not focus_state(editor).undoes:
        return False
    editor.undo()
    return True


def redo(widget: QWidget | None = None) -> bool:
    """Makes the last change of the text field again. Returns False if there is none."""
    editor = widget or QApplication.focusWidget()
    if not isinstance(editor, Editor) or not focus_state(editor).redoes:
        return False
    editor.redo()
    return True
