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
# EXIF tags that say nothing of people: what the camera is and did. Others may have names, texts or
# whole XMP packets in them, and a later Pillow may know more of them.
_TECHNICAL_EXIF = re.compile(
    r"make|model|(?:unique|localized)cameramodel|lens(?:make|model|specification|info)|software"
    r"|datetime\w*|previewdatetime|offsettime\w*|subsectime\w*|timezoneoffset|exifversion"
    r"|(?:exif)?image(?:width|length|height)|[xy]resolution|resolutionunit|orientation|colorspace"
    r"|bitspersample|samplesperpixel|compression|photometricinterpretation|gamma"
    r"|exposure(?:time|program|mode|index|biasvalue)|fnumber|(?:max)?aperturevalue"
    r"|shutterspeedvalue|brightnessvalue|isospeed\w*|sensitivitytype|standardoutputsensitivity"
    r"|recommendedexposureindex|spectralsensitivity|meteringmode|lightsource|flash|flashenergy"
    r"|focallength\w*|focalplane\w*|digitalzoomratio|whitebalance|contrast|saturation|sharpness"
    r"|gaincontrol|scene(?:capture)?type|sensingmethod|filesource|customrendered|compositeimage"
    r"|subjectdistance(?:range)?|ambienttemperature|humidity|pressure|waterdepth|acceleration"
    r"|cameraelevationangle|rating|ratingpercent",
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

    text = _read(_TOKEN.finditer(prompt.replace(_GAP, "")), value)
    return Filled(_without_gaps(text), tuple(values.items()), tuple(missing))


def variables_in(prompt: str) -> tuple[str, ...]:
    """Returns the names of the variables in a prompt, each once."""
    return tuple(dict.fromkeys(found[1] for found in _VARIABLE.finditer(prompt)))


def without_variables(prompt: str) -> str:
    """Returns a prompt with blanks in the place of its variables."""
    return _VARIABLE.sub(" ", prompt)


def personal_variables(prompt: str) -> tuple[str, ...]:
    """Returns the variables in a prompt that stand for what the metadata of images says of people:
    names, places, coordinates, and free texts that may have them, as all EXIF tags may but those
    of the camera and the exposure. They go to a server only after consent."""
    return tuple(
        name
        for name in variables_in(prompt)
        if name in _PERSONAL
        or (name.startswith("exif:") and not _TECHNICAL_EXIF.fullmatch(name[5:].strip()))
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


def _read(tokens: Iterator[re.Match[str]], value: Callable[[str], str]) -> str:
    """Returns the text with its parts in brackets filled in or left out; `_GAP` stands where a
    value or a part is missing. A bracket that closes nothing, or is not closed, is text."""
    parts = [_Part()]
    for token in tokens:
        if token[1]:
            parts[-1].add_value(value(token[1]))
        elif token[0] == "[":
            parts.append(_Part())
        elif token[0] == "]" and len(parts) > 1:
            inner = parts.pop()
            inner.is_closed = True
            parts[-1].add_part(inner)
        else:
            parts[-1].text += token[0]
    # Not by recursion: a prompt may have more brackets than Python has room for calls.
    return parts[0].text + "".join(f"[{part.text}" for part in parts[1:])


@dataclass
class _Part:
    """A part of a prompt, in brackets or the whole of it."""

    text: str = ""
    has_own: bool = False
    own_missing: bool = False
    optional: int = 0
    optional_missing: int = 0
    is_closed: bool = False

    def add_value(self, found: str) -> None:
        self.text += found or _GAP
        self.own_missing |= not found
        self.has_own = True

    def add_part(self, inner: _Part) -> None:
        self.text += inner.as_optional
        self.optional += inner.is_optional
        self.optional_missing += inner.is_optional and inner.is_left_out

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
        return f"[{self.text}]"


def _without_gaps(text: str) -> str:
    """Takes one of two spaces, and one before a comma or at an end, where something is missing."""

    def between(found: re.Match[str]) -> str:
        before, after = text[: found.start()][-1:], text[found.end() :][:1]
        has_space = " " in found[0]
        is_needed = before not in ("", "\n", "(", "[") and not _CLOSING.match(after)
        return " " if has_space and is_needed else ""

    return _GAPS.sub(between, text)
