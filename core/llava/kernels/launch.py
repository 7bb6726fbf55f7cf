"""Launches the kernels of one model on torch tensors, in torch's current stream."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from core.llava.float8 import Float8Rows, RawProduct, is_float8
from core.llava.kernels.arguments import of_cache, of_product
from core.llava.kernels.build import SKINNY_STEPS, KernelBuild, installed_kernels
from core.llava.kernels.driver import DriverError
from core.llava.kernels.gemv import gemv_share, gemv_warps
from core.llava.kernels.launcher import Launcher
from core.llava.kernels.nvrtc import CompileError
from core.llava.kernels.scratch import AttentionScratch
from core.llava.kernels.shape import (
    KernelShape,
    device_obstacle,
    has_float8,
    has_skinny,
    multiplies_cache,
    row_threads,
)
from core.llava.kernels.square import Square
from core.llava.quantized import QuantizedMatrix
from core.llava.quantized_cache import LayerCache
from core.transcript import WeightFormat

log = logging.getLogger(__name__)

_WARP = 32
_THREADS = 128
# In LLaVA-1.5-7b's sizes and 4 bits, the skinny matmuls of all matrices take 2.7 ms on an H200 for
# 8 rows and 4.0 ms for 32; with dequantized matrices the products take 9.8 ms
# (python -m tests.benchmarks.skinny_matmul cuda).
_MOST_SKINNY_ROWS = 64
# Rows of the matrix per block of the skinny matmul.
_SKINNY_BLOCK_ROWS = 32


def load_kernels(shape: KernelShape, device: torch.device) -> Kernels | None:
    """The kernels for models of `shape` on `device`, or None; the log says why."""
    reason = device_obstacle(shape, device)
    if reason is None:
        try:
            capability = torch.cuda.get_device_capability(device)
            return Kernels(installed_kernels(shape, capability), device)
        except (OSError, CompileError, DriverError) as error:
            reason = str(error)
    log.info("No kernels of our own: %s.", reason)
    return None


class Kernels(Launcher):
    """Launches each kernel in torch's current stream.

    Tensors are contiguous and in the model's dtype where nothing else is said; none of that is
    checked. The sine tables have the sign of rotate_half built in; both tables are float32
    (length, head_dim). Raises DriverError if the machine code is not for `device`.
    """

    def __init__(self, build: KernelBuild, device: torch.device):
        super().__init__(build, device)
        self.shape = build.shape
        self._tuning = build.tuning
        capability = torch.cuda.get_device_capability(device)
        self._has_skinny = has_skinny(self.shape, capability)
        self.has_float8 = has_float8(self.shape, capability)
        self._norm_threads = row_threads(self.shape.hidden)
        self._multiplies_cache = multiplies_cache(self.shape, capability)
        self.table_dtype = torch.float32
        self._scratch: tuple[tuple[int, int, int], AttentionScratch] | None = None

    # ---- one row: matrix-vector products, fused with the operations before and after them

    def norm_gemv(
        self,
        matrix: Tensor | QuantizedMatrix,
        row: Tensor,
        gain: Tensor,
        eps: float,
        bias: Tensor | None = None,
    ) -> Tensor:
        """(1, in) → (1, out): the matrix times the RMS-normalized row, scaled by `gain` (in,).

        `bias` (out,) is added; it must be given if and only if `shape.has_bias`.
        """
        out = row.new_empty(1, matrix.shape[0])
        self._gemv("norm_gemv", matrix, row, gain, eps, bias, out)
        return out

    def gemv_add(self, matrix: Tensor | QuantizedMatrix, row: Tensor, hidden: Tensor) -> None:
        """Adds the matrix times `row` to `hidden` (1, out), in place."""
        self._gemv("gemv_add", matrix, row, None, 0.0, hidden, hidden)

    def norm_gemv_gated(
        self, matrix: Tensor | QuantizedMatrix, row: Tensor, gain: Tensor, eps: float
    ) -> Tensor:
        """(1, in) → (1, out / 2): silu(gates) × values of the normalized row.

        The upper half of the matrix gives the gates, the lower half the values.
        """
        out = row.new_empty(1, matrix.shape[0] // 2)
        self._gemv("norm_gemv_gated", matrix, row, gain, eps, None, out)
        return out

    def norm_gemv_logits(
        self, matrix: Tensor | QuantizedMatrix, row: Tensor, gain: Tensor, eps: float
    ) -> Tensor:
        """(1, in) → float32 (1, out): the logits of the normalized row.

        The matrix has 8 bits if the layers have 8 or 4, else 16.
        """
        out = row.new_empty(1, matrix.shape[0], dtype=torch.float32)
        self._gemv("norm_gemv_logits", matrix, row, gain, eps, None, out)
        return out

    def _gemv(
        self,
        name: str,
        matrix: Tensor | QuantizedMatrix,
        row: Tensor,
        gain: Tensor | None,
        eps: float,
        added: Tensor | None,
        out: Tensor,
    ) -> None:
        rows, columns = matrix.shape
        values, scales = (
            (matrix.values, matrix.scales)
            if isinstance(matrix, QuantizedMatrix)
            else (matrix, None)
        )
        work = getattr(self._tuning, name)
        bits = matrix.bits if isinstance(matrix, QuantizedMatrix) else 16
        pair = 2 if name == "norm_gemv_gated" else 1
        warps = gemv_warps(columns, work.loads, bits)
        share = gemv_share(work, rows // pair, warps, self.multiprocessors, pair)
        self.launch(name, (-(-rows // (pair * share)), 1, 1), warps * _WARP, values, scales, row,
                    gain, eps, added, out, rows, columns, share)  # fmt: skip

    def next_token(self, logits: Tensor, ids: Tensor, positions: Tensor) -> None:
        """See `TorchOperations.next_token`."""
        rows, vocabulary = logits.shape
        self.launch("next_token", (rows, 1, 1), 1024, logits, ids, positions, vocabulary)

    # ---- a picture

    def resized(self, pixels: Tensor, square: Square) -> Tensor:
        """int32 (height, width) → float32 (3, size, size): the pixel values of a padded square.

        A pixel has red in its lowest byte, then green and blue.
        """
        (height, width), (taps, size) = pixels.shape, square.weights.shape
        place = (square.padding, square.first, square.weights, taps)
        narrow = pixels.new_empty(height, size)
        values = square.normalised.new_empty(3, size, size)
        self.launch("resize_across", (-(-height * size // 256), 1, 1), 256, pixels, width, height,
                    square.left, *place, narrow, size)  # fmt: skip
        self.launch("resize_down", (-(-size * size // 256), 1, 1), 256, narrow, height, square.top,
                    *place, square.normalised, values, size)  # fmt: skip
        return values

    # ---- many rows

    def add_rms_norm(
        self, hidden: Tensor, delta: Tensor | RawProduct | None, gain: Tensor, eps: float
    ) -> Tensor:
        """Adds `delta` to `hidden` in place; returns the RMS-normalized sum times `gain`.

        `hidden`, `delta` and the result are (rows, hidden size), `gain` (hidden size,).
        """
        out = torch.empty_like(hidden)
        rows, columns = hidden.shape
        self.launch("add_rms_norm", (rows, 1, 1), self._norm_threads, hidden, *of_product(delta),
                     gain, eps, out, columns)  # fmt: skip
        return out

    def silu_and_mul(self, gates: Tensor) -> Tensor:
        """(rows, 2 × inner) → (rows, inner): silu(gate) × value, a view of `gates`.

        Each row has its gates first, then its values; the result overwrites the gates.
        """
        rows, inner = gates.shape[0], gates.shape[1] // 2
        blocks = -(-rows * inner // (8 * 256))
        self.launch("silu_and_mul", (blocks, 1, 1), 256, gates, rows, inner)
        return gates[:, :inner]

    def add_layer_norm(
        self, hidden: Tensor, delta: Tensor | None, gain: Tensor, bias: Tensor, eps: float
    ) -> Tensor:
        """Adds `delta` to `hidden` in place; returns the layer norm of the sum.

        `hidden`, `delta` and the result are (…, columns), `gain` and `bias` (columns,), for up to
        `LONGEST_LAYER_NORM` columns, a multiple of eight.
        """
        out = torch.empty_like(hidden)
        columns = hidden.shape[-1]
        self.launch("add_layer_norm", (hidden.numel() // columns, 1, 1), 128, hidden, delta, gain,
                     bias, eps, out, columns)  # fmt: skip
        return out

    def quick_gelu(self, states: Tensor) -> Tensor:
        """x × sigmoid(1.702 x) of `states`, a multiple of eight values, in place."""
        count = states.numel()
        self.launch("quick_gelu", (-(-count // (8 * 256)), 1, 1), 256, states, count)
        return states

    def rope_and_cache(
        self, states: Tensor, cache: LayerCache, cosine: Tensor, sine: Tensor, begin: int
    ) -> None:
        """Rotates queries and keys of `states` in place; copies keys and values to `cache`.

        `states` (rows, heads × head_dim) has the query, key and value heads of the positions from
        `begin` on; `cache` is that of one slot, (2 × key heads, length, head_dim).
        """
        self._rope_and_cache(states, states, cache, cosine, sine, begin, None, 0)

    def rope_and_cache_at(
        self,
        states: Tensor | RawProduct,
        cache: LayerCache,
        cosine: Tensor,
        sine: Tensor,
        begin_and_slot: Tensor,
        before: int = 0,
    ) -> Tensor:
        """`rope_and_cache` for a first position and a slot that the GPU knows.

        `begin_and_slot` is int64 (2,); `cache` is (slots, 2 × key heads, length, head_dim). For
        captured graphs, which are replayed for other positions and slots. Returns the states,
        scaled, behind rows with the keys and values of the first `before` cached positions.
        """
        given = states.values if isinstance(states, RawProduct) else states
        out = given.new_empty(before + len(given), given.shape[1]) if before else given
        self._rope_and_cache(states, out, cache, cosine, sine, 0, begin_and_slot, before)
        return out

    def _rope_and_cache(
        self,
        states: Tensor | RawProduct,
        out: Tensor,
        cache: LayerCache,
        cosine: Tensor,
        sine: Tensor,
        begin: int,
        begin_and_slot: Tensor | None,
        before: int,
    ) -> None:
        rows, width = out.shape
        key_heads, length = cache.shape[-3] // 2, cache.shape[-2]
        blocks = -(-rows * width // (16 * 256))
        self.launch("rope_and_cache", (blocks, 1, 1), 256, *of_product(states), out,
                     *of_cache(cache), cosine, sine, key_heads, length, begin, begin_and_slot,
                     rows - before, before)  # fmt: skip

    def step_positions(
        self, positions: Tensor, span: int, cosine: Tensor, sine: Tensor
    ) -> _StepPositions:
        """What `decode_attention` needs to know of a step at `positions`, int64 (slots,).

        `span` is ignored: the kernel reads no further than each slot's position.
        """
        return _StepPositions(positions, cosine, sine)

    def decode_attention(
        self, states: Tensor | RawProduct, cache: LayerCache, at: _StepPositions
    ) -> Tensor:
        """One decode step: (slots, heads × head_dim) → (slots, query heads × head_dim).

        Rotates queries and keys to each slot's position, writes keys and values to `cache` (slots,
        2 × key heads, length, head_dim), and attends to all positions up to it. A slot with a
        negative position is skipped: its cache stays, and its row of the result is undefined.
        """
        slots, key_heads, length = len(states), cache.shape[1] // 2, cache.shape[2]
        head_dim = self.shape.head_dim
        values, *scales = of_product(states)
        assert values is not None
        scratch = self._scratch_for(slots, length, key_heads, values.device)
        out = values.new_empty(slots, key_heads * self.shape.group * head_dim)
        grid = -(-length // scratch.part), key_heads, slots
        name = "decode_attention_int8" if self._multiplies_cache else "decode_attention"
        self.launch(name, grid, _THREADS, values, *scales, *of_cache(cache), at.cosine, at.sine,
                     at.positions, out, scratch.partial, scratch.ended, length,
                     scratch.part, head_dim**-0.5)  # fmt: skip
        return out

    def _scratch_for(
        self, slots: int, length: int, key_heads: int, device: torch.device
    ) -> AttentionScratch:
        """The scratch memory of all layers, which run one after the other.

        It is reallocated only if the cache is, and graphs captured with it are then dropped.
        """
        size = (slots, length, key_heads)
        if self._scratch is None or self._scratch[0] != size:
            scratch = AttentionScratch.allocate(slots, length, key_heads, self.shape, device)
            self._scratch = size, scratch
        return self._scratch[1]

    def supports_skinny(self, quantized: QuantizedMatrix, count: int) -> bool:
        """Whether `skinny_matmul` multiplies `count` rows by this matrix."""
        return (
            self._has_skinny
            and count <= _MOST_SKINNY_ROWS
            and quantized.shape[1] % 64 == 0
            and (self._is_of_layers(quantized) or quantized.format is WeightFormat.INT8)
        )

    def skinny_matmul(self, quantized: QuantizedMatrix, states: Tensor) -> Tensor:
        """(count, in) → (count, out) for up to 64 rows, which need not be adjacent in memory.

        Weights enter the product as exact integers and are scaled afterwards.
        """
        count, (rows, columns) = len(states), quantized.shape
        out = states.new_empty(count, rows)
        kind = "skinny" if self._is_of_layers(quantized) else "skinny_head"
        step = next((step for step in SKINNY_STEPS if count <= step), SKINNY_STEPS[-1])
        grid = -(-count // step), -(-rows // _SKINNY_BLOCK_ROWS), 1
        self.launch(f"{kind}_{step}", grid, 256, quantized.values, quantized.scales, states,
                     states.stride(0), out, count, rows, columns)  # fmt: skip
        return out

    def dequantize(self, quantized: QuantizedMatrix, out: Tensor) -> None:
        """Writes the matrix in the model's dtype to `out` (out, in)."""
        rows, columns = quantized.shape
        if not self._is_of_layers(quantized) or self.shape.is_float8:
            quantized.dequantized(out.dtype, out)
            return
        blocks = -(-columns // (8 * 256))
        self.launch("dequantize", (rows, blocks, 1), 256, quantized.values, quantized.scales, out,
                     columns)  # fmt: skip

    def _is_of_layers(self, quantized: QuantizedMatrix) -> bool:
        """Whether the matrix has the format that the kernels were compiled for."""
        shape = self.shape
        return quantized.bits == shape.bits and is_float8(quantized.values) == shape.is_float8

    # ---- rows in FP8, where `has_float8`

    def add_rms_norm_float8(
        self, hidden: Tensor, delta: Tensor | RawProduct | None, gain: Tensor, eps: float
    ) -> Float8Rows:
        """`add_rms_norm` with the result in FP8."""
        rows, columns = hidden.shape
        out = Float8Rows.empty(rows, columns, hidden.device)
        self.launch("add_rms_norm_e4m3", (rows, 1, 1), self._norm_threads, hidden,
                     *of_product(delta), gain, eps, out.values, out.scales, columns)  # fmt: skip
        return out

    def silu_and_mul_float8(self, gates: Tensor | RawProduct) -> Float8Rows:
        """`silu_and_mul` with the result in FP8; `gates` stay as they are."""
        values, *scales = of_product(gates)
        assert values is not None
        rows, inner = values.shape[0], values.shape[1] // 2
        out = Float8Rows.empty(rows, inner, values.device)
        self.launch("silu_and_mul_e4m3", (rows, 1, 1), row_threads(inner), values, *scales,
                     out.values, out.scales, inner)  # fmt: skip
        return out

    def round_to_float8(self, states: Tensor) -> Float8Rows:
        """(rows, columns) in FP8."""
        rows, columns = states.shape
        out = Float8Rows.empty(rows, columns, states.device)
        self.launch("round_to_e4m3", (rows, 1, 1), 256, states, out.values, out.scales, columns)
        return out

    def dequantize_float8(self, quantized: QuantizedMatrix, out: Tensor) -> None:
        """Writes the matrix of integers to `out`, e4m3 (out, in), to be multiplied by
        `quantized.float8_scales`."""
        rows, columns = quantized.shape
        blocks = -(-columns // (8 * 256))
        self.launch("dequantize_e4m3", (rows, blocks, 1), 256, quantized.values, quantized.scales,
                     quantized.float8_scales, out, columns)  # fmt: skip


@dataclass(frozen=True, eq=False)
class _StepPositions:
    """`positions` int64 (slots,) of a step; `cosine` and `sine` are the tables of all positions."""

    positions: Tensor
    cosine: Tensor
    sine: Tensor
