"""A decoder layer's matrices: joined where they take the same input, in 16 bits or fewer."""

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

# Few rows in float32 by a matrix of 256 to 4,096: from the other side 1.0 to 4 times as quick as
# linear() on two cores of an EPYC, by one thread up to 4 rows. One row by a matrix as wide as a
# head, from memory, takes 0.53 ms, and in parts 0.13 ms (python -m tests.benchmarks.few_rows).
_FEW_ROWS, _FEW_ROWS_OF_ONE_THREAD = 16, 4
_MANY_COLUMNS, _PARTS = 2048, 4


class Dequantizer:
    """Multiplies by quantized weights. Many rows want them spelled out, a part at a time."""

    # The part's bytes. All matrices are spelled out into the same memory.
    _BYTES = 24 << 20

    def __init__(self, kernels: Kernels | None):
        self._kernels = kernels
        self._spelled: Tensor | None = None

    def multiply(self, states: Tensor, weight: QuantizedMatrix, bias: Tensor | None) -> Tensor:
        """(rows, in) → (rows, out)."""
        if self._kernels is None:
            return QuantizedLinear(weight, bias)(states)
        if self._kernels.supports_skinny(weight, len(states)):
            product = self._kernels.skinny_matmul(weight, states)
            return product if bias is None else product + bias
        rows, columns = weight.shape
        if self._spelled is None:
            size = self._BYTES // states.itemsize
            self._spelled = torch.empty(size, device=states.device, dtype=states.dtype)
        parts = -(-rows * columns // len(self._spelled))
        step = -(-rows // parts)
        product = states.new_empty(len(states), rows)
        for first in range(0, rows, step):
            last = min(first + step, rows)
            part = self._spelled[: (last - first) * columns].view(last - first, columns)
            self._kernels.dequantize(weight.rows(first, last), part)
            torch.mm(states, part.t(), out=product[:, first:last])
        return product if bias is None else product + bias


@dataclass(frozen=True, eq=False)
class Matrix:
    """A linear layer, or some that take the same input as one: (rows, in) → (rows, out)."""

    weight: Tensor | QuantizedMatrix
    bias: Tensor | None
    dequantizer: Dequantizer

    @property
    def bits(self) -> int:
        """Bits of each weight."""
        weight = self.weight
        return weight.bits if isinstance(weight, QuantizedMatrix) else 8 * weight.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of the weights and their scales."""
        return self.weight.nbytes

    def __call__(self, states: Tensor) -> Tensor:
        """Returns `states` (…, columns) times the transposed matrix, plus the bias."""
        weight = self.weight
        if isinstance(weight, QuantizedMatrix):
            return self.dequantizer.multiply(states, weight, self.bias)
        rows = states.shape[0]
        if self.is_turnable and states.dim() == 2 and rows <= _few_rows():
            if rows > 1:
                return torch.mm(weight, states.t()).t().contiguous()
            if self.is_wide:
                parts = weight.view(_PARTS, -1, weight.shape[1])
                return torch.bmm(parts, states.t().expand(_PARTS, -1, 1)).view(1, -1)
        return functional.linear(states, weight, self.bias)

    @cached_property
    def is_turnable(self) -> bool:
        """Whether few rows are multiplied from the other side."""
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
            self.is_turnable
            and isinstance(weight, Tensor)
            and len(weight) >= _MANY_COLUMNS
            and len(weight) % _PARTS == 0
            and weight.is_contiguous()
        )

    def rows(self, numbers: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Some rows as plain numbers, (numbers, in)."""
        weight = self.weight
        if isinstance(weight, Tensor):
            return weight[list(numbers)]
        shape = len(numbers), weight.shape[1]
        values, scales = weight.values[list(numbers)], weight.scales[list(numbers)]
        return QuantizedMatrix(weight.bits, values, scales, shape).dequantized(dtype)

    @staticmethod
    @torch.no_grad()
    def joined(modules: Sequence[Any], dequantizer: Dequantizer) -> Matrix:
        """The modules as one matrix, of which their own weights are or become views."""
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
        """Joins the matrices of a layer of transformers, whose weights become views."""
        attention, mlp = layer.self_attn, layer.mlp
        return DecoderLayer(
            layer.input_layernorm.weight,
            Matrix.joined([attention.q_proj, attention.k_proj, attention.v_proj], dequantizer),
            Matrix.joined([attention.o_proj], dequantizer),
            layer.post_attention_layernorm.weight,
            Matrix.joined([mlp.gate_proj, mlp.up_proj], dequantizer),
            Matrix.joined([mlp.down_proj], dequantizer),
        )


def _few_rows() -> int:
    return _FEW_ROWS if torch.get_num_threads() > 1 else _FEW_ROWS_OF_ONE_THREAD


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The tensors one under the other as one, of which they are or become views."""
    together = neighbours(parts)
    if together is not None:
        return together
    together = torch.cat([part.data for part in parts])
    for part, view in zip(parts, together.split([len(part) for part in parts]), strict=True):
        part.data = view
    if together.is_cuda:
        # The holes that the parts leave fit no joined matrix: 66 % of the weights would stay
        # reserved a second time.
        torch.cuda.empty_cache()
    return together


def layer_bits(model: Any) -> int:
    """Of the decoder layers' weights."""
    projection = model.model.language_model.layers[0].mlp.down_proj
    if isinstance(projection, QuantizedLinear):
        return projection.bits
    return 8 * projection.weight.itemsize
