"""Resizing by our weights, in integers, gives the bytes that Pillow's does."""

import numpy as np
import pytest
from PIL import Image

from core.picture.bicubic import WEIGHT_BITS, bicubic_weights


def resized(values: np.ndarray, size: int) -> np.ndarray:
    """uint8 (length, columns) → (size, columns)."""
    place, length = bicubic_weights(len(values), size), len(values)
    taps = np.arange(len(place.weights))[:, None]
    # Weights behind the last value are 0.
    each = values[np.minimum(place.first + taps, length - 1)].astype(np.int64)
    sums = (each * place.weights[..., None]).sum(0) + (1 << (WEIGHT_BITS - 1))
    return np.clip(sums >> WEIGHT_BITS, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [1, 14, 224, 336, 384])
def test_bytes_are_pillows(size):
    random = np.random.default_rng(size)
    for length in (*range(1, 40), 223, 224, 225, 335, 336, 337, 480, 640, 1000, 4032, 8191):
        values = random.choice([0, 1, 127, 128, 254, 255], (length, 5)).astype(np.uint8)
        image = Image.fromarray(values)
        wanted = np.asarray(image.resize((5, size), Image.Resampling.BICUBIC))

        assert np.array_equal(resized(values, size), wanted), length
