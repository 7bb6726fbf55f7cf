"""Weights in 8 or 4 bits or FP8: their memory format, quantization, and products with them.

In every format rows are independent, so that a range of rows is a view of the matrix, as the query
projection is of the joined query, key and value. The CUDA kernels read the same formats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch
from torch import Tensor
from torch.nn import functional

from core.device.float8 import FLOAT8, LARGEST
from core.llava.float8 import row_scales
from core.transcript import WeightFormat

GROUP = 64
"""Neighbouring columns that share a scale in 4 bits."""

_COLUMNS_PER_WORD = 8
_HIGHEST_BITS = -0x77777778  # 0x88888888 as an int32.

# The CPU kernel for 4 bits has its own order within each sixty-four.
ROWS_AT_ONCE = 64
"""Matrices are processed in multiples of so many rows."""

# Candidates for the integer that the value of largest magnitude in a group becomes; one integer
# more lies below zero than above. For normally distributed weights, the best candidate with a
# fitted scale leaves an error of 9.0 %, the largest magnitude / 7 one of 10.8 %, and forty
# candidates 8.99 %.
_LARGEST = (-7.0, -7.5, -8.0, -8.5, -9.0, -9.5)

# Weights processed at once: a few copies of so many stay in a CPU's cache, or fill a GPU.
_BLOCK = {"cpu": 1 << 17, "cuda": 1 << 22}
# A matrix is dequantized in parts of so many bytes to be multiplied by.
_PART_BYTES = 48 << 20
# Up to so many rows, torch's CPU kernels for quantized weights are faster than dequantizing. For a
# matrix of 4096 × 4096, 1 and 64 rows take one core of a Xeon 0.9 and 25 ms in 8 bits, 1.0 and 26
# ms in 4; dequantizing alone takes 27 and 50 ms, and products in bfloat16 take 2.5 and 5 ms.
_SKINNY_ROWS = 64


@dataclass(frozen=True, eq=False)
class QuantizedMatrix:
    """A matrix of `shape` (out, in) in one of the formats.

    In 8 bits `values` are int8 (out, in), `scales` float32 (out,): a weight is value × scale. FP8
    is the same with `values` in e4m3.

    In 4 bits a weight is (number - 8) × its group's scale, numbers from 0 to 15. `values` are
    int32 (out, in / 8): in the word of the columns from c on, bits 4i to 4i + 3 are column c + 2i,
    and bits 16 + 4i to 16 + 4i + 3 column c + 2i + 1. `scales` are float16 (out, in / 64), of
    either sign. Columns of zeros pad `in` to a multiple of 64. With `is_reordered` each block of
    sixty-four rows has the order of torch's CPU kernel on this computer, and only whole blocks can
    be views.
    """

    format: WeightFormat
    values: Tensor
    scales: Tensor
    shape: tuple[int, int]
    is_reordered: bool = False

    @staticmethod
    def empty(
        shape: tuple[int, int], kind: WeightFormat, device: torch.device | str
    ) -> QuantizedMatrix:
        """Allocates an uninitialized matrix of format `kind`."""
        rows, columns = shape
        if kind is not WeightFormat.INT4:
            dtype = FLOAT8 if kind is WeightFormat.FP8 else torch.int8
            values = torch.empty(rows, columns, dtype=dtype, device=device)
            return QuantizedMatrix(kind, values, torch.empty(rows, device=device), shape)
        groups = -(-columns // GROUP)
        words = groups * GROUP // _COLUMNS_PER_WORD
        values = torch.empty(rows, words, dtype=torch.int32, device=device)
        scales = torch.empty(rows, groups, dtype=torch.float16, device=device)
        return QuantizedMatrix(kind, values, scales, shape)

    @property
    def bits(self) -> int:
        """Bits per weight: 8 or 4."""
        return self.format.bits

    @property
    def nbytes(self) -> int:
        """The bytes of values and scales."""
        return self.values.nbytes + self.scales.nbytes

    def rows(self, first: int, last: int) -> QuantizedMatrix:
        """A view of the rows from `first` to `last` - 1."""
        values, scales = self.values[first:last], self.scales[first:last]
        return replace(self, values=values, scales=scales, shape=(last - first, self.shape[1]))

    def split(self, sizes: Sequence[int]) -> list[QuantizedMatrix]:
        """Views of consecutive rows, with so many rows each."""
        ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
        return [self.rows(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def parts(self, bytes_each: int) -> Iterator[QuantizedMatrix]:
        """Views of some rows at a time, which take 50 MB at so many bytes per weight."""
        return self._parts(_PART_BYTES // bytes_each)

    def _parts(self, numbers: int) -> Iterator[QuantizedMatrix]:
        rows, columns = self.shape
        step = max(ROWS_AT_ONCE, numbers // columns // ROWS_AT_ONCE * ROWS_AT_ONCE)
        return (self.rows(first, min(first + step, rows)) for first in range(0, rows, step))

    @cached_property
    def for_cpu(self) -> list[tuple[Tensor, Tensor]]:
        """The parts as torch's `_weight_int4pack_mm_for_cpu` takes them: weights and scales.

        The weights are a copy unless `is_reordered`. Only in 4 bits.
        """
        return [_for_cpu(part) for part in self.parts(torch.int32.itemsize)]

    @cached_property
    def float8_scales(self) -> Tensor:
        """What the weights are divided by to become floats of 8 bits: float32 (out,).

        In 4 bits the largest of a row becomes 448. The integers of 8 bits are floats as they are.
        """
        if self.format is not WeightFormat.INT4:
            return self.scales
        # The number of largest magnitude is -8.
        return row_scales(self.scales.float() * 8)

    def dequantized(self, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
        """The weights (out, in) in `dtype`, or written to `out`."""
        if out is None:
            out = torch.empty(self.shape, dtype=dtype, device=self.values.device)
        first = 0
        for block in self.blocks():
            rows = out[first : (first := first + block.shape[0])]
            if self.format is WeightFormat.INT8:
                torch.mul(block.values, block.scales[:, None], out=rows)
            elif self.format is WeightFormat.FP8:
                rows.copy_(block.values.float() * block.scales[:, None])
            else:
                weights = _numbers(block) * block.scales[..., None].float()
                rows.copy_(weights.view(len(rows), -1)[:, : self.shape[1]])
        return out

    def blocks(self) -> Iterator[QuantizedMatrix]:
        """Views of some rows at a time, few enough for several copies in float32."""
        return self._parts(_BLOCK.get(self.values.device.type, _BLOCK["cuda"]))


def _numbers(block: QuantizedMatrix) -> Tensor:
    """The integers of 4-bit weights, from -8 to 7: int32 or float32 (rows, groups, 64)."""
    rows, groups = block.scales.shape
    if block.is_reordered:
        packed = block.values.view(torch.uint8).view(rows // ROWS_AT_ONCE, -1)
        halves = torch.stack([packed & 15, packed >> 4], -1).flatten(1)
        numbers = halves.index_select(1, _order(groups * GROUP))
        return numbers.view(rows, groups, GROUP).float().sub_(8)
    # With its highest bit flipped, a number is in two's complement: shifted to the top of a word of
    # its own, an arithmetic shift brings it down with its sign.
    numbers = (block.values ^ _HIGHEST_BITS)[..., None] << 28 - _shifts(block.values.device)
    numbers >>= 28
    return numbers.view(rows, groups, GROUP)


@torch.no_grad()
def quantize(
    weight: Tensor, kind: WeightFormat, out: QuantizedMatrix | None = None
) -> QuantizedMatrix:
    """Quantizes `weight` (out, in) of any floating dtype to format `kind`, on its device or into
    `out`.

    Needs a few times 16 MB of memory in addition. In 8 bits the scale of a row is its largest
    magnitude / 127, in FP8 / 448; in 4 bits each group gets the candidate scale with the least
    squared error.
    """
    rows, columns = weight.shape
    if out is None:
        out = QuantizedMatrix.empty((rows, columns), kind, weight.device)
    quantize_block = _QUANTIZE[kind]
    first = 0
    for block in out.blocks():
        quantize_block(weight[first : (first := first + block.shape[0])].float(), block)
    return out


def _quantize_8(block: Tensor, out: QuantizedMatrix) -> None:
    scales = block.abs().amax(1) / 127
    out.scales.copy_(scales)
    inverse = torch.where(scales > 0, 1 / scales, 0)
    out.values.copy_(torch.mul(block, inverse[:, None]).round_())


def _quantize_float8(block: Tensor, out: QuantizedMatrix) -> None:
    out.scales.copy_(row_scales(block))
    # The quotient may be rounded to more than the largest, which would be NaN.
    out.values.copy_((block / out.scales[:, None]).clamp_(-LARGEST, LARGEST))


def _quantize_4(block: Tensor, out: QuantizedMatrix) -> None:
    rows, columns = block.shape
    groups = out.scales.shape[1]
    block = functional.pad(block, (0, groups * GROUP - columns)).view(rows, groups, GROUP)
    out.scales.copy_(_scales_4(block))
    scales = out.scales.float()  # Rounded as they are stored, so that the numbers match them.
    numbers = _numbers_4(block, torch.where(scales != 0, 1 / scales, 0), torch.empty_like(block))
    words = (numbers + 8).to(torch.int32).view(rows, -1, _COLUMNS_PER_WORD)
    words <<= _shifts(words.device)
    out.values.copy_(words.sum(-1, dtype=torch.int32))


_QUANTIZE = {
    WeightFormat.INT8: _quantize_8,
    WeightFormat.INT4: _quantize_4,
    WeightFormat.FP8: _quantize_float8,
}


def _scales_4(block: Tensor) -> Tensor:
    """The scale of each group: block float32 (rows, groups, 64) → (rows, groups).

    For the integers q of a candidate, the best scale is w·q / q·q; it reduces the squared error w·w
    by (w·q)² / q·q.
    """
    low, high = block.aminmax(dim=-1)
    largest = torch.where(-low > high, low, high)
    inverse = torch.where(largest != 0, 1 / largest, 0)
    best = torch.zeros_like(largest)
    scales = torch.zeros_like(largest)
    numbers, products = torch.empty_like(block), torch.empty_like(block)
    for candidate in _LARGEST:
        _numbers_4(block, candidate * inverse, numbers)
        along = torch.mul(numbers, block, out=products).sum(-1)
        square = torch.mul(numbers, numbers, out=products).sum(-1)
        fitted = torch.where(square > 0, along / square, 0)
        gain = along * fitted
        scales = torch.where(gain > best, fitted, scales)
        best = torch.maximum(best, gain)
    return scales


def _numbers_4(block: Tensor, inverse: Tensor, out: Tensor) -> Tensor:
    """Rounds `block` × `inverse` to integers from -8 to 7, into `out`."""
    return torch.mul(block, inverse[..., None], out=out).round_().clamp_(-8, 7)


def _shifts(device: torch.device) -> Tensor:
    """The lowest bit of each column in a word, int32 (8,): even columns are in its lower half.

    One mask then extracts two neighbours at once, one from each half. Created on the device, since
    nothing can be copied there while a graph is captured.
    """
    column = torch.arange(_COLUMNS_PER_WORD, dtype=torch.int32, device=device)
    return column % 2 * 16 + column // 2 * 4


# ---- multiplying -------------------------------------------------------------------------------


def multiply(states: Tensor, matrix: QuantizedMatrix, bias: Tensor | None = None) -> Tensor:
    """`states` (…, in) times the matrix: (…, out), in the dtype of `states`.

    Works on every device: the matrix is dequantized in each call, a large one in parts. On a CPU a
    few rows go through torch's own kernels, which are some thirty times as fast.
    """
    rows, columns = matrix.shape
    is_skinny = states.device.type == "cpu" and states.numel() <= _SKINNY_ROWS * columns
    is_whole = matrix.format is WeightFormat.INT4 and rows % 16 == 0
    if is_skinny and (is_whole or matrix.format is WeightFormat.INT8):
        product = _multiply_skinny(states.reshape(-1, columns).bfloat16(), matrix)
        product = product.to(states.dtype).view(*states.shape[:-1], rows)
    else:
        parts = matrix.parts(states.dtype.itemsize)
        products = [functional.linear(states, part.dequantized(states.dtype)) for part in parts]
        product = products[0] if len(products) == 1 else torch.cat(products, -1)
    return product if bias is None else product + bias


def _multiply_skinny(states: Tensor, matrix: QuantizedMatrix) -> Tensor:
    """bfloat16 (rows, in) → float32 (rows, out). With other dtypes the CPU kernels are slow."""
    if matrix.format is WeightFormat.INT8:
        # The kernel would round the scales to bfloat16, which would bias whole rows.
        ones = torch.ones(matrix.shape[0], dtype=torch.bfloat16)
        return torch.ops.aten._weight_int8pack_mm(states, matrix.values, ones) * matrix.scales
    states = functional.pad(states, (0, -states.shape[1] % GROUP))
    products = [
        torch.ops.aten._weight_int4pack_mm_for_cpu(states, numbers, GROUP, scales)
        for numbers, scales in matrix.for_cpu
    ]
    return torch.cat(products, -1).float()


# ---- the CPU kernel's own order of 4 bits
# ---------------------------------------------------------


def _for_cpu(part: QuantizedMatrix) -> tuple[Tensor, Tensor]:
    rows, groups = part.scales.shape
    values = part.values if part.is_reordered else reordered(part.values)
    scales = torch.zeros(groups, rows, 2, dtype=torch.bfloat16)
    scales[..., 0] = part.scales.T
    return values.view(torch.uint8), scales


def reordered(words: Tensor) -> Tensor:
    """4-bit `values` in the order of torch's CPU kernel."""
    rows, count = words.shape
    numbers = (words[..., None] >> _shifts(words.device)) & 15
    numbers = numbers.view(rows, count * _COLUMNS_PER_WORD)
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(numbers, 1)
    return packed.view(torch.int32).view(rows, count)


