"""Weights in 8 and 4 bits: the formats, what they lose, and models that use them."""

import pytest
import torch
from torch.nn import functional

from core.precision import Quantised, QuantisedLinear, joined, quantise

SHAPES = [(96, 128), (50, 688), (7, 40), (1, 64)]


def random_matrix(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows)) * 0.02


def relative_error(given: torch.Tensor, wanted: torch.Tensor) -> float:
    return ((given - wanted).norm() / wanted.norm()).item()


@pytest.mark.parametrize("shape", SHAPES)
def test_eight_bits_are_a_row_s_scale_times_whole_numbers(shape):
    weight = random_matrix(*shape)
    quantised = quantise(weight, 8)
    assert (quantised.values.dtype, quantised.scales.dtype) == (torch.int8, torch.float32)
    assert (quantised.values.shape, quantised.scales.shape) == (shape, shape[:1])
    spelled = quantised.values.float() * quantised.scales[:, None]
    assert torch.equal(quantised.dequantised(torch.float32), spelled)
    assert ((spelled - weight).abs() <= 0.5001 * quantised.scales[:, None]).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_four_bits_lie_in_words_as_the_kernels_read_them(shape):
    """The page of the format, spelled out column by column."""
    weight = random_matrix(*shape)
    quantised = quantise(weight, 4)
    rows, columns = shape
    padded = -(-columns // 64) * 64
    assert (quantised.values.dtype, quantised.scales.dtype) == (torch.int32, torch.float16)
    assert quantised.values.shape == (rows, padded // 8)
    assert quantised.scales.shape == (rows, padded // 64)
    assert quantised.shape == shape
    spelled = torch.zeros(rows, padded)
    for column in range(padded):
        place = column % 8 // 2 * 4 + column % 2 * 16
        number = (quantised.values[:, column // 8] >> place) & 15
        spelled[:, column] = (number - 8) * quantised.scales[:, column // 64].float()
    assert torch.equal(quantised.dequantised(torch.float32), spelled[:, :columns])
    assert not spelled[:, columns:].any()


def test_four_bits_lose_less_than_the_largest_magnitude_alone_would():
    weight = random_matrix(256, 1024)
    groups = weight.view(-1, 64)
    scales = groups.abs().amax(1, keepdim=True) / 7
    plain = ((groups / scales).round() * scales).view_as(weight)
    searched = quantise(weight, 4).dequantised(torch.float32)
    assert relative_error(searched, weight) < 0.85 * relative_error(plain, weight)


@pytest.mark.parametrize("bits", [8, 4])
def test_rows_of_nothing_stay_nothing(bits):
    weight = random_matrix(4, 128)
    weight[1] = 0
    spelled = quantise(weight, bits).dequantised(torch.float32)
    assert not spelled[1].any()
    assert spelled.isfinite().all()


@pytest.mark.parametrize("bits", [8, 4])
def test_quantising_leaves_the_weight_as_it_is(bits):
    weight = random_matrix(8, 128)
    before = weight.clone()
    quantise(weight, bits)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("bits", [8, 4])
def test_parts_of_a_joined_matrix_are_quantised_in_place_and_join_without_a_copy(bits):
    whole = Quantised.empty((96, 128), bits, "cpu")
    weights = [random_matrix(rows, 128) for rows in (48, 32, 16)]
    parts = whole.split([48, 32, 16])
    for weight, part in zip(weights, parts, strict=True):
        quantise(weight, bits, out=part)
    again = joined(parts)
    assert again.values.data_ptr() == whole.values.data_ptr()
    assert again.scales.data_ptr() == whole.scales.data_ptr()
    expected = quantise(torch.cat(weights), bits)
    assert torch.equal(again.values, expected.values)
    assert torch.equal(again.scales, expected.scales)


@pytest.mark.parametrize("bits", [8, 4])
def test_matrices_that_lie_apart_join_into_new_memory(bits):
    apart = [quantise(random_matrix(rows, 128), bits) for rows in (48, 32)]
    spelled = joined(apart).dequantised(torch.float32)
    assert torch.equal(spelled, torch.cat([one.dequantised(torch.float32) for one in apart]))


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 3, 200])
def test_linear_multiplies_by_the_matrix_spelled_out(bits, dtype, rows):
    bias = torch.randn(96).to(dtype)
    quantised = quantise(random_matrix(96, 688), bits)
    states = random_matrix(rows, 688).to(dtype)[None]
    given = QuantisedLinear(quantised, bias)(states)
    wanted = functional.linear(states.float(), quantised.dequantised(torch.float32), bias.float())
    assert given.dtype == dtype
    assert relative_error(given.float(), wanted) < 0.01


def test_linear_of_a_large_matrix_is_the_same_in_parts(monkeypatch):
    linear = QuantisedLinear(quantise(random_matrix(100, 64), 4))
    states = random_matrix(200, 64)
    whole = linear(states)
    monkeypatch.setattr("core.precision._PART_BYTES", 32 * 64 * 4)
    assert torch.allclose(linear(states), whole, atol=1e-6)
