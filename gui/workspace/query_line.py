"""The line above the list of images: which of them are listed, and in which order."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QMenu, QVBoxLayout, QWidget

from core.workspace import SortKey
from gui.widgets.buttons import icon_button
from gui.widgets.theme import Theme

_PAUSE_MS = 40


class QueryLine(QWidget):
    """`searched(str)`: images that the query finds are wanted. `sort_chosen(SortKey)`."""

    searched = Signal(str)
    sort_chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._timer = QTimer(self, interval=_PAUSE_MS, singleShot=True)
        self._timer.timeout.connect(self._on_paused)
        self.edit = QLineEdit()
        self.edit.setObjectName("query_edit")
        self.edit.setAccessibleName(self.tr("Search images and captions"))
        self.edit.setPlaceholderText(self.tr("Search"))
        self.edit.setToolTip(
            self.tr("Words of captions and names, or tag:cat, name:IMG*, chars:>200, has:caption")
        )
        self.edit.setClearButtonEnabled(True)
        self.edit.textChanged.connect(self._timer.start)
        self.filter_button = icon_button(theme, "filter", self.tr("Filters"))
        self.filter_button.setObjectName("filter_button")
        self.filter_button.clicked.connect(self._open_filters)
        self.sort_box = QComboBox()
        self.sort_box.setObjectName("sort_box")
        self.sort_box.setAccessibleName(self.tr("Sort images by"))
        for key, text in self._sorts():
            self.sort_box.addItem(text, key)
        self.sort_box.activated.connect(self._on_sort_activated)
        self.error_label = QLabel()
        self.error_label.setObjectName("query_error")
        self.error_label.setWordWrap(True)
        self.error_label.hide()
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.edit, 1)
        row.addWidget(self.filter_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 0, 8, 6)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.error_label)
        column.addWidget(self.sort_box)

    def show_query(self, text: str, error: str) -> None:
        """Shows a query that was set elsewhere, and what is wrong with it, "" for nothing."""
        if text != self.edit.text() and not self._timer.isActive():
            self.edit.blockSignals(True)
            self.edit.setText(text)
            self.edit.blockSignals(False)
        if error != self.error_label.text():
            self.error_label.setText(error)
            self.error_label.setVisible(bool(error))
            self.edit.setProperty("class", "wrong" if error else "")
            self.edit.style().unpolish(self.edit)
            self.edit.style().polish(self.edit)

    def show_sort(self, key: SortKey) -> None:
        """Shows the order of the list."""
        self.sort_box.setCurrentIndex(self.sort_box.findData(key))

    def focus(self) -> None:
        """Puts the cursor into the query."""
        self.edit.setFocus()
        self.edit.selectAll()

    def _sorts(self) -> list[tuple[SortKey, str]]:
        return [
            (SortKey.NAME, self.tr("By name")),
            (SortKey.DATE, self.tr("By date")),
            (SortKey.SIZE, self.tr("By size")),
            (SortKey.LENGTH, self.tr("By caption length")),
            (SortKey.DOUBT, self.tr("By doubt")),
            (SortKey.RANDOM, self.tr("At random")),
        ]

    def _filters(self) -> list[tuple[str, str]]:
        """What the menu offers, and the query for it."""
        return [
            (self.tr("No caption"), "-has:caption"),
            (self.tr("Unreviewed"), "state:unreviewed"),
            (self.tr("Accepted"), "state:accepted"),
            (self.tr("Rejected"), "state:rejected"),
            (self.tr("Needs work"), "state:needs-work"),
            (self.tr("Edited"), "is:edited"),
            (self.tr("Failed"), "is:failed"),
        ]

    @Slot()
    def _open_filters(self) -> None:
        menu = QMenu(self)
        menu.setObjectName("filter_menu")
        menu.addAction(self.tr("All images")).triggered.connect(partial(self._set, ""))
        menu.addSeparator()
        for text, query in self._filters():
            menu.addAction(text).triggered.connect(partial(self._set, query))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.filter_button.mapToGlobal(self.filter_button.rect().bottomLeft()))

    def _set(self, query: str, checked: bool = False) -> None:
        self.edit.setText(query)
        self._timer.stop()
        self.searched.emit(query)

    @Slot()
    def _on_paused(self) -> None:
        self.searched.emit(self.edit.text())

    @Slot(int)
    def _on_sort_activated(self, index: int) -> None:
        self.sort_chosen.emit(self.sort_box.itemData(index))
