"""Pixel values by the kernels, run without a graphics card: the same bits as the processor's."""

import numpy as np
import pytest
import torch
from PIL import Image

from core.llava.picture_resizer import PictureResizer
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD, pixel_values
from tests.support.emulated_kernels import EmulatedKernels
from tests.support.tiers import mostly_slow

SIZE = 56
# Square, wide, high, one pixel off a square, enlarged, of one pixel, of the size that is wanted.
USUAL = [(57, 57), (64, 48), (41, 83), (80, 79), (79, 80), (20, 13), (1, 1), (SIZE, SIZE)]
ALL = [
    *USUAL,
    *((width, height) for width in (1, 2, 55, 56, 57, 112) for height in (1, 3, 56, 113)),
    (640, 480),
    (300, 1),
]


@pytest.fixture(scope="module")
def resizer(tmp_path_factory):
    kernels = EmulatedKernels(tmp_path_factory.mktemp("kernels"), 64, 1, 16)
    return PictureResizer(kernels, torch.device("cpu"), SIZE, CLIP_MEAN, CLIP_STD)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    random = np.random.default_rng(width + 1000 * height)
    # Black and white beside each other: bicubic resizing goes beyond both.
    pixels = random.choice([0, 1, 128, 254, 255], (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("size", mostly_slow(ALL, USUAL))
def test_every_bit_is_the_processors(resizer, size):
    picture = noise(*size)

    assert np.array_equal(resizer.pixel_values(picture), pixel_values(picture, SIZE))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_picture_of_another_mode_is_converted(resizer, mode):
    picture = noise(60, 41, mode)

    assert np.array_equal(resizer.pixel_values(picture), pixel_values(picture, SIZE))


def test_large_picture_is_left_to_the_processor():
    assert PictureResizer.takes(Image.new("L", (2048, 2048)))
    assert not PictureResizer.takes(Image.new("L", (2049, 2048)))
