"""The orders in which the images of a workspace are listed, made so that other threads run
meanwhile."""

from __future__ import annotations

import zlib
from bisect import bisect
from collections.abc import Callable, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

from core.workspace.data import Sort, SortKey

if TYPE_CHECKING:
    from core.workspace.images import Images

_MANY, _PARTS = 20_000, 50


def in_order(images: Images, sort: Sort, ids: list[int]) -> list[int]:
    """Returns the ids, which are in the order of the names, in another one, ascending."""
    match sort.key:
        case SortKey.NAME:
            return ids
        case SortKey.DATE:
            return sorted_in_parts(ids, images.modified.__getitem__)
        case SortKey.SIZE:
            return sorted_in_parts(ids, lambda id: images.widths[id] * images.heights[id])
        case SortKey.LENGTH:
            return sorted_in_parts(ids, list(map(len, images.captions)).__getitem__)
        case SortKey.DOUBT:
            # Those without a doubt known come before all others.
            return sorted_in_parts(ids, lambda id: -1.0 if isnan(d := images.doubts[id]) else d)
        case SortKey.RANDOM:
            keys = {id: _random_key(images, id, sort.seed) for id in ids}
            return sorted_in_parts(ids, keys.__getitem__)


def sorted_in_parts(ids: Sequence[int], key: Callable[[int], Any]) -> list[int]:
    """Sorts ids as `sorted` does, which keeps other threads waiting until it is done: many in parts
    that follow one another."""
    bounds = sorted(map(key, ids[:: len(ids) // _PARTS])) if len(ids) > _MANY else []
    parts: list[list[int]] = [[] for _ in range(len(bounds) + 1)]
    for id in ids:
        parts[bisect(bounds, key(id))].append(id)
    return [id for part in parts for id in sorted(part, key=key)]


def _random_key(images: Images, id: int, seed: int) -> int:
    """Returns a number that stays the same while images come and go."""
    name = f"{seed}/{images.folders[images.folder_of[id]]}/{images.names[id]}"
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) * 2654435761 % 2**32
