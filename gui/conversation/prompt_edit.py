"""The field where a prompt is written: it grows with its text and keeps earlier prompts."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QMimeData, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QResizeEvent, QTextCursor
from PySide6.QtWidgets import QFrame

from gui.widgets.file_urls import path_of
from gui.widgets.text_direction import PlainTextEdit, elided

_MOST_LINES = 6
# On a screen that is less high, the placeholder takes no second line from what is above.
_LOW_SCREEN = 420


class PromptEdit(PlainTextEdit):
    """Keeps earlier prompts, and what was written over each of them since the last one was sent.

    `sent()`: Enter. `escaped()`: Esc. `picture_pasted()`: a picture, not text, was pasted.
    `focus_changed(bool)`: whether it has the focus.

    While an earlier prompt is shown, Esc returns from it, unless `stops_by_escape`: then it is for
    what goes on elsewhere.
    """

    sent = Signal()
    escaped = Signal()
    picture_pasted = Signal()
    focus_changed = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.stops_by_escape = False
        self._placeholder = ""
        self._history: list[str] = []
        self._lines = [""]
        self._line = 0
        # When each step was written or taken back, by the number of steps that can be undone then.
        self._changed_at: dict[int, float] = {}
        self._undone_at: dict[int, float] = {}
        self._is_undoing = False
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().documentLayout().documentSizeChanged.connect(self._grow)
        self.document().contentsChange.connect(self._on_contents_change)
        self._grow()

    def show_placeholder(self, text: str) -> None:
        """Shows this while the field is empty, whole: it grows for it too, but on a low screen."""
        self._placeholder = text
        self._show_placeholder()
        self._grow()
        # Qt repaints when a placeholder appears or disappears, but not when its text changes.
        self.viewport().update()

    def set_history(self, prompts: Sequence[str]) -> None:
        """Takes the earlier prompts, oldest first."""
        self._history = list(prompts)
        self._start_line(self.toPlainText())

    @property
    def written(self) -> list[str]:
        """What was written and not sent: over earlier prompts, and after the last one."""
        lines = [*self._lines]
        lines[self._line] = self.toPlainText()
        before = [*self._history, ""]
        return [line for line, was in zip(lines, before, strict=False) if line not in (was, "")]

    def remember(self, prompt: str) -> None:
        """Adds a prompt to the history, and empties the field.

        Undo is about the conversation from now on: Up brings the prompt back.
        """
        if self._history[-1:] != [prompt]:
            self._history.append(prompt)
        self.setPlainText("")
        self._start_line("")

    def replace_text(self, text: str) -> None:
        """Replaces the text; that can be undone."""
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self.moveCursor(QTextCursor.MoveOperation.End)

    def insert_or_replace(self, text: str) -> None:
        """Inserts a preset at the cursor; replaces the text only if that is blank."""
        if self.toPlainText().strip():
            self.insertPlainText(text)
        else:
            self.replace_text(text)

    @property
    def undo_at(self) -> float:
        """When what `undo` would take back was written, by the monotonic clock; 0 for nothing."""
        return self._changed_at.get(self._steps, 0.0) if self._steps else 0.0

    @property
    def redo_at(self) -> float:
        """When what `redo` would write was taken back, by the monotonic clock; 0 for nothing."""
        can_redo = self.document().isRedoAvailable()
        return self._undone_at.get(self._steps, 0.0) if can_redo else 0.0

    def undo(self) -> None:
        """Takes the last change back."""
        self._is_undoing = True
        super().undo()
        self._is_undoing = False
        self._undone_at[self._steps] = time.monotonic()

    def redo(self) -> None:
        """Makes the change again that was taken back last."""
        self._is_undoing = True
        super().redo()
        self._is_undoing = False
        self._changed_at[self._steps] = time.monotonic()

    def event(self, event: QEvent) -> bool:
        """Leaves Undo and Redo to the window, which knows whether something else was changed
        later; takes Esc from it to return from an earlier prompt."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = QKeySequence.StandardKey
            if event.key() == Qt.Key.Key_Escape and self._leaves_history:
                event.accept()
                return True
            if event.matches(keys.Undo) or event.matches(keys.Redo):
                event.ignore()
                return False
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        match event.key():
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if not shift:
                self.sent.emit()
            case Qt.Key.Key_Escape:
                if self._leaves_history:
                    self._go(len(self._lines) - 1 - self._line)
                else:
                    self.escaped.emit()
            case Qt.Key.Key_Up if plain and self._is_at_first_line():
                self._go(-1)
            case Qt.Key.Key_Down if plain and self._is_at_last_line():
                self._go(1)
            case Qt.Key.Key_PageUp | Qt.Key.Key_PageDown:
                event.ignore()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                # Qt's own Shift+Enter inserts a line separator, not a new paragraph.
                self.insertPlainText("\n")
                self.ensureCursorVisible()
            case _:
                super().keyPressEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Leaves pictures and files that are dragged over the prompt to the window."""
        return source.hasText() and not _is_picture(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if _is_picture(source):
            self.picture_pasted.emit()
        elif source.hasText():
            self.insertPlainText(source.text())

    def createMimeDataFromSelection(self) -> QMimeData:
        mime = QMimeData()
        mime.setText(self.textCursor().selection().toPlainText())
        return mime

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_placeholder()
        if event.size().width() != event.oldSize().width():
            self._grow()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    @property
    def _steps(self) -> int:
        return self.document().availableUndoSteps()

    @Slot(int, int, int)
    def _on_contents_change(self, at: int, removed: int, added: int) -> None:
        # What is typed on is one step, as old as its last letter.
        if not self._is_undoing:
            self._changed_at[self._steps] = time.monotonic()

    @property
    def _leaves_history(self) -> bool:
        return self._line < len(self._lines) - 1 and not self.stops_by_escape

    def _start_line(self, draft: str) -> None:
        self._lines = [*self._history, draft]
        self._line = len(self._history)

    def _go(self, step: int) -> None:
        """Goes to an earlier or later prompt; what was written here is there again on return."""
        line = self._line + step
        if 0 <= line < len(self._lines):
            self._lines[self._line] = self.toPlainText()
            self._line = line
            self.replace_text(self._lines[line])

    def _is_at_first_line(self) -> bool:
        cursor = self.textCursor()
        return not cursor.movePosition(QTextCursor.MoveOperation.Up)

    def _is_at_last_line(self) -> bool:
        cursor = self.textCursor()
        return not cursor.movePosition(QTextCursor.MoveOperation.Down)

    @property
    def _is_screen_low(self) -> bool:
        return self.screen().availableGeometry().height() < _LOW_SCREEN

    def _show_placeholder(self) -> None:
        """Ends the only line that a low screen has for it in an ellipsis."""
        text, mode = self._placeholder, Qt.TextElideMode.ElideRight
        if self._is_screen_low:
            room = self.viewport().width() - 2 * int(self.document().documentMargin())
            text = elided(self.fontMetrics(), text, mode, room)
        if text != self.placeholderText():
            self.setPlaceholderText(text)

    def _placeholder_lines(self) -> int:
        """Returns how many lines the placeholder takes, if it shows."""
        if not self.document().isEmpty():
            return 0
        if self._is_screen_low:
            return 1
        margin = int(self.document().documentMargin())
        room = self.viewport().rect().adjusted(margin, 0, -margin, 0)
        needed = self.fontMetrics().boundingRect(room, Qt.TextFlag.TextWordWrap, self._placeholder)
        return -(-needed.height() // self.fontMetrics().lineSpacing())

    @Slot()
    def _grow(self) -> None:
        # A plain text document counts its height in lines.
        lines = max(1, int(self.document().size().height()), self._placeholder_lines())
        shown = min(lines, _MOST_LINES)
        margins = 2 * int(self.document().documentMargin())
        frame = self.contentsMargins().top() + self.contentsMargins().bottom()
        self.setFixedHeight(shown * self.fontMetrics().lineSpacing() + margins + frame + 4)
        always = Qt.ScrollBarPolicy.ScrollBarAsNeeded
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(always if lines > _MOST_LINES else never)


def _is_picture(mime: QMimeData) -> bool:
    """Whether it is files, or an image without text; a text editor may copy both."""
    has_files = any(path_of(url) is not None for url in mime.urls())
    return has_files or (mime.hasImage() and not mime.hasFormat("text/plain"))
