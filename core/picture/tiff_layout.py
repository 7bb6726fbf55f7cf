"""How a TIFF stores its pixels, where Pillow does not read it or reads it wrongly.

Source: TIFF revision 6.0 (Adobe, 1992).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import TiffImagePlugin

from core.errors import PictureError
from core.message import translatable
from core.picture.reading import READ_ERRORS
from core.picture.tiff_strips import Tag

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
# What Pillow decompresses: none, LZW, deflate (two numbers), PackBits, LZMA, Zstandard.
_COMPRESSIONS = {1, 5, 8, 32946, 32773, 34925, 50000}
_PILLOWS_BITS = {1, 2, 4, 8}


class SampleKind(IntEnum):
    """Values of the tag SampleFormat."""

    UNSIGNED = 1
    SIGNED = 2
    FLOAT = 3


@dataclass(frozen=True)
class SampleLayout:
    """How a TIFF stores its pixels, if Pillow cannot read them; `order` is "<" or ">"."""

    width: int
    height: int
    samples: int
    bits: int
    kind: SampleKind
    photometric: int
    is_planar: bool
    predictor: int
    extra: int | None
    order: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Returns the type of a sample; of packed bits the type that they are unpacked into."""
        letter = {SampleKind.UNSIGNED: "u", SampleKind.SIGNED: "i", SampleKind.FLOAT: "f"}[
            self.kind
        ]
        size = next(size for size in (8, 16, 32, 64) if self.bits <= size) // 8
        return np.dtype(f"{self.order}{letter}{size}")

    @property
    def needed_bytes(self) -> int:
        """Returns how much memory decoding takes at most."""
        return self.width * self.height * self.samples * (self.dtype.itemsize + 1)


def sample_layout(file: BinaryIO, title: str) -> SampleLayout | None:
    """Returns the layout of a TIFF that is to be read here; None if Pillow reads it, or if it is
    damaged. Leaves the file at its start. Raises PictureError for a kind that nobody here reads."""
    try:
        tags = tiff_directory(file)
        return _layout(tags, title)
    except PictureError:
        raise
    except READ_ERRORS:
        return None
    finally:
        file.seek(0)


def tiff_start(file: BinaryIO) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Returns the directory before it is read; `next` is where the first one begins."""
    file.seek(0)
    start = file.read(8)
    if start[2:3] == b"+" or start[3:4] == b"+":
        start += file.read(8)
    return TiffImagePlugin.ImageFileDirectory_v2(start)


def tiff_directory(file: BinaryIO) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Returns the tags of the first image. Raises one of READ_ERRORS if they are damaged."""
    directory = tiff_start(file)
    file.seek(directory.next)
    directory.load(file)
    return directory


def _layout(tags: TiffImagePlugin.ImageFileDirectory_v2, title: str) -> SampleLayout | None:
    samples = int(tags.get(Tag.SAMPLES_PER_PIXEL, 1))
    all_bits = several(tags.get(Tag.BITS_PER_SAMPLE, 1))
    kinds = several(tags.get(Tag.SAMPLE_FORMAT, 1))
    bits, kind, photometric = all_bits[0], kinds[0], int(tags[Tag.PHOTOMETRIC_INTERPRETATION])
    if photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB):
        return None
    is_planar = int(tags.get(Tag.PLANAR_CONFIGURATION, 1)) == 2 and samples > 1
    # Pillow mixes up the planes of 16 bits.
    is_for_us = _is_for_us(samples, bits, kind, photometric) or (bits == 16 and is_planar)
    if not is_for_us:
        return None
    why = _why_unreadable(tags, all_bits, kinds)
    if why:
        raise PictureError(
            translatable(
                "core", "{image} is a TIFF with {what}. Save it with 8 or 16 bits per sample."
            ).format(image=title, what=why)
        )
    extra = tags.get(Tag.EXTRA_SAMPLES)
    return SampleLayout(
        width=int(tags[Tag.IMAGE_WIDTH]),
        height=int(tags[Tag.IMAGE_LENGTH]),
        samples=samples,
        bits=bits,
        kind=SampleKind(kind),
        photometric=photometric,
        is_planar=is_planar,
        predictor=int(tags.get(Tag.PREDICTOR, 1)),
        extra=several(extra)[0] if extra else None,
        order=">" if tags.prefix == b"MM" else "<",
    )


def _is_for_us(samples: int, bits: int, kind: int, photometric: int) -> bool:
    if kind == SampleKind.UNSIGNED and bits in _PILLOWS_BITS:
        return False
    if kind == SampleKind.UNSIGNED and bits == 16:
        is_grey = photometric != RGB
        return is_grey and (samples > 1 or photometric == WHITE_IS_ZERO)
    if samples == 1 and photometric == BLACK_IS_ZERO:
        is_pillows = (kind, bits) in (
            (SampleKind.SIGNED, 16),
            (SampleKind.SIGNED, 32),
            (SampleKind.FLOAT, 32),
        )
        return not is_pillows
    return True


def _why_unreadable(
    tags: Mapping[int, Any], all_bits: tuple[int, ...], kinds: tuple[int, ...]
) -> str:
    """Returns what the file has that cannot be read; "" for nothing."""
    bits, kind = all_bits[0], kinds[0]
    if kind in (5, 6):
        return translatable("core", "complex numbers")
    if kind not in tuple(SampleKind):
        return translatable("core", "samples of an unknown kind")
    if len({*all_bits}) > 1 or len({*kinds}) > 1:
        return translatable("core", "samples of several sizes")
    if bits > 64 or (kind == SampleKind.FLOAT and bits not in (16, 32, 64)):
        return translatable("core", "{bits} bits per sample").format(bits=bits)
    if kind == SampleKind.SIGNED and bits not in (8, 16, 32, 64):
        return translatable("core", "{bits} bits per signed sample").format(bits=bits)
    if bits > 32 and bits != 64:
        return translatable("core", "{bits} bits per sample").format(bits=bits)
    compression = int(tags.get(Tag.COMPRESSION, 1))
    if compression not in _COMPRESSIONS:
        text = translatable("core", "{bits} bits per sample in compression {compression}")
        return text.format(bits=bits, compression=compression)
    return ""


def several(value: Any) -> tuple[int, ...]:
    """Returns the value of a tag that may have one number or several."""
    return tuple(map(int, cast("Any", value))) if isinstance(value, tuple) else (int(value),)
