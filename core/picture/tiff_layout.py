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
# What else it decompresses, for the kinds of samples that it reads itself: fax, JPEG, and others.
_PILLOWS_COMPRESSIONS = {2, 3, 4, 6, 7, 32771, 32809, 34676, 34677}
_COMPRESSION_NAMES = {
    **dict.fromkeys((9, 10, 34661), "JBIG"),
    **dict.fromkeys((22610, 34934), "JPEG XR"),
    **dict.fromkeys((33003, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((34927, 50001), "WebP"),
    34887: "LERC",
    50002: "JPEG XL",
}
_GREY = (WHITE_IS_ZERO, BLACK_IS_ZERO)
_YCBCR = 6
_COLOUR_NAMES = {
    3: translatable("core", "RGB palette"),
    4: translatable("core", "transparency mask"),
    5: "CMYK",
    _YCBCR: "YCbCr",
    8: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    32803: translatable("core", "colour filter array"),
    32844: "LogL",
    32845: "LogLuv",
    34892: translatable("core", "linear raw"),
}
_UNDEFINED = 4


class SampleKind(IntEnum):
    """Values of the tag SampleFormat."""

    UNSIGNED = 1
    SIGNED = 2
    FLOAT = 3


_PILLOWS_WIDE_GREY = {
    (SampleKind.SIGNED, 16),
    (SampleKind.SIGNED, 32),
    (SampleKind.FLOAT, 32),
}


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
        return _layout(file, tags, title)
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


def several(value: Any) -> tuple[int, ...]:
    """Returns the value of a tag that may have one number or several."""
    return tuple(map(int, cast("Any", value))) if isinstance(value, tuple) else (int(value),)


def _layout(
    file: BinaryIO, tags: TiffImagePlugin.ImageFileDirectory_v2, title: str
) -> SampleLayout | None:
    samples = int(tags.get(Tag.SAMPLES_PER_PIXEL, 1))
    all_bits = several(tags.get(Tag.BITS_PER_SAMPLE, 1))
    kinds = several(tags.get(Tag.SAMPLE_FORMAT, 1))
    # Undefined ones are read as if nothing was said of them, as the specification has it.
    kinds = tuple(SampleKind.UNSIGNED if one == _UNDEFINED else one for one in kinds)
    bits, kind, photometric = all_bits[0], kinds[0], int(tags[Tag.PHOTOMETRIC_INTERPRETATION])
    compression = int(tags.get(Tag.COMPRESSION, 1))
    is_known = compression in _COMPRESSIONS | _PILLOWS_COMPRESSIONS
    if is_known and _is_pillows(tags, samples, bits, kind) and _pillow_opens(file):
        return None
    if not is_known:
        name = _COMPRESSION_NAMES.get(compression, str(compression))
        why = translatable("core", "a compression that Onlooker cannot read ({name})").format(
            name=name
        )
    elif photometric not in (*_GREY, RGB):
        name = _COLOUR_NAMES.get(photometric, str(photometric))
        why = translatable(
            "core", "colours that Onlooker cannot read ({name}, {bits} bits per sample)"
        ).format(name=name, bits=bits)
    else:
        why = _why_unreadable(tags, all_bits, kinds)
    if why:
        text = translatable("core", "{image} is a TIFF with {what}. Save it as PNG.")
        raise PictureError(text.format(image=title, what=why))
    extra = tags.get(Tag.EXTRA_SAMPLES)
    return SampleLayout(
        width=int(tags[Tag.IMAGE_WIDTH]),
        height=int(tags[Tag.IMAGE_LENGTH]),
        samples=samples,
        bits=bits,
        kind=SampleKind(kind),
        photometric=photometric,
        is_planar=_is_separate(tags) and samples > 1,
        predictor=int(tags.get(Tag.PREDICTOR, 1)),
        extra=several(extra)[0] if extra else None,
        order=">" if tags.prefix == b"MM" else "<",
    )


def _pillow_opens(file: BinaryIO) -> bool:
    file.seek(0)
    try:
        TiffImagePlugin.TiffImageFile(file)
    except READ_ERRORS:
        return False
    return True


def _is_separate(tags: Mapping[int, Any]) -> bool:
    return int(tags.get(Tag.PLANAR_CONFIGURATION, 1)) == 2


def _is_pillows(
    tags: TiffImagePlugin.ImageFileDirectory_v2, samples: int, bits: int, kind: int
) -> bool:
    """Returns False for what Pillow opens, but shows wrongly."""
    photometric = int(tags[Tag.PHOTOMETRIC_INTERPRETATION])
    compression = int(tags.get(Tag.COMPRESSION, 1))
    if compression not in _COMPRESSIONS:
        return True
    if _is_separate(tags) and (bits != 8 or photometric in _GREY):
        return False
    if photometric == _YCBCR:
        subsampling = several(tags.get(Tag.YCBCR_SUB_SAMPLING, (2, 2)))
        return compression != 1 or subsampling == (1, 1)
    if photometric not in (*_GREY, RGB) or (kind == SampleKind.UNSIGNED and bits <= 8):
        return True
    if kind == SampleKind.UNSIGNED and bits == 16:
        return photometric == RGB or (samples == 1 and photometric == BLACK_IS_ZERO)
    # libtiff swaps their bytes where they are compressed, and Pillow swaps them once more.
    is_swapped_twice = tags.prefix == b"MM" and compression != 1
    is_read = (kind, bits) in _PILLOWS_WIDE_GREY and samples == 1 and photometric == BLACK_IS_ZERO
    return is_read and not is_swapped_twice


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
