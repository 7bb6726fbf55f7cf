"""The images of a folder run as the window shows them: their states, captions and counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.batch import Batch, Doubt, Item, ItemState
from core.picture import look_for_pictures
from gui.session.inbox import ItemChangedElsewhere, ItemEvent
from gui.widgets.translated import translated

_FREED_AT_ONCE = 2000
_SHOWS_EXISTING = (ItemState.WAITING, ItemState.SKIPPED, ItemState.UNDONE)


class RunItems(QObject):
    """A copy, in the GUI thread, of the items that the run changes in other threads.

    `replaced(list[Item])`: all of them are others. `changed(int, Item)`: one has changed.
    `reported(int, Item)`: the run is changing it, and has changed its files if it has any.
    `piece_received(int, str)`: a piece was generated of the caption of one. `outdated(int)`: the
    files beside one have changed, and what they hold is not known any more.

    An item without a caption of the run shows the one that its files have.
    """

    # A list would be converted, one item after another.
    replaced = Signal(object)
    changed = Signal(int, object)
    reported = Signal(int, object)
    piece_received = Signal(int, str)
    outdated = Signal(int)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._items: list[Item] = []
        self._counts: Counter[ItemState] = Counter()
        self._edited = 0
        # What is in the files beside images, by number, without those that have no caption there.
        self._existing: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Item:
        return self._items[number]

    @property
    def counts(self) -> dict[ItemState, int]:
        """How many items are in each state, as a copy."""
        return dict(self._counts)

    @property
    def edited(self) -> int:
        """How many items that are done have a caption that was edited by hand."""
        return self._edited

    @property
    def settled(self) -> int:
        """How many items need no more work."""
        waiting = self._counts[ItemState.WAITING] + self._counts[ItemState.WORKING]
        return len(self._items) - waiting

    def copy(self) -> list[Item]:
        """Return the items as they are now, for another thread."""
        return list(self._items)

    def set_items(self, items: Sequence[Item], counts: Counter[ItemState]) -> None:
        """Show other items; `counts` are theirs, counted in another thread."""
        before, self._items = self._items, list(items)
        self._counts = counts
        self._edited = sum(map(_is_edited, self._items))
        self._existing = {}
        self.replaced.emit(self._items)
        self._free(before)

    def handle(self, number: int, event: ItemEvent) -> None:
        """Take over what the run reports of the item at `number`."""
        match event:
            case Item():
                self._update(number, event, is_by_run=True)
            case ItemChangedElsewhere(item):
                self._update(number, item, is_by_run=False)
            case str():
                self._append(number, event)

    def existing(self, number: int) -> str:
        """Return the caption beside an image, as far as it is read."""
        return self._existing.get(number, "")

    def show_existing(self, number: int, caption: str) -> None:
        """Take over what is in the files beside an image; "" if there is no caption."""
        if number >= len(self._items):
            return
        if caption:
            self._existing[number] = caption
        else:
            self._existing.pop(number, None)
        item = self._items[number]
        if item.state in _SHOWS_EXISTING and item.caption != caption:
            self._set(number, replace(item, caption=caption))

    def show_draft(self, number: int, caption: str) -> None:
        """Show a caption that is being generated; the item stays as it is."""
        if number < len(self._items):
            draft = replace(self._items[number], state=ItemState.WORKING, caption=caption)
            self.changed.emit(number, draft)

    def show_again(self, number: int) -> None:
        """Report an item unchanged, so that its row drops a draft, or an edit that could not be
        kept."""
        if number < len(self._items):
            self.changed.emit(number, self._items[number])

    def _update(self, number: int, item: Item, *, is_by_run: bool) -> None:
        if number >= len(self._items) or self._items[number].path != item.path:
            return  # It belongs to a run that is no longer shown.
        if is_by_run:
            self.reported.emit(number, item)
        self._counts[self._items[number].state] -= 1
        self._counts[item.state] += 1
        self._edited += _is_edited(item) - _is_edited(self._items[number])
        was_written = self._items[number].state is ItemState.DONE
        if item.state in _SHOWS_EXISTING and not item.caption:
            if was_written:
                self._existing.pop(number, None)
            item = replace(item, caption=self.existing(number))
        self._set(number, item)
        if item.state in _SHOWS_EXISTING and (was_written or item.state is ItemState.SKIPPED):
            self.outdated.emit(number)

    def _append(self, number: int, piece: str) -> None:
        item = self._items[number] if number < len(self._items) else None
        if item and item.state is ItemState.WORKING:
            item = self._items[number] = replace(item, caption=item.caption + piece)
            self.piece_received.emit(number, piece)
            self.changed.emit(number, item)

    def _set(self, number: int, item: Item) -> None:
        self._items[number] = item
        self.changed.emit(number, item)

    def _free(self, items: list[Item]) -> None:
        """Free items bit by bit: freeing 100,000 at once would block the window for 30 ms."""
        del items[-_FREED_AT_ONCE:]
        if items:
            asyncio.get_running_loop().call_later(0.01, self._free, items)


def _is_edited(item: Item) -> bool:
    return item.is_edited and item.state is ItemState.DONE


def found_items(roots: Sequence[Path], is_recursive: bool) -> tuple[list[Item], str]:
    """Look for images in another thread, and say in a sentence which ones are left out."""
    found = look_for_pictures(roots, is_recursive, trusts_suffix=True)
    return [Item(path) for path in found.pictures], translated(found.sentence)


OpenedRun = tuple[Batch, Counter[ItemState], list[Doubt]]
"""A run, how many of its images are in which state, and its most doubtful words."""


def opened_run(open_batch: Callable[[], Batch]) -> OpenedRun:
    """Open a run in another thread, and count its states: all that goes through 100,000 rows."""
    batch = open_batch()
    return batch, Counter(item.state for item in batch.items), batch.doubts
