"""Which images pass a test: tests of one property, and of several together.

Each returns the images that pass in the order in which they were given, so that what was sorted
stays sorted. A search through 100,000 captions takes some 10 ms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

import regex

from core.message import translatable
from core.workspace.images import Images
from core.workspace.query_error import QueryError

_SECONDS_FOR_A_PATTERN = 1.0
_LONG = 10_000


class Test(Protocol):
    """A test of images. `cost` says which of several to make first: the lowest."""

    @property
    def cost(self) -> int:
        """How long it takes, relative to others."""
        ...

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Returns those of these images that pass, in their order. Raises QueryError."""
        ...


@dataclass(frozen=True)
class All:
    """Passes what passes all of its tests."""

    tests: tuple[Test, ...]

    @property
    def cost(self) -> int:
        """As long as the longest."""
        return max(test.cost for test in self.tests)

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Makes the quickest test first, and the others of what is left."""
        found = list(ids)
        for test in sorted(self.tests, key=lambda test: test.cost):
            found = test.among(images, found)
        return found


@dataclass(frozen=True)
class Any:
    """Passes what passes one of its tests."""

    tests: tuple[Test, ...]

    @property
    def cost(self) -> int:
        """All are made."""
        return sum(test.cost for test in self.tests)

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Makes each test of what has passed none so far."""
        found: set[int] = set()
        left = list(ids)
        for test in sorted(self.tests, key=lambda test: test.cost):
            found.update(test.among(images, left))
            left = [id for id in left if id not in found]
        return [id for id in ids if id in found]


@dataclass(frozen=True)
class Not:
    """Passes what does not pass its test."""

    test: Test

    @property
    def cost(self) -> int:
        """As long as the test."""
        return self.test.cost

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Returns the others."""
        found = set(self.test.among(images, ids))
        return [id for id in ids if id not in found]


@dataclass(frozen=True)
class Where:
    """Passes the images whose place in a column is wanted. `column` returns a sequence that has a
    value for each id, and `accepts` looks at one value."""

    column: Callable[[Images], Sequence[object]]
    accepts: Callable[[object], object]
    cost: int = 1

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each value."""
        values = self.column(images)
        return list(compress(ids, map(self.accepts, map(values.__getitem__, ids))))


@dataclass(frozen=True)
class Having:
    """Passes the images for which a function is true."""

    accepts: Callable[[Images, int], object]
    cost: int = 5

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each image."""
        return [id for id in ids if self.accepts(images, id)]


@dataclass(frozen=True)
class Contains:
    """Passes the images in one of whose texts a folded text stands."""

    columns: tuple[Callable[[Images], Sequence[str]], ...]
    text: str
    cost: int = 2

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each text."""
        text, first, *others = self.text, *(column(images) for column in self.columns)
        if not others:
            return [id for id in ids if text in first[id]]
        (second,) = others
        return [id for id in ids if text in first[id] or text in second[id]]


class Pattern:
    """A regular expression for texts. It may be written so that it takes hours: all of its searches
    together get a second, and let other threads run."""

    def __init__(self, expression: str, start: int, end: int):
        """Raises QueryError."""
        self._place = start, end
        try:
            self._pattern = regex.compile(expression, regex.IGNORECASE)
        except regex.error as error:
            message = translatable("core", "This regular expression is not valid ({reason}).")
            raise QueryError(message.format(reason=str(error)), start, end) from error

    def among(self, texts: Sequence[str], ids: Sequence[int]) -> list[int]:
        """Returns the ids whose text has a match. Raises QueryError if it takes too long."""
        end = time.monotonic() + _SECONDS_FOR_A_PATTERN
        search = self._pattern.search
        found: list[int] = []
        try:
            for id in ids:
                text = texts[id]
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                if search(text, timeout=left, concurrent=len(text) > _LONG):
                    found.append(id)
        except TimeoutError as error:
            message = translatable("core", "This regular expression takes too long. Simplify it.")
            raise QueryError(message, *self._place) from error
        return found


@dataclass(frozen=True)
class Matches:
    """Passes the images in one of whose texts a regular expression has a match."""

    columns: tuple[Callable[[Images], Sequence[str]], ...]
    pattern: Pattern
    cost: int = 100

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each text."""
        found: set[int] = set()
        for column in self.columns:
            left = [id for id in ids if id not in found]
            found.update(self.pattern.among(column(images), left))
        return [id for id in ids if id in found]
