"""The kernels that multiply one row, run without a graphics card, against float64."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from core.llava.kernels.shape import KernelShape
from core.llava.quantized import quantize
from core.transcript import WeightFormat
from tests.support.emulated_products import EmulatedProducts
from tests.support.tiers import mostly_slow

EPS = 1e-5
# LLaVA-OneVision's Qwen2 7B: an MLP that no other has so wide, and biases.
ONEVISION = KernelShape(torch.bfloat16, 16, 3584, 18944, 128, 7, has_bias=True)
SHAPES = [
    replace(ONEVISION, dtype=dtype, bits=bits, is_float8=is_float8)
    for dtype in (torch.bfloat16, torch.float16)
    for bits, is_float8 in ((16, False), (8, False), (4, False), (8, True))
]
SHAPES += [replace(SHAPES[4], hidden=4096, inner=11008, has_bias=False)]
A_FEW = [SHAPES[0], SHAPES[6], SHAPES[7]]
"""In 16 and 4 bits and FP8."""


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Those of a shape, compiled when first asked for."""
    found = {}

    def of(shape):
        if shape not in found:
            found[shape] = EmulatedProducts(tmp_path_factory.mktemp("products"), shape)
        return found[shape]

    return of


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def drawn(shape, *size):
    return torch.randn(size).to(shape.dtype)


def matrix(shape, rows, columns, kind=None):
    """As a kernel takes it, and what it stands for in float64."""
    weight = drawn(shape, rows, columns) / columns**0.5
    if shape.bits == 16:
        return weight, weight.double()
    of_layers = {8: WeightFormat.INT8, 4: WeightFormat.INT4}[shape.bits]
    quantized = quantize(weight, kind or (WeightFormat.FP8 if shape.is_float8 else of_layers))
    return quantized, quantized.dequantized(torch.float32).double()


def normalised(row, gain):
    row = row.double()
    return row * torch.rsqrt(row.square().mean(-1, keepdim=True) + EPS) * gain.double()


def is_near(found, right, shape):
    tolerance = 2e-3 if shape.dtype == torch.float16 else 1.5e-2
    return (found.double() - right).norm() < tolerance * right.norm()


@pytest.mark.parametrize("shape", mostly_slow(SHAPES, A_FEW))
def test_products_of_one_row_reach_every_column_and_have_the_biases(products, shape):
    mine = products(shape)
    hidden, inner = drawn(shape, 1, shape.hidden), drawn(shape, 1, shape.inner)
    gain, outputs = 1 + drawn(shape, shape.hidden) / 10, 37
    ready = normalised(hidden, gain)
    weight, right = matrix(shape, outputs, shape.hidden)
    bias = drawn(shape, outputs) if shape.has_bias else None
    given = mine.norm_gemv(weight, hidden, gain, EPS, bias)
    assert is_near(given, ready @ right.T + (0 if bias is None else bias.double()), shape)
    weight, right = matrix(shape, 2 * outputs, shape.hidden)
    gate, value = (ready @ right.T).chunk(2, -1)
    given = mine.norm_gemv_gated(weight, hidden, gain, EPS)
    assert is_near(given, functional.silu(gate) * value, shape)
    weight, right = matrix(shape, outputs, shape.hidden, WeightFormat.INT8)
    assert is_near(mine.norm_gemv_logits(weight, hidden, gain, EPS), ready @ right.T, shape)
    weight, right = matrix(shape, outputs, shape.inner)
    before = drawn(shape, 1, outputs)
    after = before.clone()
    mine.gemv_add(weight, inner, after)
    assert is_near(after, before.double() + inner.double() @ right.T, shape)


@pytest.mark.parametrize("inner", [11008, 18944])
def test_rows_of_any_mlp_are_rounded_to_fp8(products, inner):
    shape = replace(SHAPES[7], inner=inner)
    gates = drawn(shape, 2, 2 * inner)
    gates[1, -1] = gates[1, inner - 1] = 30
    gate, value = gates.double().chunk(2, -1)
    rows = products(shape).silu_and_mul_float8(gates)
    exact = functional.silu(gate) * value
    assert is_near(rows.scales[:, 0], exact.abs().amax(1) / 448, shape)
    far = (rows.dequantized(torch.float64) - exact).abs()
    # Four significant bits, and fewer below 2⁻⁶.
    assert (far <= exact.abs() / 15 + rows.scales * 2**-9).all()
