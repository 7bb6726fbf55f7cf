"""The table model of a folder run: a row for each item that the filter leaves."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtWidgets import QWidget

from core.batch import Doubt, Item, ItemState
from core.captions.wording import Replacement
from gui.batch.row_filter import RowFilter, SortKey, StateFilter
from gui.batch.thumbnails import Thumbnails
from gui.widgets.preview import PreviewMaker, unopened_text
from gui.widgets.translated import translated

_FILTER_AGAIN_MS = 400
# The longest time at a stretch for which the filter keeps the GUI thread busy.
_SLICE_SECONDS = 0.012
_STRETCH = 1000

translate = QCoreApplication.translate

Index = QModelIndex | QPersistentModelIndex


class Column(IntEnum):
    """The table's columns."""

    PICTURE = 0
    STATE = 1
    CAPTION = 2
    DOUBT = 3


def state_text(state: ItemState) -> str:
    """Returns what the state of an item is called."""
    match state:
        case ItemState.WAITING:
            return translate("BatchModel", "Waiting")
        case ItemState.WORKING:
            return translate("BatchModel", "Looking…")
        case ItemState.DONE:
            return translate("BatchModel", "Done")
        case ItemState.SKIPPED:
            return translate("BatchModel", "Skipped")
        case ItemState.FAILED:
            return translate("BatchModel", "Failed")
        case ItemState.UNDONE:
            return translate("BatchModel", "Undone")


def _header(column: Column) -> str:
    match column:
        case Column.PICTURE:
            return translate("BatchModel", "Image")
        case Column.STATE:
            return translate("BatchModel", "State")
        case Column.CAPTION:
            return translate("BatchModel", "Caption")
        case Column.DOUBT:
            return translate("BatchModel", "Doubtful word")


