"""A giant picture file is read a band of rows at a time, so that it never stands in memory whole.

Pillow decodes PNG, BMP, PPM and TIFF whole, at one to four bytes a pixel. Here each band is
made a small PNG or TIFF of its own, and Pillow decodes that; the rows of the others lie in the
file as they are.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image, ImageFile, TiffImagePlugin

_BAND_BYTES = 16 * 2**20
_READ_BYTES = 2**20


def bands_of(image: ImageFile.ImageFile, file: BinaryIO, rows: int) -> Iterator[Image.Image] | None:
    """The rows of `image`, whose header is read from `file` and whose pixels are not.

    Each band has a multiple of `rows` rows, the last one perhaps fewer, and is in the mode of
    `image`, with its palette and transparency. A file that is cut short gives fewer rows.
    None when the file's format does not allow it.
    """
    if image.mode in ("I", "F"):  # Their range is known only when all of it was seen.
        return None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        step = _tiff_step(image, rows)
        if step:
            return _tiff_bands(image, file, step)
    if len(image.tile) != 1:
        return None
    codec, extents, offset, arguments = image.tile[0]
    if extents != (0, 0, *image.size):
        return None
    if codec == "zip" and image.format == "PNG" and not image.info.get("interlace"):
        rawmode = str(arguments)
        return _png_bands(image, file, rawmode, rows) if rawmode in _PNG_BITS else None
    if codec == "raw":
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        return _raw_bands(image, file, offset, arguments, rows)
    return None


# Bits a pixel of each kind of PNG, and the colour type of eight bits a channel whose filters
# reach back as many bytes. There is none for six bytes and more.
_PNG_BITS = {
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


def _png_bands(
    image: ImageFile.ImageFile, file: BinaryIO, rawmode: str, rows: int
) -> Iterator[Image.Image]:
    bits, colour_type = _PNG_BITS[rawmode]
    row_bytes = (image.width * bits + 7) // 8
    width = row_bytes * 8 // max(bits, 8)
    rows *= max(1, _BAND_BYTES // (4 * image.width * rows))
    above = bytes(row_bytes)
    stream = _inflated(_png_data(file), (row_bytes + 1) * rows)
    left = image.height
    for filtered in stream:
        height = min(len(filtered) // (row_bytes + 1), left)
        if not height:
            return
        filtered = filtered[: height * (row_bytes + 1)]
        with Image.open(
            io.BytesIO(_png(width, height + 1, colour_type, b"\0" + above + filtered)),
            formats=("PNG",),
        ) as unfiltered:
            data = unfiltered.tobytes()
        above = data[-row_bytes:]
        band = Image.frombytes(
            image.mode, (image.width, height), data[row_bytes:], "raw", rawmode, row_bytes, 1
        )
        yield _dressed(band, image)
        left -= height


def _png_data(file: BinaryIO) -> Iterator[bytes]:
    """What the IDAT chunks hold."""
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
    """The inflated stream in parts of `size` bytes; the last is what is left before its end."""
    inflate = zlib.decompressobj()
    part = bytearray()
    for piece in pieces:
        while piece:
            try:
                part += inflate.decompress(piece, size - len(part))
            except zlib.error:
                yield bytes(part)
                return
            piece = inflate.unconsumed_tail
            if len(part) == size:
                yield bytes(part)
                part.clear()
            elif inflate.eof:
                break
    yield bytes(part)


def _png(width: int, height: int, colour_type: int, filtered: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, level=0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _raw_bands(
    image: ImageFile.ImageFile, file: BinaryIO, offset: int, arguments: tuple, rows: int
) -> Iterator[Image.Image] | None:
    rawmode, stride, direction = (*arguments, 0, 1)[:3]
    bits = _RAW_BITS.get(str(rawmode))
    if bits is None:
        return None
    stride = stride or (image.width * bits + 7) // 8
    rows *= max(1, _BAND_BYTES // (4 * image.width * rows))

    def read() -> Iterator[Image.Image]:
        for top in range(0, image.height, rows):
            height = min(rows, image.height - top)
            first = top if direction == 1 else image.height - top - height
            file.seek(offset + first * stride)
            data = file.read(height * stride)
            if len(data) < height * stride:
                return
            band = Image.frombytes(
                image.mode, (image.width, height), data, "raw", rawmode, stride, direction
            )
            yield _dressed(band, image)

    return read()


_RAW_BITS = {
    "1": 1,
    "1;I": 1,
    "I;16": 16,
    "I;16B": 16,
    "L": 8,
    "P": 8,
    "RGB": 24,
    "BGR": 24,
    "BGRX": 32,
    "BGRA": 32,
    "RGBA": 32,
}


# What tells how the pixels are coded: bits, compression, colours, palette, JPEG tables and so on.
_TIFF_CODING = (
    *(258, 259, 262, 266, 277, 284, 292, 293, 317, 320, 332, 338, 339, 347),
    *(529, 530, 531, 532),
)
_WIDTH, _HEIGHT, _ORIENTATION, _PLANAR = 256, 257, 274, 284
_STRIP_OFFSETS, _STRIP_ROWS, _STRIP_BYTES = 273, 278, 279
_TILE_WIDTH, _TILE_ROWS, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_LARGEST_BAND_BYTES = 2**29


def _tiff_step(image: TiffImagePlugin.TiffImageFile, rows: int) -> int | None:
    """How many rows to read at a time, whole strips or tiles of them; None if that is too many."""
    tags = image.tag_v2
    if tags.get(_PLANAR, 1) != 1 or tags.get(_ORIENTATION, 1) != 1:
        return None
    block_rows = tags.get(_TILE_ROWS) or tags.get(_STRIP_ROWS) or image.height
    step = math.lcm(int(block_rows), rows)
    if block_rows >= image.height or step * image.width * 4 > _LARGEST_BAND_BYTES:
        return None
    return step * max(1, _BAND_BYTES // (4 * image.width * step))


def _tiff_bands(
    image: TiffImagePlugin.TiffImageFile, file: BinaryIO, step: int
) -> Iterator[Image.Image]:
    tags = image.tag_v2
    if _TILE_OFFSETS in tags:
        offsets_tag, bytes_tag, rows_tag = _TILE_OFFSETS, _TILE_BYTES, _TILE_ROWS
        across = -(-image.width // tags[_TILE_WIDTH])
    else:
        offsets_tag, bytes_tag, rows_tag = _STRIP_OFFSETS, _STRIP_BYTES, _STRIP_ROWS
        across = 1
    offsets, lengths = tags[offsets_tag], tags[bytes_tag]
    blocks = step // tags[rows_tag] * across
    for first in range(0, len(offsets), blocks):
        top = first // blocks * step
        if top >= image.height:
            return
        data = []
        for offset, length in zip(
            offsets[first : first + blocks], lengths[first : first + blocks], strict=False
        ):
            file.seek(offset)
            data.append(file.read(length))
        directory = {
            tag: tags[tag] for tag in (*_TIFF_CODING, rows_tag, _TILE_WIDTH) if tag in tags
        }
        directory |= {_WIDTH: image.width, _HEIGHT: min(step, image.height - top)}
        part = _tiff(tags, directory, offsets_tag, bytes_tag, data)
        try:
            with Image.open(io.BytesIO(part), formats=("TIFF",)) as band:
                band.load()
        except (OSError, SyntaxError, ValueError):
            return
        yield band


def _tiff(
    like: TiffImagePlugin.ImageFileDirectory_v2,
    directory: dict,
    offsets_tag: int,
    bytes_tag: int,
    blocks: list[bytes],
) -> bytes:
    """A TIFF file in the byte order of another."""
    order = ">" if like.prefix == b"MM" else "<"
    start = like.prefix + struct.pack(f"{order}H", 42)
    places = TiffImagePlugin.ImageFileDirectory_v2(ifh=start + bytes(4))
    for tag, value in directory.items():
        if tag in like.tagtype:
            places.tagtype[tag] = like.tagtype[tag]
        places[tag] = value
    ends = list(itertools.accumulate(map(len, blocks), initial=0))
    for tag in (offsets_tag, bytes_tag):
        places.tagtype[tag] = 4
    places[offsets_tag] = tuple(ends[:-1])
    places[bytes_tag] = tuple(map(len, blocks))
    if offsets_tag == _TILE_OFFSETS:  # Pillow counts those of strips from the directory's end.
        after = 8 + len(places.tobytes(8))
        places[offsets_tag] = tuple(after + end for end in ends[:-1])
    return start + struct.pack(f"{order}I", 8) + places.tobytes(8) + b"".join(blocks)


def _dressed(band: Image.Image, image: ImageFile.ImageFile) -> Image.Image:
    if image.palette and band.mode == "P":
        rawmode, data = image.palette.getdata()
        band.putpalette(data, rawmode)
    if "transparency" in image.info:
        band.info["transparency"] = image.info["transparency"]
    return band
