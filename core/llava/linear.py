"""The matrices of a decoder layer, joined where they have the same input, in any precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.device.float8 import FLOAT8, Float8Product
from core.llava.float8 import Float8Rows, RawProduct
from core.llava.kernels.launch import Kernels
from core.llava.quantized import QuantizedMatrix, joined, neighbours
from core.llava.quantized_linear import QuantizedLinear
from core.transcript import WeightFormat

# A few rows of float32 times a matrix of 256 to 4,096: as the transposed product it takes 1/4 to 1
# times as long as linear() on two cores of an EPYC; with one thread only up to 4 rows. One row
# times a matrix as large as an output head, read from memory, takes 0.53 ms, and in parts 0.13 ms
# (python -m tests.benchmarks.skinny_matmul).
_SKINNY_ROWS, _SKINNY_ROWS_OF_ONE_THREAD = 16, 4
_WIDE_ROWS, _PARTS = 2048, 4


FLOAT8_ROWS = {WeightFormat.FP8: 9, WeightFormat.INT8: 65, WeightFormat.INT4: 65}
"""From so many rows on matrices of a format are multiplied in FP8 where the card does, by rows in
FP8: all of LLaVA-1.5-7b's took 3.0 ms for 3.4 with 16 rows, and those of 8 and 4 bits 7.2 ms for
9.5 and 9.1 with 128 (H200, python -m tests.benchmarks.full_batches)."""


class Dequantizer:
    """Multiplies by quantized matrices; for many rows it dequantizes them, a part at a time.

    All matrices share the buffer for the dequantized part. With `product` rows in FP8 are
    multiplied too.
    """

    _BUFFER_BYTES = 24 << 20

    def __init__(self, kernels: Kernels | None, product: Float8Product | None = None):
        self._kernels, self._product = kernels, product
        self._buffer: Tensor | None = None
        self._float8_buffer: Tensor | None = None

    @property
    def multiplies_float8(self) -> bool:
        """Whether rows in FP8 are multiplied."""
        return self._product is not None

    def prefers_float8(self, count: int, kind: WeightFormat) -> bool:
        """Whether `count` rows are best multiplied by a matrix of this format in FP8."""
        fewest = FLOAT8_ROWS.get(kind)
        return self._product is not None and fewest is not None and count >= fewest

    def multiply_float8(
        self, rows: Float8Rows, weight: QuantizedMatrix, bias: Tensor | None
    ) -> Tensor:
        """Rows in FP8 (rows, in) → (rows, out), in the model's dtype."""
        assert self._product is not None
        values = self._float8_values(weight)
        product = self._product(rows.values, rows.scales, values, weight.float8_scales)
        return product if bias is None else product + bias

    def multiply_raw(self, rows: Float8Rows, weight: QuantizedMatrix) -> RawProduct | None:
        """`multiply_float8` with the scales left to the reader, where that is sooner."""
        if self._product is None or not self._product.has_raw:
            return None
        product = self._product.raw(rows.values, self._float8_values(weight))
        return RawProduct(product, rows.scales, weight.float8_scales)

    def _float8_values(self, weight: QuantizedMatrix) -> Tensor:
        """The matrix in FP8, until the next one is asked for."""
        if weight.format is WeightFormat.FP8:
            return weight.values
        assert self._kernels is not None
        values = self._float8_room(weight.shape, weight.values.device)
        self._kernels.dequantize_float8(weight, values)
        return values

    def _float8_room(self, shape: tuple[int, int], device: torch.device) -> Tensor:
        size = shape[0] * shape[1]
        if self._float8_buffer is None or self._float8_buffer.numel() < size:
            self._float8_buffer = torch.empty(size, dtype=FLOAT8, device=device)
        return self._float8_buffer[:size].view(shape)

    def multiply(self, states: Tensor, weight: QuantizedMatrix, bias: Tensor | None) -> Tensor:
        """(rows, in) → (rows, out), in the dtype of `states`."""
        if self._kernels is None:
            return QuantizedLinear(weight, bias)(states)
        if self._kernels.supports_skinny(weight, len(states)):
            product = self._kernels.skinny_matmul(weight, states)
            return product if bias is None else product + bias
        rows, columns = weight.shape
        if self._buffer is None:
            size = self._BUFFER_BYTES // states.itemsize
            self._buffer = torch.empty(size, device=states.device, dtype=states.dtype)
        parts = -(-rows * columns // len(self._buffer))
        step = -(-rows // parts)
        product = states.new_empty(len(states), rows)
        for first in range(0, rows, step):
            last = min(first + step, rows)
            part = self._buffer[: (last - first) * columns].view(last - first, columns)
            self._kernels.dequantize(weight.rows(first, last), part)
            torch.mm(states, part.t(), out=product[:, first:last])
        return product if bias is None else product + bias


@dataclass(frozen=True, eq=False)
class Matrix:
    """One linear layer, or several with the same input as one: (rows, in) → (rows, out).

    `weight` is (out, in).
    """

    weight: Tensor | QuantizedMatrix
    bias: Tensor | None
    dequantizer: Dequantizer

    @property
    def bits(self) -> int:
        """Of each weight."""
        weight = self.weight
        return weight.bits if isinstance(weight, QuantizedMatrix) else 8 * weight.itemsize

    @property
    def format(self) -> WeightFormat | None:
        """That of the weights; None if they are not quantized."""
        return self.weight.format if isinstance(self.weight, QuantizedMatrix) else None

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, with their scales."""
        return self.weight.nbytes

    def __call__(self, states: Tensor | Float8Rows) -> Tensor:
        """The product of `states` (…, in) and the transposed matrix, plus the bias: (…, out).

        Rows in FP8 are for quantized matrices alone, see `Dequantizer.prefers_float8`.
        """
        weight = self.weight
        if isinstance(states, Float8Rows):
            assert isinstance(weight, QuantizedMatrix)
            return self.dequantizer.multiply_float8(states, weight, self.bias)
        if isinstance(weight, QuantizedMatrix):
            return self.dequantizer.multiply(states, weight, self.bias)
        rows = states.shape[0]
        if self.is_transposable and states.dim() == 2 and rows <= _skinny_rows():
            if rows > 1:
                return torch.mm(weight, states.t()).t().contiguous()
            if self.is_wide:
                parts = weight.view(_PARTS, -1, weight.shape[1])
                return torch.bmm(parts, states.t().expand(_PARTS, -1, 1)).view(1, -1)
        return functional.linear(states, weight, self.bias)

    def raw(self, states: Tensor | Float8Rows) -> Tensor | RawProduct:
        """The product as `__call__`; where it is sooner, that of rows in FP8 without its scales."""
        if isinstance(states, Float8Rows) and self.bias is None:
            assert isinstance(self.weight, QuantizedMatrix)
            product = self.dequantizer.multiply_raw(states, self.weight)
            if product is not None:
                return product
        return self(states)

    @cached_property
    def is_transposable(self) -> bool:
        """Whether a few rows are multiplied as the transposed product: (W xᵀ)ᵀ."""
        weight = self.weight
        return (
            isinstance(weight, Tensor)
            and (weight.device.type, weight.dtype) == ("cpu", torch.float32)
            and self.bias is None
        )

    @cached_property
    def is_wide(self) -> bool:
        """Whether one row is multiplied in parts."""
        weight = self.weight
        return (
            self.is_transposable
            and isinstance(weight, Tensor)
            and len(weight) >= _WIDE_ROWS
            and len(weight) % _PARTS == 0
            and weight.is_contiguous()
        )

    def rows(self, numbers: Sequence[int], dtype: torch.dtype) -> Tensor:
        """The rows of these numbers, dequantized to `dtype` if need be: (numbers, in)."""
        weight = self.weight
        if isinstance(weight, Tensor):
            return weight[list(numbers)]
        shape = len(numbers), weight.shape[1]
        values, scales = weight.values[list(numbers)], weight.scales[list(numbers)]
        return QuantizedMatrix(weight.format, values, scales, shape).dequantized(dtype)

    @staticmethod
    @torch.no_grad()
    def joined(modules: Sequence[Any], dequantizer: Dequantizer) -> Matrix:
        """The linear modules as one matrix; their own weights become views of it."""
        bias = None
        if modules[0].bias is not None:
            bias = _joined([module.bias for module in modules])
        if isinstance(modules[0], QuantizedLinear):
            weight = joined([module.quantized for module in modules])
            return Matrix(weight, bias, dequantizer)
        return Matrix(_joined([module.weight for module in modules]), bias, dequantizer)


@dataclass(eq=False)
class DecoderLayer:
    """The weights of one decoder layer; norms are (hidden size,)."""

    attention_norm: Tensor
    query_key_value: Matrix
    output: Matrix
    mlp_norm: Tensor
    gate_up: Matrix
    down: Matrix

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The four joined matrices, in the order of the data."""
        return self.query_key_value, self.output, self.gate_up, self.down

    @property
    def nbytes(self) -> int:
        """Bytes of all its matrices."""
        return sum(matrix.nbytes for matrix in self.matrices)

    @staticmethod
    def joined(layer: Any, dequantizer: Dequantizer) -> DecoderLayer:
        """The weights of a transformers Llama layer, joined in place."""
        attention, mlp = layer.self_attn, layer.mlp
        return DecoderLayer(
            layer.input_layernorm.weight,
            Matrix.joined([attention.q_proj, attention.k_proj, attention.v_proj], dequantizer),
            Matrix.joined([attention.o_proj], dequantizer),
            layer.post_attention_layernorm.weight,
            Matrix.joined([mlp.gate_proj, mlp.up_proj], dequantizer),
            Matrix.joined([mlp.down_proj], dequantizer),
        )


def _skinny_rows() -> int:
    return _SKINNY_ROWS if torch.get_num_threads() > 1 else _SKINNY_ROWS_OF_ONE_THREAD


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The tensors concatenated along the rows. They become views of it, if not already so."""
    together = neighbours(parts)
    if together is not None:
        return together
    together = torch.cat([part.data for part in parts])
    for part, view in zip(parts, together.split([len(part) for part in parts]), strict=True):
        part.data = view
    if together.is_cuda:
        # The gaps that the parts leave are too small for a joined matrix: 66 % of the size of the
        # weights would stay reserved in addition.
        torch.cuda.empty_cache()
    return together


def layer_format(decoder: Any) -> WeightFormat | None:
    """The format of the weights of a decoder's layers; None if they are not quantized."""
    projection = decoder.layers[0].mlp.down_proj
    return projection.format if isinstance(projection, QuantizedLinear) else None
