"""The orders in which the images of a workspace are listed, made so that other threads run
meanwhile: what they are sorted by is copied under the lock of the columns, which takes some
milliseconds of 100,000 images, and sorted without it."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import isnan
from typing import TYPE_CHECKING, Any

from core.picture import natural_key, sorted_in_parts
from core.workspace.data import Sort, SortKey

if TYPE_CHECKING:
    from core.workspace.images import Images

# Each random order is another one; with 100,000 images it takes a megabyte.
_MOST_KEPT = 8

_Key = Callable[[int], Any]


def ordered(images: Images, guard: AbstractContextManager[object], sort: Sort) -> list[int]:
    """Returns the ids of all images in this order; not to be changed. Images that come while they
    are sorted are left out. Takes the `guard` of the columns for moments."""
    if _is_by_name(sort):
        return _by_name(images, guard)
    with guard:
        if (known := images.orders.known(sort)) is not None:
            return known
        mark = images.orders.begin(sort)
    if sort.is_descending:
        found = ordered(images, guard, replace(sort, is_descending=False))[::-1]
    else:
        by_name = _by_name(images, guard)
        with guard:
            key = _key_of(images, sort)
        found = sorted_in_parts(by_name, key)
    with guard:
        images.orders.keep(sort, mark, found)
    return found


def _by_name(images: Images, guard: AbstractContextManager[object]) -> list[int]:
    with guard:
        if (known := images.orders.by_name) is not None:
            return known
        names = images.orders.names(images)
    found = names.sorted()
    with guard:
        images.orders.keep_names(names, found)
    return found


class Orders:
    """The orders that are known, until one of the values changes by which they are sorted. Used
    under the lock of the columns."""

    def __init__(self) -> None:
        self._known: dict[Sort, _Order] = {}
        # All images in the order of their names, but for those in `_moved`, and how many ids there
        # were then.
        self._names: list[int] | None = None
        self._count = 0
        # The images that are new, elsewhere or gone since, with the number of the change.
        self._moved: dict[int, int] = {}
        self._changes = 0

    @property
    def by_name(self) -> list[int] | None:
        """The ids of all images in the order of their names; None as long as it is unknown."""
        return None if self._moved else self._names

    def restore(self, by_name: list[int]) -> None:
        """Takes the order of the names of all images, which is known from the index."""
        self._names, self._count, self._moved = by_name, 1 + max(by_name, default=-1), {}

    def note_place(self, id: int) -> None:
        """An image is new, or somewhere else, or gone."""
        self._changes += 1
        self._moved[id] = self._changes
        if self._known:
            self._known.clear()

    def note(self, keys: Sequence[SortKey]) -> None:
        """An image has another value of what is sorted by these."""
        if self._known:
            for sort in [sort for sort in self._known if sort.key in keys]:
                del self._known[sort]

    def known(self, sort: Sort) -> list[int] | None:
        """Returns an order other than that of the names, None as long as it is unknown."""
        order = self._known.get(sort)
        return None if order is None else order.ids

    def begin(self, sort: Sort) -> _Order:
        """Returns a mark that stands until something changes that is sorted by."""
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        mark = self._known[sort] = _Order()
        return mark

    def keep(self, sort: Sort, mark: _Order, ids: list[int]) -> None:
        """Keeps an order if its mark still stands."""
        if self._known.get(sort) is mark:
            mark.ids = ids

    def names(self, images: Images) -> _Names:
        """Returns a copy of what the order of the names is found out by."""
        return _Names(
            *(self._names, self._count, dict(self._moved), bytes(images.states)),
            *(images.folder_of[:], images.names[:], images.folder_key),
        )

    def keep_names(self, names: _Names, ids: list[int]) -> None:
        """Keeps the order of the names as it was when they were copied."""
        if names.before is self._names:
            known = names.moved
            self._names, self._count = ids, len(names.states)
            self._moved = {id: n for id, n in self._moved.items() if known.get(id) != n}


@dataclass(eq=False)
class _Order:
    """An order, None while it is being sorted."""

    ids: list[int] | None = None


@dataclass(frozen=True)
class _Names:
    """What an order of names is found out by: the order `before` of `count` ids, those that have
    `moved` since, and the columns."""

    before: list[int] | None
    count: int
    moved: dict[int, int]
    states: bytes
    folder_of: array[int]
    names: list[str]
    folder_key: Callable[[int], str]

    def sorted(self) -> list[int]:
        """Returns the ids of all images in the order of their names."""
        states, moved = self.states, self.moved
        key = self._key()
        if self.before is None:
            return _sorted_once([id for id, state in enumerate(states) if state], key)
        before = self.before
        if moved and min(moved) < self.count:
            before = [id for id in before if id not in moved]
        return _merged(before, _sorted_once([id for id in moved if states[id]], key), key)

    def _key(self) -> _Key:
        folder_of, names, prefixes = self.folder_of, self.names, dict[int, str]()

        def key(id: int) -> str:
            folder = folder_of[id]
            prefix = prefixes.get(folder)
            if prefix is None:
                prefix = prefixes[folder] = f"{self.folder_key(folder)}\0\1"
            return prefix + natural_key(names[id])

        return key


def _is_by_name(sort: Sort) -> bool:
    return sort.key is SortKey.NAME and not sort.is_descending


def _key_of(images: Images, sort: Sort) -> _Key:
    """Returns what images are sorted by, from a copy of the columns."""
    match sort.key:
        case SortKey.NAME:
            raise AssertionError("names are sorted by themselves")
        case SortKey.DATE:
            return images.modified[:].__getitem__
        case SortKey.SIZE:
            widths, heights = images.widths[:], images.heights[:]
            return lambda id: widths[id] * heights[id]
        case SortKey.LENGTH:
            captions = images.captions[:]
            return lambda id: len(captions[id])
        case SortKey.DOUBT:
            doubts = images.doubts[:]
            # Those without a doubt known come before all others.
            return lambda id: -1.0 if isnan(d := doubts[id]) else d
        case SortKey.RANDOM:
            folders, folder_of, names = images.folders[:], images.folder_of[:], images.names[:]
            return lambda id: _random_key(folders[folder_of[id]], names[id], sort.seed)


def _sorted_once(ids: Sequence[int], key: _Key) -> list[int]:
    """Sorts by a key that takes long to find out."""
    keys = {id: key(id) for id in ids}
    return sorted_in_parts(ids, keys.__getitem__)


def _merged(some: list[int], others: list[int], key: _Key) -> list[int]:
    """Returns the ids of two sorted lists in one, and looks at few keys of runs that stay together,
    as those of a folder do."""
    if not others or not some:
        return some or others
    found: list[int] = []
    at, other = 0, 0
    while at < len(some) and other < len(others):
        end = _first_after(some, at, key(others[other]), key)
        found += some[at:end]
        at = end
        if at < len(some):
            end = _first_after(others, other, key(some[at]), key)
            found += others[other:end]
            other = end
    return [*found, *some[at:], *others[other:]]


def _first_after(ids: list[int], begin: int, value: object, key: _Key) -> int:
    """Returns the first place from `begin` on whose key is above a value. It is looked for near
    `begin` first, so that lists that alternate take no longer than two looks for each id."""
    step = 1
    while begin + step <= len(ids) and key(ids[begin + step - 1]) <= value:
        begin, step = begin + step, 2 * step
    return bisect(ids, value, begin, min(begin + step, len(ids)), key=key)


def _random_key(folder: str, name: str, seed: int) -> int:
    """Returns a number that stays the same while images come and go."""
    text = f"{seed}/{folder}/{name}"
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) * 2654435761 % 2**32
