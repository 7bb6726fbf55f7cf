"""Converts text indices: Python counts code points, Qt counts UTF-16 code units."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


class TextIndex:
    """The indices of one text, in both countings.

    A character beyond U+FFFF, such as an emoji, is one code point but two code units, so the two
    countings differ behind the first of them. For other texts both conversions return at once.
    """

    def __init__(self, text: str):
        self._starts: Sequence[int] = range(len(text) + 1)
        if not text.isascii() and max(text) > "\uffff":
            starts = [0]
            for character in text:
                starts.append(starts[-1] + 1 + (character > "\uffff"))
            self._starts = starts

    @property
    def qt_length(self) -> int:
        """The text's length in UTF-16 code units."""
        return self._starts[-1]

    def to_qt(self, index: int) -> int:
        """Returns the code unit at which the code point at `index` begins."""
        return self._starts[index]

    def to_python(self, position: int) -> int:
        """Returns the index of the code point to which the code unit at `position` belongs."""
        return bisect_right(self._starts, position) - 1
