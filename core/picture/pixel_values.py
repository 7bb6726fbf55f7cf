"""The pixel values of LLaVA-1.5: padded to a square, resized, normalised, bit for bit as the
original code makes them.

Needs numpy and Pillow alone, so that the window can show what the model is given.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from PIL import Image

PAD_COLOUR = (122, 116, 104)
"""CLIP's mean colour, in 255ths and cut to whole numbers, as in the original."""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_STRIP_HEIGHT = 512
_THREADS = min(4, os.cpu_count() or 1)


def pixel_values(
    pixels: Image.Image,
    image_size: int = 336,
    mean: Sequence[float] = CLIP_MEAN,
    std: Sequence[float] = CLIP_STD,
    *,
    threads: int = _THREADS,
) -> np.ndarray:
    """An RGB picture as float32 (1, 3, image_size, image_size), bit for bit as the original's.

    One of many at once is best made in no other thread than the caller's.
    """
    square = padded_square(pixels, image_size, threads)
    values = np.empty((1, 3, image_size, image_size), np.float32)
    tables = _normalised_bytes(tuple(mean), tuple(std))
    # Channel by channel, and nothing is to be checked: a fifth of the time.
    for plane, table, channel in zip(values[0], tables, square.split(), strict=True):
        table.take(np.asarray(channel), out=plane, mode="clip")
    return values


@lru_cache(maxsize=4)
def _normalised_bytes(mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """float32 (3, 256): what each value of each channel becomes. Looking up is far quicker.

    Scaled in float64, then rounded, as CLIP's image processor does.
    """
    scaled = (np.arange(256) * (1 / 255)).astype(np.float32)
    return (scaled - np.array(mean, np.float32)[:, None]) / np.array(std, np.float32)[:, None]


def padded_square(pixels: Image.Image, size: int, threads: int = _THREADS) -> Image.Image:
    """The picture in the middle of a square of `PAD_COLOUR`, resized to `size`, bicubic.

    PIL resizes across and then down. Doing the two by themselves, the first in strips, gives the
    same bits and never holds the square: a 30,000 × 1 picture would need 2.7 GB for it.
    """
    if pixels.mode != "RGB":
        pixels = pixels.convert("RGB")
    if pixels.size == (size, size):
        return pixels
    width, height = pixels.size
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    narrow = Image.new("RGB", (size, side), PAD_COLOUR)

    def across(first: int) -> tuple[Image.Image, tuple[int, int]]:
        strip = pixels
        if left or strip_height < height:
            # Of what is copied as little as possible: copying takes as long as resizing does.
            last = min(first + strip_height, height)
            strip = pixels.crop((-left, first, side - left, last))
        if left:
            strip.paste(PAD_COLOUR, (0, 0, left, strip.height))
            strip.paste(PAD_COLOUR, (left + width, 0, side, strip.height))
        return strip.resize((size, strip.height), Image.Resampling.BICUBIC), (0, top + first)

    def down(first: int) -> tuple[Image.Image, tuple[int, int]]:
        strip = narrow.crop((first, 0, min(first + strip_width, size), side))
        return strip.resize((strip.width, size), Image.Resampling.BICUBIC), (first, 0)

    # PIL lets go of the interpreter while it resizes.
    each = _threads().map if threads > 1 else map
    is_whole = threads == 1 and not left
    strip_height = height if is_whole else min(_STRIP_HEIGHT, -(-height // threads))
    strip_width = -(-size // threads)
    square = Image.new("RGB", (size, size))
    for strip, place in each(across, range(0, height, strip_height)):
        narrow.paste(strip, place)
    for strip, place in each(down, range(0, size, strip_width)):
        square.paste(strip, place)
    return square


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "resizing")
