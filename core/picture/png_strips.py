"""Reads a PNG in strips: inflates the image data, and lets Pillow undo the filters of each strip.

Filters refer to the row above. So the data of each strip becomes a PNG of its own that begins with
the last row of the strip before, unfiltered. The bits of a row are taken as eight-bit channels for
that, since filters work on bytes.

Source: PNG specification, third edition (https://www.w3.org/TR/png-3/), chapters 5, 9 and 10.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, ImageFile

_READ_BYTES = 2**20
_FILTERS = 5  # None, sub, up, average and Paeth.

PNG_BITS = {
    "1": (1, 0),
    "L;2": (2, 0),
    "L;4": (4, 0),
    "L": (8, 0),
    "P;1": (1, 0),
    "P;2": (2, 0),
    "P;4": (4, 0),
    "P": (8, 0),
    "LA": (16, 4),
    "I;16B": (16, 4),
    "RGB": (24, 2),
    "RGBA": (32, 6),
    "LA;16B": (32, 6),
}
"""For each of Pillow's rawmodes: the bits per pixel, and the PNG colour type with eight bits per
channel whose filters refer back by as many bytes. None refers back by six bytes or more."""


def png_strips(
    image: ImageFile.ImageFile, file: BinaryIO, rawmode: str, rows: int
) -> Iterator[Image.Image]:
    """Yields the image in strips of `rows` rows, without palette or transparency.

    `rawmode` is a key of `PNG_BITS`. Stops at the first row that is missing or damaged.
    """
    bits, colour_type = PNG_BITS[rawmode]
    row_bytes = (image.width * bits + 7) // 8
    width = row_bytes * 8 // max(bits, 8)
    above = bytes(row_bytes)
    stream = _inflated(_png_data(file), (row_bytes + 1) * rows)
    left = image.height
    for part in stream:
        height = min(_whole_rows(part, row_bytes + 1), left)
        if not height:
            return
        filtered = part[: height * (row_bytes + 1)]
        with Image.open(
            io.BytesIO(_png(width, height + 1, colour_type, b"\0" + above + filtered)),
            formats=("PNG",),
        ) as unfiltered:
            data = unfiltered.tobytes()
        above = data[-row_bytes:]
        yield Image.frombytes(
            image.mode, (image.width, height), data[row_bytes:], "raw", rawmode, row_bytes, 1
        )
        left -= height
        if left and height * (row_bytes + 1) < len(part):
            return  # The next row is damaged.


def _whole_rows(data: bytes, length: int) -> int:
    """Returns how many rows of `length` bytes there are before one without a known filter."""
    filters = data[: len(data) // length * length : length]
    known = bytes(range(_FILTERS))
    return len(filters) - len(filters.lstrip(known))


def _png_data(file: BinaryIO) -> Iterator[bytes]:
    """Yields the content of the IDAT chunks in pieces."""
    file.seek(8)
    has_begun = False
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        if kind == b"IDAT":
            has_begun = True
            while length and (data := file.read(min(length, _READ_BYTES))):
                length -= len(data)
                yield data
            file.seek(4, io.SEEK_CUR)
        elif has_begun:
            return
        else:
            file.seek(length + 4, io.SEEK_CUR)


def _inflated(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yields the inflated stream in parts of `size` bytes; the last one is the rest."""
    inflate = zlib.decompressobj()
    part = bytearray()
    for piece in pieces:
        compressed = piece
        while compressed:
            try:
                part += inflate.decompress(compressed, size - len(part))
            except zlib.error:
                yield bytes(part)
                return
            compressed = inflate.unconsumed_tail
            if len(part) == size:
                yield bytes(part)
                part.clear()
            elif inflate.eof:
                break
    yield bytes(part)


def _png(width: int, height: int, colour_type: int, filtered: bytes) -> bytes:
    """A PNG file with eight bits per channel from its filtered rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, level=0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
