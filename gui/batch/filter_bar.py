"""The line above the captions: which rows to show, and what can be done with all of them."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from core.batch import ItemState
from gui.batch.row_filter import StateFilter
from gui.batch.rows import state_text
from gui.widgets.buttons import key_button, key_text
from gui.widgets.elided_combo_box import ElidedComboBox

_FILTER_MS = 30


class FilterBar(QWidget):
    """Chooses rows by state and words; has the buttons for replacing, undoing and finding doubt.

    `filter_changed(StateFilter, str)`: the state and the words that rows must have.
    `replace_asked()`, `edit_undone()`, `doubt_asked()`, `doubt_stopped()`: a button was clicked.
    """

    filter_changed = Signal(object, str)
    replace_asked = Signal()
    edit_undone = Signal()
    doubt_asked = Signal()
    doubt_stopped = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._is_doubting = False
        self._doubt_obstacle = ""
        self._count = self._total = self._unread = 0
        self._build()
        self._filter_timer = QTimer(self, interval=_FILTER_MS, singleShot=True)
        self.state_box.currentIndexChanged.connect(self._on_filter_changed)
        self.find_edit.textChanged.connect(self._filter_timer.start)
        self._filter_timer.timeout.connect(self._on_filter_changed)
        self.replace_button.clicked.connect(self.replace_asked)
        self.undo_edit_button.clicked.connect(self.edit_undone)
        self.doubt_button.clicked.connect(self._on_doubt_clicked)

    def show_count(self, count: int, total: int) -> None:
        """Says how many of the rows are left, unless that is all of them."""
        self._count, self._total = count, total
        self._show_label()

    def show_unread(self, count: int) -> None:
        """Says, while words are searched for, how many captions may still turn out to have them."""
        self._unread = count
        self._show_label()

    def _show_label(self) -> None:
        text = self.tr("{count} shown").format(count=f"{self._count:,}")
        is_searching = bool(self.find_edit.text().strip())
        if is_searching and self._unread:
            text = self.tr("{count} shown, {unread} still to read").format(
                count=f"{self._count:,}", unread=f"{self._unread:,}"
            )
        self.shown_label.setText(text)
        self.shown_label.setVisible(
            self._count != self._total or (is_searching and bool(self._unread))
        )

    def set_doubting(self, is_doubting: bool) -> None:
        """Turns the button for doubtful words into one that stops the search, and back."""
        self._is_doubting = is_doubting

    def set_doubt_obstacle(self, reason: str) -> None:
        """Sets why the loaded model cannot find doubtful words, "" if it can."""
        self._doubt_obstacle = reason

    def show_parts(self, *, can_edit: bool, can_undo_edit: bool, can_find_doubt: bool) -> None:
        """Shows the buttons that make sense now."""
        self.replace_button.setVisible(can_edit)
        self.undo_edit_button.setVisible(can_edit and can_undo_edit)
        self.doubt_button.setVisible(can_find_doubt or self._is_doubting)
        self.doubt_button.setText(
            self.tr("Stop") if self._is_doubting else self.tr("Find doubtful words")
        )
        self.doubt_button.setEnabled(self._is_doubting or not self._doubt_obstacle)
        self.doubt_button.setToolTip(
            self._doubt_obstacle
            or self.tr("Asks the model about each image again, to name its most doubtful word")
        )

    def show_all(self) -> None:
        """Leaves all rows."""
        self.state_box.setCurrentIndex(0)
        self.find_edit.clear()
        self._filter_timer.stop()
        self._on_filter_changed()

    def focus_words(self) -> None:
        """Puts the cursor where words to find are typed."""
        self.find_edit.setFocus()
        self.find_edit.selectAll()

    def _build(self) -> None:
        self.state_box = ElidedComboBox()
        self.state_box.setObjectName("state_box")
        self.state_box.setAccessibleName(self.tr("Show rows in this state"))
        self.state_box.addItem(self.tr("All"), StateFilter.ALL)
        for state in ItemState:
            self.state_box.addItem(state_text(state).rstrip(" …"), StateFilter(state.value))
        self.state_box.addItem(self.tr("Doubtful"), StateFilter.DOUBTFUL)
        self.find_edit = QLineEdit()
        self.find_edit.setObjectName("find_edit")
        self.find_edit.setAccessibleName(self.tr("Find in names and captions"))
        self.find_edit.setPlaceholderText(self.tr("Find"))
        tip = self.tr("Find in names and captions ({key})").format(key=key_text("Ctrl+F"))
        self.find_edit.setToolTip(tip)
        self.find_edit.setClearButtonEnabled(True)
        self.shown_label = QLabel()
        self.shown_label.setProperty("class", "key")
        self.shown_label.hide()
        self.replace_button = key_button(
            self.tr("Replace…"), "open_replace_button", "Ctrl+H", is_small=True
        )
        self.undo_edit_button = key_button(
            self.tr("Undo edit"), "undo_edit_button", "Ctrl+Z", is_small=True
        )
        self.doubt_button = key_button(
            self.tr("Find doubtful words"), "doubt_button", "Ctrl+D", is_small=True
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.state_box)
        row.addWidget(self.find_edit, 1)
        row.addWidget(self.shown_label)
        # What comes and goes stands before what stays, so that nothing moves under the pointer.
        row.addWidget(self.undo_edit_button)
        row.addWidget(self.doubt_button)
        row.addWidget(self.replace_button)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._is_doubting:
            # Its other text is shorter, and nothing is to move when it comes.
            self.doubt_button.setMinimumWidth(self.doubt_button.sizeHint().width())

    @Slot()
    def _on_filter_changed(self) -> None:
        # Qt keeps a plain str of a StrEnum.
        self.filter_changed.emit(StateFilter(self.state_box.currentData()), self.find_edit.text())

    @Slot()
    def _on_doubt_clicked(self) -> None:
        if self._is_doubting:
            self.doubt_stopped.emit()
        else:
            self.doubt_asked.emit()
