"""The caption of an image as an alternative text with a long description, or as decorative."""

from __future__ import annotations

import re

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.captions.alt_text import MOST_CHARACTERS, AltText
from gui.widgets.draft_timer import DraftTimer
from gui.widgets.line_break import breakable
from gui.widgets.plain_text import text_of
from gui.widgets.text_direction import PlainTextEdit

_SIZE = (560, 440)
_LEAST_SIZE = (400, 300)
_TEXT_LINES = 3


class AltTextDialog(QDialog):
    """`written(str)`: the caption that says what was written; when the dialog is closed.
    `drafted(str)`: this is being written, some times a second; "" for nothing else than before.
    """

    written = Signal(str)
    drafted = Signal(str)

    def __init__(self, name: str, caption: str, parent: QWidget | None = None):
        """`name` is that of the image."""
        super().__init__(parent)
        self.setObjectName("alt_text_dialog")
        self.setWindowTitle(self.tr("Alt text"))
        before = AltText.of(caption)
        self.text_edit = _field("alt_text_edit", self.tr("Alt text"))
        self.long_edit = _field("long_description_edit", self.tr("Long description"))
        self.decorative_box = QCheckBox(self.tr("Decorative: screen readers pass over the image"))
        self.decorative_box.setObjectName("decorative_box")
        self.count_label = QLabel()
        self.count_label.setObjectName("alt_text_count")
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.setDefault(True)
        self._place(name)
        self.text_edit.setPlainText(before.text)
        self.long_edit.setPlainText(before.long_description)
        self.decorative_box.setChecked(before.is_decorative)
        self.text_edit.textChanged.connect(self._show_state)
        self.decorative_box.toggled.connect(self._show_state)
        self.close_button.clicked.connect(self.accept)
        self._show_state()
        # Blanks that the fields show otherwise are no change.
        self._before = self.alt_text
        self._draft_timer = DraftTimer(self)
        self._draft_timer.timeout.connect(self._emit_draft)
        for changed in (self.text_edit.textChanged, self.long_edit.textChanged):
            changed.connect(self._draft_timer.begin)
        self.decorative_box.toggled.connect(self._draft_timer.begin)
        self.text_edit.setFocus()

    @property
    def alt_text(self) -> AltText:
        """What is written. A text that is kept while the image is decorative does not count."""
        if self.decorative_box.isChecked():
            return AltText(is_decorative=True)
        text = _on_one_line(text_of(self.text_edit))
        return AltText(text, text_of(self.long_edit).strip())

    def done(self, result: int) -> None:
        """Writes what was changed."""
        self._draft_timer.stop()
        if self.alt_text != self._before:
            self.written.emit(self.alt_text.caption)
        else:
            self.drafted.emit("")
        super().done(result)

    @Slot()
    def _emit_draft(self) -> None:
        self.drafted.emit("" if self.alt_text == self._before else self.alt_text.caption)

    def _place(self, name: str) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(6)
        title = QLabel(breakable(name))
        title.setWordWrap(True)
        title.setProperty("class", "section")
        column.addWidget(title)
        column.addWidget(self.decorative_box)
        column.addSpacing(6)
        head = QHBoxLayout()
        label = QLabel(self.tr("&Alt text"))
        label.setProperty("class", "key")
        label.setBuddy(self.text_edit)
        head.addWidget(label, 1)
        head.addWidget(self.count_label)
        column.addLayout(head)
        self.text_edit.setFixedHeight(self.text_edit.fontMetrics().lineSpacing() * _TEXT_LINES + 20)
        column.addWidget(self.text_edit)
        column.addSpacing(6)
        label = QLabel(self.tr("&Long description"))
        label.setProperty("class", "key")
        label.setBuddy(self.long_edit)
        column.addWidget(label)
        column.addWidget(self.long_edit, 1)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        column.addLayout(foot)
        self.setMinimumSize(*_LEAST_SIZE)
        self.resize(*_SIZE)

    @Slot()
    def _show_state(self) -> None:
        is_decorative = self.decorative_box.isChecked()
        for edit in (self.text_edit, self.long_edit):
            edit.setEnabled(not is_decorative)
        count = len(_on_one_line(text_of(self.text_edit)))
        text = self.tr("{count} of {most} characters").format(count=count, most=MOST_CHARACTERS)
        self.count_label.setText("" if is_decorative else text)
        self.count_label.setProperty("class", "error" if count > MOST_CHARACTERS else "explanation")
        self.count_label.style().polish(self.count_label)


def _on_one_line(text: str) -> str:
    return re.sub(r"[ \t\n]+", " ", text).strip()


def _field(name: str, words: str) -> PlainTextEdit:
    edit = PlainTextEdit()
    edit.setObjectName(name)
    edit.setProperty("class", "field")
    edit.setAccessibleName(words)
    edit.setTabChangesFocus(True)
    return edit
