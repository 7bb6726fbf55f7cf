"""Which images pass a test: tests of one property, and of several together.

Each returns the images that pass in the order in which they were given, so that what was sorted
stays sorted. A search through 100,000 captions takes some 10 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import Protocol

import regex

from core.captions.folding import composed
from core.message import translatable
from core.workspace.expressions import (
    QUICK_CHARACTERS,
    ExpressionError,
    Patience,
    compiled,
    is_quick,
)
from core.workspace.globs import Glob
from core.workspace.images import Images
from core.workspace.literals import literals_of
from core.workspace.query_error import QueryError

LONG = 100
"""The cost from which on a test of many images is made in parts."""
# What is less than such a part of all images is looked at by itself.
_FEW = 4


class Test(Protocol):
    """A test of images. `cost` says which of several to make first: the lowest. It `needs_tags` if
    it is only so quick once all tags are in the index (`tag_index`)."""

    @property
    def cost(self) -> int:
        """How long it takes, relative to others."""
        ...

    @property
    def needs_tags(self) -> bool:
        """Whether it looks into the index of tags."""
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

    @property
    def needs_tags(self) -> bool:
        """Whether one of them does."""
        return any(test.needs_tags for test in self.tests)

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

    @property
    def needs_tags(self) -> bool:
        """Whether one of them does."""
        return any(test.needs_tags for test in self.tests)

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

    @property
    def needs_tags(self) -> bool:
        """Whether the test does."""
        return self.test.needs_tags

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
    needs_tags: bool = False

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each value."""
        values = self.column(images)
        return list(compress(ids, map(self.accepts, map(values.__getitem__, ids))))


@dataclass(frozen=True)
class Having:
    """Passes the images for which a function is true."""

    accepts: Callable[[Images, int], object]
    cost: int = 5
    needs_tags: bool = False

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each image."""
        return [id for id in ids if self.accepts(images, id)]


@dataclass(frozen=True)
class Column:
    """A text that images have: as it is written, and `folded`, which is as long a sequence."""

    written: Callable[[Images], Sequence[str]]
    folded: Callable[[Images], Sequence[str]]


@dataclass(frozen=True)
class Contains:
    """Passes the images in one of whose texts a folded text stands."""

    columns: tuple[Column, ...]
    text: str
    cost: int = 2
    needs_tags: bool = False

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each text, unless it is known what contains it; of many images it is kept."""
        if len(ids) < len(images) // _FEW:
            return self._among(images, ids)
        look = partial(self._among, images)
        found = images.found_texts.images_with(self.text, self.columns, len(images), look)
        return [id for id in ids if found[id]]

    def _among(self, images: Images, ids: Iterable[int]) -> list[int]:
        text, first, *others = self.text, *(column.folded(images) for column in self.columns)
        if not others:
            return [id for id in ids if text in first[id]]
        (second,) = others
        return [id for id in ids if text in first[id] or text in second[id]]


@dataclass(frozen=True)
class Globbed:
    """Passes the images in one of whose texts wildcards match a part; they are folded."""

    columns: tuple[Column, ...]
    glob: Glob
    cost: int = LONG
    needs_tags: bool = False

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each text."""
        matches, part = self.glob.matches, self.glob.longest_part
        found: set[int] = set()
        for column in self.columns:
            texts = column.folded(images)
            for id in ids:
                if part in (text := texts[id]) and id not in found and matches(text):
                    found.add(id)
        return [id for id in ids if id in found]


class Pattern:
    """A regular expression for texts. Raises QueryError where it takes too long for them."""

    def __init__(self, expression: str, start: int, end: int):
        """Raises QueryError."""
        self._place = start, end
        try:
            expression = composed(expression)
            self._search = compiled(expression, regex.IGNORECASE | regex.FULLCASE).search
        except ExpressionError as error:
            message = translatable("core", "This regular expression is not valid ({reason}).")
            raise QueryError(message.format(reason=error.msg), start, end) from error
        self._literals = literals_of(expression)
        self._most = QUICK_CHARACTERS if is_quick(expression) else 0

    def among(self, texts: Sequence[str], ids: Iterable[int]) -> list[int]:
        """Returns the ids whose text has a match. Raises QueryError."""
        run, search, most = Patience().run, self._search, self._most
        try:
            # `concurrent=False`, by its place: a keyword takes as long as the search itself.
            return [
                id
                for id in ids
                if (
                    search(text, None, None, False)
                    if len(text := texts[id] if texts[id].isascii() else composed(texts[id])) < most
                    else run(search, text)
                )
            ]
        except TimeoutError as error:
            message = translatable("core", "This regular expression takes too long. Simplify it.")
            raise QueryError(message, *self._place) from error

    def candidates(self, texts: Sequence[str], ids: Sequence[int]) -> Sequence[int]:
        """Returns the ids whose text, which is folded, contains what each match contains."""
        if self._literals is None:
            return ids
        first, *others = self._literals.texts
        if not others:
            return [id for id in ids if first in texts[id]]
        found = dict.fromkeys(ids, False)
        for literal in self._literals.texts:
            found.update((id, True) for id in ids if literal in texts[id])
        return [id for id, has_literal in found.items() if has_literal]

    def among_column(self, images: Images, column: Column, ids: Sequence[int]) -> Sequence[int]:
        """As `among`, for a text of these images."""
        written = column.written(images)
        candidates = self.candidates(column.folded(images), ids)
        if self._literals is None or not self._literals.are_all:
            return self.among(written, candidates)
        # What is folded apart from case is not in ASCII.
        others = [id for id in candidates if not written[id].isascii()]
        found = set(self.among(written, others))
        return [id for id in candidates if id in found or written[id].isascii()]


@dataclass(frozen=True)
class Matches:
    """Passes the images in one of whose texts a regular expression has a match."""

    columns: tuple[Column, ...]
    pattern: Pattern
    cost: int = LONG
    needs_tags: bool = False

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        """Looks at each text."""
        found: set[int] = set()
        for column in self.columns:
            left = [id for id in ids if id not in found] if found else ids
            found.update(self.pattern.among_column(images, column, left))
        return [id for id in ids if id in found]
