"""What two programs have made of the same values, each since it read them, put together.

Where both have changed one value, that of the caller (`mine`) holds.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar, cast

_Key = TypeVar("_Key", bound=Hashable)
_Item = TypeVar("_Item", bound=Hashable)
_NONE: Any = object()


def merged_values(
    known: Mapping[_Key, Any], mine: Mapping[_Key, Any], theirs: Mapping[_Key, Any]
) -> dict[_Key, Any]:
    """Returns `theirs` with what differs between `known` and `mine`: values, also removed ones. Of
    lists and of mappings each item is looked at."""
    result = dict(theirs)
    for key in (*known, *(key for key in mine if key not in known)):
        before, now = known.get(key, _NONE), mine.get(key, _NONE)
        if now == before:
            continue
        other = result.pop(key, _NONE)
        if now is not _NONE:
            result[key] = _merged(before, now, other)
    return result


def _merged(before: Any, now: Any, other: Any) -> Any:
    if all(isinstance(one, Mapping) for one in (before, now, other)):
        return merged_values(before, now, other)
    if all(isinstance(one, list) for one in (before, now, other)):
        return merged_items(*cast("tuple[list[Any], list[Any], list[Any]]", (before, now, other)))
    return now


def merged_items(
    known: Sequence[_Item], mine: Sequence[_Item], theirs: Sequence[_Item]
) -> list[_Item]:
    """Returns `theirs` without what is in `known` and no more in `mine`, and with what is new in
    `mine` at the end; lists have the newest last, where one that is used again stands."""
    if known == theirs:
        return list(mine)
    last = mine[-1:] if mine[-1:] != known[-1:] else ()
    new = [item for item in mine if item not in known or item in last]
    gone = {*known} - {*mine}
    return [*(item for item in theirs if item not in gone and item not in new), *new]
