"""How a picture becomes a padded square's pixel values, as the kernels of resize.cu take it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Square:
    """The square begins `left` columns and `top` rows before the picture, and is of the colour
    `padding` there: red in the lowest byte, then green and blue.

    `first` int32 (size,) and `weights` int32 (taps, size) are those of `bicubic_weights`;
    `normalised` float32 (3, 256) is the value of each byte in each channel.
    """

    left: int
    top: int
    padding: int
    first: Tensor
    weights: Tensor
    normalised: Tensor
