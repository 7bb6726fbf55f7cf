"""Regular expressions as people write them: none takes all memory, and none stops the program.

An expression may be written so that it takes hours for a short text. Most texts take microseconds,
in which no other thread is let run, as changing to one takes as long; what takes longer is begun
again so that others do run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

import regex

from core.message import translatable

_MOST_CHARACTERS = 2_000
# A character or a kind of them, a few times.
_COUNTED = re.compile(r"(?<![)\\*+?}])(?<!^)\{[1-9]\}(?![*+?{])")
# Alternatives, groups with a meaning, and counts.
_INTRICATE = re.compile(r"\(\?|[|?{]|\\[1-9gkKGpPLXR]")
_REPEATS = re.compile("[*+]")
QUICK_CHARACTERS = 1_000
"""The longest text for which an expression that `is_quick` takes no longer than a millisecond."""
# The library writes out what is repeated: a{100000000} would fill the memory.
_MOST_REPEATED = 50_000
_COUNT = re.compile(r"\{\s*(\d+)")
_LONG = 10_000
_QUICK_SECONDS = 0.005
# The longest for one slow text, and for all of them.
_SLOW_SECONDS = 0.25
_PATIENCE_SECONDS = 1.0

_Result = TypeVar("_Result")


class ExpressionError(ValueError):
    """An expression that cannot be used. `msg` and `pos` are as in those of the library: why, and
    where, None if that is not known."""

    def __init__(self, msg: str, pos: int | None = None):
        super().__init__(msg)
        self.msg, self.pos = msg, pos


def compiled(expression: str, flags: int = 0) -> regex.Pattern[str]:
    """Returns what an expression is compiled to, in some milliseconds. Raises ExpressionError."""
    if len(expression) > _MOST_CHARACTERS:
        raise ExpressionError(translatable("core", "it is too long"))
    repeated = 1
    for found in _COUNT.finditer(expression):
        repeated *= max(int(found[1]), 1) if len(found[1]) < len(str(_MOST_REPEATED)) else 10**9
    if repeated > _MOST_REPEATED:
        raise ExpressionError(translatable("core", "it repeats too much"))
    try:
        return regex.compile(expression, flags)
    except RecursionError as error:
        raise ExpressionError(translatable("core", "there are too many parentheses")) from error
    except regex.error as error:
        reason = str(getattr(error, "msg", None) or error)
        raise ExpressionError(reason, getattr(error, "pos", None)) from error


def is_quick(expression: str) -> bool:
    """Returns whether an expression can take only a short time, as it repeats one thing at most. It
    needs no watch then, which takes longer than a search of a usual text."""
    expression = _COUNTED.sub("", expression)
    return not _INTRICATE.search(expression) and len(_REPEATS.findall(expression)) <= 1


class Patience:
    """How long the slow texts of a search may take, together."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Another search begins."""
        self._left = _PATIENCE_SECONDS

    def run(self, match: Callable[..., _Result], *arguments: str) -> _Result:
        """Returns what a method of a compiled expression returns. Raises TimeoutError."""
        if len(arguments[-1]) < _LONG:
            try:
                return match(*arguments, timeout=_QUICK_SECONDS, concurrent=False)
            except TimeoutError:
                pass  # Begun again.
        begin = time.monotonic()
        left = min(self._left, _SLOW_SECONDS)
        if left <= 0:
            raise TimeoutError
        try:
            return match(*arguments, timeout=left, concurrent=True)
        finally:
            self._left -= time.monotonic() - begin
