"""Groups of images that are equal or look nearly the same, as far as these are known."""

from __future__ import annotations

from core.workspace.data import Sort
from core.workspace.images import Images


def groups_of_similar(images: Images, *, only_equal: bool = False) -> list[tuple[int, ...]]:
    """Returns the groups of two or more images, by their ids, in the order of their names; only of
    equal files, if wished."""
    groups: dict[str, list[int]] = {}
    for id in images.ordered(Sort()):
        # A plain image has no look to compare, but may be equal to another one.
        look = "" if only_equal else images.near_groups[id]
        if mark := look or images.fingerprints[id]:
            groups.setdefault(mark, []).append(id)
    return [tuple(ids) for ids in groups.values() if len(ids) > 1]
