"""Groups of images that are equal or look nearly the same, as far as these are known."""

from __future__ import annotations

from contextlib import AbstractContextManager

from core.workspace.data import Sort
from core.workspace.images import Images
from core.workspace.orders import ordered


def groups_of_similar(
    images: Images, guard: AbstractContextManager[object], *, only_equal: bool = False
) -> list[tuple[int, ...]]:
    """Returns the groups of two or more images, by their ids, in the order of their names; only of
    equal files, if wished. Takes the `guard` of the columns for moments."""
    ids = ordered(images, guard, Sort())
    with guard:
        looks, fingerprints = images.near_groups[:], images.fingerprints[:]
        states = bytes(images.states)
    groups: dict[str, list[int]] = {}
    for id in ids:
        # A plain image has no look to compare, but may be equal to another one.
        look = "" if only_equal else looks[id]
        if states[id] and (mark := look or fingerprints[id]):
            groups.setdefault(mark, []).append(id)
    return [tuple(ids) for ids in groups.values() if len(ids) > 1]
