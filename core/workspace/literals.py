"""Texts that every match of a regular expression contains.

Looking for a text takes a tenth of the time of a regular expression, so it is looked for first.
What is not understood of an expression may match anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.captions.folding import findable

_MOST = 4
_OPENING = re.compile(r"\((?:\?(?::|=|<=|P?<(?![=!])\w+>))?(?![?*])")
_NEGATIVE = re.compile(r"\(\?<?!")
_REPEATED = re.compile(r"(?:([*?])|\+|\{(\d+)(,\d*)?\})[?+]?")
_SET = re.compile(r"\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\[\]\\])*\]", re.DOTALL)
# A single character, or none, of a kind; \p has its kind after it.
_KIND = re.compile(r"\\(?:[bBdDsSwWAZzhHRvnrtfXKGmM]|[pP]\{[^}]*\})")
_SIGNS = "\\^$.|?*+()[]{}"
# How often a part has to be there; a number in braces is one of the others.
_PERHAPS, _ONCE, _SEVERAL, _OFTEN = 0, 1, 2, 3


@dataclass(frozen=True)
class Literals:
    """A match contains one of these texts once both are folded. If they `are_all`, a text in ASCII
    that contains one of them once it is folded has a match, too."""

    texts: tuple[str, ...]
    are_all: bool = False


def literals_of(expression: str) -> Literals | None:
    """Returns the texts of an expression that ignores case; None if there are none."""
    reader = _Reader(expression)
    try:
        found = reader.alternatives()
    except _NotUnderstoodError:
        return None
    return found if reader.is_at_end else None


class _NotUnderstoodError(Exception):
    pass


class _Reader:
    def __init__(self, text: str):
        self._text = text
        self._at: int = 0

    @property
    def is_at_end(self) -> bool:
        return self._at == len(self._text)

    def alternatives(self) -> Literals | None:
        branches = [self._branch()]
        while self._text.startswith("|", self._at):
            self._at += 1
            branches.append(self._branch())
        texts: list[str] = []
        are_all = True
        for branch in branches:
            if branch is None or len(texts) + len(branch.texts) > _MOST:
                texts, are_all = [], False
                break
            texts += branch.texts
            are_all = are_all and branch.are_all
        return Literals(tuple(dict.fromkeys(texts)), are_all) if texts else None

    def _branch(self) -> Literals | None:
        """Returns the longest of the texts that all of a branch's matches contain."""
        found: list[Literals] = []
        run = ""
        # Whether it is a text, perhaps with more of its last character, or one group.
        is_text = is_group = True
        while not self.is_at_end and self._text[self._at] not in "|)":
            is_group = is_group and not run and not found
            sign = self._character()
            group = None if sign is not None else self._other()
            times = self._repeated()
            is_text = is_text and bool(sign) and not found and times in (_ONCE, _OFTEN)
            is_group = is_group and group is not None and times in (_ONCE, _OFTEN)
            if times and sign:  # Its first repetition follows what stands before it.
                run += sign
            if times == _ONCE and sign:
                continue
            if run:
                found.append(Literals((run,)))
                run = ""
            if times and group is not None:
                found.append(group)
        if run:
            found.append(Literals((run,)))
        if not found:
            return None
        best = max(found, key=lambda one: min(map(len, one.texts)))
        return Literals(best.texts, is_text or (is_group and best.are_all))

    def _character(self) -> str | None:
        """Reads a character that stands for itself, folded; "" for one whose fold is not a
        matter of this one character. Returns None for anything else."""
        sign = self._text[self._at]
        if sign == "\\":
            sign = self._text[self._at + 1 : self._at + 2]
            if not sign or sign.isalnum() or sign == "_":
                return None
            self._at += 2
        elif sign in _SIGNS:
            return None
        else:
            self._at += 1
        folded = findable(sign)
        return folded if _has_plain_case(sign) and len(folded) == 1 else ""

    def _other(self) -> Literals | None:
        """Reads what is no character; returns what the matches of a group contain."""
        text, at = self._text, self._at
        if text[at] in ".^$":
            self._at += 1
            return None
        if found := _SET.match(text, at) or _KIND.match(text, at):
            self._at = found.end()
            return None
        if negative := _NEGATIVE.match(text, at):
            self._at = negative.end()
        elif opening := _OPENING.match(text, at):
            self._at = opening.end()
        else:
            raise _NotUnderstoodError
        inside = self.alternatives()
        if not text.startswith(")", self._at):
            raise _NotUnderstoodError
        self._at += 1
        if negative:
            return None
        is_look = text.startswith(("(?=", "(?<="), at)
        return Literals(inside.texts) if inside and is_look else inside

    def _repeated(self) -> int:
        """Reads how often what stands before has to be there."""
        found = _REPEATED.match(self._text, self._at)
        if found is None:
            if self._text.startswith("{", self._at):
                raise _NotUnderstoodError
            return _ONCE
        self._at = found.end()
        if found[1]:
            return _PERHAPS
        times = min(int(found[2]), _SEVERAL) if found[2] else _OFTEN
        return _OFTEN if times == _ONCE and found[3] else times


def _has_plain_case(sign: str) -> bool:
    """Returns whether a character's case is the same for Python and in regular expressions, which
    may know another edition of Unicode. The i of Turkish are others for them."""
    return sign not in "ıİ" and (
        sign < "\u0180" or "\u0370" <= sign < "\u0530" or "\u3040" <= sign < "\ua000"
    )
