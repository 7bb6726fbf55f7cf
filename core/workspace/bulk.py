"""Edits of many captions at once: each is a value that turns a caption into another one.

An operation can be kept, shown by its name, previewed and repeated. Nothing here touches files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import regex

from core.captions.folding import composed
from core.captions.wording import Replaced, Replacement, Span, differing_words, joined
from core.message import Message, translatable
from core.workspace.data import CaptionMode
from core.workspace.expressions import ExpressionError, Patience, compiled
from core.workspace.images import Images
from core.workspace.tags import TagList, natural_key, tag_key


class PatternError(ValueError):
    """A regular expression, or what replaces its matches, that cannot be used. `position` is where
    in the pattern it is wrong, None if that is not known."""

    def __init__(self, message: Message, position: int | None = None):
        super().__init__(message)
        self.position = position

    @property
    def message(self) -> Message:
        """The sentence for the user."""
        return self.args[0]


@dataclass(frozen=True)
class Prefix:
    """Puts a text before the caption; in a list of tags, as its first tags."""

    text: str

    @property
    def name(self) -> Message:
        """What undo calls it."""
        return translatable("core", "Add “{text}” at the start").format(text=_short(self.text))

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the caption with the text before it."""
        if mode is CaptionMode.TAGS:
            added = TagList.of(self.text).tags
            return TagList.of(caption).with_added(added, at_start=True).text
        return joined(self.text, caption)


@dataclass(frozen=True)
class Suffix:
    """Puts a text after the caption; in a list of tags, as its last tags."""

    text: str

    @property
    def name(self) -> Message:
        """What undo calls it."""
        return translatable("core", "Add “{text}” at the end").format(text=_short(self.text))

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the caption with the text after it."""
        if mode is CaptionMode.TAGS:
            return TagList.of(caption).with_added(TagList.of(self.text).tags).text
        return joined(caption, self.text)


@dataclass(frozen=True)
class Replace:
    """Finds a text or a regular expression, and puts another text in its place.

    In the replacement of a regular expression `\\1` and `\\g<name>` stand for its groups.
    """

    find: str
    replacement: str
    is_regex: bool = False
    is_case_sensitive: bool = False
    is_whole_words: bool = False

    @property
    def name(self) -> Message:
        """What undo calls it."""
        text = translatable("core", "Replace “{find}” with “{replacement}”")
        return text.format(find=_short(self.find), replacement=_short(self.replacement))

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the caption with every match replaced. Raises PatternError."""
        if self.is_regex and self.find:
            with _in_time():
                text = composed(caption)
                changed = self._patience.run(self._pattern.sub, self.replacement, text)
                return changed if changed != text else caption
        change = self.change(caption)
        return change.after if change else caption

    def change(self, caption: str) -> Replaced | None:
        """Returns what is replaced and where; None if nothing changes. Raises PatternError."""
        if not self.is_regex:
            plain = Replacement(
                self.find, self.replacement, self.is_case_sensitive, self.is_whole_words
            )
            return plain.of(caption)
        if not self.find:
            return None
        text = composed(caption)
        with _in_time():
            return self._matched(self._patience.run(self._matches, text), text)

    def begin(self) -> None:
        """Many captions are about to be changed. Raises PatternError if the regular expression
        cannot be used, also for its replacement."""
        if self.is_regex:
            self._compiled()
            self._patience.begin()

    @cached_property
    def _patience(self) -> Patience:
        return Patience()

    @cached_property
    def _pattern(self) -> regex.Pattern[str]:
        return self._compiled()

    def _compiled(self) -> regex.Pattern[str]:
        flags = 0 if self.is_case_sensitive else regex.IGNORECASE | regex.FULLCASE
        find = composed(self.find)
        try:
            pattern = compiled(find, flags)
            # A replacement is looked at where something matches, so nothing has to.
            regex.sub(f"(?:{find}\n)|", self.replacement, "", count=1)
        except (ExpressionError, regex.error, IndexError) as error:
            text = translatable("core", "The regular expression is wrong ({reason}). Correct it.")
            reason = getattr(error, "msg", None) or str(error)
            raise PatternError(text.format(reason=reason), getattr(error, "pos", None)) from error
        if self.is_whole_words:
            return regex.compile(rf"(?<!\w)(?:{find})(?!\w)", flags)
        return pattern

    def _matches(self, caption: str, **limits: Any) -> list[regex.Match[str]]:
        return list(self._pattern.finditer(caption, **limits))

    def _matched(self, matches: list[regex.Match[str]], caption: str) -> Replaced | None:
        before: list[Span] = []
        after: list[Span] = []
        parts: list[str] = []
        end = length = 0
        for found in matches:
            new = found.expand(self.replacement)
            kept = caption[end : found.start()]
            parts += (kept, new)
            before.append(found.span())
            after.append((length + len(kept), length + len(kept) + len(new)))
            length += len(kept) + len(new)
            end = found.end()
        text = "".join([*parts, caption[end:]])
        return Replaced(caption, text, tuple(before), tuple(after)) if text != caption else None


@dataclass(frozen=True)
class Clear:
    """Empties the caption."""

    @property
    def name(self) -> Message:
        """What undo calls it."""
        return translatable("core", "Clear captions")

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns an empty caption."""
        return ""


@dataclass(frozen=True)
class SetCaption:
    """Gives all the same caption, as pasting it does."""

    text: str

    @property
    def name(self) -> Message:
        """What undo calls it."""
        return translatable("core", "Set caption to “{text}”").format(text=_short(self.text))

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the one caption."""
        return self.text


