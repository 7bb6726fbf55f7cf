"""Which devices multiply matrices in FP8 (e4m3), and by which function of torch.

The tensor cores do so at twice the rate of 16 bits, from compute capability 8.9 on, through torch's
scaled product: `torch.nn.functional.scaled_mm` where torch has it, else the private
`torch._scaled_mm` that it replaces.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

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

RAW_UNIT = 2.0**-16
"""What a raw product is multiplied by: so that float16 holds the sums of 21,000 products."""


class Float8Product(Protocol):
    """Products of rows e4m3 (rows, in) and a matrix e4m3 (out, in), transposed: (rows, out)."""

    def __call__(self, rows: Tensor, of_rows: Tensor, matrix: Tensor, of_matrix: Tensor) -> Tensor:
        """With scales float32 (rows, 1) and (out,)."""
        ...

    @property
    def has_raw(self) -> bool:
        """Whether torch has a product without scales."""
        ...

    def raw(self, rows: Tensor, matrix: Tensor) -> Tensor:
        """Without the scales, times `RAW_UNIT`, where `has_raw`.

        cuBLAS takes a third less for it where the result is narrow: 46 µs for 67 with 688 rows and
        a matrix of 4,096 × 11,008 on an H200.
        """
        ...


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
                return _with_raw(product, device)
    return None


_Multiply = Callable[[Tensor, Tensor, Tensor, Tensor, torch.dtype], Tensor]


@dataclass(frozen=True)
class _ScaledProduct:
    """Multiplies by torch; `output` is the dtype that torch writes."""

    multiply: _Multiply
    dtype: torch.dtype
    output: torch.dtype
    raw_unit: Tensor | None = None
    """Of a raw product: one half of it for each side. None where there is no such product."""

    def __call__(self, rows: Tensor, of_rows: Tensor, matrix: Tensor, of_matrix: Tensor) -> Tensor:
        product = self.multiply(rows, matrix.t(), of_rows, of_matrix[None], self.output)
        return product.to(self.dtype)

    @property
    def has_raw(self) -> bool:
        return self.raw_unit is not None

    def raw(self, rows: Tensor, matrix: Tensor) -> Tensor:
        unit = self.raw_unit
        assert unit is not None
        return self.multiply(rows, matrix.t(), unit, unit, self.output).to(self.dtype)


def _with_raw(product: _ScaledProduct, device: torch.device) -> _ScaledProduct:
    """The same with its raw product, where torch has one that is right on `device`."""
    unit = torch.full((), RAW_UNIT**0.5, device=device)
    more = replace(product, raw_unit=unit)
    try:
        _check(more, device, is_raw=True)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        log.info("No product in FP8 without scales: %s", error)
        return product
    return more


def _check(product: _ScaledProduct, device: torch.device, *, is_raw: bool = False) -> None:
    """Raises ValueError if a small product is wrong, and what torch raises."""
    generator = torch.Generator().manual_seed(0)

    def drawn(rows: int) -> tuple[Tensor, Tensor]:
        values = torch.randn(rows, 256, generator=generator).to(FLOAT8)
        return values.to(device), (1 + torch.rand(rows, 1, generator=generator)).to(device)

    # More rows than one tile, and not a multiple of it.
    (rows, of_rows), (matrix, of_matrix) = drawn(72), drawn(320)
    if is_raw:
        right = rows.float() @ matrix.float().t() * RAW_UNIT
        mine = product.raw(rows, matrix).float()
    else:
        right = (rows.float() * of_rows) @ (matrix.float() * of_matrix).t()
        mine = product(rows, of_rows, matrix, of_matrix[:, 0]).float()
    error = float((mine - right).norm() / right.norm())
    if not error < _TOLERANCE:
        raise ValueError(f"its result is {error:.1e} away")


def _multipliers() -> list[_Multiply]:
    """Torch's functions; scales without a dimension are those of the whole tensor."""
    public: Any = getattr(functional, "scaled_mm", None)
    private: Any = getattr(torch, "_scaled_mm", None)
    found: list[_Multiply] = []
    if public is not None:
        by_row = functional.ScalingType.RowWise

        whole = functional.ScalingType.TensorWise

        def scaled_mm(a: Tensor, b: Tensor, of_a: Tensor, of_b: Tensor, to: torch.dtype) -> Tensor:
            kind = by_row if of_a.dim() else whole
            return public(a, b, of_a, kind, of_b, kind, output_dtype=to, use_fast_accum=a.is_cuda)

        found.append(scaled_mm)
    if private is not None:

        def _scaled_mm(a: Tensor, b: Tensor, of_a: Tensor, of_b: Tensor, to: torch.dtype) -> Tensor:
            # Sums of fewer bits, added up in float32 less often: what makes it fast on Hopper.
            return private(a, b, scale_a=of_a, scale_b=of_b, out_dtype=to, use_fast_accum=a.is_cuda)

        found.append(_scaled_mm)
    return found
