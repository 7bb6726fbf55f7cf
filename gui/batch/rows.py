"""The rows of a folder run, as data: those that a filter leaves, and what is in them."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from heapq import merge
from itertools import count, islice
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QWidget

from core.batch import Doubt, Item, ItemState, Replacement
from gui.widgets.preview import PreviewMaker, thumbnail

PICTURE, STATE, CAPTION, DOUBT = range(4)
THUMBNAIL_SIDE = 44
_KEPT = 400
_FILTER_AGAIN_MS = 400
# Longer than this the window's thread looks through no captions at a stretch.
_SLICE_SECONDS = 0.012
_STRETCH = 1000
# Thumbnails in the making, and those that wait: what is out of sight by then need not be made.
_MAKING = 2
_WANTED = 40

STATE_WORDS = {
    ItemState.WAITING: "Waiting",
    ItemState.WORKING: "Looking …",
    ItemState.DONE: "Done",
    ItemState.SKIPPED: "Skipped",
    ItemState.FAILED: "Failed",
    ItemState.UNDONE: "Undone",
}

Index = QModelIndex | QPersistentModelIndex


class BatchModel(QAbstractTableModel):
    """The rows that a filter leaves of the run's items; numbers are the run's own.

    `edited(int, str)`: a person has written another caption; whoever keeps it calls `change`.
    `caption_wanted(int)`: a skipped row is in sight, whose caption is beside the picture and not
    in its item. `counted(int)`: how many rows are left. 100,000 are looked through in slices, so
    that the rows may change a little later than the filter. `doubt_shown(bool)`: whether there
    is a doubtful word to be shown. Thumbnails are asked for when they
    are first painted, the latest first, and forgotten when there are many.
    """

    edited = Signal(int, str)
    caption_wanted = Signal(int)
    counted = Signal(int)
    doubt_shown = Signal(bool)

    def __init__(self, previews: PreviewMaker, parent: QWidget):
        super().__init__(parent)
        self.items: list[Item] = []
        self._rows: Sequence[int] = range(0)
        self._state: ItemState | None = None
        self._words = ""
        self._replacement: Replacement | None = None
        self._doubts: dict[int, Doubt] = {}
        self._only_doubtful = False
        self._sorts_by_doubt = False
        self._places: dict[int, int] = {}
        self._can_edit = False
        self._is_held = False
        self._work: Iterator[None] = iter(())
        self._ratio = parent.devicePixelRatioF()
        self._previews = previews
        self._thumbnails: dict[Path, QPixmap | None] = {}
        self._wanted: list[Path] = []
        self._making: set[Path] = set()
        self._again = QTimer(self, interval=_FILTER_AGAIN_MS, singleShot=True)
        self._again.timeout.connect(self._filter_again)
        self._rest = QTimer(self, interval=0, singleShot=True)
        self._rest.timeout.connect(self._work_on)
        previews.made.connect(self._on_made)

    @property
    def replacement(self) -> Replacement | None:
        """What is shown in captions as if it had been done."""
        return self._replacement

    @property
    def numbers(self) -> Sequence[int]:
        """The run's numbers of the rows, in order."""
        return self._rows

    def replace(self, items: list[Item]) -> None:
        self.beginResetModel()
        self.items, self._rows = list(items), range(0)
        self._doubts.clear()
        self._sorts_by_doubt = False
        self.endResetModel()
        self.doubt_shown.emit(False)
        self._filter()

    def change(self, number: int, item: Item) -> None:
        if number >= len(self.items):
            return
        self.items[number] = item
        if (row := self.row(number)) is not None:
            self.dataChanged.emit(self.index(row, PICTURE), self.index(row, DOUBT))
        if self._is_filtered and not self._again.isActive():
            # Not at once: the row that somebody reads would vanish under the eyes.
            self._again.start()

    def choose(self, state: ItemState | None, words: str, *, only_doubtful: bool = False) -> None:
        """Leave only the rows in this state whose name, caption or reason has the words, and of
        them only those with a doubtful one."""
        self._state, self._words = state, words.casefold().strip()
        self._only_doubtful = only_doubtful
        self._filter()

    def show_doubts(self, doubts: Sequence[Doubt]) -> None:
        """The most doubtful words of captions; each goes when its caption changes."""
        if not self._doubts:
            self.doubt_shown.emit(True)
        self._doubts |= {doubt.number: doubt for doubt in doubts}
        if len(doubts) > 1:
            self._tell_changed(DOUBT)
        elif (row := self.row(doubts[0].number)) is not None:
            self.dataChanged.emit(self.index(row, DOUBT), self.index(row, DOUBT))
        if self._is_filtered and not self._again.isActive():
            self._again.start()

    def doubt(self, number: int) -> Doubt | None:
        """That of the caption as it is now, if it is known."""
        doubt = self._doubts.get(number)
        is_current = doubt is not None and doubt.caption == self.items[number].caption
        return doubt if is_current else None

    @property
    def sorts_by_doubt(self) -> bool:
        return self._sorts_by_doubt

    def sort_by_doubt(self, sorts: bool) -> None:
        """The most doubtful first, or all in the run's own order."""
        self._sorts_by_doubt = sorts
        self._filter()

    def show_replacement(self, replacement: Replacement | None) -> None:
        """Leave only the captions that it would change, and show how; None ends it."""
        self._replacement = replacement
        self._filter()
        self._tell_changed(CAPTION)

    def let_edit(self, can_edit: bool) -> None:
        self._can_edit = can_edit

    def hold(self, is_held: bool) -> None:
        """Whether the rows stay as they are for now: somebody writes in one."""
        self._is_held = is_held

    def number(self, index: Index) -> int:
        """The run's number of a row; -1 when there is none."""
        return self._rows[index.row()] if index.isValid() else -1

    def row(self, number: int) -> int | None:
        """Where that item stands now; None when the filter leaves it out."""
        if self._sorts_by_doubt:
            return self._places.get(number)
        row = bisect_left(self._rows, number)
        return row if row < len(self._rows) and self._rows[row] == number else None

    def item(self, index: Index) -> Item:
        return self.items[self._rows[index.row()]]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else 4

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Image", "State", "Caption", "In doubt")[section]
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == CAPTION and self._can_edit and not self._replacement:
            item = self.item(index)
            is_free = item.state is not ItemState.WORKING and not _is_unread(item)
            flags |= Qt.ItemFlag.ItemIsEditable if is_free else Qt.ItemFlag.NoItemFlags
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        item = self.item(index)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                if index.column() == CAPTION and _is_unread(item):
                    self.caption_wanted.emit(self.number(index))
                return self._text(index, item)
            case Qt.ItemDataRole.EditRole if index.column() == CAPTION:
                return item.caption
            case Qt.ItemDataRole.DecorationRole if index.column() == PICTURE:
                return self._thumbnail(item.path)
            case Qt.ItemDataRole.ToolTipRole:
                texts = (str(item.path), "", item.caption or item.reason, "")
                return texts[index.column()] or None
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._text(index, item)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        caption = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or caption == self.item(index).caption:
            return False
        self.edited.emit(self.number(index), caption)
        return True

    def _text(self, index: Index, item: Item) -> str:
        match index.column():
            case 0:
                return item.path.name
            case 3:
                doubt = self.doubt(self.number(index))
                return doubt.word if doubt else ""
            case 1:
                is_edited = item.is_edited and item.state is ItemState.DONE
                return "Edited" if is_edited else STATE_WORDS[item.state]
        return item.caption or item.reason

    # The filter

    @property
    def _is_filtered(self) -> bool:
        return (
            self._state is not None
            or bool(self._words)
            or self._replacement is not None
            or self._only_doubtful
            or self._sorts_by_doubt
        )

    @Slot()
    def _filter_again(self) -> None:
        if self._is_held:
            self._again.start()
        else:
            self._filter()

    def _filter(self) -> None:
        self._again.stop()
        self._rest.stop()
        self._work = self._filtering() if self._is_filtered else iter(())
        if self._is_filtered:
            self._work_on()
        else:
            self._show(range(len(self.items)))

    @Slot()
    def _work_on(self) -> None:
        """Filter for one slice of time."""
        until = time.perf_counter() + _SLICE_SECONDS
        for _ in self._work:
            if time.perf_counter() > until:
                self._rest.start()
                return

    def _filtering(self) -> Iterator[None]:
        """Look through the items and show what is found; rests after each step."""
        is_wanted, items, found = self._wish(), self.items, []
        for begin in range(0, len(items), _STRETCH):
            found += [
                n
                for n, item in enumerate(items[begin : begin + _STRETCH], begin)
                if is_wanted(item) and (not self._only_doubtful or self._is_doubtful(n))
            ]
            yield
        if self._sorts_by_doubt:
            found = yield from self._sorting(found)
        self._show(found)

    def _is_doubtful(self, number: int) -> bool:
        doubt = self.doubt(number)
        return doubt is not None and doubt.step > 0

    def _sorting(self, found: list[int]) -> Generator[None, None, list[int]]:
        """The most doubtful first; those of which nothing is known last, in their order."""
        parts, rows, places = [], [], {}
        for begin in range(0, len(found), _STRETCH):
            parts.append(sorted(map(self._by_doubt, found[begin : begin + _STRETCH])))
            yield
        numbers = (number for _, number in merge(*parts))
        while step := list(islice(numbers, _STRETCH)):
            places.update(zip(step, count(len(rows))))
            rows += step
            yield
        self._places = places
        return rows

    def _by_doubt(self, number: int) -> tuple[float, int]:
        doubt = self.doubt(number)
        return (-doubt.doubt if doubt else math.inf), number

    def _wish(self) -> Callable[[Item], bool]:
        state, words, replacement = self._state, self._words, self._replacement

        def is_wanted(item: Item) -> bool:
            return (
                (state is None or item.state is state)
                and (
                    not words
                    or words in f"{item.path.name}\n{item.caption}{item.reason}".casefold()
                )
                and (
                    replacement is None
                    or (item.state is ItemState.DONE and replacement.of(item.caption) is not None)
                )
            )

        return is_wanted

    def _show(self, rows: Sequence[int]) -> None:
        if isinstance(rows, range) or rows != self._rows:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        self.counted.emit(len(rows))

    # Thumbnails

    def _thumbnail(self, path: Path) -> QPixmap | None:
        if path not in self._thumbnails and path not in self._making:
            if path in self._wanted:
                self._wanted.remove(path)
            self._wanted.append(path)
            del self._wanted[:-_WANTED]
            self._make_thumbnails()
        return self._thumbnails.get(path)

    def _make_thumbnails(self) -> None:
        """The one painted last first: it is in sight."""
        side = round(THUMBNAIL_SIDE * max(2.0, self._ratio))
        while self._wanted and len(self._making) < _MAKING:
            path = self._wanted.pop()
            self._making.add(path)
            self._previews.ask(("batch", path), partial(thumbnail, path, side))

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case ("batch", Path() as path) if path in self._making:
                self._making.remove(path)
                self._thumbnails[path] = QPixmap.fromImage(image)
                while len(self._thumbnails) > _KEPT:
                    del self._thumbnails[next(iter(self._thumbnails))]
                self._make_thumbnails()
                # Which row it is would be a search; Qt repaints only what is in sight.
                self._tell_changed(PICTURE)

    def _tell_changed(self, column: int) -> None:
        if self._rows:
            last = self.index(len(self._rows) - 1, column)
            self.dataChanged.emit(self.index(0, column), last)


def _is_unread(item: Item) -> bool:
    return item.state is ItemState.SKIPPED and not item.caption