class BatchModel(QAbstractTableModel):
    """The rows that the filter leaves of a run's items; items are known by their number in the run.

    The filter looks through 100,000 items in slices of time, so the rows may change a little later
    than the filter.

    `edited(int, str)`: a person wrote another caption for this item; `change` takes it over.
    `caption_wanted(int)`: an item without a caption is in view; there may be one in a file beside
    the image that has not been read yet.
    `counted(int)`: the number of rows, after each filtering.
    `doubt_shown(bool)`: there are doubtful words to show, or there are none any more.
    """

    edited = Signal(int, str)
    caption_wanted = Signal(int)
    counted = Signal(int)
    doubt_shown = Signal(bool)

    def __init__(self, previews: PreviewMaker, parent: QWidget):
        super().__init__(parent)
        self.items: list[Item] = []
        self.thumbnails = Thumbnails(previews, parent.devicePixelRatioF(), self)
        self.thumbnails.made.connect(self._on_thumbnail_made)
        self._rows: Sequence[int] = range(0)
        # Row by item number; filled only while the rows are not sorted by number.
        self._row_of: dict[int, int] = {}
        self._filter = RowFilter()
        self._doubts: dict[int, Doubt] = {}
        self._is_editable = False
        self._is_held = False
        self._work: Iterator[None] = iter(())
        self._again_timer = QTimer(self, interval=_FILTER_AGAIN_MS, singleShot=True)
        self._again_timer.timeout.connect(self._filter_again)
        self._slice_timer = QTimer(self, interval=0, singleShot=True)
        self._slice_timer.timeout.connect(self._filter_slice)

    @property
    def replacement(self) -> Replacement | None:
        """The replacement whose outcome is shown in the captions before it is made."""
        return self._filter.replacement

    @property
    def numbers(self) -> Sequence[int]:
        """The item numbers of the rows, in order."""
        return self._rows

    @property
    def sort_key(self) -> SortKey:
        """The order of the rows."""
        return self._filter.sort_key

    def set_items(self, items: list[Item]) -> None:
        """Takes the items of another run; the filter stays, the order is the run's again."""
        self.beginResetModel()
        self.items, self._rows = list(items), range(0)
        self._doubts.clear()
        self._filter = replace(self._filter, sort_key=SortKey.RUN_ORDER)
        self.endResetModel()
        self.doubt_shown.emit(False)
        self._start_filter()

    def change(self, number: int, item: Item) -> None:
        """Takes a new version of one item; the filter is applied again a little later."""
        if number >= len(self.items):
            return
        self.items[number] = item
        if (row := self.row(number)) is not None:
            self.dataChanged.emit(self.index(row, Column.PICTURE), self.index(row, Column.DOUBT))
        self._filter_later()

    def set_filter(self, state: StateFilter, words: str) -> None:
        """Leaves only the rows in this state that contain the words; see `RowFilter`."""
        self._filter = replace(self._filter, state=state, words=words.casefold().strip())
        self._start_filter()

    def sort_by(self, key: SortKey) -> None:
        """Sorts the rows."""
        self._filter = replace(self._filter, sort_key=key)
        self._start_filter()

    def show_replacement(self, replacement: Replacement | None) -> None:
        """Leaves only the captions that it would change, and shows the change; None ends this."""
        self._filter = replace(self._filter, replacement=replacement)
        self._start_filter()
        self._emit_column_changed(Column.CAPTION)

    def show_doubts(self, doubts: Sequence[Doubt]) -> None:
        """Adds the most doubtful words of captions. A word disappears when its caption changes."""
        if not self._doubts:
            self.doubt_shown.emit(True)
        self._doubts |= {doubt.number: doubt for doubt in doubts}
        if len(doubts) > 1:
            self._emit_column_changed(Column.DOUBT)
        elif (row := self.row(doubts[0].number)) is not None:
            self.dataChanged.emit(self.index(row, Column.DOUBT), self.index(row, Column.DOUBT))
        self._filter_later()

    def doubt(self, number: int) -> Doubt | None:
        """Returns the doubt about the item's present caption; None if it is unknown."""
        doubt = self._doubts.get(number)
        is_current = doubt is not None and doubt.caption == self.items[number].caption
        return doubt if is_current else None

    def set_editable(self, is_editable: bool) -> None:
        """Allows or forbids editing the captions."""
        self._is_editable = is_editable

    def hold_rows(self, is_held: bool) -> None:
        """While rows are held, changed items do not move or remove them: one is being edited."""
        self._is_held = is_held

    def number(self, index: Index) -> int:
        """Returns the item number of a row; -1 for an invalid index."""
        return self._rows[index.row()] if index.isValid() else -1

    def row(self, number: int) -> int | None:
        """Returns the row of the item with this number; None if the filter leaves it out."""
        if self.sort_key is SortKey.DOUBT:
            return self._row_of.get(number)
        row = bisect_left(self._rows, number)
        return row if row < len(self._rows) and self._rows[row] == number else None

    def item(self, index: Index) -> Item:
        """Returns the item of a row; the index must be valid."""
        return self.items[self._rows[index.row()]]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(Column)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _header(Column(section))
        if section == Column.DOUBT and role == Qt.ItemDataRole.ToolTipRole:
            return self.tr("The most doubtful word of each caption. Click to sort.")
        return None

    def state_texts(self) -> list[str]:
        """Returns all that the column of states may say."""
        return [*map(state_text, ItemState), self.tr("Edited"), self.tr("Warning")]

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == Column.CAPTION and self._is_editable and not self.replacement:
            item = self.item(index)
            is_free = item.state is not ItemState.WORKING and not _is_unread(item)
            flags |= Qt.ItemFlag.ItemIsEditable if is_free else Qt.ItemFlag.NoItemFlags
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        item, column = self.item(index), Column(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                if column is Column.CAPTION and not item.caption:
                    self.caption_wanted.emit(self.number(index))
                return self._text(index, item)
            case Qt.ItemDataRole.EditRole if column is Column.CAPTION:
                return item.caption
            case Qt.ItemDataRole.DecorationRole if column is Column.PICTURE:
                return self.thumbnails.get(item.path)
            case Qt.ItemDataRole.ToolTipRole if column is Column.PICTURE:
                is_broken = self._is_broken_picture(column, item)
                return unopened_text(str(item.path)) if is_broken else str(item.path)
            case Qt.ItemDataRole.AccessibleTextRole if self._is_broken_picture(column, item):
                return unopened_text(item.path.name)
            case Qt.ItemDataRole.ToolTipRole if column is Column.CAPTION:
                return "\n".join(filter(None, (_caption(item), *_notes(item)))) or None
            case Qt.ItemDataRole.ToolTipRole if column is Column.STATE:
                return "\n".join(_notes(item)) or None
            case Qt.ItemDataRole.ToolTipRole if column is Column.DOUBT:
                return self._text(index, item) or None
            case Qt.ItemDataRole.AccessibleTextRole if column is Column.STATE:
                return ". ".join((self._text(index, item), *_notes(item)))
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._text(index, item) or self._nothing(column)
        return None

    def _is_broken_picture(self, column: Column, item: Item) -> bool:
        return column is Column.PICTURE and self.thumbnails.is_broken(item.path)

    def _nothing(self, column: Column) -> str:
        """What a screen reader says of an empty cell."""
        return self.tr("No caption") if column is Column.CAPTION else self.tr("Not examined")

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        caption = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or caption == self.item(index).caption:
            return False
        self.edited.emit(self.number(index), caption)
        return True

    def _text(self, index: Index, item: Item) -> str:
        match Column(index.column()):
            case Column.PICTURE:
                return item.path.name
            case Column.STATE:
                is_edited = item.is_edited and item.state is ItemState.DONE
                return self.tr("Edited") if is_edited else state_text(item.state)
            case Column.CAPTION:
                return _caption(item)
            case Column.DOUBT:
                doubt = self.doubt(self.number(index))
                return doubt.word if doubt else ""

    # The filter

    def _filter_later(self) -> None:
        """Not at once: a row that somebody reads would disappear while they read it."""
        if not self._filter.is_trivial and not self._again_timer.isActive():
            self._again_timer.start()

    @Slot()
    def _filter_again(self) -> None:
        if self._is_held:
            self._again_timer.start()
        else:
            self._start_filter()

    def _start_filter(self) -> None:
        """Drops a filtering under way and starts anew; without a filter all rows come at once."""
        self._again_timer.stop()
        self._slice_timer.stop()
        if self._filter.is_trivial:
            self._work = iter(())
            self._show(range(len(self.items)))
        else:
            self._work = self._filtering()
            self._filter_slice()

    @Slot()
    def _filter_slice(self) -> None:
        """Filters for one slice of time, then lets the event loop run."""
        until = time.perf_counter() + _SLICE_SECONDS
        for _ in self._work:
            if time.perf_counter() > until:
                self._slice_timer.start()
                return

    def _filtering(self) -> Iterator[None]:
        rows = yield from self._filter.find(self.items, self.doubt)
        row_of: dict[int, int] = {}
        if self.sort_key is SortKey.DOUBT:
            for begin in range(0, len(rows), _STRETCH):
                row_of |= {n: row for row, n in enumerate(rows[begin : begin + _STRETCH], begin)}
                yield
        self._row_of = row_of
        self._show(rows)

    def _show(self, rows: Sequence[int]) -> None:
        if isinstance(rows, range) or rows != self._rows:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        self.counted.emit(len(rows))

    @Slot()
    def _on_thumbnail_made(self) -> None:
        # To find its row would be a search; Qt repaints only the rows in view.
        self._emit_column_changed(Column.PICTURE)

    def _emit_column_changed(self, column: Column) -> None:
        if self._rows:
            last = self.index(len(self._rows) - 1, column)
            self.dataChanged.emit(self.index(0, column), last)


def _caption(item: Item) -> str:
    """The caption, or why there is none."""
    return item.caption or translated(item.reason)


def _notes(item: Item) -> list[str]:
    return [translated(note) for note in item.notes]


def _is_unread(item: Item) -> bool:
    return item.state is ItemState.SKIPPED and not item.caption