@dataclass(frozen=True)
class AddTags:
    """Adds those tags that are missing, as pasting tags does."""

    tags: tuple[str, ...]
    at_start: bool = False

    @property
    def name(self) -> Message:
        """What undo calls it."""
        return _tags_name(
            self.tags,
            translatable("core", "Add tag “{tag}”"),
            translatable("core", "Add {count} tags"),
        )

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the caption with the tags; a text has none and stays."""
        if mode is CaptionMode.TEXT:
            return caption
        return TagList.of(caption).with_added(self.tags, at_start=self.at_start).text


@dataclass(frozen=True)
class RemoveTags:
    """Removes tags."""

    tags: tuple[str, ...]

    @property
    def name(self) -> Message:
        """What undo calls it."""
        return _tags_name(
            self.tags,
            translatable("core", "Remove tag “{tag}”"),
            translatable("core", "Remove {count} tags"),
        )

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the caption without the tags; a text has none and stays."""
        return caption if mode is CaptionMode.TEXT else TagList.of(caption).without(self.tags).text


@dataclass(frozen=True)
class RenameTags:
    """Gives one or several tags one name; several merge, and so does one that gets the name of a
    tag that is there."""

    old: tuple[str, ...]
    new: str

    @property
    def name(self) -> Message:
        """What undo calls it."""
        if len(self.old) == 1:
            text = translatable("core", "Rename tag “{old}” to “{new}”")
            return text.format(old=_short(self.old[0]), new=_short(self.new))
        text = translatable("core", "Merge {count} tags into “{new}”")
        return text.format(count=len(self.old), new=_short(self.new))

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the caption with the name; a text has no tags and stays."""
        if mode is CaptionMode.TEXT:
            return caption
        return TagList.of(caption).renamed(dict.fromkeys(self.old, self.new)).text


@dataclass(frozen=True)
class SortTags:
    """Sorts tags by name, or by how frequent they are if `counts` says so, most frequent first.
    The first `fixed` ones, such as a trigger word, stay where they are."""

    fixed: int = 0
    counts: Mapping[str, int] | None = field(default=None, hash=False)

    @property
    def name(self) -> Message:
        """What undo calls it."""
        return translatable("core", "Sort tags")

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the caption with sorted tags; a text has none and stays."""
        if mode is CaptionMode.TEXT:
            return caption
        if self.counts is None:
            return TagList.of(caption).sorted_by(natural_key, fixed=self.fixed).text
        return TagList.of(caption).sorted_by(self._frequency, fixed=self.fixed).text

    def _frequency(self, tag: str) -> Any:
        return -self._by_key[tag_key(tag)], natural_key(tag)

    @cached_property
    def _by_key(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for tag, count in (self.counts or {}).items():
            counts[tag_key(tag)] += count
        return counts


@dataclass(frozen=True)
class DropDuplicates:
    """Keeps the first of equal tags."""

    @property
    def name(self) -> Message:
        """What undo calls it."""
        return translatable("core", "Remove duplicate tags")

    def apply(self, caption: str, mode: CaptionMode) -> str:
        """Returns the caption with each tag once; a text has none and stays."""
        return (
            caption if mode is CaptionMode.TEXT else TagList.of(caption).without_duplicates().text
        )


Operation = (
    Prefix
    | Suffix
    | Replace
    | Clear
    | SetCaption
    | AddTags
    | RemoveTags
    | RenameTags
    | SortTags
    | DropDuplicates
)
"""An edit of captions. `apply(caption, mode)` returns the caption after it, `name` is what undo
calls it. To repeat the last edit, keep it."""


def change_of(operation: Operation, caption: str, mode: CaptionMode) -> Replaced | None:
    """Returns the caption before and after, and where they differ; None if nothing changes.

    Raises PatternError.
    """
    if isinstance(operation, Replace):
        return operation.change(caption)
    after = operation.apply(caption, mode)
    if after == caption:
        return None
    spans = differing_words(caption, after)
    return Replaced(caption, after, tuple(spans[0]), tuple(spans[1]))


def changed_captions(
    operation: Operation, captions: Mapping[int, str], mode: CaptionMode
) -> dict[int, str]:
    """Returns the captions that an operation changes, after it, by the keys of `captions`.

    Raises PatternError, also if no caption matches.
    """
    if isinstance(operation, Replace):
        operation.begin()
    applied = ((key, before, operation.apply(before, mode)) for key, before in captions.items())
    return {key: after for key, before, after in applied if after != before}


def changes_of(
    operation: Operation, images: Images, ids: Iterable[int], mode: CaptionMode
) -> Generator[tuple[int, str | None]]:
    """Yields what becomes of the captions of those images that are there, None for one that stays.

    Raises PatternError, also if no caption matches.
    """
    if isinstance(operation, Replace):
        operation.begin()
    for id in ids:
        if id in images:
            before = images.captions[id]
            after = operation.apply(before, mode)
            yield id, None if after == before else after


@contextmanager
def _in_time() -> Generator[None]:
    try:
        yield
    except TimeoutError as error:
        raise PatternError(
            translatable("core", "The regular expression takes too long. Make it more specific.")
        ) from error


def _tags_name(tags: tuple[str, ...], one: Message, several: Message) -> Message:
    return one.format(tag=_short(tags[0])) if len(tags) == 1 else several.format(count=len(tags))


def _short(text: str) -> str:
    """As names of edits stand in a menu."""
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:39].rstrip()}…"
