"""The caption file of an image: its caption, and how it is stored, so that a new caption is stored
the same way.

A text file keeps its encoding, byte order mark, line ends, and the blanks around its text, a final
line break among them. An XMP file keeps all that is not its description (`core.captions.xmp`)
or its keywords (`core.captions.xmp_keywords`).
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from core.captions import xmp
from core.captions.encoding import StoredText, plain, stored_text
from core.captions.sidecar import NAME
from core.captions.xmp_keywords import keywords_of, with_keywords
from core.errors import StoreError
from core.files import is_link, read_bytes
from core.formatting import format_bytes
from core.message import translatable
from core.picture import is_image
from core.workspace.tags import tags_of

LARGEST_TEXT = 1_000_000
"""The bytes up to which a text file is read: an index of longer captions would fill the memory."""

_SMALL = 2**16
# Another program's pipe would keep the reader waiting.
_ORDINARY = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")
)
# As IPTC advises, a longer text belongs into the long description too.
_LONG = 250
_LINE_END = re.compile("\r\n|\r|\n")


class CaptionFile(NamedTuple):
    """What a caption file holds: `data`, None for no file, and the caption in it. `stored` is the
    text of a text file. With `are_keywords` the caption of an XMP file is its keywords, and not its
    description. A tuple, as there are up to 100,000."""

    path: str
    data: bytes | None
    caption: str
    stored: StoredText | None = None
    are_keywords: bool = False

    @classmethod
    def read(cls, path: str | Path, *, are_keywords: bool = False) -> CaptionFile:
        """Reads a file. Raises StoreError for what is no caption file, and cannot be changed."""
        name = os.fspath(path)
        return cls.of(name, content_of(name), are_keywords=are_keywords)

    @classmethod
    def of(cls, path: str, data: bytes | None, *, are_keywords: bool = False) -> CaptionFile:
        """Returns what a file with this content says. Raises StoreError."""
        if data is None:
            return cls(path, None, "", are_keywords=are_keywords)
        if _is_xmp(path) and are_keywords:
            caption = ", ".join(keywords_of(data, Path(path).name))
            return cls(path, data, caption, are_keywords=True)
        if _is_xmp(path):
            return cls(path, data, plain(xmp.read(data, Path(path).name).description))
        stored = stored_text(data, os.path.basename(path))  # noqa: PTH119 (quick)
        return cls(path, data, plain(stored.text), stored)

    def with_caption(self, caption: str, extension: str = "") -> bytes | None:
        """Returns the file's content with another caption; None for no file.

        No file is made for an empty caption. `extension` is the image's, for a new XMP file that
        is named after the stem. Raises StoreError.
        """
        if self.data is None and not caption:
            return None
        caption = plain(caption)
        if _is_xmp(self.path) and self.are_keywords:
            name = Path(self.path).name
            keywords = _keywords_in(caption, keywords_of(self.data, name))
            data = with_keywords(self.data, keywords, extension=extension, name=name)
        elif _is_xmp(self.path):
            data = _described(self, caption, extension)
        else:
            data = _with_text(self, caption)
        if len(data) > _largest(self.path):
            text = translatable(
                "core", "“{name}” would be larger than {size}. Shorten the caption, then try again."
            )
            name, size = Path(self.path).name, format_bytes(_largest(self.path))
            raise StoreError(text.format(name=name, size=size))
        return data


def content_of(path: str) -> bytes | None:
    """Returns what a caption file holds, None if there is none. Raises StoreError, also for a link:
    `CaptionNames` follows those that stay in the folders."""
    data = _small_content(path)
    return _content(Path(path)) if data is None else data


def _small_content(path: str) -> bytes | None:
    """Reads an ordinary caption file in a third of the time; returns None for any other."""
    try:
        descriptor = os.open(path, _ORDINARY)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size >= _SMALL:
            return None
        data = os.read(descriptor, _SMALL)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    # Every binary image has a NUL near its start, and so has UTF-16.
    is_text = b"\0" not in data[:512] and not data.startswith(b"P")
    return data if is_text and len(data) < _SMALL else None


def _content(path: Path) -> bytes | None:
    if is_link(path):
        text = translatable(
            "core",
            "“{name}” is a link that leads out of the folder, or to no caption file. "
            "Replace it with a file, then try again.",
        )
        raise StoreError(text.format(name=path.name))
    data = read_bytes(path, most=_largest(str(path)))
    if data and is_image(data):
        text = translatable(
            "core",
            "“{name}” is an image, not a caption file. Rename it, or name the captions {pattern}.",
        )
        raise StoreError(text.format(name=path.name, pattern=NAME))
    return data


def _is_xmp(path: str) -> bool:
    return path[-4:].lower() == ".xmp"


def _largest(path: str) -> int:
    return xmp.LARGEST if _is_xmp(path) else LARGEST_TEXT


def _with_text(file: CaptionFile, caption: str) -> bytes:
    stored = file.stored or StoredText("")
    old = stored.text.strip()
    if not old:  # An empty file has no form but its encoding.
        return stored.encoded(f"{caption}\n" if caption else "")
    if not caption:
        return stored.encoded("")
    start = stored.text.index(old)
    head, tail = stored.text[:start], stored.text[start + len(old) :]
    return stored.encoded(f"{head}{_with_line_ends(caption, old, tail)}{tail}")


def _with_line_ends(caption: str, old: str, tail: str) -> str:
    """Returns the caption with the line ends of the text that it replaces."""
    if "\n" not in caption:
        return caption
    ends = _LINE_END.findall(old) or _LINE_END.findall(tail) or ["\n"]
    lines = caption.split("\n")
    if len(ends) == len(lines) - 1:
        return "".join(f"{line}{end}" for line, end in zip(lines, [*ends, ""], strict=True))
    return Counter(ends).most_common(1)[0][0].join(lines)


def _keywords_in(caption: str, before: list[str]) -> list[str]:
    """Returns the tags of a caption as keywords. A keyword that has commas itself, as “Paris,
    France”, stays one as long as its parts stand together."""
    tags = list(tags_of(caption))
    for whole in before:
        parts = list(tags_of(whole))
        if len(parts) > 1:
            for at in range(len(tags) - len(parts) + 1):
                if tags[at : at + len(parts)] == parts:
                    tags[at : at + len(parts)] = [whole]
                    break
    return tags


def _described(file: CaptionFile, caption: str, extension: str) -> bytes:
    """Returns an XMP file whose description is the caption. A text beside it that said the same, or
    nothing, follows."""
    name = Path(file.path).name
    texts = xmp.read(file.data, name)
    alt_text = texts.alt_text
    if alt_text in ("", texts.description):
        alt_text = caption
    extended = None
    if texts.extended == texts.description and (texts.extended or len(caption) > _LONG):
        extended = caption
    return xmp.described(
        file.data,
        description=caption,
        alt_text=alt_text,
        extended=extended,
        extension=extension,
        name=name,
    )
