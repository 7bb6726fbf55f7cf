"""Find and replace in the captions of a run; the list shows the outcome before it is done."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.captions.wording import Replacement
from gui.widgets.buttons import icon_button, key_text
from gui.widgets.counted import counted
from gui.widgets.theme import Theme

_SHOWN_AFTER_MS = 150


class ReplaceBar(QFrame):
    """What to find, and what to replace it with.

    `changed(Replacement | None)`: show this in the captions. `asked(Replacement)`: replace in the
    captions that are shown. `closed()`: the bar was closed.
    """

    changed = Signal(object)
    asked = Signal(object)
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("replace_bar")
        self._count = 0
        self.find_edit = _edit("replace_find_edit", self.tr("Find in captions"))
        self.by_edit = _edit("replace_by_edit", self.tr("Replace with"))
        self.case_box = QCheckBox(self.tr("Match case"))
        self.words_box = QCheckBox(self.tr("Whole words"))
        self.replace_button = QPushButton(self.tr("Replace"))
        self.replace_button.setObjectName("replace_all_button")
        self.replace_button.setAutoDefault(False)
        self.close_button = icon_button(
            theme,
            "close",
            self.tr("Close find and replace"),
            tip=self.tr("Close without replacing ({key})").format(key=key_text("Esc")),
        )
        self._place()
        self._changed_timer = QTimer(self, interval=_SHOWN_AFTER_MS, singleShot=True)
        self._changed_timer.timeout.connect(self._emit_changed)
        for edit in (self.find_edit, self.by_edit):
            edit.textChanged.connect(self._changed_timer.start)
            edit.installEventFilter(self)
        for box in (self.case_box, self.words_box):
            box.toggled.connect(self._emit_changed)
        self.replace_button.clicked.connect(self._on_replace_clicked)
        self.close_button.clicked.connect(self.close_bar)
        self.hide()

    @property
    def replacement(self) -> Replacement | None:
        """What is written in the fields; None if the bar is closed or nothing is to be found."""
        if not self.isVisible() or not self.find_edit.text():
            return None
        return Replacement(
            self.find_edit.text(),
            self.by_edit.text(),
            is_case_sensitive=self.case_box.isChecked(),
            is_whole_words=self.words_box.isChecked(),
        )

    def open_bar(self) -> None:
        """Shows the bar and puts the cursor into its first field."""
        self.show()
        self.find_edit.setFocus()
        self.find_edit.selectAll()
        self._emit_changed()

    @Slot()
    def close_bar(self) -> None:
        """Hides the bar and the outcome in the captions."""
        self.hide()
        self._changed_timer.stop()
        self.changed.emit(None)
        self.closed.emit()

    def show_count(self, count: int) -> None:
        """Says in how many captions it would replace something."""
        is_shown = self.replacement is not None and not self._changed_timer.isActive()
        self._count = count if is_shown else 0
        one, many = self.tr("Replace in 1 caption"), self.tr("Replace in {count} captions")
        text = counted(self._count, one, many)
        self.replace_button.setText(text if is_shown else self.tr("Replace"))
        self.replace_button.setEnabled(self._count > 0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """In either field, Esc closes the bar and Enter does what the button does."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            if event.key() == Qt.Key.Key_Escape:
                event.accept()  # Otherwise Esc would stop the run.
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            match event.key():
                case Qt.Key.Key_Escape:
                    self.close_bar()
                    return True
                case Qt.Key.Key_Return | Qt.Key.Key_Enter if not event.modifiers():
                    self.replace_button.click()
                    return True
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        fields = QHBoxLayout()
        fields.setSpacing(8)
        fields.addWidget(self.find_edit, 1)
        fields.addWidget(self.by_edit, 1)
        fields.addWidget(self.close_button)
        choices = QHBoxLayout()
        choices.setSpacing(16)
        choices.addWidget(self.case_box)
        choices.addWidget(self.words_box)
        choices.addStretch(1)
        choices.addWidget(self.replace_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 8, 8)
        column.setSpacing(8)
        column.addLayout(fields)
        column.addLayout(choices)

    @Slot()
    def _emit_changed(self) -> None:
        self._changed_timer.stop()
        self.show_count(0)
        self.changed.emit(self.replacement)

    @Slot()
    def _on_replace_clicked(self) -> None:
        # Never replaces what has not been shown yet.
        if self._changed_timer.isActive():
            self._emit_changed()
        elif self.replacement and self._count:
            self.asked.emit(self.replacement)


def _edit(name: str, words: str) -> QLineEdit:
    edit = QLineEdit()
    edit.setObjectName(name)
    edit.setAccessibleName(words)
    edit.setPlaceholderText(words)
    return edit
