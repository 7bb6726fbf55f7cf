"""The caption file of an image: its caption, and how it is stored, so that a new caption is stored
the same way.

A text file keeps its encoding, byte order mark, line ends, and the blanks around its text, a final
line break among them. An XMP file keeps all that is not its description (`core.captions.xmp`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from core.captions import xmp
from core.captions.encoding import StoredText, plain, stored_text
from core.captions.sidecar import NAME
from core.errors import StoreError
from core.files import is_link, read_bytes
from core.formatting import format_bytes
from core.message import translatable
from core.picture import is_image

LARGEST_TEXT = 1_000_000
"""The bytes up to which a text file is read: an index of longer captions would fill the memory."""

# As IPTC advises, a longer text belongs into the long description too.
_LONG = 250
_LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class CaptionFile:
    """What a caption file holds: `data`, None for no file, and the caption in it."""

    path: Path
    data: bytes | None
    caption: str

    @classmethod
    def read(cls, path: Path) -> CaptionFile:
        """Reads a file. Raises StoreError for what is no caption file, and cannot be changed."""
        return cls.of(path, content_of(path))

    @classmethod
    def of(cls, path: Path, data: bytes | None) -> CaptionFile:
        """Returns what a file with this content says. Raises StoreError."""
        if data is None:
            return cls(path, None, "")
        if _is_xmp(path):
            return cls(path, data, plain(xmp.read(data, path.name).description))
        return cls(path, data, plain(stored_text(data, path.name).text))

    def with_caption(self, caption: str, extension: str = "") -> bytes | None:
        """Returns the file's content with another caption; None for no file.

        No file is made for an empty caption. `extension` is the image's, for a new XMP file that
        is named after the stem. Raises StoreError.
        """
        if self.data is None and not caption:
            return None
        caption = plain(caption)
        if _is_xmp(self.path):
            data = _described(self, caption, extension)
        else:
            data = _with_text(self, caption)
        if len(data) > _largest(self.path):
            text = translatable(
                "core", "“{name}” would be larger than {size}. Shorten the caption, then try again."
            )
            raise StoreError(
                text.format(name=self.path.name, size=format_bytes(_largest(self.path)))
            )
        return data


def content_of(path: Path) -> bytes | None:
    """Returns what a caption file holds, None if there is none. Raises StoreError, also for a link:
    `CaptionNames` follows those that stay in the folders."""
    if is_link(path):
        text = translatable(
            "core",
            "“{name}” is a link that leads out of the folder, or to no caption file. "
            "Replace it with a file, then try again.",
        )
        raise StoreError(text.format(name=path.name))
    data = read_bytes(path, most=_largest(path))
    if data and is_image(data):
        text = translatable(
            "core",
            "“{name}” is an image, not a caption file. Rename it, or name the captions {pattern}.",
        )
        raise StoreError(text.format(name=path.name, pattern=NAME))
    return data


def _is_xmp(path: Path) -> bool:
    return path.suffix.lower() == ".xmp"


def _largest(path: Path) -> int:
    return xmp.LARGEST if _is_xmp(path) else LARGEST_TEXT


def _with_text(file: CaptionFile, caption: str) -> bytes:
    stored = StoredText("") if file.data is None else stored_text(file.data, file.path.name)
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


def _described(file: CaptionFile, caption: str, extension: str) -> bytes:
    """Returns an XMP file whose description is the caption. A text beside it that said the same, or
    nothing, follows."""
    texts = xmp.read(file.data, file.path.name)
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
        name=file.path.name,
    )
