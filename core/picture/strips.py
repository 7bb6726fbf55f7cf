"""Reads very large picture files a strip of rows at a time, never the whole into memory.

Pillow decodes PNG, BMP, PPM and TIFF whole, at one to four bytes per pixel. Here, the data of each
strip of a PNG (`png_strips`) or TIFF (`tiff_strips`) is wrapped as a small file of its own, which
Pillow decodes. BMP and PPM store their rows uncompressed, so that each strip is read directly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from PIL import Image, ImageFile, TiffImagePlugin

from core.picture.png_strips import PNG_BITS, png_strips
from core.picture.reading import READ_ERRORS
from core.picture.tiff_strips import tiff_step, tiff_strips

# About this much is decoded at a time.
_STRIP_BYTES = 16 * 2**20
# How often the bytes of a strip are in memory: read, inflated, wrapped, decoded, reduced.
_COPIES = 3


def read_strips(
    image: ImageFile.ImageFile, file: BinaryIO, rows: int
) -> Iterator[Image.Image] | None:
    """Yields the rows of `image`, whose header is read from `file` and whose pixels are not.

    The height of each strip is a multiple of `rows`, except perhaps of the last. A strip has the
    mode of `image`, its palette and its transparency. A file that is cut short yields fewer rows.
    Returns None if the file's format does not allow reading in strips.
    """
    if image.mode in ("I", "F"):  # Their range is known only once all of it has been read.
        return None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        step = tiff_step(image, rows)
        if step:
            return _up_to_damage(tiff_strips(image, file, _strip_rows(image, step)))
    if len(image.tile) != 1:
        return None
    codec, extents, offset, arguments = image.tile[0]
    if extents != (0, 0, *image.size):
        return None
    strips = None
    if codec == "zip" and image.format == "PNG" and not image.info.get("interlace"):
        rawmode = str(arguments)
        if rawmode in PNG_BITS:
            strips = png_strips(image, file, rawmode, _strip_rows(image, rows))
    elif codec == "raw":
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        strips = _raw_strips(image, file, offset, arguments, _strip_rows(image, rows))
    return _up_to_damage(_with_palette_of(image, strip) for strip in strips) if strips else None


def _up_to_damage(strips: Iterator[Image.Image]) -> Iterator[Image.Image]:
    """Ends where Pillow cannot decode a strip."""
    with suppress(*READ_ERRORS):
        yield from strips


def strip_bytes(image: ImageFile.ImageFile, rows: int) -> int:
    """Returns how many bytes reading `image` as `read_strips` does takes at most."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        rows = tiff_step(image, rows) or rows
    return _COPIES * 4 * image.width * min(image.height, _strip_rows(image, rows))


def _strip_rows(image: Image.Image, rows: int) -> int:
    """The multiple of `rows` that makes about `_STRIP_BYTES`."""
    return rows * max(1, _STRIP_BYTES // (4 * image.width * rows))


# Bits per pixel by rawmode.
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


def _raw_strips(
    image: ImageFile.ImageFile, file: BinaryIO, offset: int, arguments: Sequence[object], rows: int
) -> Iterator[Image.Image] | None:
    """Reads uncompressed rows; `arguments` are those of Pillow's raw decoder."""
    rawmode, given_stride, direction = (*arguments, 0, 1)[:3]
    bits = _RAW_BITS.get(str(rawmode))
    if bits is None:
        return None
    row_bytes = (image.width * bits + 7) // 8
    stride = given_stride if isinstance(given_stride, int) and given_stride else row_bytes

    def read() -> Iterator[Image.Image]:
        for top in range(0, image.height, rows):
            height = min(rows, image.height - top)
            first = top if direction == 1 else image.height - top - height
            file.seek(offset + first * stride)
            data = file.read(height * stride)
            if len(data) < height * stride:
                return
            yield Image.frombytes(
                image.mode, (image.width, height), data, "raw", rawmode, stride, direction
            )

    return read()


def _with_palette_of(image: ImageFile.ImageFile, strip: Image.Image) -> Image.Image:
    """Gives a strip the palette and the transparency of the whole image."""
    if image.palette and strip.mode == "P":
        rawmode, data = image.palette.getdata()
        strip.putpalette(data, rawmode)
    if "transparency" in image.info:
        strip.info["transparency"] = image.info["transparency"]
    return strip
