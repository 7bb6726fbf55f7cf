"""What the model wrote, beside a caption that a person has changed since."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QTextEdit, QVBoxLayout

from gui.widgets.elided_label import ElidedLabel
from gui.widgets.text_index import TextIndex
from gui.widgets.theme import Theme

_MOST_LINES = 5


class AnswerBar(QFrame):
    """`revert_asked()`: the caption is to be what the model wrote.

    Words that the person took out are struck out, so that it does not rest on colour.
    """

    revert_asked = Signal()

    def __init__(self, theme: Theme):
        super().__init__()
        self.setObjectName("answer_bar")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._theme = theme
        self._shown: tuple[str, Sequence[tuple[int, int]]] = ("", ())
        title = ElidedLabel(self.tr("The model wrote"))
        title.setProperty("class", "section")
        self.revert_button = QPushButton(self.tr("Revert"))
        self.revert_button.setObjectName("revert_button")
        self.revert_button.setProperty("class", "small")
        self.revert_button.setToolTip(self.tr("Make the caption what the model wrote"))
        self.revert_button.setAutoDefault(False)
        self.revert_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.revert_button.clicked.connect(self.revert_asked)
        self.text = QTextEdit()
        self.text.setObjectName("answer_text")
        self.text.setProperty("class", "answer")
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName(self.tr("What the model wrote"))
        self.text.document().setDocumentMargin(0)
        self.text.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        row = QHBoxLayout()
        row.addWidget(title, 1)
        row.addWidget(self.revert_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 12, 8)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.text)
        theme.changed.connect(self._fill)

    def show_answer(self, answer: str, removed: Sequence[tuple[int, int]]) -> None:
        """Shows what the model wrote; `removed` are the words that the caption has no more."""
        if (answer, removed) != self._shown:
            self._shown = answer, removed
            self._fill()

    def set_has_room(self, has_room: bool) -> None:
        """Whether there is room for the text, or for its title and button alone."""
        self.text.setVisible(has_room)

    def _fill(self) -> None:
        answer, removed = self._shown
        self.text.setPlainText(answer)
        form = QTextCharFormat()
        form.setFontStrikeOut(True)
        form.setForeground(self._theme.colour("danger"))
        index, cursor = TextIndex(answer), self.text.textCursor()
        for start, end in removed:
            cursor.setPosition(index.to_qt(start))
            cursor.setPosition(index.to_qt(end), QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(form)
        line = self.text.fontMetrics().lineSpacing()
        lines = min(max(answer.count("\n") + len(answer) // 40 + 1, 2), _MOST_LINES)
        self.text.setFixedHeight(lines * line + 4)
