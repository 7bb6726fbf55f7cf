"""Wildcards: `*` for any characters, `?` for one. A backslash takes the next character literally.

Matching takes a time in proportion to the text, whatever the wildcards are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = re.compile(r"\\(.)|([*?])|\\|[^\\*?]+", re.DOTALL)


def literal_of(value: str) -> str | None:
    """Returns a value without its backslashes; None if it has wildcards."""
    parts: list[str] = []
    for found in _PART.finditer(value):
        if found[2]:
            return None
        parts.append(found[1] or found[0])
    return "".join(parts)


class Glob:
    """A value with wildcards. With `is_whole` it must match a whole text, else a part of it."""

    def __init__(self, value: str, *, is_whole: bool):
        pieces, literals = [_Piece()], [""]
        for found in _PART.finditer(value):
            if found[2] == "*":
                pieces.append(_Piece())
                literals.append("")
            elif found[2]:
                pieces[-1] = pieces[-1].with_any()
                literals.append("")
            else:
                literal = found[1] or found[0]
                pieces[-1] = pieces[-1].with_text(literal)
                literals[-1] += literal
        self.longest_part = max(literals, key=len)
        """The longest text that every match contains."""
        self._is_whole = is_whole
        self._pieces = [(re.compile(piece.pattern, re.DOTALL), piece.length) for piece in pieces]

    def matches(self, text: str) -> bool:
        """Returns whether it matches. The first place of each piece is the best one."""
        pieces = self._pieces
        if self._is_whole and len(pieces) == 1:
            return pieces[0][0].fullmatch(text) is not None
        at = 0
        for number, (piece, length) in enumerate(pieces):
            if self._is_whole and number == 0:
                found = piece.match(text)
            elif self._is_whole and number == len(pieces) - 1:
                found = piece.match(text, max(at, len(text) - length))
                return found is not None and found.end() == len(text)
            else:
                found = piece.search(text, at)
            if found is None:
                return False
            at = found.end()
        return True


@dataclass(frozen=True)
class _Piece:
    """What stands between two `*`: a regular expression that matches `length` characters."""

    pattern: str = ""
    length: int = 0

    def with_any(self) -> _Piece:
        return _Piece(f"{self.pattern}.", self.length + 1)

    def with_text(self, text: str) -> _Piece:
        return _Piece(self.pattern + re.escape(text), self.length + len(text))
