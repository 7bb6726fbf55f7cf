"""Reads a TIFF in strips: some of its blocks, still encoded, become a TIFF that Pillow decodes.

A strip is what is read at a time. A block is what the specification calls a strip or a tile.

Source: TIFF revision 6.0 (Adobe, 1992), with the tags of its Technical Note 2 for JPEG.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import BinaryIO

from PIL import Image, TiffImagePlugin


class Tag(IntEnum):
    """Tags of a TIFF directory, named as in the specification."""

    IMAGE_WIDTH = 256
    IMAGE_LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC_INTERPRETATION = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES_PER_PIXEL = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTE_COUNTS = 279
    PLANAR_CONFIGURATION = 284
    T4_OPTIONS = 292
    T6_OPTIONS = 293
    PREDICTOR = 317
    COLOR_MAP = 320
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    INK_SET = 332
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    YCBCR_COEFFICIENTS = 529
    YCBCR_SUB_SAMPLING = 530
    YCBCR_POSITIONING = 531
    REFERENCE_BLACK_WHITE = 532


# The tags that say how the pixels are encoded.
_ENCODING = (
    Tag.BITS_PER_SAMPLE,
    Tag.COMPRESSION,
    Tag.PHOTOMETRIC_INTERPRETATION,
    Tag.FILL_ORDER,
    Tag.SAMPLES_PER_PIXEL,
    Tag.PLANAR_CONFIGURATION,
    Tag.T4_OPTIONS,
    Tag.T6_OPTIONS,
    Tag.PREDICTOR,
    Tag.COLOR_MAP,
    Tag.INK_SET,
    Tag.EXTRA_SAMPLES,
    Tag.SAMPLE_FORMAT,
    Tag.JPEG_TABLES,
    Tag.YCBCR_COEFFICIENTS,
    Tag.YCBCR_SUB_SAMPLING,
    Tag.YCBCR_POSITIONING,
    Tag.REFERENCE_BLACK_WHITE,
)
# The most bytes, decoded, that are read at a time.
_LARGEST_STRIP_BYTES = 2**27


def tiff_step(image: TiffImagePlugin.TiffImageFile, rows: int) -> int | None:
    """Returns the least multiple of `rows` that is whole blocks, to be read at a time.

    Returns None if the blocks are too large for that, or the image cannot be read in strips.
    """
    tags = image.tag_v2
    if tags.get(Tag.PLANAR_CONFIGURATION, 1) != 1 or tags.get(Tag.ORIENTATION, 1) != 1:
        return None
    block_rows = tags.get(Tag.TILE_LENGTH) or tags.get(Tag.ROWS_PER_STRIP) or image.height
    step = math.lcm(int(block_rows), rows)
    if block_rows >= image.height or step * image.width * 4 > _LARGEST_STRIP_BYTES:
        return None
    return step


def tiff_strips(
    image: TiffImagePlugin.TiffImageFile, file: BinaryIO, step: int
) -> Iterator[Image.Image]:
    """Yields the image in strips of `step` rows, a multiple of what `tiff_step` returned.

    Stops at the first block that is missing or damaged.
    """
    tags = image.tag_v2
    if Tag.TILE_OFFSETS in tags:
        offsets_tag, lengths_tag = Tag.TILE_OFFSETS, Tag.TILE_BYTE_COUNTS
        rows_tag = Tag.TILE_LENGTH
        across = -(-image.width // tags[Tag.TILE_WIDTH])
    else:
        offsets_tag, lengths_tag = Tag.STRIP_OFFSETS, Tag.STRIP_BYTE_COUNTS
        rows_tag = Tag.ROWS_PER_STRIP
        across = 1
    offsets, lengths = tags[offsets_tag], tags[lengths_tag]
    blocks = step // tags[rows_tag] * across
    for first in range(0, len(offsets), blocks):
        top = first // blocks * step
        if top >= image.height:
            return
        data: list[bytes] = []
        for offset, length in zip(
            offsets[first : first + blocks], lengths[first : first + blocks], strict=False
        ):
            file.seek(offset)
            data.append(file.read(length))
        copied = (*_ENCODING, rows_tag, Tag.TILE_WIDTH)
        directory: dict[int, object] = {tag: tags[tag] for tag in copied if tag in tags}
        directory[Tag.IMAGE_WIDTH] = image.width
        directory[Tag.IMAGE_LENGTH] = min(step, image.height - top)
        part = tiff_file(tags, directory, offsets_tag, lengths_tag, data)
        try:
            with Image.open(io.BytesIO(part), formats=("TIFF",)) as strip:
                strip.load()
        except (OSError, SyntaxError, ValueError):
            return
        yield strip


def tiff_file(
    like: TiffImagePlugin.ImageFileDirectory_v2,
    directory: Mapping[int, object],
    offsets_tag: int,
    lengths_tag: int,
    blocks: Sequence[bytes],
) -> bytes:
    """Returns a TIFF file in the byte order of `like`, with these tags and encoded blocks."""
    order = ">" if like.prefix == b"MM" else "<"
    start = like.prefix + struct.pack(f"{order}H", 42)
    written = TiffImagePlugin.ImageFileDirectory_v2(ifh=start + bytes(4))
    for tag, value in directory.items():
        if tag in like.tagtype:
            written.tagtype[tag] = like.tagtype[tag]
        written[tag] = value
    ends = list(itertools.accumulate(map(len, blocks), initial=0))
    for tag in (offsets_tag, lengths_tag):
        written.tagtype[tag] = 4
    written[offsets_tag] = tuple(ends[:-1])
    written[lengths_tag] = tuple(map(len, blocks))
    if offsets_tag == Tag.TILE_OFFSETS:
        # Pillow itself adds the size of the directory to the offsets of strips, not of tiles.
        after = 8 + len(written.tobytes(8))
        written[offsets_tag] = tuple(after + end for end in ends[:-1])
    return start + struct.pack(f"{order}I", 8) + written.tobytes(8) + b"".join(blocks)
