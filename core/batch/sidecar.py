"""The caption file beside an image: its name, its text, and what becomes of a text already there.

Every function may be called from any thread. The image's own file is never opened here.
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
    """What a run does with a caption that is there already; stored in journals."""

    SKIP = "skip"
    REPLACE = "replace"
    APPEND = "append"
    PREPEND = "prepend"
    STALE = "stale"
    """Replace only what an earlier run made with another prompt, model or sampling."""


def text_path(picture: Path, pattern: str = TEXT_PATTERN) -> Path:
    """Returns the caption file of `picture`. In `pattern`, `{stem}` is the image's file name
    without its last suffix and `{name}` the whole name. Raises ValueError if the pattern makes no
    file name, or the image's own."""
    name = pattern.replace("{stem}", picture.stem).replace("{name}", picture.name)
    is_one_name = not re.search(r'[/\\:*?"<>|\0]', pattern) and name not in ("", ".", "..")
    if not is_one_name or not re.search(r"\{(stem|name)\}", pattern) or name == picture.name:
        raise ValueError(f"“{pattern}” is no name for captions; take for example {TEXT_PATTERN}.")
    return picture.with_name(name)


def xmp_path(picture: Path) -> Path:
    """Returns the XMP sidecar of `picture`: `NAME.xmp` (darktable, digiKam) if it exists, else
    `STEM.xmp` (Adobe)."""
    by_name = picture.with_name(f"{picture.name}.xmp")
    try:
        is_there = by_name.exists()
    except OSError:  # With the suffix the name may be too long.
        is_there = False
    return by_name if is_there else picture.with_name(f"{picture.stem}.xmp")


def decoded(data: bytes | None) -> str:
    """Returns the caption in a text file of any usual encoding, without white space around it."""
    if not data:
        return ""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            # What Windows wrote before UTF-8. Its five unassigned bytes become question marks.
            text = data.decode("cp1252", "replace")
    return "\n".join(text.splitlines()).strip()


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


def _has_part(text: str, part: str, separator: str) -> bool:
    """Returns whether `part` is one of those of `text`, and not only inside another one."""
    mark = separator.strip() or separator
    begin = text.find(part)
    while begin >= 0:
        left, right = text[:begin], text[begin + len(part) :]
        ends_before = not left.strip() or left.endswith((separator, mark, "\n"))
        if ends_before and (not right.strip() or right.startswith((separator, mark, "\n"))):
            return True
        begin = text.find(part, begin + 1)
    return False


def fingerprint(data: bytes | None) -> str:
    """Returns a digest by which a file's content is recognised; "" for no file."""
    return "" if data is None else hashlib.sha256(data).hexdigest()
