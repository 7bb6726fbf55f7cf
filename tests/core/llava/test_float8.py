"""Products in FP8: rows with a scale for each token, and what torch multiplies them by."""

import pytest
import torch
from torch.nn import functional

from core.device.float8 import float8_product
from core.llava.float8 import Float8Rows
from core.llava.linear import Dequantizer, Matrix
from core.llava.operations import TorchOperations
from core.llava.quantized import quantize
from core.transcript import WeightFormat

CPU = torch.device("cpu")
OPERATIONS = TorchOperations(torch.float32, head_dim=16, group=1)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(shape[0]))


def error(given: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((given - wanted).norm() / wanted.norm())


def test_each_row_uses_the_whole_range_and_a_row_of_nothing_stays_nothing():
    states = drawn(5, 64) * torch.tensor([1, 1e-6, 3e4, 0, 1])[:, None]
    rows = Float8Rows.rounded(states)
    back = rows.dequantized(torch.float32)
    assert (rows.values.float().abs().amax(1)[[0, 1, 2, 4]] == 448).all()
    assert not back[3].any()
    for number in (0, 1, 2, 4):
        assert error(back[number], states[number]) < 0.04


def test_broken_numbers_stay_broken():
    states = drawn(3, 64)
    states[0, 5], states[1, 7] = torch.nan, torch.inf
    back = Float8Rows.rounded(states).dequantized(torch.float32)
    assert not back[0].isfinite().all()
    assert not back[1].isfinite().all()
    assert back[2].isfinite().all()


@pytest.mark.parametrize("rows", [1, 17, 70])
def test_matrix_in_fp8_is_multiplied_by_rows_in_fp8(rows):
    product = float8_product(CPU, torch.float32)
    if product is None:
        pytest.skip("this torch multiplies no FP8 on a processor")
    weight = quantize(drawn(96, 64) / 8, WeightFormat.FP8)
    bias = drawn(96)
    states = drawn(rows, 64)
    matrix = Matrix(weight, bias, Dequantizer(None, product))
    rounded = Float8Rows.rounded(states)
    given = matrix(rounded)
    same = functional.linear(
        rounded.dequantized(torch.float32), weight.dequantized(torch.float32), bias
    )
    assert error(given, same) < 1e-3
    assert error(given, matrix(states)) < 0.05


def test_what_goes_into_matrices_is_the_same_in_fp8_but_for_its_rounding():
    hidden, delta, gain = drawn(20, 64), drawn(21, 64)[:20], 1 + drawn(64) / 10
    own, other = hidden.clone(), hidden.clone()
    wanted = OPERATIONS.add_rms_norm(own, delta, gain, 1e-5)
    given = OPERATIONS.add_rms_norm_float8(other, delta, gain, 1e-5).dequantized(torch.float32)
    assert torch.equal(own, other)
    assert error(given, wanted) < 0.04
    gates = drawn(20, 128)
    given = OPERATIONS.silu_and_mul_float8(gates.clone()).dequantized(torch.float32)
    assert error(given, OPERATIONS.silu_and_mul(gates.clone())) < 0.04


def test_integers_of_four_bits_become_floats_of_eight_row_by_row():
    weight = quantize(drawn(32, 256) * torch.logspace(-4, 0, 32)[:, None], WeightFormat.INT4)
    whole = weight.dequantized(torch.float32)
    scaled = whole / weight.float8_scales[:, None]
    largest = scaled.abs().amax(1)
    assert ((largest > 200) & (largest < 448.01)).all()
    rounded = scaled.to(torch.float8_e4m3fn).float() * weight.float8_scales[:, None]
    assert error(rounded, whole) < 0.04
