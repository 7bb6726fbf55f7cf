"""Which images of the list are selected, by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, count, islice

from PySide6.QtCore import QModelIndex, QObject, Signal, Slot

from gui.workspace.image_rows import ImageRows
from gui.workspace.selection_model import SelectionModel

_TURNED = bytes((1, 0, *range(2, 256)))
_MOST_KEPT = 50
# So many are looked for one by one in less time than the list takes to be gone through.
_FEW = 3


@dataclass(frozen=True)
class _Selected:
    """What was selected of the list as it was then: a byte for each place."""

    listed: Sequence[int] = ()
    flags: bytes = b""

    @property
    def count(self) -> int:
        return self.flags.count(1)

    @cached_property
    def ids(self) -> set[int]:
        return set(compress(self.listed, self.flags))

    def has_all_of(self, other: _Selected) -> bool:
        """Returns whether what was selected in the other is selected in this one."""
        if self.listed is other.listed and len(self.flags) == len(other.flags):
            return not int.from_bytes(other.flags) & ~int.from_bytes(self.flags)
        return self.ids >= other.ids


class ImageSelection(QObject):
    """Reads and sets the selection of a view, all of whose rows may be selected one by one. Several
    images that are not selected any more, as after a misclick, can be selected again.

    `lost_changed(bool)`: `lost` is another number, and whether a selection was lost just now.
    """

    lost_changed = Signal(bool)

    def __init__(self, rows: ImageRows, selection_model: SelectionModel):
        super().__init__(selection_model)
        self._rows, self._model = rows, selection_model
        self._now = _Selected()
        self._before: list[_Selected] = []
        self._is_restoring = self.in_gesture = self._has_lost = False
        self._range_start = -1
        self._range_end: int | None = None
        selection_model.currentChanged.connect(self._on_current_changed)
        selection_model.selectionChanged.connect(self._on_changed)

    def set_in_gesture(self, in_gesture: bool) -> None:
        """Takes the changes of one gesture of the mouse, such as a rubber band's, for one."""
        self.in_gesture, self._has_lost = in_gesture, False

    def range(self) -> tuple[int, int]:
        """Returns the first and the last row that Shift selects, all between them included and not
        only the rectangle that they span in a grid: from the image that was the current one
        before, or from the start of a range that goes on, up to the current one."""
        current = self._model.currentIndex().row()
        start = self._range_start if self._range_start >= 0 else current
        return min(start, current), max(start, current)

    def note_range(self, is_range: bool) -> None:
        """Says whether `range()` was selected, or anything else was, where a range ends."""
        current = self._model.currentIndex().row()
        self._range_end = current if is_range else None
        if not is_range:
            self._range_start = current

    @property
    def lost(self) -> int:
        """How many images `restore` would select; 0 if no selection of several was lost."""
        return self._before[-1].count if self._before else 0

    @property
    def ids(self) -> list[int]:
        """The ids of the selected images, in the order of the list."""
        return list(compress(self._rows.ids, self._model.flags))

    @property
    def count(self) -> int:
        """How many images are selected."""
        return self._model.flags.count(1)

    def has(self, row: int) -> bool:
        """Returns whether the image in this place is selected."""
        return bool(self._model.flags[row])

    def places(self, most: int) -> list[int]:
        """Returns the places of the selected images in the list, at most so many."""
        return list(islice(compress(count(), self._model.flags), most))

    def select_ids(self, ids: set[int]) -> None:
        """Selects these images, and no others; those that are not listed are passed over."""
        if len(ids) > _FEW:
            self._model.set_flags(bytes(map(ids.__contains__, self._rows.ids)))
            return
        flags = bytearray(self._rows.rowCount())
        for id in ids:
            if (place := self._rows.row_of(id)) is not None:
                flags[place] = 1
        self._model.set_flags(bytes(flags))

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
        flags = self._model.flags
        self._model.set_flags(flags.translate(_TURNED))

    @Slot(QModelIndex, QModelIndex)
    def _on_current_changed(self, _current: QModelIndex, previous: QModelIndex) -> None:
        if previous.row() != self._range_end:
            self._range_start, self._range_end = previous.row(), None

    @Slot()
    def _on_changed(self) -> None:
        now, before = _Selected(self._rows.ids, self._model.flags), self._now
        self._now = now
        # What only grows is not lost, and of a single image there is nothing to lose.
        is_lost = before.count > 1 and (now.count < before.count or not now.has_all_of(before))
        if is_lost and not self._is_restoring and not (self.in_gesture and self._has_lost):
            self._has_lost = True
            self._before.append(before)
            del self._before[:-_MOST_KEPT]
            self.lost_changed.emit(True)
