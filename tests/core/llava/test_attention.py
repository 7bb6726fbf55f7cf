"""Attention of a prompt's rows over what is cached, against float64, on each kind of device."""

import pytest
import torch
from torch.nn import functional

from core.llava.attention import PromptAttention

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("heads", "key_heads"), [(8, 8), (8, 2), (28, 4)])
def test_rows_see_what_is_cached_before_them_and_none_behind(device, heads, key_heads):
    torch.manual_seed(0)
    head_dim = 64
    dtypes = [torch.float32] + [torch.float16] * (device == "cuda")
    for dtype in dtypes:
        attention = PromptAttention(heads, key_heads, head_dim, torch.device(device), dtype)
        for count, end in ((300, 304), (5, 300), (1, 40), (64, 64)):
            states = torch.randn(count, (heads + 2 * key_heads) * head_dim, device=device)
            cache = torch.randn(2 * key_heads, end, head_dim, device=device)
            queries = states.double()[:, : heads * head_dim].view(count, heads, head_dim)
            keys, values = cache.double().split(key_heads)
            hidden = torch.full((count, end), float("-inf"), dtype=torch.float64, device=device)
            right = functional.scaled_dot_product_attention(
                queries.transpose(0, 1)[None],
                keys[None],
                values[None],
                attn_mask=hidden.triu_(end - count + 1),
                enable_gqa=True,
            )
            right = right[0].transpose(0, 1).reshape(count, -1)
            mask = attention.causal_mask(count, end)
            found = attention.over_cache(states.to(dtype), cache.to(dtype), mask)
            error = (found.double() - right).norm() / right.norm()
            assert error < (1e-5 if dtype == torch.float32 else 2e-3), (dtype, count, end)
