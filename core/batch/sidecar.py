"""The caption file beside an image: its name, its text, and what becomes of a text already there.

Every function may be called from any thread. The picture's own file is never opened here.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from enum import StrEnum
from pathlib import Path

TEXT_PATTERN = "{stem}.txt"
CAPTION_PATTERN = "{stem}.caption"


class Existing(StrEnum):
    """What becomes of a caption that is there already."""

    SKIP = "skip"
    REPLACE = "replace"
    APPEND = "append"
    PREPEND = "prepend"
    STALE = "stale"
    """Replace only what an earlier run made with another prompt, model or sampling."""


def text_path(picture: Path, pattern: str = TEXT_PATTERN) -> Path:
    """Where the caption of `picture` is. In `pattern` `{stem}` is the file's name without its
    last suffix and `{name}` with it. Raises ValueError for a pattern that is no file's name,
    or that would be the picture's own."""
    name = pattern.replace("{stem}", picture.stem).replace("{name}", picture.name)
    is_one_name = not re.search(r'[/\\:*?"<>|\0]', pattern) and name not in ("", ".", "..")
    if not is_one_name or not re.search(r"\{(stem|name)\}", pattern) or name == picture.name:
        raise ValueError(f"“{pattern}” is no name for captions; take for example {TEXT_PATTERN}.")
    return picture.with_name(name)


def xmp_path(picture: Path) -> Path:
    """darktable and digiKam name it after the whole file, Adobe after the stem; one that is
    there is taken."""
    by_name = picture.with_name(f"{picture.name}.xmp")
    try:
        is_there = by_name.exists()
    except OSError:  # With the suffix the name may be too long.
        is_there = False
    return by_name if is_there else picture.with_name(f"{picture.stem}.xmp")


def decoded(data: bytes | None) -> str:
    """The caption in a text file of any usual encoding, without blanks around it."""
    if not data:
        return ""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            # What Windows wrote before UTF-8. Its five empty places become question marks.
            text = data.decode("cp1252", "replace")
    return "\n".join(text.splitlines()).strip()


def encoded(caption: str) -> bytes:
    """UTF-8, and a line's end at the end, as text tools expect it."""
    return f"{caption}\n".encode("utf-8", "replace")


def combined(before: str, caption: str, existing: Existing) -> str:
    """The caption that takes the place of `before`."""
    match existing:
        case Existing.APPEND if before:
            return f"{before}\n{caption}"
        case Existing.PREPEND if before:
            return f"{caption}\n{before}"
    return caption


def fingerprint(data: bytes | None) -> str:
    """Tells whether a file is still what was written; "" for no file."""
    return "" if data is None else hashlib.sha256(data).hexdigest()
