"""Which images of the list are selected, by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QItemSelectionRange,
    QObject,
    Signal,
    Slot,
)

from gui.workspace.image_rows import ImageRows

_Flag = QItemSelectionModel.SelectionFlag
_MOST_KEPT = 50


@dataclass(frozen=True)
class _Selected:
    """What was selected: the first and last places of ranges in the list as it was then."""

    listed: Sequence[int] = ()
    ranges: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    @property
    def ids(self) -> set[int]:
        return set(chain.from_iterable(self.listed[a : b + 1] for a, b in self.ranges))


class ImageSelection(QObject):
    """Reads and sets the selection of a view, as ranges: 100,000 images are one of them. Several
    images that are not selected any more, as after a misclick, can be selected again.

    `lost_changed(bool)`: `lost` is another number, and whether a selection was lost just now.
    """

    lost_changed = Signal(bool)

    def __init__(self, rows: ImageRows, selection_model: QItemSelectionModel):
        super().__init__(selection_model)
        self._rows, self._model = rows, selection_model
        self._now = _Selected()
        self._before: list[_Selected] = []
        self._is_restoring = self.in_gesture = self._has_lost = False
        selection_model.selectionChanged.connect(self._on_changed)

    def set_in_gesture(self, in_gesture: bool) -> None:
        """Takes the changes of one gesture of the mouse, such as a rubber band's, for one."""
        self.in_gesture, self._has_lost = in_gesture, False

    @property
    def lost(self) -> int:
        """How many images `restore` would select; 0 if no selection of several was lost."""
        return self._before[-1].count if self._before else 0

    @property
    def ids(self) -> list[int]:
        """The ids of the selected images, in the order of the list."""
        ids: list[int] = []
        for part in sorted(self._ranges(), key=lambda one: one.top()):
            ids += self._rows.ids[part.top() : part.bottom() + 1]
        return ids

    @property
    def count(self) -> int:
        """How many images are selected."""
        return sum(part.height() for part in self._ranges())

    def places(self, most: int) -> list[int]:
        """Returns the places of the selected images in the list, at most so many."""
        ranges = sorted((part.top(), part.bottom()) for part in self._ranges())
        return list(islice(chain.from_iterable(range(a, b + 1) for a, b in ranges), most))

    def select_ids(self, ids: set[int]) -> None:
        """Selects these images, and no others; those that are not listed are passed over."""
        places = sorted(place for one in ids if (place := self._rows.row_of(one)) is not None)
        selection = QItemSelection()
        begin = end = -2
        for place in [*places, -2]:
            if place != end + 1:
                if begin >= 0:
                    selection.select(self._rows.index(begin, 0), self._rows.index(end, 0))
                begin = place
            end = place
        self._model.select(selection, _Flag.ClearAndSelect)

    def restore(self) -> None:
        """Selects the images again whose selection was lost last, as far as they are listed."""
        if self._before:
            ids = self._before.pop().ids
            self._is_restoring = True
            self.select_ids(ids)
            self._is_restoring = False
            self.lost_changed.emit(False)

    def forget(self) -> None:
        """Forgets lost selections: the images are others."""
        self._now = _Selected()
        self._before.clear()
        self.lost_changed.emit(False)

    def invert(self) -> None:
        """Selects all images that are not selected, and no others."""
        if count := self._rows.rowCount():
            whole = QItemSelection(self._rows.index(0, 0), self._rows.index(count - 1, 0))
            self._model.select(whole, _Flag.Toggle)

    @Slot()
    def _on_changed(self) -> None:
        parts = ((part.top(), part.bottom()) for part in self._ranges())
        now, before = _Selected(self._rows.ids, tuple(sorted(parts))), self._now
        self._now = now
        # What only grows is not lost, and of a single image there is nothing to lose.
        is_lost = before.count > 1 and (now.count < before.count or not now.ids >= before.ids)
        if is_lost and not self._is_restoring and not (self.in_gesture and self._has_lost):
            self._has_lost = True
            self._before.append(before)
            del self._before[:-_MOST_KEPT]
            self.lost_changed.emit(True)

    def _ranges(self) -> list[QItemSelectionRange]:
        selection: Any = self._model.selection()  # A list, which its type does not say.
        return list(selection)
