"""However few rows go through a matrix, the product is the one."""

import pytest
import torch
from torch import nn

from core.llava.linear import Dequantizer, Matrix


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("sizes", [(96,), (64, 64, 32), (2048,), (2049,), (4064,)])
def test_product_is_the_same_for_any_number_of_rows(sizes, bias, dtype):
    torch.manual_seed(0)
    modules = [nn.Linear(48, size, bias, dtype=dtype) for size in sizes]
    together = Matrix.joined(modules, Dequantizer(None))
    for rows in (1, 2, 3, 4, 5, 8, 16, 17, 40):
        states = torch.randn(rows, 48, dtype=dtype)
        right = torch.cat(
            [
                states.double() @ module.weight.double().t()
                + (0 if module.bias is None else module.bias.double())
                for module in modules
            ],
            1,
        )
        product = together(states)
        assert product.shape == right.shape
        # Who reads it takes it apart row by row.
        assert product.is_contiguous()
        tolerance = 1e-5 if dtype == torch.float32 else 3e-2
        torch.testing.assert_close(product.double(), right, rtol=tolerance, atol=tolerance)
