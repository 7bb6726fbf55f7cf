"""Makes large pictures smaller strip by strip, so that no second full-size image is in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from PIL import Image

from core.picture.colour import plain

KEPT_PIXELS = 4096 * 4096
KEPT_SIDE = 16_384
"""The most that `Picture.pixels` may have: 64 MiB, and a side that every GPU can show."""

_STRIP_PIXELS = 4 * 2**20


def kept_size(width: int, height: int) -> tuple[int, int]:
    """Returns the (width, height) at which a picture of this size is kept."""
    scale = min(1.0, math.sqrt(KEPT_PIXELS / (width * height)), KEPT_SIDE / max(width, height))
    return max(1, int(width * scale)), max(1, int(height * scale))


def reduced_size(size: tuple[int, int], kept: tuple[int, int]) -> tuple[int, int]:
    """Returns the (width, height) after reducing `size` by whole factors towards `kept`."""
    return math.ceil(size[0] / (size[0] // kept[0])), math.ceil(size[1] / (size[1] // kept[1]))


def cut(image: Image.Image, rows: int) -> Iterator[Image.Image]:
    """Yields the image in strips whose height is a multiple of `rows`; the last may be lower.

    For modes "I" and "F", `info["extremes"]` of each strip are the least and greatest value of the
    whole image.
    """
    step = rows * max(1, _STRIP_PIXELS // (image.width * rows))
    extremes = image.getextrema() if image.mode in ("I", "F") else None
    for top in range(0, image.height, step):
        strip = image.crop((0, top, image.width, min(top + step, image.height)))
        if extremes:
            strip.info["extremes"] = extremes
        yield strip


def join_reduced(
    strips: Iterable[Image.Image], size: tuple[int, int], kept: tuple[int, int]
) -> tuple[Image.Image, bool]:
    """Reduces each strip by whole factors towards `kept`, and joins them from the top.

    `size` is that of the whole image before reduction. Returns the image, in one of the modes of
    `core.picture.colour.plain`, and whether the strips reach its last row.
    """
    factors = (size[0] // kept[0], size[1] // kept[1])
    whole, top = None, 0
    for strip in strips:
        part = plain(strip)
        if factors != (1, 1):
            part = part.reduce(factors)
        if whole is None:
            reduced = reduced_size(size, kept)
            if part.size == reduced:
                return part, True
            whole = Image.new(part.mode, reduced)
        whole.paste(part, (0, top))
        top += part.height
    if whole is None:
        return Image.new("L", kept), False
    return whole, top >= whole.height
