"""The field in which a caption is written."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence

from gui.widgets.text_direction import PlainTextEdit
from gui.workspace.spelling_marks import SpellingMarks


class CaptionEditor(PlainTextEdit):
    """`left()`: it lost the focus, or Ctrl+S was pressed: what was typed is to be written."""

    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("caption_editor")
        self.setProperty("class", "field")
        self.setAccessibleName(self.tr("Caption"))
        self._problem = ""
        self._show_placeholder()
        self.setTabChangesFocus(True)
        self.spelling: SpellingMarks | None = None
        # What was typed for a caption that was not read yet.
        self._early: list[QKeyEvent] = []

    def show_problem(self, problem: str) -> None:
        """Says why the caption that is there cannot be read; "" if it can."""
        self._problem = problem
        self._show_placeholder()

    def set_known(self, is_known: bool) -> None:
        """Allows or forbids changing the caption, as that of another image may be shown. What is
        typed until it may be changed is put into it then."""
        self.setReadOnly(not is_known)
        self._show_placeholder()
        early, self._early = self._early, []
        if is_known:
            for event in early:
                super().keyPressEvent(event)

    def take_early(self) -> str:
        """Returns what was typed for a caption that is not read yet, and forgets it."""
        early, self._early = self._early, []
        return "".join(event.text() for event in early)

    def _show_placeholder(self) -> None:
        none = self.tr("No caption yet. Write one here.")
        text = self.tr("Reading…") if self.isReadOnly() else self._problem or none
        self.setPlaceholderText(text)

    def event(self, event: QEvent) -> bool:
        """Ctrl+S writes the caption here, and saves the conversation elsewhere."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and event.matches(QKeySequence.StandardKey.Save)
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Save):
            self.left.emit()
        elif self.isReadOnly() and event.text().isprintable() and event.text():
            self._early.append(event.clone())
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()