@cache
def _order(columns: int) -> Tensor:
    """For each weight of 64 rows, its index among the packed half bytes: int64 (64 × columns,).

    The order differs between CPU types, so it is found out: each weight's index is packed in place
    of the weight, four bits at a time.
    """
    count = ROWS_AT_ONCE * columns
    index = torch.arange(count, dtype=torch.int32).view(ROWS_AT_ONCE, columns)
    found = torch.zeros(count, dtype=torch.int64)
    for shift in range(0, count.bit_length(), 4):
        packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu((index >> shift) & 15, 1)
        packed = packed.flatten()
        found |= torch.stack([packed & 15, packed >> 4], -1).flatten().long() << shift
    order = torch.empty_like(found)
    order[found] = torch.arange(count)
    return order


# ---- matrices that lie one below the other ------------------------------------------------------


def neighbours(parts: Sequence[Tensor]) -> Tensor | None:
    """The tensors concatenated along the rows without a copy; None if they are not adjacent."""
    first, total = parts[0], sum(len(part) for part in parts)
    address = first.data_ptr()
    for part in parts:
        if (
            part.data_ptr() != address
            or not part.is_contiguous()
            or part.untyped_storage().data_ptr() != first.untyped_storage().data_ptr()
            or (part.dtype, part.shape[1:]) != (first.dtype, first.shape[1:])
        ):
            return None
        address += part.nbytes
    return first.as_strided((total, *first.shape[1:]), first.stride())


def joined(parts: Sequence[QuantizedMatrix]) -> QuantizedMatrix:
    """The matrices concatenated along the rows, without a copy if they are adjacent in memory."""
    values = [part.values for part in parts]
    scales = [part.scales for part in parts]
    shape = (sum(part.shape[0] for part in parts), parts[0].shape[1])
    adjacent = neighbours(values), neighbours(scales)
    if adjacent[0] is not None and adjacent[1] is not None:
        return replace(parts[0], values=adjacent[0], scales=adjacent[1], shape=shape)
    # As integers: floats of 8 bits are not concatenated everywhere.
    bytes_of = [one.view(torch.int8) if one.dtype == FLOAT8 else one for one in values]
    together = torch.cat(bytes_of).view(values[0].dtype)
    return replace(parts[0], values=together, scales=torch.cat(scales), shape=shape)
