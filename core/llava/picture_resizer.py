"""Pixel values of LLaVA-1.5 on a graphics card: the same bits, sooner than by the processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.llava.kernels.square import Square
from core.picture.bicubic import bicubic_weights
from core.picture.pixel_values import PAD_COLOUR, normalised_bytes

# 16 MB on the card, and as much pinned memory. A larger picture would need more of both than a card
# that its weights just fit into has, and copying it takes as long as resizing.
_MOST_PIXELS = 4 << 20
_DTYPES = {1: torch.uint8, 4: torch.int32}
_PADDING = sum(value << (8 * channel) for channel, value in enumerate(PAD_COLOUR))


class ResizingKernels(Protocol):
    """What `PictureResizer` needs of `Kernels`."""

    def resized(self, pixels: Tensor, square: Square) -> Tensor:
        """See `Kernels.resized`."""
        ...


class PictureResizer:
    """Makes what `core.picture.pixel_values` makes, by `kernels` on `device`.

    Uses torch's current stream, and waits for what was queued there before.
    """

    def __init__(
        self,
        kernels: ResizingKernels,
        device: torch.device,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
    ):
        self._kernels, self._device, self._size = kernels, device, size
        normalised = normalised_bytes(tuple(mean), tuple(std))
        self._normalised = torch.from_numpy(normalised.copy()).to(device)
        # Of the last picture's side: those of a folder often have the same size.
        self._weights: tuple[int, Tensor, Tensor] | None = None

    @staticmethod
    def takes(pixels: Image.Image) -> bool:
        """Whether the picture is small enough."""
        return pixels.width * pixels.height <= _MOST_PIXELS

    def pixel_values(self, pixels: Image.Image) -> np.ndarray:
        """float32 (1, 3, size, size), on a card in pinned memory."""
        width, height = pixels.size
        side = max(width, height)
        if self._weights is None or self._weights[0] != side:
            place = bicubic_weights(side, self._size)
            self._weights = side, self._on_device(place.first), self._on_device(place.weights)
        _, first, weights = self._weights
        left, top = (side - width) // 2, (side - height) // 2
        square = Square(left, top, _PADDING, first, weights, self._normalised)
        given = self._on_device(_pixels_of(pixels)).view(torch.int32).view(height, width)
        values = self._kernels.resized(given, square)
        return _on_host(values[None])

    def _on_device(self, array: np.ndarray) -> Tensor:
        if self._device.type != "cuda":
            return torch.from_numpy(array.copy())
        pinned = torch.empty(array.shape, dtype=_DTYPES[array.dtype.itemsize], pin_memory=True)
        pinned.numpy()[...] = array
        return pinned.to(self._device, non_blocking=True)


def _on_host(values: Tensor) -> np.ndarray:
    if values.device.type != "cuda":
        return values.numpy()
    out = torch.empty(values.shape, pin_memory=True)
    out.copy_(values, non_blocking=True)
    torch.cuda.current_stream(values.device).synchronize()
    return out.numpy()


def _pixels_of(pixels: Image.Image) -> np.ndarray:
    """uint8, four for each pixel, as Pillow keeps them."""
    rgb = pixels if pixels.mode == "RGB" else pixels.convert("RGB")
    return np.frombuffer(rgb.tobytes("raw", "RGBX"), np.uint8)
