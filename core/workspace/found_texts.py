"""Which images contain a text, kept until one of their texts changes: a query is typed letter by
letter, and with each letter most of it is looked for again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import compress

# Each takes a byte for each image.
_MOST_KEPT = 16


class FoundTexts:
    """What was looked for last. Used by one thread at a time, who calls `clear` once a text is
    another one."""

    def __init__(self) -> None:
        self._found: dict[tuple[Hashable, str], tuple[int, bytearray]] = {}

    def clear(self) -> None:
        """Forgets everything."""
        if self._found:
            self._found.clear()

    def images_with(
        self,
        text: str,
        columns: Hashable,
        count: int,
        among: Callable[[Iterable[int]], Sequence[int]],
    ) -> bytearray:
        """Returns a 1 for each of `count` images that contains a text, 0 for the others; not to be
        changed. `among` returns those of some images that do, in `columns`: it is asked about those
        with what is known of a part of the text."""
        known = self._found.get((columns, text))
        if known is not None:
            return known[1]
        parts = [
            found for (one, part), found in self._found.items() if one == columns and part in text
        ]
        candidates: Iterable[int] = range(count)
        if parts:
            candidates = compress(candidates, min(parts, key=lambda found: found[0])[1])
        mask, hits = bytearray(count), among(candidates)
        for id in hits:
            mask[id] = 1
        while len(self._found) >= _MOST_KEPT:
            del self._found[next(iter(self._found))]
        self._found[columns, text] = len(hits), mask
        return mask
