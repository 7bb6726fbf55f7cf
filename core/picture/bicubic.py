"""The weights of Pillow's bicubic resizing, for code that resizes as it does, to the last bit.

Pillow resizes across, then down, each in integers: a byte of the result is the sum of bytes times
weights, rounded. Source: `precompute_coeffs` and `normalize_coeffs_8bpc` in Pillow's
src/libImaging/Resample.c.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

WEIGHT_BITS = 22
"""Weights are integers of which 2 to this power make one."""
_A = -0.5
_SUPPORT = 2.0


@dataclass(frozen=True, eq=False)
class ResizeWeights:
    """Value `i` of the result is the rounded sum of the values from `first[i]` on, times
    `weights[:, i]`; weights behind the last value are 0. Both are int32, (size,) and (taps, size).
    """

    first: np.ndarray
    weights: np.ndarray


@lru_cache(maxsize=32)
def bicubic_weights(length: int, size: int) -> ResizeWeights:
    """The weights by which `length` values become `size`."""
    scale = length / size
    filter_scale = max(scale, 1.0)
    support = _SUPPORT * filter_scale
    center = (np.arange(size) + 0.5) * scale
    first = (center - support + 0.5).astype(np.int64).clip(min=0)
    end = (center + support + 0.5).astype(np.int64).clip(max=length)
    taps = np.arange(int((end - first).max()))[:, None]
    distance = np.abs((taps + first - center + 0.5) * (1.0 / filter_scale))
    weights: np.ndarray = np.where(taps < end - first, _bicubic(distance), 0.0)
    # Added one after the other, as Pillow does: numpy's sum would round otherwise.
    weights /= np.cumsum(weights, axis=0)[-1]
    scaled = weights * (1 << WEIGHT_BITS)
    # To the nearest, halves away from zero.
    shifted: np.ndarray = np.where(weights < 0, scaled - 0.5, scaled + 0.5)
    return ResizeWeights(first.astype(np.int32), np.trunc(shifted).astype(np.int32))


def _bicubic(distance: np.ndarray) -> np.ndarray:
    x = distance
    near = ((_A + 2.0) * x - (_A + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * _A
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))
