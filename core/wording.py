"""What is asked about each picture of a run, and what becomes of the words that come back."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import ExifTags, Image

_VARIABLE = re.compile(r"\{(name|stem|folder|index|caption|exif:([\w ]+))\}")
_OPENING = re.compile(
    r"^\s*(?:in|on)?\s*(?:the|this)\s+(?:image|picture|photo|photograph|scene)\s+"
    r"(?:(?:shows|depicts|features|displays|captures|presents|portrays|contains|illustrates"
    r"|showcases|is\s+of|we\s+(?:can\s+)?see)\s+|,\s*)"
    r"|^\s*in\s+(?:the|this)\s+(?:image|picture|photo|photograph),\s*",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s|$)|[。！？]+[」』）]*")
_EXIF_TAGS = {name.casefold(): tag for tag, name in ExifTags.TAGS.items()}


def filled(prompt: str, picture: Path, index: int, caption: str = "") -> str:
    """`prompt` with {name}, {stem}, {folder}, {index} (from 1), {caption} (the one there is) and
    {exif:Tag} in place; what the picture does not tell is empty, other braces stay."""

    def value(found: re.Match[str]) -> str:
        match found[1]:
            case "name":
                return picture.name
            case "stem":
                return picture.stem
            case "folder":
                return picture.parent.name
            case "index":
                return str(index)
            case "caption":
                return caption
        return _exif(picture, found[2])

    return _VARIABLE.sub(value, prompt)


def _exif(picture: Path, name: str) -> str:
    tag = _EXIF_TAGS.get(name.strip().casefold())
    if tag is None:
        return ""
    try:
        with Image.open(picture) as image:
            exif = image.getexif()
            value = exif.get(tag, exif.get_ifd(ExifTags.IFD.Exif).get(tag, ""))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""  # Opening the picture says what is wrong with it.
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).strip("\0 ")


def without_opening(caption: str) -> str:
    """“The image shows a cat.” becomes “A cat.”"""
    rest = _OPENING.sub("", caption, count=1)
    return rest[:1].upper() + rest[1:] if rest and rest != caption else caption


def to_last_sentence(caption: str) -> str:
    """Up to the last whole sentence; all of it when there is none."""
    ends = list(_SENTENCE_END.finditer(caption))
    return caption[: ends[-1].end()] if ends else caption
