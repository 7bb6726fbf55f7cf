"""Reads TIFFs with samples that Pillow does not know: packed, wide, floating-point, inverted.

A block (a strip or a tile) is decompressed by Pillow as if it held bytes, and taken apart here.

Source: TIFF revision 6.0 (Adobe, 1992); for floating point Adobe Photoshop TIFF Technical Note 3.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from core.picture.budget import BUDGET
from core.picture.reading import READ_ERRORS, damaged
from core.picture.tiff_layout import (
    BLACK_IS_ZERO,
    RGB,
    WHITE_IS_ZERO,
    SampleKind,
    SampleLayout,
    several,
    tiff_directory,
    tiff_start,
)
from core.picture.tiff_strips import Tag, tiff_file

_ICC_PROFILE = 34675
_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2
_ROWS_AT_ONCE = 256
# A damaged or hostile file may claim blocks without end; this much more than is needed is read.
_SPARE_BLOCK = 8


def read_samples(file: BinaryIO, layout: SampleLayout, title: str) -> tuple[Image.Image, int, bool]:
    """Returns the image in mode L, LA, RGB or RGBA, its EXIF orientation, and whether all of it is
    there. `info` has its colour profile. Raises PictureError if nothing can be decoded.
    """
    with BUDGET.taken(layout.needed_bytes, title):
        tags = tiff_directory(file)
        values = np.zeros((layout.height, layout.width, layout.samples), layout.dtype)
        is_complete = has_any = False
        try:
            for block, (top, left, plane) in _blocks(file, tags, layout):
                rows = min(block.shape[0], layout.height - top)
                columns = min(block.shape[1], layout.width - left)
                planes = slice(plane, plane + block.shape[2])
                target = values[top : top + rows, left : left + columns, planes]
                target[...] = block[:rows, :columns]
                has_any = True
            is_complete = True
        except READ_ERRORS as error:
            if not has_any:
                raise damaged(title) from error
        image = _as_image(values, layout)
    if profile := tags.get(_ICC_PROFILE):
        image.info["icc_profile"] = profile
    return image, int(tags.get(Tag.ORIENTATION, 1)), is_complete


def page_count(file: BinaryIO, most: int) -> int | None:
    """Returns how many pages a TIFF has; None if more than `most`, or if they are in a circle."""
    seen: set[int] = set()
    try:
        directory = tiff_start(file)
        while directory.next and directory.next not in seen and len(seen) <= most:
            seen.add(directory.next)
            file.seek(directory.next)
            directory.load(file)
    except READ_ERRORS:
        return max(1, len(seen))
    return max(1, len(seen)) if not directory.next else None


def _blocks(
    file: BinaryIO, tags: TiffImagePlugin.ImageFileDirectory_v2, layout: SampleLayout
) -> Iterator[tuple[np.ndarray, tuple[int, int, int]]]:
    """Yields each block as (rows, columns, samples), and its top row, left column and plane."""
    is_tiled = Tag.TILE_OFFSETS in tags
    offsets_tag = Tag.TILE_OFFSETS if is_tiled else Tag.STRIP_OFFSETS
    lengths_tag = Tag.TILE_BYTE_COUNTS if is_tiled else Tag.STRIP_BYTE_COUNTS
    rows_tag = Tag.TILE_LENGTH if is_tiled else Tag.ROWS_PER_STRIP
    rows = min(int(tags.get(rows_tag, layout.height)), 2**31)
    width = int(tags[Tag.TILE_WIDTH]) if is_tiled else layout.width
    rows = rows if is_tiled else min(rows, layout.height)
    across, down = -(-layout.width // width), -(-layout.height // rows)
    if width * rows > _SPARE_BLOCK * (layout.width * layout.height + 2**20):
        raise ValueError("blocks far larger than the image")
    in_block = 1 if layout.is_planar else layout.samples
    count = across * down * (layout.samples if layout.is_planar else 1)
    left_to_read = _SPARE_BLOCK * file.seek(0, io.SEEK_END) + 2**20
    offsets, lengths = several(tags[offsets_tag]), several(tags[lengths_tag])
    for number in range(count):
        plane, place = divmod(number, across * down)
        top, left = place // across * rows, place % across * width
        height = rows if is_tiled else min(rows, layout.height - top)
        row_bytes = -(-width * in_block * layout.bits // 8)
        file.seek(offsets[number])
        data = file.read(lengths[number])
        left_to_read -= len(data)
        if left_to_read < 0:
            raise ValueError("blocks that share their data")
        content = _decompressed(tags, data, row_bytes, height)
        yield _samples(content, layout, width, in_block), (top, left, plane)


def _decompressed(
    tags: TiffImagePlugin.ImageFileDirectory_v2, data: bytes, row_bytes: int, rows: int
) -> np.ndarray:
    """Returns a block's bytes as uint8 (rows, row_bytes), as if it were an image of grey bytes."""
    directory: dict[int, object] = {
        Tag.IMAGE_WIDTH: row_bytes,
        Tag.IMAGE_LENGTH: rows,
        Tag.ROWS_PER_STRIP: rows,
        Tag.BITS_PER_SAMPLE: 8,
        Tag.SAMPLES_PER_PIXEL: 1,
        Tag.PHOTOMETRIC_INTERPRETATION: BLACK_IS_ZERO,
        Tag.COMPRESSION: tags.get(Tag.COMPRESSION, 1),
        Tag.FILL_ORDER: tags.get(Tag.FILL_ORDER, 1),
    }
    part = tiff_file(tags, directory, Tag.STRIP_OFFSETS, Tag.STRIP_BYTE_COUNTS, [data])
    with Image.open(io.BytesIO(part), formats=("TIFF",)) as image:
        return np.asarray(image)


