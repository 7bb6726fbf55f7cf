"""Rows of activations in FP8 (e4m3), with a scale for each token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.device.float8 import FLOAT8, LARGEST, RAW_UNIT

# A scale that is never zero, so that rows of nothing stay nothing.
_SMALLEST_SCALE = 1e-30


@dataclass(frozen=True, eq=False)
class Float8Rows:
    """Rows of activations: `values` e4m3 (rows, columns) times `scales` float32 (rows, 1)."""

    values: Tensor
    scales: Tensor

    @staticmethod
    def empty(rows: int, columns: int, device: torch.device) -> Float8Rows:
        """Allocates uninitialized rows."""
        return Float8Rows(
            torch.empty(rows, columns, dtype=FLOAT8, device=device),
            torch.empty(rows, 1, dtype=torch.float32, device=device),
        )

    @staticmethod
    def rounded(states: Tensor) -> Float8Rows:
        """`states` (rows, columns) of any floating dtype, the largest of each row becoming 448."""
        states = states.float()
        scales = row_scales(states)[:, None]
        return Float8Rows((states / scales).clamp_(-LARGEST, LARGEST).to(FLOAT8), scales)

    def __len__(self) -> int:
        return len(self.values)

    def dequantized(self, dtype: torch.dtype) -> Tensor:
        """The rows (rows, columns) in `dtype`."""
        return (self.values.float() * self.scales).to(dtype)


@dataclass(frozen=True, eq=False)
class RawProduct:
    """A product in FP8 whose scales are still to be applied, by whoever reads it next.

    `values` (rows, out) in the model's dtype, times float32 `row_scales` (rows, 1), times
    `column_scales` (out,), over `RAW_UNIT`.
    """

    values: Tensor
    row_scales: Tensor
    column_scales: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> RawProduct:
        """Some of the rows."""
        return RawProduct(self.values[rows], self.row_scales[rows], self.column_scales)

    def scaled(self) -> Tensor:
        """The product (rows, out)."""
        exact = self.values.float() * (self.row_scales / RAW_UNIT) * self.column_scales
        return exact.to(self.values.dtype)


def scaled(product: Tensor | RawProduct) -> Tensor:
    """The product (rows, out), with its scales."""
    return product.scaled() if isinstance(product, RawProduct) else product


def row_scales(rows: Tensor) -> Tensor:
    """What float32 (rows, columns) are divided by so that the largest of each row becomes 448."""
    return (rows.abs().amax(1) / LARGEST).clamp_(min=_SMALLEST_SCALE)


def is_float8(tensor: Tensor) -> bool:
    """Whether a tensor has the dtype of FP8 weights."""
    return tensor.dtype == FLOAT8
