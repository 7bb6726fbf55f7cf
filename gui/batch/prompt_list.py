"""The prompts of a folder run: one field for each, in which a line break is a line break."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFontMetricsF, QResizeEvent, QShowEvent, QTextCursor
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.conversation.prompt_variables import complete_variables
from gui.widgets.buttons import icon_button
from gui.widgets.text_direction import PlainTextEdit
from gui.widgets.theme import Theme

_LINES = 2
_MOST_LINES = 5


class PromptList(QWidget):
    """Edits one prompt or several; there is always a first field.

    `name_of(number, count)` returns the accessible name of a field; numbers count from 1.
    `field_added(QWidget)`: another field has the focus, and should be in view. `changed()`:
    something else is written.
    """

    field_added = Signal(QWidget)
    changed = Signal()

    def __init__(
        self,
        theme: Theme,
        name: str,
        name_of: Callable[[int, int], str],
        placeholder: str,
        parent: QWidget | None = None,
    ):
        """`name` is the object name of the first field, `placeholder` what it says while empty."""
        super().__init__(parent)
        self._theme, self._name, self._name_of = theme, name, name_of
        self._tip = ""
        self._removed = ""
        self._is_read_only = False
        self._rows: list[_Row] = []
        self.add_button = QPushButton(self.tr("Add prompt"))
        self.add_button.setObjectName("add_prompt_button")
        self.add_button.setProperty("class", "small")
        self.add_button.setToolTip(self.tr("The caption gets the answers to all prompts"))
        self.add_button.setAutoDefault(False)
        self.add_button.clicked.connect(self._on_add_clicked)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._add_row(placeholder)

    @property
    def edits(self) -> list[QPlainTextEdit]:
        """The fields, in order."""
        return [row.edit for row in self._rows]

    @property
    def prompts(self) -> tuple[str, ...]:
        """What is written, without empty fields."""
        texts = (edit.toPlainText().strip() for edit in self.edits)
        return tuple(text for text in texts if text)

    @property
    def is_typed(self) -> bool:
        """Whether a person has written any of them, and nothing else was shown since."""
        return any(edit.document().isModified() for edit in self.edits)

    def restore(self, prompts: Sequence[str]) -> None:
        """Shows prompts that a person wrote earlier."""
        self.show_prompts(prompts)
        self.edits[0].document().setModified(True)
        self.changed.emit()

    def show_prompts(self, prompts: Sequence[str]) -> None:
        """Shows these prompts, each in a field of its own. What a person wrote in a field can be
        brought back there by undoing, and what was in a field that goes by adding one."""
        while len(self._rows) > max(1, len(prompts)):
            if self._rows[-1].edit.document().isModified():
                self._removed = self._rows[-1].edit.toPlainText().strip() or self._removed
            self._remove_row(self._rows[-1])
        while len(self._rows) < len(prompts):
            self._add_row(self.tr("Another prompt"))
        for edit, prompt in zip(self.edits, prompts or [""], strict=True):
            _show_text(edit, prompt)

    def set_tip(self, tip: str) -> None:
        """Sets the tool tip of all fields."""
        self._tip = tip
        for edit in self.edits:
            edit.setToolTip(tip)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        for row in self._rows:
            row.set_button_width(self.add_button.sizeHint().width())

    def set_read_only(self, is_read_only: bool) -> None:
        """Forbids or allows changes."""
        self._is_read_only = is_read_only
        self.add_button.setEnabled(not is_read_only)
        for row in self._rows:
            row.edit.setReadOnly(is_read_only)
            row.remove_button.setEnabled(not is_read_only)

    def _add_row(self, placeholder: str) -> _Row:
        row = _Row(self._theme, placeholder, None if self._rows else self.add_button)
        row.edit.setObjectName(self._name if not self._rows else f"{self._name}_further")
        row.edit.setToolTip(self._tip)
        if self.isVisible():
            row.set_button_width(self.add_button.sizeHint().width())
        row.remove_asked.connect(self._on_remove_asked)
        row.edit.textChanged.connect(self.changed)
        complete_variables(row.edit)
        self._column.addWidget(row)
        if self._rows:  # Otherwise Tab would come to it after the list.
            QWidget.setTabOrder(self._rows[-1].remove_button, row.edit)
            QWidget.setTabOrder(row.edit, row.remove_button)
        self._rows.append(row)
        self._name_rows()
        return row

    def _remove_row(self, row: _Row) -> None:
        """Removes a row; the first one keeps its field and takes over the text of the second."""
        index = self._rows.index(row)
        if index == 0:
            _show_text(row.edit, self._rows[1].edit.toPlainText())
            row = self._rows[1]
        self._rows.remove(row)
        row.hide()
        row.deleteLater()
        self._name_rows()
        self.changed.emit()

    def _name_rows(self) -> None:
        count = len(self._rows)
        for number, row in enumerate(self._rows, 1):
            row.edit.setAccessibleName(self._name_of(number, count))
            remove = self.tr("Remove {prompt}").format(prompt=self._name_of(number, count))
            row.remove_button.setAccessibleName(remove)
            row.remove_button.setToolTip(remove)
            row.remove_button.setVisible(count > 1)
        self.updateGeometry()

    @Slot()
    def _on_add_clicked(self) -> None:
        """Adds a field, unless one is empty. It begins with the prompt that was removed last, which
        is selected, so that typing replaces it."""
        empty = (edit for edit in self.edits if not edit.toPlainText().strip())
        edit = next(empty, None) or self._add_row(self.tr("Another prompt")).edit
        edit.setPlainText(self._removed)
        edit.selectAll()
        self._removed = ""
        edit.setFocus()
        self.field_added.emit(edit)

    @Slot(QWidget)
    def _on_remove_asked(self, row: QWidget) -> None:
        assert isinstance(row, _Row)
        index = self._rows.index(row)
        self._removed = row.edit.toPlainText().strip()
        self._remove_row(row)
        self._rows[min(index, len(self._rows) - 1)].edit.setFocus()


class _Row(QWidget):
    """One field, beside it the button that removes it, and then `button`, if given.

    `remove_asked(QWidget)`: this row.
    """

    remove_asked = Signal(QWidget)

    def __init__(self, theme: Theme, placeholder: str, button: QPushButton | None):
        super().__init__()
        self.edit = _Field()
        self.edit.setProperty("class", "field")
        self.edit.setPlaceholderText(placeholder)
        self.edit.setTabChangesFocus(True)
        # A folder that is dropped is to be captioned; its path is not text to insert.
        self.edit.setAcceptDrops(False)
        self.remove_button: QToolButton = icon_button(theme, "close", "")
        self._beside = QWidget()
        column = QVBoxLayout(self._beside)
        column.setContentsMargins(0, 0, 0, 0)
        if button:
            column.addWidget(button)
        column.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.edit, 1, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.remove_button, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._beside)
        self.remove_button.clicked.connect(self._on_remove_clicked)

    def set_button_width(self, width: int) -> None:
        """Leaves the button of the first row this width, so that all fields end in one line."""
        self._beside.setFixedWidth(width)

    @Slot()
    def _on_remove_clicked(self) -> None:
        self.remove_asked.emit(self)


class _Field(PlainTextEdit):
    """A field as high as its text, within bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.textChanged.connect(self._fit)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()  # At another width the text has other lines.

    @Slot()
    def _fit(self) -> None:
        lines = max(_LINES, min(_MOST_LINES, round(self.document().size().height())))
        # With the two margins alone, Qt finds that the last line does not fit, and scrolls.
        around = self.height() - self.viewport().height() + 3 * self.document().documentMargin()
        self.setFixedHeight(ceil(lines * QFontMetricsF(self.font()).lineSpacing() + around))


def _show_text(edit: QPlainTextEdit, text: str) -> None:
    """Shows another text, which one goes on with at its end. It can be undone."""
    if text != edit.toPlainText():
        cursor = edit.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
    # Before it is said to be another text: nobody wrote it.
    edit.document().setModified(False)
    edit.moveCursor(QTextCursor.MoveOperation.End)
