"""Opens JPEG XL with pillow-jxl-plugin, where that is installed.

The plugin is under the GPL, so that the packages do not carry it.

Source of the size: ISO/IEC 18181-1, SizeHeader; ISO/IEC 18181-2 for the container.
"""

# The plugin has no complete type stubs.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import importlib.util
import io
import struct
from typing import BinaryIO

from PIL import ImageFile

_READ_BYTES = 64
_MOST_BOXES = 100
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def can_open_jxl() -> bool:
    """Whether the plugin is installed; does not import it."""
    try:
        return importlib.util.find_spec("pillow_jxl") is not None
    except (ImportError, ValueError):
        return False


def jxl_image(file: BinaryIO) -> ImageFile.ImageFile:
    """Decodes the file, which the plugin does at once. Raises ImportError, and what it raises."""
    from pillow_jxl.JpegXLImagePlugin import JXLImageFile

    return JXLImageFile(file)


def jxl_size(file: BinaryIO) -> tuple[int, int] | None:
    """Returns the (width, height) that the file claims; None if it is damaged."""
    file.seek(0)
    head = file.read(12)
    if head[:2] != b"\xff\x0a":
        head = _codestream(file)
    else:
        file.seek(0)
        head = file.read(_READ_BYTES)
    file.seek(0)
    if head[:2] != b"\xff\x0a" or len(head) < 8:
        return None
    return _size(_Bits(int.from_bytes(head[2:], "little")))


def _codestream(file: BinaryIO) -> bytes:
    """The start of the codestream inside a container."""
    file.seek(0)
    for _ in range(_MOST_BOXES):
        start = file.read(8)
        if len(start) < 8:
            break
        length, kind = struct.unpack(">I4s", start)
        if kind == b"jxlc":
            return file.read(_READ_BYTES)
        if kind == b"jxlp":
            return file.read(4 + _READ_BYTES)[4:]
        if length < 8:
            break
        file.seek(length - 8, io.SEEK_CUR)
    return b""


class _Bits:
    """Reads a number bit by bit, the lowest first."""

    def __init__(self, value: int):
        self._value = value

    def read(self, count: int) -> int:
        read = self._value & ((1 << count) - 1)
        self._value >>= count
        return read


def _size(bits: _Bits) -> tuple[int, int]:
    is_small = bits.read(1)
    height = _side(bits, is_small)
    ratio = bits.read(3)
    if ratio == 0:
        return _side(bits, is_small), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height


def _side(bits: _Bits, is_small: int) -> int:
    if is_small:
        return 8 * (bits.read(5) + 1)
    return bits.read((9, 13, 18, 30)[bits.read(2)]) + 1
