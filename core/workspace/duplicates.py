"""Finds images that are the same, or nearly: scaled, compressed again, saved in another format.

For near ones each image gets a hash of 64 bits of its own kind (dHash): whether each of 8 × 8
places is brighter than its neighbour to the right. Two images are near if at most 6 bits differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.picture import open_picture

MOST_DIFFERENT_BITS = 6

_SIDE = 8
_BITS = _SIDE * _SIDE
# If at most 6 bits differ, at least one of 7 bands is the same in both.
_BANDS = MOST_DIFFERENT_BITS + 1
# The brightest and the darkest place of a plain image, such as an empty page, differ by less: all
# its bits would be noise.
_LEAST_CONTRAST = 12
_PAIRS_AT_ONCE = 2**20


def perceptual_hash(pixels: Image.Image) -> int | None:
    """Returns the hash of an upright image, or of its thumbnail of 32 pixels or more, as a signed
    number of 64 bits, which SQLite takes. None for an image without contrast."""
    grey = pixels.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    values = np.asarray(grey, dtype=np.int16)
    if int(values.max()) - int(values.min()) < _LEAST_CONTRAST:
        return None
    bits = np.packbits((values[:, :-1] > values[:, 1:]).ravel())
    return int.from_bytes(bits.tobytes(), "big", signed=True)


def perceptual_hash_of(path: Path) -> int | None:
    """Returns the hash of an image file. Decodes it whole. Raises PictureError."""
    return perceptual_hash(open_picture(path).pixels)


def equal_groups(fingerprints: Mapping[int, str]) -> list[tuple[int, ...]]:
    """Returns the groups of ids with the same fingerprint, of two and more, each sorted."""
    by_content: dict[str, list[int]] = {}
    for one, fingerprint in fingerprints.items():
        if fingerprint:
            by_content.setdefault(fingerprint, []).append(one)
    return sorted(tuple(sorted(ids)) for ids in by_content.values() if len(ids) > 1)


def near_groups(hashes: Mapping[int, int | None]) -> list[tuple[int, ...]]:
    """Returns the groups of ids whose images are near one another, of two and more, each sorted.

    An image is near each of its group, or near one that is. 100,000 take a second or two.
    """
    known = {one: value for one, value in hashes.items() if value is not None}
    ids = np.fromiter(known.keys(), np.int64, len(known))
    values = np.fromiter(known.values(), np.int64, len(known)).view(np.uint64)
    different, members = np.unique(values, return_inverse=True)
    roots = _roots(len(different), _near_pairs(different))
    groups: dict[int, list[int]] = {}
    for one, root in zip(ids.tolist(), roots[members].tolist(), strict=True):
        groups.setdefault(root, []).append(one)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


_Places = NDArray[np.int64]


def _roots(count: int, pairs: Iterator[tuple[_Places, _Places]]) -> _Places:
    """Returns for each of `count` places the first of those that the pairs join it to."""
    parent = np.arange(count)
    waiting: list[tuple[_Places, _Places]] = []
    for pair in pairs:
        waiting.append(pair)
        if sum(len(ones) for ones, _ in waiting) > _PAIRS_AT_ONCE:
            parent = _joined(parent, waiting)
            waiting = []
    return _joined(parent, waiting) if waiting else parent


def _joined(parent: _Places, pairs: list[tuple[_Places, _Places]]) -> _Places:
    """Joins the trees of each pair; each place then points to its root (union–find, all pairs at a
    time). Of several pairs that would move one root, a later round moves it further."""
    ones, others = (np.concatenate(side) for side in zip(*pairs, strict=True))
    while len(ones):
        one, other = parent[ones], parent[others]
        differ = one != other
        ones, others = ones[differ], others[differ]
        parent[np.maximum(one, other)[differ]] = np.minimum(one, other)[differ]
        while not np.array_equal(parent, above := parent[parent]):
            parent = above
    return parent


def _near_pairs(values: NDArray[np.uint64]) -> Iterator[tuple[_Places, _Places]]:
    """Yields pairs of places of different values that are near, some several times."""
    edges = [round(_BITS * band / _BANDS) for band in range(_BANDS + 1)]
    for low, high in pairwise(edges):
        mask = np.uint64((1 << (high - low)) - 1)
        keys = (values >> np.uint64(low)) & mask
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=keys[order][:1] + np.uint64(1)))
        for bucket in np.split(order, starts[1:]):
            yield from _pairs_in(bucket, values)


def _pairs_in(bucket: _Places, values: NDArray[np.uint64]) -> Iterator[tuple[_Places, _Places]]:
    count = len(bucket)
    if count < 2:
        return
    own = values[bucket]
    rows = max(1, _PAIRS_AT_ONCE // count)
    for top in range(0, count, rows):
        differing = np.bitwise_count(own[top : top + rows, None] ^ own[None, :])
        ones, others = np.nonzero(differing <= MOST_DIFFERENT_BITS)
        ones += top
        is_new = ones < others
        yield bucket[ones[is_new]], bucket[others[is_new]]
