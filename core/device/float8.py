"""Which devices multiply matrices in FP8 (e4m3), and by which function of torch.

The tensor cores do so at twice the rate of 16 bits, from compute capability 8.9 on, through torch's
scaled product: `torch.nn.functional.scaled_mm` where torch has it, else the private
`torch._scaled_mm` that it replaces.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.device.memory import FLOAT8_CAPABILITY

log = logging.getLogger(__name__)

FLOAT8 = torch.float8_e4m3fn
LARGEST = 448.0
"""The largest number in e4m3."""

# Numbers that are the same on both sides: what remains is the rounding of the result and of the
# sums, which have 14 bits on Hopper.
_TOLERANCE = 0.02

Float8Product = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Gets rows e4m3 (rows, in) and their scales float32 (rows, 1), a matrix e4m3 (out, in) and its
scales float32 (out,); returns (rows, out)."""


def has_float8(device: torch.device) -> bool:
    """Whether models can be loaded in FP8 on `device`: by its kind, and tried once on it."""
    if device.type != "cuda" or torch.version.cuda is None:
        return False
    if torch.cuda.get_device_capability(device) < FLOAT8_CAPABILITY:
        return False
    return float8_product(device, torch.float16) is not None


@lru_cache(maxsize=16)
def float8_product(device: torch.device, dtype: torch.dtype) -> Float8Product | None:
    """The product in FP8 on `device` with results in `dtype`; None where torch has none that is
    right there. Some cards write bfloat16 alone, which is then converted."""
    for output in dict.fromkeys((dtype, torch.bfloat16)):
        for multiply in _multipliers():
            product = _ScaledProduct(multiply, dtype, output)
            try:
                _check(product, device)
            except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
                log.info("No product in FP8 by %s: %s", multiply.__name__, error)
            else:
                log.info("Products in FP8 by %s, written in %s.", multiply.__name__, output)
                return product
    return None


@dataclass(frozen=True)
class _ScaledProduct:
    """Multiplies by torch; `output` is the dtype that torch writes."""

    multiply: Callable[[Tensor, Tensor, Tensor, Tensor, torch.dtype], Tensor]
    dtype: torch.dtype
    output: torch.dtype

    def __call__(self, rows: Tensor, of_rows: Tensor, matrix: Tensor, of_matrix: Tensor) -> Tensor:
        product = self.multiply(rows, matrix.t(), of_rows, of_matrix[None], self.output)
        return product.to(self.dtype)


def _check(product: _ScaledProduct, device: torch.device) -> None:
    """Raises ValueError if a small product is wrong, and what torch raises."""
    generator = torch.Generator().manual_seed(0)

    def drawn(rows: int) -> tuple[Tensor, Tensor]:
        values = torch.randn(rows, 256, generator=generator).to(FLOAT8)
        return values.to(device), (1 + torch.rand(rows, 1, generator=generator)).to(device)

    # More rows than one tile, and not a multiple of it.
    (rows, of_rows), (matrix, of_matrix) = drawn(72), drawn(320)
    right = (rows.float() * of_rows) @ (matrix.float() * of_matrix).t()
    mine = product(rows, of_rows, matrix, of_matrix[:, 0]).float()
    error = float((mine - right).norm() / right.norm())
    if not error < _TOLERANCE:
        raise ValueError(f"its result is {error:.1e} away")


def _multipliers() -> list[Callable[..., Tensor]]:
    public: Any = getattr(functional, "scaled_mm", None)
    private: Any = getattr(torch, "_scaled_mm", None)
    found: list[Callable[..., Tensor]] = []
    if public is not None:
        by_row = functional.ScalingType.RowWise

        def scaled_mm(a: Tensor, b: Tensor, of_a: Tensor, of_b: Tensor, to: torch.dtype) -> Tensor:
            return public(
                a, b, of_a, by_row, of_b, by_row, output_dtype=to, use_fast_accum=a.is_cuda
            )

        found.append(scaled_mm)
    if private is not None:

        def _scaled_mm(a: Tensor, b: Tensor, of_a: Tensor, of_b: Tensor, to: torch.dtype) -> Tensor:
            # Sums of fewer bits, added up in float32 less often: what makes it fast on Hopper.
            return private(a, b, scale_a=of_a, scale_b=of_b, out_dtype=to, use_fast_accum=a.is_cuda)

        found.append(_scaled_mm)
    return found
