"""The text file beside an image: its name, its text, and what becomes of a text already there.

Every function may be called from any thread. The image's own file is never opened here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from core.message import translatable

STEM, NAME = "{stem}", "{name}"
TEXT_PATTERN = "{stem}.txt"
CAPTION_PATTERN = "{stem}.caption"


class Existing(StrEnum):
    """What a run does with a caption that is there already; stored in journals."""

    SKIP = "skip"
    REPLACE = "replace"
    APPEND = "append"
    PREPEND = "prepend"
    STALE = "stale"
    """Replace only what an earlier run made with another prompt, model or sampling."""
    GENERATED = "generated"
    """Replace only what a model wrote and nobody has changed since; images without get one."""


def text_path(picture: Path, pattern: str = TEXT_PATTERN) -> Path:
    """Returns the caption file of `picture`. In `pattern`, `{stem}` is the image's file name
    without its last suffix and `{name}` the whole name. Raises ValueError if the pattern makes no
    file name, or the image's own."""
    name = filled_name(pattern, picture.name)
    is_one_name = not re.search(r'[/\\:*?"<>|\0]', pattern) and name not in ("", ".", "..")
    if not is_one_name or not re.search(r"\{(stem|name)\}", pattern) or name == picture.name:
        text = translatable(
            "core", "“{pattern}” is not a valid name for captions. Use a name such as {example}."
        )
        raise ValueError(text.format(pattern=pattern, example=TEXT_PATTERN))
    return picture.with_name(name)


def filled_name(pattern: str, picture: str) -> str:
    """Returns the pattern with the image's name in it; in one step, as a name may hold {stem}."""
    end = picture.rfind(".")
    stem = picture[:end] if end > 0 else picture
    if pattern == STEM:
        return stem
    parts = re.split(r"(\{stem\}|\{name\})", pattern)
    return "".join({STEM: stem, NAME: picture}.get(part, part) for part in parts)


def encoded(caption: str) -> bytes:
    """Returns the content of a text file: UTF-8 with a final line end, as text tools expect."""
    return f"{caption}\n".encode("utf-8", "replace")


def combined(before: str, caption: str, existing: Existing, separator: str = "\n") -> str:
    """Returns the text that replaces `before`. A caption that is to be added and is there already
    is not added again."""
    if existing not in (Existing.APPEND, Existing.PREPEND) or not before:
        return caption
    if not caption or _has_part(before, caption, separator):
        return before
    if existing is Existing.APPEND:
        return f"{_without_end(before, separator)}{separator}{caption}"
    return f"{_without_end(caption, separator)}{separator}{before}"


def _without_end(text: str, separator: str) -> str:
    """Leaves out a separator that already stands at the end, as the comma of a list of tags."""
    mark = separator.strip()
    return text.rstrip().removesuffix(mark) if mark else text


def exchanged(text: str, part: str, other: str, existing: Existing, separator: str) -> str | None:
    """Returns the text with `other` in the place of `part`, which was added to it; None if that is
    none of its parts."""
    places = list(_places_of(text, part, separator)) if part else []
    if not places:
        return None
    begin = places[0 if existing is Existing.PREPEND else -1]
    return f"{text[:begin]}{other}{text[begin + len(part) :]}".strip()


def _has_part(text: str, part: str, separator: str) -> bool:
    """Returns whether `part` is one of those of `text`, and not only inside another one."""
    return next(_places_of(text, part, separator), None) is not None


def _places_of(text: str, part: str, separator: str) -> Iterator[int]:
    """Yields where `part` begins as one of the parts of `text`."""
    marks = (separator, separator.strip() or separator, "\n")
    first, last = len(text) - len(text.lstrip()), len(text.rstrip())
    begin = text.find(part)
    while begin >= 0:
        end = begin + len(part)
        # Positions instead of slices: a large file may hold a short part a million times.
        if (begin <= first or any(text.endswith(mark, 0, begin) for mark in marks)) and (
            end >= last or any(text.startswith(mark, end) for mark in marks)
        ):
            yield begin
        begin = text.find(part, begin + 1)


def fingerprint(data: bytes | None) -> str:
    """Returns a digest by which a file's content is recognised; "" for no file."""
    return "" if data is None else hashlib.sha256(data).hexdigest()
