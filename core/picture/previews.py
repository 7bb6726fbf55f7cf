"""Finds the preview that a Photoshop document or a camera raw file carries: a JPEG inside it.

Raw files of most makers are TIFFs (TIFF/EP, ISO 12234-2) whose directories name JPEGs of several
sizes. Those of Fujifilm have a header of their own, and those of Olympus, Pentax and Canon's CR3
keep previews where only their makers' software looks, so that these are searched for JPEGs.

Nothing is decoded here. What is read is bounded, whatever the file claims.
"""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.picture.format import PictureFormat
from core.picture.jpeg_markers import jpeg_end, jpeg_size

_MOST_DIRECTORIES = 64
_MOST_ENTRIES = 1000
_MOST_RESOURCES = 1000
_MOST_CANDIDATES = 64
_PREVIEW_BYTES = 64 * 2**20
_SEARCHED_BYTES = 96 * 2**20
_FRAME_BYTES = 2**18
"""A JPEG says its size within so many bytes; before that come EXIF data and profiles."""

_SUBFILE, _COMPRESSION, _MAKE, _STRIPS, _ORIENTATION, _LENGTHS = 254, 259, 271, 273, 274, 279
_SUB_IFDS, _JPEG_START, _JPEG_LENGTH, _EXIF_IFD, _DNG_VERSION = 330, 513, 514, 34665, 50706
_PANASONIC_JPEG = 0x2E
_JPEG_COMPRESSIONS = {6, 7}
# Sony, Nikon, Pentax, Samsung, Kodak, and lossy DNG.
_RAW_COMPRESSIONS = {32767, 34713, 65535, 32769, 32770, 65000, 34892}
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4}
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")
_PSD_THUMBNAIL, _PSD_VERSION = 1036, 1057
_PSD_THUMBNAIL_HEADER = 28
# Mode and depth: bitmap, grey, palette, RGB, CMYK, duotone, Lab.
_PSD_MODES = {(0, 1), (0, 8), (1, 8), (2, 8), (3, 8), (4, 8), (8, 8), (9, 8)}


@dataclass(frozen=True)
class Preview:
    """A JPEG inside a file. `orientation` is what the file says of it, as the EXIF tag has it."""

    start: int
    length: int
    size: tuple[int, int]
    orientation: int = 1

    def read(self, file: BinaryIO) -> bytes:
        """Returns the JPEG."""
        file.seek(self.start)
        return file.read(self.length)


def find_preview(file: BinaryIO, picture_format: PictureFormat) -> Preview | None:
    """Returns the largest preview in a raw file or a Photoshop document; None if it has none."""
    try:
        if picture_format is PictureFormat.PSD:
            return _photoshop_preview(file)
        return _raw_preview(file)
    except (struct.error, OverflowError, ValueError):
        return None
    finally:
        file.seek(0)


def is_raw_tiff(file: BinaryIO) -> bool:
    """Whether a TIFF is a raw file: its first image is a thumbnail, or is encoded as no TIFF is."""
    file.seek(0)
    try:
        first = next(_directories(file), dict[int, list[int]]())
    except (struct.error, OverflowError, ValueError):
        return False
    finally:
        file.seek(0)
    return (
        _DNG_VERSION in first
        or (first.get(_SUBFILE, [0])[:1] == [1] and _SUB_IFDS in first)
        or first.get(_COMPRESSION, [1])[0] in _RAW_COMPRESSIONS
    )


# ---- raw files ----------------------------------------------------------------------------------


def _raw_preview(file: BinaryIO) -> Preview | None:
    file.seek(0)
    head = file.read(100)
    orientation = 1
    claimed: list[tuple[int, int]] = []
    if head.startswith(b"FUJIFILMCCD-RAW"):
        claimed = [struct.unpack(">II", head[84:92])]
    elif head[:4] in _TIFF_STARTS:
        directories = list(_directories(file))
        orientation = (directories[0].get(_ORIENTATION) or [1])[0] if directories else 1
        claimed = list(itertools.chain.from_iterable(map(_jpegs_of, directories)))
    found = [preview for place in claimed if (preview := _checked(file, *place, orientation))]
    found = found or list(_searched(file, orientation))
    return max(found, key=lambda preview: preview.size[0] * preview.size[1], default=None)


def _directories(file: BinaryIO) -> Iterator[dict[int, list[int]]]:
    """Yields the whole numbers of each TIFF directory, the first one first."""
    file.seek(0)
    head = file.read(8)
    if head[:4] not in _TIFF_STARTS:
        return
    order = "<" if head[:2] == b"II" else ">"
    waiting, seen = [struct.unpack(f"{order}I", head[4:8])[0]], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        offset = waiting.pop(0)
        if offset in seen or not offset:
            continue
        seen.add(offset)
        directory, following = _directory(file, offset, order)
        yield directory
        waiting += [following, *directory.get(_SUB_IFDS, []), *directory.get(_EXIF_IFD, [])]


