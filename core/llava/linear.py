"""The matrices of a decoder layer, joined where they have the same input, in any precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.llava.kernels.launch import Kernels
from core.llava.quantized import QuantizedLinear, QuantizedMatrix, joined, neighbours

# A few rows of float32 times a matrix of 256 to 4,096: as the transposed product it takes 1/4 to 1
# times as long as linear() on two cores of an EPYC; with one thread only up to 4 rows. One row
# times a matrix as large as an output head, read from memory, takes 0.53 ms, and in parts 0.13 ms
# (python -m tests.benchmarks.skinny_matmul).
_SKINNY_ROWS, _SKINNY_ROWS_OF_ONE_THREAD = 16, 4
_WIDE_ROWS, _PARTS = 2048, 4


class Dequantizer:
    """Multiplies by quantized matrices; for many rows it dequantizes them, a part at a time.

    All matrices share the buffer for the dequantized part.
    """

    _BUFFER_BYTES = 24 << 20

    def __init__(self, kernels: Kernels | None):
        self._kernels = kernels
        self._buffer: Tensor | None = None

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
    def nbytes(self) -> int:
        """Bytes of the weights, with their scales."""
        return self.weight.nbytes

    def __call__(self, states: Tensor) -> Tensor:
        """The product of `states` (…, in) and the transposed matrix, plus the bias: (…, out)."""
        weight = self.weight
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
        return QuantizedMatrix(weight.bits, values, scales, shape).dequantized(dtype)

    @staticmethod
    @torch.no_grad()
    def joined(modules: Sequence[Any], dequantizer: Dequantizer) -> Matrix:
        """The linear modules as one matrix; their own weights become views of it."""
        bias = None
        if modules[0].bias is not None:
            bias = _joined([module.bias for module in modules])
        if isinstance(modules[0], QuantizedLinear):
            return Matrix(joined([module.quantized for module in modules]), bias, dequantizer)
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


def layer_bits(decoder: Any) -> int:
    """The bits of the weights of a decoder's layers: 32, 16, 8 or 4."""
    projection = decoder.layers[0].mlp.down_proj
    if isinstance(projection, QuantizedLinear):
        return projection.bits
    return 8 * projection.weight.itemsize
