"""The terms of a query: a key, such as `tag` or `chars`, and a value become a test of images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isnan
from typing import overload

from core.captions.folding import comparable, findable
from core.message import translatable
from core.workspace.data import ReviewState
from core.workspace.globs import Glob, literal_of
from core.workspace.images import REVIEWS, CaptionState, Images
from core.workspace.matching import (
    LONG,
    Column,
    Contains,
    Globbed,
    Having,
    Matches,
    Pattern,
    Test,
    Where,
)
from core.workspace.measures import MEASURES
from core.workspace.query_error import QueryError
from core.workspace.tag_index import Wanted
from core.workspace.tags import tag_key, tags_of
from core.workspace.term import Term


class Is(StrEnum):
    """What follows `is:`."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NEEDS_WORK = "needs-work"
    UNREVIEWED = "unreviewed"
    EDITED = "edited"
    FAILED = "failed"
    UNREAD = "unread"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near-duplicate"
    PORTRAIT = "portrait"
    LANDSCAPE = "landscape"
    SQUARE = "square"


class Has(StrEnum):
    """What follows `has:`."""

    CAPTION = "caption"
    TAGS = "tags"
    DOUBT = "doubt"
    REVIEW = "review"
    PROBLEM = "problem"


def test_of(term: Term) -> Test:
    """Returns the test that a term stands for. Raises QueryError."""
    if not term.value:
        raise term.error(translatable("core", "A value is missing here."))
    if term.is_regex and term.key not in (*_TEXTS, "", "tag"):
        raise term.error(translatable("core", "Regular expressions work only with text here."))
    if term.key == "tag":
        return _tag(term)
    if term.key in _TEXTS:
        return _text(term, _TEXTS[term.key])
    return _TESTS[term.key](term)


# Texts


_SEPARATORS = re.compile("[,，、；;]")


class _Paths(Sequence[str]):
    """The paths of images from their roots, by id: put together when one is looked at, as a search
    looks at some thousand at a time."""

    def __init__(self, folders: Sequence[str], names: Sequence[str], images: Images):
        self._folders, self._names = folders, names
        self._folder_of = images.folder_of

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[id] for id in range(len(self))[index]]
        return self._folders[self._folder_of[index]] + self._names[index]


_CAPTIONS = Column(lambda images: images.captions, lambda images: images.folded)
_NAMES = Column(lambda images: images.names, lambda images: images.folded_names)
_PATHS = Column(
    lambda images: _Paths(images.inner_folders, images.names, images),
    lambda images: _Paths(images.folded_folders, images.folded_names, images),
)
_TEXTS: dict[str, tuple[Column, ...]] = {
    "": (_CAPTIONS, _NAMES),
    "caption": (_CAPTIONS,),
    "name": (_NAMES,),
    "path": (_PATHS,),
}


def _text(term: Term, columns: tuple[Column, ...]) -> Test:
    if term.is_regex:
        return Matches(columns, _pattern(term))
    value = findable(term.value)
    if (literal := literal_of(value)) is not None:
        return Contains(columns, literal)
    return Globbed(columns, Glob(value, is_whole=False))


def _pattern(term: Term) -> Pattern:
    return Pattern(term.value.replace("\\/", "/"), term.start, term.end)


class _HasTag:
    """Passes the images that have a tag, or one that begins with it. Looks for its words first, and
    then at what stands around them, which takes a tenth of the time of reading all tags. Most tags
    stand after a comma and a blank, which is seen at once."""

    cost, needs_tags = 4, False

    def __init__(self, key: str, *, is_beginning: bool = False):
        self._key, self._is_beginning = key, is_beginning
        folded = findable(key)
        self._is_plain = folded == key
        words = folded.split(" ")
        self._first = words[0]
        pattern = r"[^\S\n]+".join(map(re.escape, words))
        end = "" if is_beginning else r"(?=\s*(?:\Z|[,，、；\n])|;\s)"
        self._search = re.compile(pattern + end).search
        self._inside = f", {key}" if is_beginning else f", {key}, "

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        folded, captions = images.folded, images.captions
        first, inside, has, is_plain = self._first, self._inside, self._has, self._is_plain
        return [
            id
            for id in ids
            if first in (text := folded[id])
            and (
                (is_plain and inside in text and captions[id].isascii()) or has(text, captions[id])
            )
        ]

    def _has(self, folded: str, caption: str) -> bool:
        found = self._search(folded)
        while found is not None and not _begins_tag(folded, found.start()):
            found = self._search(folded, found.end())
        if found is None:
            return False
        # The two i of Turkish are letters of different tags, though either is found by the other.
        if caption.isascii():
            return self._is_plain
        keys = map(tag_key, tags_of(caption))
        if self._is_beginning:
            return any(key.startswith(self._key) for key in keys)
        return self._key in keys


def _is_beginning_of_tags(text: str) -> bool:
    """Returns whether tags that begin with this text are found by looking for it."""
    return bool(text) and text == tag_key(text) and not _SEPARATORS.search(text)


