"""How the matrix-vector kernels of gemv.cu divide a matrix among warps and blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.llava.kernels.shape import KernelShape

MOST_WARPS = 16
"""Of a block; as in gemv.cu."""
_MOST_ROWS = 64  # Of the matrix, for one block; as in gemv.cu.
_BITS_PER_LOAD = 128 * 32  # By all lanes of a warp.
# Of the 128 that a thread has in a block of the most warps; with more loaded others spill.
_MOST_LOADED_REGISTERS = 96


@dataclass(frozen=True)
class GemvWork:
    """A warp has `rows` rows of the matrix in flight, and `loads` loads of 16 bytes of each by
    every lane; a multiprocessor is given `warps` warps."""

    rows: int
    loads: int
    warps: int


@dataclass(frozen=True)
class GemvTuning:
    """The work in each matrix-vector kernel."""

    norm_gemv: GemvWork
    gemv_add: GemvWork
    norm_gemv_gated: GemvWork
    norm_gemv_logits: GemvWork


def _tuning(*works: tuple[int, int, int]) -> GemvTuning:
    return GemvTuning(*(GemvWork(*work) for work in works))


# By the bits of the layers' weights: the fastest of those tried for a whole decode step on an H200
# (python -m tests.benchmarks.step_tuning).
_TUNING = {
    16: _tuning((4, 4, 16), (4, 4, 16), (4, 4, 16), (2, 2, 16)),
    8: _tuning((8, 1, 16), (8, 2, 16), (8, 2, 16), (2, 1, 16)),
    4: _tuning((4, 2, 16), (8, 1, 16), (4, 2, 16), (4, 1, 16)),
}
_TUNING_FOR_FLOAT8 = _tuning((4, 2, 16), (4, 2, 16), (8, 1, 24), (2, 1, 16))
# Likewise in JoyCaption's sizes (--sizes joycaption): 4.05 ms a step instead of 4.42 in 16 bits,
# and 2.53 instead of 2.83 in FP8. In 8 and 4 bits the others are as fast.
_TUNING_FOR_BFLOAT16 = _tuning((4, 2, 16), (2, 4, 16), (2, 4, 16), (2, 4, 16))
_TUNING_FOR_FLOAT8_AND_BFLOAT16 = _tuning((8, 1, 32), (4, 2, 16), (2, 2, 32), (4, 1, 24))


def gemv_tuning(shape: KernelShape) -> GemvTuning:
    """The work in each kernel for models of `shape`."""
    tuning = _tuning_of(shape)
    longest = max(shape.hidden, shape.inner)
    return GemvTuning(
        reaching(tuning.norm_gemv, shape.hidden, shape.bits),
        reaching(tuning.gemv_add, longest, shape.bits),
        reaching(tuning.norm_gemv_gated, shape.hidden, shape.bits, pair=2),
        reaching(tuning.norm_gemv_logits, shape.hidden, head_bits(shape)),
    )


def _tuning_of(shape: KernelShape) -> GemvTuning:
    is_bfloat16 = shape.dtype == torch.bfloat16
    if shape.is_float8:
        return _TUNING_FOR_FLOAT8_AND_BFLOAT16 if is_bfloat16 else _TUNING_FOR_FLOAT8
    if shape.bits == 16 and is_bfloat16:
        return _TUNING_FOR_BFLOAT16
    return _TUNING[shape.bits]


def head_bits(shape: KernelShape) -> int:
    """Bits of the output head: integers of 8 where the layers are quantized."""
    return 16 if shape.bits == 16 else 8


def gemv_warps(columns: int, loads: int, bits: int) -> int:
    """The warps of a block, which share the `columns` of a matrix of so many `bits`."""
    return -(-columns * bits // (loads * _BITS_PER_LOAD))


def gemv_share(work: GemvWork, outputs: int, warps: int, multiprocessors: int, pair: int) -> int:
    """The outputs of a block of `warps` warps; `pair` rows of the matrix make one output.

    There are as many blocks as run at once, or some times as many where a block would have too
    many rows.
    """
    step = work.rows // pair
    blocks = multiprocessors * max(1, work.warps // warps)
    steps = -(-outputs // (blocks * step))
    times = -(-steps * work.rows // _MOST_ROWS)
    return -(-steps // times) * step


def reaching(work: GemvWork, columns: int, bits: int, pair: int = 1) -> GemvWork:
    """`work` with as many loads as a block's warps need for a row of `columns`, and then with as
    few rows as leave what is loaded in registers; `pair` rows make one output."""
    rows, loads = work.rows, work.loads
    if gemv_warps(columns, loads, bits) <= MOST_WARPS:
        return work
    while gemv_warps(columns, loads, bits) > MOST_WARPS:
        loads += 1
    while rows > pair and _loaded_registers(rows, loads, bits) > _MOST_LOADED_REGISTERS:
        rows //= 2
    return GemvWork(rows, loads, work.warps)


def _loaded_registers(rows: int, loads: int, bits: int) -> int:
    """Those of a thread with weights and with the activations that they are multiplied by."""
    # In 4 bits activations are pairs of float16, and each load of weights has a scale.
    activations = 16 if bits == 4 else 128 // bits
    return loads * ((5 if bits == 4 else 4) * rows + activations)