def _samples(content: np.ndarray, layout: SampleLayout, width: int, samples: int) -> np.ndarray:
    """Returns a block's bytes as (rows, width, samples) of the layout's type."""
    rows = len(content)
    if layout.bits % 8 or layout.bits == 24:
        return _unpacked(content, layout, width * samples).reshape(rows, width, samples)
    if layout.predictor == 3:
        return _from_byte_planes(content, layout, width, samples)
    values = np.frombuffer(content.tobytes(), layout.dtype).reshape(rows, width, samples)
    if layout.predictor == 2 and layout.kind is not SampleKind.FLOAT:
        values = np.cumsum(values, axis=1, dtype=layout.dtype.newbyteorder("="))
    return values


def _unpacked(content: np.ndarray, layout: SampleLayout, count: int) -> np.ndarray:
    """Returns (rows, count) of samples that are packed without regard to bytes, high bits first,
    or take three bytes."""
    if layout.bits == 24 and layout.order == "<":
        content = content[:, : count * 3].reshape(-1, 3)[:, ::-1].reshape(len(content), -1)
    unpacked = np.unpackbits(content, axis=1)[:, : count * layout.bits]
    unpacked = unpacked.reshape(len(content), count, layout.bits)
    values = np.zeros((len(content), count), layout.dtype)
    for bit in range(layout.bits):
        values = (values << 1) | unpacked[:, :, bit]
    return values


def _from_byte_planes(
    content: np.ndarray, layout: SampleLayout, width: int, samples: int
) -> np.ndarray:
    """Undoes the predictor for floating point: differences of bytes, highest bytes first."""
    rows, size = len(content), layout.dtype.itemsize
    steps = content.reshape(rows, -1, samples)
    summed = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, size, width * samples)
    values = np.ascontiguousarray(summed.transpose(0, 2, 1)).view(layout.dtype.newbyteorder(">"))
    return values.reshape(rows, width, samples)


def _as_image(values: np.ndarray, layout: SampleLayout) -> Image.Image:
    """Scales to bytes as `core.picture.colour` does: the range is that of the type up to 16 bits,
    and 0 to 1 for floats; if the values exceed it, from the least to the greatest of them."""
    colours = 3 if layout.photometric == RGB else 1
    alpha = layout.extra in (_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA)
    kept = min(layout.samples, colours + alpha)
    low, high = _range(values[..., :colours], layout)
    alpha_high = 1.0 if layout.kind is SampleKind.FLOAT else float(2**layout.bits - 1)
    result = np.empty((*values.shape[:2], kept), np.uint8)
    for top in range(0, layout.height, _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        part = values[rows, :, :kept].astype(np.float64)
        part = np.nan_to_num(part, nan=low, posinf=high, neginf=low)
        scaled = (part[..., :colours] - low) / max(high - low, 1e-300)
        if kept > colours:
            opacity = np.clip(part[..., colours:] / alpha_high, 0, 1)
            if layout.extra == _ASSOCIATED_ALPHA:
                scaled = np.divide(scaled, opacity, out=np.zeros_like(scaled), where=opacity > 0)
            result[rows, :, colours:] = np.rint(opacity * 255)
        if layout.photometric == WHITE_IS_ZERO:
            scaled = 1 - scaled
        result[rows, :, :colours] = np.clip(np.rint(scaled * 255), 0, 255)
    return Image.fromarray(result[..., 0] if kept == 1 else result)


def _range(values: np.ndarray, layout: SampleLayout) -> tuple[float, float]:
    """Returns the values that become black and white."""
    if layout.kind is SampleKind.UNSIGNED and layout.bits <= 16:
        return 0.0, float(2**layout.bits - 1)
    top = 1.0 if layout.kind is SampleKind.FLOAT else 65535.0
    if layout.kind is SampleKind.SIGNED and layout.bits == 8:
        top = 127.0
    low, high = np.inf, -np.inf
    for first in range(0, layout.height, _ROWS_AT_ONCE):
        part = values[first : first + _ROWS_AT_ONCE]
        finite = part[np.isfinite(part)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (0.0, top) if low >= 0 and high <= top else (low, high)