def _begins_tag(caption: str, start: int) -> bool:
    """Returns whether a tag begins at this place: see `tags`."""
    blank = start
    while blank and caption[blank - 1].isspace():
        blank -= 1
        if caption[blank] == "\n":
            return True
    if not blank or caption[blank - 1] in ",，、；":
        return True
    # A semicolon separates only after a tag and before white space.
    is_semicolon = caption[blank - 1] == ";" and blank < start
    return is_semicolon and blank > 1 and not caption[blank - 2].isspace()


def _tag(term: Term) -> Test:
    if term.is_regex:
        pattern = _pattern(term)
        return _TagMatches(lambda tags, keys: pattern.among(tags, range(len(tags))))
    value = comparable(term.value)
    if (literal := literal_of(value)) is not None:
        key = tag_key(literal)
        if not key:
            raise term.error(translatable("core", "A value is missing here."))
        return _HasTag(key)
    beginning = literal_of(value[:-1]) if value.endswith("*") else None
    if beginning is not None and _is_beginning_of_tags(beginning):
        return _HasTag(beginning, is_beginning=True)
    glob = Glob(value, is_whole=True)
    part = glob.longest_part

    def wanted(tags: Sequence[str], keys: Sequence[str]) -> Iterable[int]:
        return (place for place, key in enumerate(keys) if part in key and glob.matches(key))

    return _TagMatches(wanted)


@dataclass(frozen=True)
class _TagMatches:
    """Passes the images one of whose tags is wanted."""

    wanted: Wanted
    cost: int = 10
    needs_tags: bool = True

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        while not images.tag_index.go_on(images.captions):
            continue
        found = images.tag_index.images_with(self.wanted, images.captions)
        return [id for id in ids if id in found]


# States


def _named(term: Term, names: Sequence[str]) -> str:
    value = term.value.lower()
    if value in names:
        return value
    message = translatable("core", "“{value}” is not known here. Write one of: {names}.")
    raise term.error(message.format(value=term.value, names=", ".join(names)))


def _state(term: Term) -> Test:
    return _reviewed(ReviewState(_named(term, [*ReviewState])))


def _reviewed(review: ReviewState) -> Test:
    code = REVIEWS.index(review)
    return Where(lambda images: images.reviews, lambda found: found == code)


def _is(term: Term) -> Test:
    match value := Is(_named(term, [*Is])):
        case Is.EDITED:
            return Where(lambda images: images.edited, bool)
        case Is.FAILED:
            return Having(lambda images, id: id in images.problems, cost=1)
        case Is.UNREAD:
            return Where(lambda images: images.states, lambda at: at == CaptionState.UNREAD)
        case Is.DUPLICATE:
            return _Repeated(lambda images: images.fingerprints)
        case Is.NEAR_DUPLICATE:
            return _Repeated(_near_groups, start=term.start, end=term.end)
        case Is.PORTRAIT:
            return Having(lambda images, id: 0 < images.widths[id] < images.heights[id])
        case Is.LANDSCAPE:
            return Having(lambda images, id: images.widths[id] > images.heights[id])
        case Is.SQUARE:
            return Having(lambda images, id: 0 < images.widths[id] == images.heights[id])
        case _:
            return _reviewed(ReviewState(value))


@dataclass(frozen=True)
class _Repeated:
    """Passes the images that have a value in common with another one; an empty one is none."""

    column: Callable[[Images], Sequence[str]]
    cost: int = 10
    needs_tags: bool = False
    start: int = 0
    end: int = 0

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        try:
            values = self.column(images)
        except LookupError as error:
            message = translatable("core", "Similar images have not been looked for yet.")
            raise QueryError(message, self.start, self.end) from error
        counts = Counter(values[id] for id in images.ids)
        return [id for id in ids if values[id] and counts[values[id]] > 1]


def _near_groups(images: Images) -> Sequence[str]:
    if not any(found is not None for found in images.hashes):
        raise LookupError
    return images.near_groups


def _has(term: Term) -> Test:
    match Has(_named(term, [*Has])):
        case Has.CAPTION:
            return Where(lambda images: images.states, lambda at: at == CaptionState.PRESENT)
        case Has.TAGS:
            return Having(lambda images, id: images.count_tags(id), LONG)
        case Has.DOUBT:
            return Having(lambda images, id: not isnan(images.doubts[id]))
        case Has.REVIEW:
            return Where(lambda images: images.reviews, bool)
        case Has.PROBLEM:
            return Having(lambda images, id: id in images.problems, cost=1)


_TESTS: dict[str, Callable[[Term], Test]] = {**MEASURES, "state": _state, "is": _is, "has": _has}
QUERY_KEYS = ("tag", *filter(None, _TEXTS), *_TESTS)
"""What may stand before the colon of a term."""
VALUES: dict[str, tuple[str, ...]] = {
    "state": tuple(ReviewState),
    "is": tuple(Is),
    "has": tuple(Has),
}
"""The values that a key may have, for those that have few."""
