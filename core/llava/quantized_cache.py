"""Keys and values in integers of 8 bits, each head of a position with a scale of its own.

Each is the value divided by a 127th of the head's largest magnitude. So small groups need no
calibration, and half the memory of 16 bits holds twice the positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_MOST = 127


@dataclass(frozen=True, eq=False)
class QuantizedCache:
    """Keys and values (…, positions, head_dim): int8 `values`, and float32 `scales` without the
    last dimension."""

    values: Tensor
    scales: Tensor

    @classmethod
    def zeros(cls, shape: tuple[int, ...], device: torch.device) -> QuantizedCache:
        """Room for keys and values of `shape`."""
        values = torch.zeros(shape, dtype=torch.int8, device=device)
        return cls(values, torch.zeros(shape[:-1], device=device))

    @property
    def shape(self) -> torch.Size:
        """That of the keys and values."""
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> QuantizedCache:
        """A view of some positions. `index` must leave the last dimension as it is."""
        return QuantizedCache(self.values[index], self.scales[index])

    def __setitem__(self, index: Any, states: Tensor | QuantizedCache) -> None:
        """Keeps `states`, (…, head_dim), rounded to 8 bits."""
        rounded = states if isinstance(states, QuantizedCache) else _rounded(states)
        self.values[index] = rounded.values
        self.scales[index] = rounded.scales

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """The keys and values in `dtype`."""
        return (self.values * self.scales[..., None]).to(dtype)


LayerCache = Tensor | QuantizedCache
"""The keys and values of one decoder layer: in the model's dtype, or in 8 bits."""


def as_tensor(cache: LayerCache, dtype: torch.dtype) -> Tensor:
    """`cache` in the model's `dtype`."""
    return cache.dequantized(dtype) if isinstance(cache, QuantizedCache) else cache


def _rounded(states: Tensor) -> QuantizedCache:
    wide = states.float()
    scales = wide.abs().amax(-1).div_(_MOST).clamp_(min=1e-30)
    values = (wide / scales[..., None]).round_().to(torch.int8)
    return QuantizedCache(values, scales)
