"""Which rows of a folder run are shown, and in which order."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from heapq import merge
from itertools import islice

from core.batch import Doubt, Item, ItemState
from core.captions.folding import findable
from core.captions.wording import Replacement
from gui.widgets.translated import translated

# Rows looked at between two chances to return to the event loop: about a millisecond.
_STRETCH = 1000

DoubtOf = Callable[[int], Doubt | None]
"""Returns the doubt about the caption of the item with this number, if it is known."""


class StateFilter(StrEnum):
    """The choices of the filter box: all rows, those in one state, or those with doubtful words."""

    ALL = "all"
    WAITING = ItemState.WAITING.value
    WORKING = ItemState.WORKING.value
    DONE = ItemState.DONE.value
    SKIPPED = ItemState.SKIPPED.value
    FAILED = ItemState.FAILED.value
    UNDONE = ItemState.UNDONE.value
    DOUBTFUL = "doubtful"

    @property
    def item_state(self) -> ItemState | None:
        """The state that items must have; None if any will do."""
        is_state = self not in (StateFilter.ALL, StateFilter.DOUBTFUL)
        return ItemState(self.value) if is_state else None


class SortKey(Enum):
    """The order of the rows: as in the run, or the most doubtful first."""

    RUN_ORDER = auto()
    DOUBT = auto()


@dataclass(frozen=True)
class RowFilter:
    """Leaves rows that meet all conditions.

    `words`: in the image's name, the caption, the reason of a failure or a warning; case does
    not matter.
    `replacement`: leave only captions that it would change.
    """

    state: StateFilter = StateFilter.ALL
    words: str = ""
    replacement: Replacement | None = None
    sort_key: SortKey = SortKey.RUN_ORDER

    @property
    def is_trivial(self) -> bool:
        """Whether it leaves all rows in the order of the run."""
        return self == RowFilter()

    def find(self, items: Sequence[Item], doubt_of: DoubtOf) -> Generator[None, None, list[int]]:
        """Returns the numbers of the items that are left, sorted.

        Yields after every thousand items, so that the caller can spread the work over time.
        """
        leaves, found = self._item_test(), []
        for begin in range(0, len(items), _STRETCH):
            found += [
                number
                for number, item in enumerate(items[begin : begin + _STRETCH], begin)
                if leaves(item)
                and (self.state is not StateFilter.DOUBTFUL or _is_doubtful(doubt_of(number)))
            ]
            yield
        if self.sort_key is SortKey.DOUBT:
            found = yield from _by_doubt(found, doubt_of)
        return found

    def _item_test(self) -> Callable[[Item], bool]:
        state, words = self.state.item_state, findable(self.words).strip()
        replacement = self.replacement

        def leaves(item: Item) -> bool:
            return (
                (state is None or item.state is state)
                and (
                    not words
                    or words
                    in findable(f"{item.path.name}\n{item.caption}{translated(item.reason)}")
                    or any(words in findable(translated(note)) for note in item.notes)
                )
                and (
                    replacement is None
                    or (item.state is ItemState.DONE and replacement.of(item.caption) is not None)
                )
            )

        return leaves


def _is_doubtful(doubt: Doubt | None) -> bool:
    return doubt is not None and doubt.step > 0


def _by_doubt(found: list[int], doubt_of: DoubtOf) -> Generator[None, None, list[int]]:
    """Sorts the most doubtful first; those without a known doubt come last, in their order."""

    def key(number: int) -> tuple[float, int]:
        doubt = doubt_of(number)
        return (-doubt.doubt if doubt else math.inf), number

    parts, rows = [], []
    for begin in range(0, len(found), _STRETCH):
        parts.append(sorted(map(key, found[begin : begin + _STRETCH])))
        yield
    numbers = (number for _, number in merge(*parts))
    while stretch := list(islice(numbers, _STRETCH)):
        rows += stretch
        yield
    return rows
