"""What is fed to the model at every small size, beside the original code's own steps."""

import numpy as np
import pytest
from PIL import Image

from core.picture.pixel_values import CLIP_MEAN, padded_square

PADDED = tuple(int(value * 255) for value in CLIP_MEAN)
SIDE = 24


def expand2square(image):
    """As in `llava/mm_utils.py` of https://github.com/haotian-liu/LLaVA."""
    width, height = image.size
    if width == height:
        return image
    side = max(width, height)
    result = Image.new(image.mode, (side, side), PADDED)
    corner = (0, (width - height) // 2) if width > height else ((height - width) // 2, 0)
    result.paste(image, corner)
    return result


@pytest.mark.parametrize("threads", [1, 2])
def test_every_size_up_to_40_is_padded_as_by_the_original(threads):
    noise = np.random.default_rng(5).integers(0, 256, (40, 40, 3), np.uint8)
    for width in range(1, 41):
        for height in range(1, 41):
            image = Image.fromarray(noise[:height, :width].copy())
            wanted = expand2square(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            given = padded_square(image, SIDE, threads)
            assert given.tobytes() == wanted.tobytes(), (width, height)


@pytest.mark.parametrize("size", [(1023, 1024), (1024, 1023), (511, 513), (699, 700), (1, 700)])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_pictures_of_several_strips_are_padded_as_by_the_original(size, threads):
    noise = np.random.default_rng(6).integers(0, 256, (*size[::-1], 3), np.uint8)
    image = Image.fromarray(noise)
    wanted = expand2square(image).resize((336, 336), Image.Resampling.BICUBIC)
    assert padded_square(image, 336, threads).tobytes() == wanted.tobytes()
