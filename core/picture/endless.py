"""Refuses files that would keep a decoder busy for minutes, by counting what they consist of.

Nothing can interrupt a decoder inside this process, so that this is done before one begins.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from PIL import ImageFile

from core.errors import PictureError
from core.message import translatable
from core.picture.format import PictureFormat
from core.picture.jpeg_markers import count_scans, has_too_many_segments, jpeg_size
from core.picture.reading import READ_ERRORS

# A progressive JPEG has some ten scans. Each one goes through all coefficients of the picture.
_SCANS = 64
_SCANNED_PIXELS = 2 * 10**9
_CHUNKS = 100_000
_FRAME_STEPS = 200_000
MOST_PAGES = 2000
"""Pages of a file that are counted."""
# A PNM header is some twenty bytes, and a comment in it names the program that wrote it.
_PNM_HEADER_BYTES = 2**16
# Numbers written as text are read by Python, at some million a second.
_PNM_NUMBERS = 10**7
_PNM_HEADER = re.compile(
    rb"(P[1-6])(?:\s|#[^\r\n]*[\r\n])+(\d+)(?:\s|#[^\r\n]*[\r\n])+(\d+)(?=[\s#])"
)
_ALL_BYTES = 2**20
_FRAME_BYTES = 2**18


def refuse_endless(file: BinaryIO, picture_format: PictureFormat, title: str) -> None:
    """Raises PictureError if decoding would take minutes; leaves the file at its start."""
    reason: str = ""
    match picture_format:
        case PictureFormat.JPEG:
            reason = _endless_jpeg(file)
        case PictureFormat.PNG if _has_too_many_chunks(file):
            reason = translatable("core", "more than {count} chunks").format(count=f"{_CHUNKS:,}")
        case PictureFormat.PPM:
            reason = _endless_pnm(file)
        case _:
            pass
    file.seek(0)
    if reason:
        raise PictureError(
            translatable(
                "core",
                "{image} would take minutes to decode ({reason}). Save it again as JPEG or PNG.",
            ).format(image=title, reason=reason)
        )


def frame_count(
    image: ImageFile.ImageFile, file: BinaryIO, picture_format: PictureFormat
) -> int | None:
    """Returns how many frames or pages the file has; None for very many, 1 if unknown."""
    if picture_format in (PictureFormat.JPEG, PictureFormat.PSD):
        return 1  # Those of other pictures for the same scene, and layers.
    try:
        if picture_format is PictureFormat.GIF and not _is_short_gif(file):
            return None
        if picture_format is PictureFormat.TIFF and not _has_few_pages(file):
            return None
        return getattr(image, "n_frames", 1)
    except READ_ERRORS:
        return 1


def _endless_jpeg(file: BinaryIO) -> str:
    if has_too_many_segments(file):
        return translatable("core", "too many segments before its pixels")
    scans = count_scans(file)
    if scans <= _SCANS:
        return ""
    size = jpeg_size(file.read(_FRAME_BYTES)) or (10_000, 10_000)
    # Thumbnails and a few wrong ones among the bytes of a large file are no reason.
    if scans * size[0] * size[1] <= _SCANNED_PIXELS:
        return ""
    return translatable("core", "{count} scans").format(count=f"{scans:,}")


def _has_too_many_chunks(file: BinaryIO) -> bool:
    file.seek(8)
    for _ in range(_CHUNKS):
        start = file.read(8)
        if len(start) < 8:
            return False
        length, kind = struct.unpack(">I4s", start)
        if kind == b"IEND":
            return False
        file.seek(length + 4, 1)
    return True


def _endless_pnm(file: BinaryIO) -> str:
    """Pillow reads the header byte by byte, and numbers that are written as text in Python."""
    head = file.read(_PNM_HEADER_BYTES)
    if head.startswith(b"Pf"):
        return ""
    found = _PNM_HEADER.match(head)
    if found is None:
        is_endless = len(head) == _PNM_HEADER_BYTES
        return translatable("core", "an endless header") if is_endless else ""
    if found[1] in (b"P1", b"P2", b"P3"):
        numbers = int(found[2]) * int(found[3]) * (3 if found[1] == b"P3" else 1)
        if numbers > _PNM_NUMBERS or file.seek(0, 2) > 8 * _PNM_NUMBERS:
            text = translatable("core", "more than {count} numbers as text")
            return text.format(count=f"{_PNM_NUMBERS:,}")
    return ""


def _is_short_gif(file: BinaryIO) -> bool:
    """Whether its frames can be counted quickly: Pillow goes through each block of each frame."""
    file.seek(0)
    head = file.read(13)
    at = 13 + (3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0)
    file.seek(0, 2)
    size = file.tell()
    if size <= _ALL_BYTES:
        return True
    steps = 0
    while at < size and steps < _FRAME_STEPS:
        file.seek(at)
        start = file.read(10)
        if start[:1] == b",":
            flags = start[9]
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif start[:1] == b"!":
            at += 2
        elif start[:1] == b";":
            return True
        else:
            at += 1
            steps += 1
            continue
        while at < size and steps < _FRAME_STEPS:
            file.seek(at)
            length = file.read(1)
            at += 1 + length[0] if length else 1
            steps += 1
            if not length or not length[0]:
                break
    return steps < _FRAME_STEPS


def _has_few_pages(file: BinaryIO) -> bool:
    """Whether a TIFF has a chain of directories that ends, within a few thousand of them."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = 43 in (head[2], head[3])
    count_form, offset_form, entry_bytes = ("Q", "Q", 20) if is_big else ("H", "I", 12)
    (offset,) = struct.unpack_from(f"{order}{offset_form}", head, 8 if is_big else 4)
    seen: set[int] = set()
    while offset and len(seen) <= MOST_PAGES and offset not in seen:
        seen.add(offset)
        file.seek(offset)
        size = struct.calcsize(f"={count_form}")
        (count,) = struct.unpack(f"{order}{count_form}", file.read(size))
        file.seek(offset + size + count * entry_bytes)
        after = file.read(struct.calcsize(f"={offset_form}"))
        if len(after) < struct.calcsize(f"={offset_form}"):
            break
        (offset,) = struct.unpack(f"{order}{offset_form}", after)
    return len(seen) <= MOST_PAGES