def _directory(file: BinaryIO, offset: int, order: str) -> tuple[dict[int, list[int]], int]:
    """One directory, without the values that are no whole numbers or too many."""
    file.seek(offset)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    count = min(count, _MOST_ENTRIES)
    data = file.read(12 * count + 4)
    directory: dict[int, list[int]] = {}
    for tag, kind, many, value in struct.iter_unpack(
        f"{order}HHI4s", data[: len(data[: 12 * count]) // 12 * 12]
    ):
        size = _TYPE_BYTES.get(kind, 0) * many
        if kind == 7 and tag == _PANASONIC_JPEG:
            directory[tag] = [struct.unpack(f"{order}I", value)[0], many]
        elif tag == _DNG_VERSION:
            directory[tag] = [1]
        elif 0 < size <= 4 * _MOST_ENTRIES:
            if size > 4:
                file.seek(struct.unpack(f"{order}I", value)[0])
                value = file.read(size)
            letter = {1: "B", 2: "H"}.get(size // many, "I")
            if len(value) >= size:
                directory[tag] = list(struct.unpack(f"{order}{many}{letter}", value[:size]))
    after = data[12 * count : 12 * count + 4]
    return directory, struct.unpack(f"{order}I", after)[0] if len(after) == 4 else 0


def _jpegs_of(directory: dict[int, list[int]]) -> Iterator[tuple[int, int]]:
    """Where a directory says that a JPEG lies, and how long it is."""
    if _JPEG_START in directory and _JPEG_LENGTH in directory:
        yield directory[_JPEG_START][0], directory[_JPEG_LENGTH][0]
    if len(directory.get(_PANASONIC_JPEG, ())) == 2:
        start, length = directory[_PANASONIC_JPEG]
        yield start, length
    strips, lengths = directory.get(_STRIPS, []), directory.get(_LENGTHS, [])
    is_jpeg = directory.get(_COMPRESSION, [1])[0] in _JPEG_COMPRESSIONS
    if is_jpeg and len(strips) == len(lengths) == 1:
        yield strips[0], lengths[0]


def _checked(file: BinaryIO, start: int, length: int, orientation: int) -> Preview | None:
    file.seek(start)
    size = jpeg_size(file.read(min(length, _FRAME_BYTES)))
    if size is None or length > _PREVIEW_BYTES:
        return None
    return Preview(start, length, size, orientation)


def _searched(file: BinaryIO, orientation: int) -> Iterator[Preview]:
    """Yields whatever begins like a JPEG; within `_SEARCHED_BYTES`."""
    file.seek(0)
    data = file.read(_SEARCHED_BYTES)
    at, count = data.find(b"\xff\xd8\xff"), 0
    while at >= 0 and count < _MOST_CANDIDATES:
        if size := jpeg_size(data, at):
            count += 1
            length = min(jpeg_end(data, at) - at, _PREVIEW_BYTES)
            yield Preview(at, length, size, orientation)
        at = data.find(b"\xff\xd8\xff", at + 1)


# ---- Photoshop documents ------------------------------------------------------------------------


def has_merged_pixels(file: BinaryIO) -> bool:
    """Whether the document has an image of all its layers that Pillow can read.

    Photoshop can leave it out to save space; a resource then says so, and there is a white image.
    """
    try:
        if not _has_merged_data(file):
            return False
        for kind, start, size in _resources(file):
            if kind == _PSD_VERSION and size >= 5:
                file.seek(start + 4)
                return file.read(1) != b"\0"
    except (struct.error, OverflowError, ValueError):
        return False
    finally:
        file.seek(0)
    return True


def _has_merged_data(file: BinaryIO) -> bool:
    """Whether the merged image is there, and is no larger than the file."""
    file.seek(0)
    version, channels, height, width, depth, mode = struct.unpack(">4xH6xHIIHH", file.read(26))
    if version != 1 or (mode, depth) not in _PSD_MODES:
        return False
    for _ in range(3):  # Palette, resources, layers.
        (length,) = struct.unpack(">I", file.read(4))
        file.seek(length, io.SEEK_CUR)
    begin = file.tell()
    (compression,) = struct.unpack(">H", file.read(2))
    left = file.seek(0, io.SEEK_END) - begin - 2
    if compression == 0:
        return left >= channels * height * ((width * depth + 7) // 8)
    # At the least two bytes a row for its length, and two for 128 bytes of it.
    return compression == 1 and left >= channels * height * (2 + 2 * (width * depth // 8 // 128))


def _photoshop_preview(file: BinaryIO) -> Preview | None:
    for kind, start, size in _resources(file):
        if kind == _PSD_THUMBNAIL and size > _PSD_THUMBNAIL_HEADER:
            begin = start + _PSD_THUMBNAIL_HEADER
            return _checked(file, begin, size - _PSD_THUMBNAIL_HEADER, 1)
    return None


def _resources(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Yields the number of each image resource, where its data begin and how many bytes it has."""
    file.seek(26)
    (colours,) = struct.unpack(">I", file.read(4))
    file.seek(colours, io.SEEK_CUR)
    (length,) = struct.unpack(">I", file.read(4))
    at = file.tell()
    end = at + length
    for _ in range(_MOST_RESOURCES):
        if at + 12 > end:
            return
        file.seek(at)
        start = file.read(7)
        if start[:4] not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
            return
        (kind,) = struct.unpack(">H", start[4:6])
        # The name and its length byte, and the data, are padded to even lengths.
        at += 6 + (start[6] + 2) // 2 * 2
        file.seek(at)
        (size,) = struct.unpack(">I", file.read(4))
        yield kind, at + 4, size
        at += 4 + (size + 1) // 2 * 2
