"""How a matrix is divided among the blocks of the matrix-vector kernels."""

from itertools import product

import pytest
import torch

from core.llava.kernels.gemv import (
    MOST_WARPS,
    GemvWork,
    gemv_share,
    gemv_tuning,
    gemv_warps,
    head_bits,
)
from core.llava.kernels.shape import KernelShape

# LLaVA-1.5-7b's, 13b's, JoyCaption's, LLaVA-OneVision's and a 70B's sizes, and those of a toy.
SIZES = [(4096, 11008), (5120, 13824), (4096, 14336), (3584, 18944), (8192, 28672), (64, 128)]
MOST_ROWS = 64
# Of 128 for each thread.
MOST_REGISTERS = 96


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("bits", "is_float8"), [(16, False), (8, False), (8, True), (4, False)])
def test_blocks_cover_every_row_and_column_within_what_they_can_hold(sizes, dtype, bits, is_float8):
    hidden, inner = sizes
    shape = KernelShape(dtype, bits, hidden, inner, 128, 1, is_float8)
    tuning = gemv_tuning(shape)
    products = [
        (tuning.norm_gemv, 3 * hidden, hidden, bits, 1),
        (tuning.gemv_add, hidden, hidden, bits, 1),
        (tuning.gemv_add, hidden, inner, bits, 1),
        (tuning.norm_gemv_gated, inner, hidden, bits, 2),
        (tuning.norm_gemv_logits, 32003, hidden, head_bits(shape), 1),
    ]
    for (work, outputs, columns, of_matrix, pair), cores in product(products, (1, 30, 132, 200)):
        warps = gemv_warps(columns, work.loads, of_matrix)
        assert 1 <= warps <= MOST_WARPS
        assert warps * work.loads * 32 * 128 >= columns * of_matrix
        share = gemv_share(work, outputs, warps, cores, pair)
        assert share >= 1
        assert share % (work.rows // pair) == 0
        assert share * pair <= MOST_ROWS
        # A row's weights and the activations for them, which are pairs in 4 bits.
        activations = 16 if of_matrix == 4 else 128 // of_matrix
        assert work.rows >= pair
        assert work.loads * (4 * work.rows + activations) <= MOST_REGISTERS


@pytest.mark.parametrize("outputs", [14336, 18944, 28672, 128256, 152128])
@pytest.mark.parametrize("work", [GemvWork(2, 4, 16), GemvWork(8, 2, 16), GemvWork(4, 1, 24)])
def test_blocks_that_do_not_run_at_once_leave_no_few_to_run_alone_at_the_end(work, outputs):
    warps, cores = 4, 132
    at_once = cores * work.warps // warps
    for pair in (1, 2):
        share = gemv_share(work, outputs, warps, cores, pair)
        rounds = -(-outputs // (share * at_once))
        # Blocks have whole steps of rows, so that a few are too many.
        assert rounds * share < 1.25 * outputs / at_once, share
