"""Recognises TGA, which has no signature at its start: by its header, its length and its footer.

Source: Truevision TGA File Format Specification, version 2.0 (1991).
"""

from __future__ import annotations

from PIL import Image

_HEADER_BYTES = 18
FOOTER_BYTES = 26
_SIGNATURE = b"TRUEVISION-XFILE.\0"

# Bits per pixel by image type: with a palette, in colour, grey; with 8 more, run-length encoded.
_DEPTHS = {1: {8}, 2: {16, 24, 32}, 3: {8, 16}, 9: {8}, 10: {16, 24, 32}, 11: {8, 16}}
_PALETTE_DEPTHS = {15, 16, 24, 32}
_RUN_LENGTH = 8
# The attribute bits, by bits per pixel; some writers leave them 0.
_ATTRIBUTES = {8: {0}, 16: {0, 1, 8}, 24: {0}, 32: {0, 8}}
# Some writers pad files, and version 2 adds an extension area and a developer area.
_MOST_TRAILING_BYTES = 4096


def is_tga(head: bytes, tail: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins and ends so is a TGA.

    Each byte of the header must have a value of the specification, and the pixels must fill the
    file, unless it has the footer of version 2.
    """
    if len(head) < _HEADER_BYTES:
        return False
    kind, depth = head[2], head[16]
    width, height = int.from_bytes(head[12:14], "little"), int.from_bytes(head[14:16], "little")
    if depth not in _DEPTHS.get(kind, set()) or not width or not height:
        return False
    if head[17] & 0xC0 or head[17] & 0x0F not in _ATTRIBUTES[depth]:
        return False
    palette_bytes = _palette_bytes(head)
    if palette_bytes is None:
        return False
    if tail.endswith(_SIGNATURE):
        return True
    begin, pixel_bytes = _HEADER_BYTES + head[0] + palette_bytes, depth // 8
    whole = width * height * pixel_bytes
    if kind & _RUN_LENGTH:
        # A packet of at most 128 pixels takes a byte beside one pixel or all of them.
        packets = -(-width * height // 128)
        least, most = packets * (1 + pixel_bytes), whole + width * height
        return begin + least <= size <= begin + most + _MOST_TRAILING_BYTES
    return begin + whole <= size <= begin + whole + _MOST_TRAILING_BYTES


def _palette_bytes(head: bytes) -> int | None:
    """The size of the palette; None if what the header says of it cannot be."""
    has_palette, kind = head[1], head[2] & ~_RUN_LENGTH
    if has_palette == 0:
        return 0 if head[3:8] == bytes(5) and kind != 1 else None
    length, depth = int.from_bytes(head[5:7], "little"), head[7]
    if has_palette != 1 or kind != 1 or not 0 < length <= 256 or depth not in _PALETTE_DEPTHS:
        return None
    return length * ((depth + 7) // 8)


def with_meant_alpha(image: Image.Image, header: bytes) -> Image.Image:
    """Makes `image` opaque if its header says that no bit of a pixel is alpha."""
    if image.mode == "RGBA" and header[17] & 0x0F == 0:
        return image.convert("RGB")
    return image
