"""One of several answers that are compared."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QTextEdit, QVBoxLayout, QWidget

from core.captions.wording import Span
from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.text_direction import PlainTextEdit
from gui.widgets.text_index import TextIndex
from gui.widgets.theme import Theme

_LEAST_TEXT = 56
# Letters: "None" and its like must be readable.
_LEAST_BOX = 8


class AnswerColumn(QWidget):
    """A run to choose, and its answer with the words marked in which it differs."""

    def __init__(self, theme: Theme, number: int):
        super().__init__()
        self._theme = theme
        self.answer: str | None = None
        self.box = ElidedComboBox()
        # Runs may differ in nothing but their time, at the end.
        self.box.mode = Qt.TextElideMode.ElideMiddle
        self.box.setAccessibleName(self.tr("Run {number}").format(number=number))
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(_LEAST_BOX)
        self.text = PlainTextEdit()
        self.text.setProperty("class", "field")
        self.text.setAccessibleName(self.tr("Answer {number}").format(number=number))
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setMinimumHeight(_LEAST_TEXT)
        self.text.setPlaceholderText(self.tr("No answer about this image"))
        self.use_button = QPushButton(self.tr("Use ({key})").format(key=number))
        self.use_button.setToolTip(self.tr("The key uses it and goes to the next image"))
        self.add_button = QPushButton(self.tr("Add"))
        self.add_button.setToolTip(self.tr("Adds the selected words, or all, to the caption"))
        use, add = self.tr("Use answer {number}"), self.tr("Add answer {number} to the caption")
        self.use_button.setAccessibleName(use.format(number=number))
        self.add_button.setAccessibleName(add.format(number=number))
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.use_button, self.add_button):
            button.setProperty("class", "small")
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.box)
        column.addWidget(self.text, 1)
        column.addLayout(buttons)
        column.addStretch(0)  # The box alone stays at the top.
        self._spans: Sequence[Span] = ()
        theme.changed.connect(self._mark)

    def show_chosen(self, is_chosen: bool) -> None:
        """Shows what belongs to a run, or only the box to choose one."""
        for part in (self.text, self.use_button, self.add_button):
            part.setVisible(is_chosen)

    def show_text(self, text: str | None, spans: Sequence[Span]) -> None:
        """Shows an answer with these words marked; None for none."""
        self.answer = text
        self.text.setPlainText(text or "")
        for button in (self.use_button, self.add_button):
            button.setEnabled(text is not None)
        self._spans = spans
        self._mark()

    @Slot()
    def _mark(self) -> None:
        index = TextIndex(self.answer or "")
        marked: list[QTextEdit.ExtraSelection] = []
        for begin, end in self._spans:
            selection = QTextEdit.ExtraSelection()
            cursor = QTextCursor(self.text.document())
            cursor.setPosition(index.to_qt(begin))
            cursor.setPosition(index.to_qt(end), QTextCursor.MoveMode.KeepAnchor)
            look = QTextCharFormat()
            look.setBackground(self._theme.colour("accent_soft"))
            look.setForeground(self._theme.colour("accent"))
            selection.cursor, selection.format = cursor, look
            marked.append(selection)
        self.text.setExtraSelections(marked)
