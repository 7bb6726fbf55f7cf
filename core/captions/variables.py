"""Variables in prompts: `{name}`, `{place}` and others become what is known of an image.

A part in square brackets with a variable in it, as `[taken in {place}]`, is left out if a value is
missing. Elsewhere a missing value leaves no two spaces and none before a comma.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.captions.metadata import Metadata, exif_value, metadata_of

VARIABLES = (
    *("name", "stem", "folder", "index", "caption", "date", "place", "camera", "description"),
    *("keywords", "people", "folder_note", "image_note", "vocabulary"),
)
"""The names of all variables but `exif:…`, which stands for an EXIF tag."""

_PERSONAL = frozenset({"place", "description", "keywords", "people"})
_PERSONAL_EXIF = re.compile(
    r"gps\w*|artist|copyright|imagedescription|usercomment|xp\w+|\w*owner\w*|\w*serialnumber"
    r"|imageuniqueid|documentname|hostcomputer",
    re.IGNORECASE,
)
_VARIABLE = re.compile(rf"\{{({'|'.join(VARIABLES)}|exif:[\w ]+)\}}")
_TOKEN = re.compile(rf"{_VARIABLE.pattern}|[\[\]]|[^\[\]{{]+|\{{")
_GAP = "\0"
_GAPS = re.compile(rf" *{_GAP}(?: *{_GAP})* *")
_CLOSING = re.compile(r"[\n,.;:!?)\]]|$")


@dataclass(frozen=True)
class Notes:
    """What a person said about a folder, as "this is the 1987 expedition", and about an image, and
    the tags of a vocabulary."""

    folder: str = ""
    image: str = ""
    tags: str = ""


@dataclass(frozen=True)
class Filled:
    """A prompt as the model gets it. `values` are those of its variables that are known, by their
    names, `missing` are the names of the others."""

    text: str
    values: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()


def filled(
    prompt: str, picture: Path, index: int, caption: str = "", notes: Notes | None = None
) -> str:
    """Returns `prompt` with its variables filled in. `index` is the image's number, from 1, and
    `caption` the one it has so far. Other braces and brackets stay. Reads the image's metadata only
    if the prompt asks for it; never raises."""
    return explained(prompt, picture, index, caption, notes).text


def explained(
    prompt: str, picture: Path, index: int, caption: str = "", notes: Notes | None = None
) -> Filled:
    """Returns what `filled` returns, and the values in it: for a preview."""
    known = _Known(picture, index, caption, notes or Notes())
    values: dict[str, str] = {}
    missing: dict[str, None] = {}

    def value(name: str) -> str:
        if name not in values and name not in missing:
            found = known.value(name).replace(_GAP, "")
            if found:
                values[name] = found
            else:
                missing[name] = None
        return values.get(name, "")

    tokens = _TOKEN.finditer(prompt.replace(_GAP, ""))
    text = ""
    while True:  # A bracket that closes nothing is text.
        part = _read(tokens, value)
        text += part.text
        if not part.is_closed:
            break
        text += "]"
    return Filled(_without_gaps(text), tuple(values.items()), tuple(missing))


def variables_in(prompt: str) -> tuple[str, ...]:
    """Returns the names of the variables in a prompt, each once."""
    return tuple(dict.fromkeys(found[1] for found in _VARIABLE.finditer(prompt)))


def without_variables(prompt: str) -> str:
    """Returns a prompt with blanks in the place of its variables."""
    return _VARIABLE.sub(" ", prompt)


def personal_variables(prompt: str) -> tuple[str, ...]:
    """Returns the variables in a prompt that stand for what the metadata of images says of people:
    names, places, coordinates, and free texts that may have them. They go to a server only after
    consent."""
    return tuple(
        name
        for name in variables_in(prompt)
        if name in _PERSONAL
        or (name.startswith("exif:") and _PERSONAL_EXIF.fullmatch(name[5:].strip()))
    )


@dataclass(frozen=True)
class _Known:
    picture: Path
    index: int
    caption: str
    notes: Notes

    def value(self, name: str) -> str:
        if name.startswith("exif:"):
            return exif_value(self.picture, name[5:])
        match name:
            case "name":
                return self.picture.name
            case "stem":
                return self.picture.stem
            case "folder":
                return self.picture.parent.name
            case "index":
                return str(self.index)
            case "caption":
                return self.caption
            case "folder_note":
                return self.notes.folder.strip()
            case "image_note":
                return self.notes.image.strip()
            case "vocabulary":
                return self.notes.tags
            case _:
                value = getattr(self.metadata, name)
                return value if isinstance(value, str) else ", ".join(value)

    @cached_property
    def metadata(self) -> Metadata:
        return metadata_of(self.picture)


def _read(tokens: Iterator[re.Match[str]], value: Callable[[str], str]) -> _Part:
    """Reads up to the end, or to the bracket that closes a part; `_GAP` stands where a value or a
    part is missing."""
    part = _Part()
    for token in tokens:
        if token[1]:
            found = value(token[1])
            part.text += found or _GAP
            part.own_missing |= not found
            part.has_own = True
        elif token[0] == "[":
            inner = _read(tokens, value)
            part.text += inner.as_optional
            part.optional += inner.is_optional
            part.optional_missing += inner.is_optional and inner.is_left_out
        elif token[0] == "]":
            part.is_closed = True
            return part
        else:
            part.text += token[0]
    return part


@dataclass
class _Part:
    """A part of a prompt, in brackets or the whole of it."""

    text: str = ""
    has_own: bool = False
    own_missing: bool = False
    optional: int = 0
    optional_missing: int = 0
    is_closed: bool = False

    @property
    def is_optional(self) -> bool:
        return self.is_closed and (self.has_own or bool(self.optional))

    @property
    def is_left_out(self) -> bool:
        """Whether a value is missing, or there are only optional parts and all are left out."""
        if self.has_own:
            return self.own_missing
        return self.optional_missing == self.optional

    @property
    def as_optional(self) -> str:
        if self.is_optional:
            return _GAP if self.is_left_out else self.text
        return f"[{self.text}]" if self.is_closed else f"[{self.text}"


def _without_gaps(text: str) -> str:
    """Takes one of two spaces, and one before a comma or at an end, where something is missing."""

    def between(found: re.Match[str]) -> str:
        before, after = text[: found.start()][-1:], text[found.end() :][:1]
        has_space = " " in found[0]
        is_needed = before not in ("", "\n", "(", "[") and not _CLOSING.match(after)
        return " " if has_space and is_needed else ""

    return _GAPS.sub(between, text)
