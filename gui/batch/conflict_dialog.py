"""Asks which text is to stay where an edit met a caption file that somebody else has changed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.batch import Conflict
from gui.widgets.counted import counted
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable
from gui.widgets.text_direction import PlainTextEdit

_LEAST_SIZE = (484, 260)
_TEXT_LINES = 3


class ConflictDialog(QDialog):
    """Shows both texts of one image after the other, or asks once for all of them.

    `decided(set[int], set[int])`: the numbers of the images whose file is to be overwritten, and of
    those whose file is to be kept. Those that were not decided when it was closed are in neither.
    `edit_asked(int, str)`: the only caption is to be edited further, with what was written for it.
    """

    decided = Signal(object, object)
    edit_asked = Signal(int, str)

    def __init__(self, conflicts: Sequence[Conflict], parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("conflict_dialog")
        self.setWindowTitle(self.tr("Caption changed on disk"))
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._conflicts = list(conflicts)
        self._index = 0
        self._overwritten: set[int] = set()
        self._kept: set[int] = set()
        self.what_label = paragraph()
        self.found_edit = _text(self.tr("Text in the file"))
        self.caption_edit = _text(self.tr("New text"))
        self.all_box = QCheckBox()
        self.keep_button = QPushButton(self.tr("Keep the file"))
        self.keep_button.setObjectName("keep_file_button")
        self.overwrite_button = QPushButton(self.tr("Replace the file's text"))
        self.overwrite_button.setObjectName("overwrite_button")
        self.overwrite_button.setAutoDefault(False)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.setAutoDefault(False)
        self.keep_button.setDefault(True)
        self._place()
        self.keep_button.clicked.connect(self._on_kept)
        self.overwrite_button.clicked.connect(self._on_overwritten)
        self.cancel_button.clicked.connect(self.reject)
        self.finished.connect(self._on_finished)
        self._show_conflict()

    def _place(self) -> None:
        texts = QGridLayout()
        texts.setHorizontalSpacing(12)
        texts.setVerticalSpacing(4)
        for column, edit in enumerate((self.found_edit, self.caption_edit)):
            label = QLabel(edit.accessibleName())
            label.setProperty("class", "key")
            label.setBuddy(edit)
            texts.addWidget(label, 0, column)
            texts.addWidget(edit, 1, column)
            texts.setColumnStretch(column, 1)
        texts.setRowStretch(1, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        for button in (self.cancel_button, self.overwrite_button, self.keep_button):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        column.addWidget(self.what_label)
        column.addLayout(texts, 1)
        column.addWidget(self.all_box)
        column.addLayout(buttons)
        self.setMinimumWidth(_LEAST_SIZE[0])
        self.resize(*_LEAST_SIZE)

    def _show_conflict(self) -> None:
        conflict, left = self._conflicts[self._index], len(self._conflicts) - self._index
        name = breakable(conflict.path.name)
        what = self.tr("Another program changed “{name}”. Which text is to stay?").format(name=name)
        self.what_label.setText(what)
        self.found_edit.setPlainText(conflict.found)
        self.caption_edit.setPlainText(conflict.caption)
        one = self.tr("Do the same for the other image")
        many = self.tr("Do the same for the other {count} images")
        self.all_box.setText(counted(left - 1, one, many))
        self.all_box.setVisible(left > 1)
        self.keep_button.setFocus()
        if self.isVisible():
            self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Makes room for a name of several lines."""
        layout = self.layout()
        assert layout is not None
        least = layout.totalMinimumHeightForWidth(self.width())
        self.setMinimumHeight(least)
        self.resize(self.width(), max(self.height(), least))

    def _decide(self, numbers: set[int]) -> None:
        count = len(self._conflicts) - self._index if self.all_box.isChecked() else 1
        numbers.update(one.number for one in self._conflicts[self._index : self._index + count])
        self._index += count
        if self._index == len(self._conflicts):
            self.accept()
        else:
            self._show_conflict()

    @Slot()
    def _on_kept(self) -> None:
        self._decide(self._kept)

    @Slot()
    def _on_overwritten(self) -> None:
        self._decide(self._overwritten)

    @Slot()
    def _on_finished(self) -> None:
        self.decided.emit(self._overwritten, self._kept)
        first = self._conflicts[0]
        if not self._index and len(self._conflicts) == 1 and first.written:
            self.edit_asked.emit(first.number, first.written)


def _text(name: str) -> PlainTextEdit:
    edit = PlainTextEdit()
    edit.setProperty("class", "field")
    edit.setAccessibleName(name)
    edit.setReadOnly(True)
    edit.setTabChangesFocus(True)
    edit.setMinimumHeight(edit.fontMetrics().lineSpacing() * _TEXT_LINES + 20)
    return edit
