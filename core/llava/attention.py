"""Attention of a prompt's rows over the cached positions, by torch's scaled dot product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention.bias import CausalBias, causal_lower_right

from core.llava.quantized_cache import LayerCache, as_tensor

# On a CPU, so many rows are masked at a time: masked positions of later rows are not computed.
_MASKED_ROWS = 128


class PromptAttention:
    """For models with these numbers of heads, on one device and in one dtype."""

    def __init__(
        self, heads: int, key_heads: int, head_dim: int, device: torch.device, dtype: torch.dtype
    ):
        self._heads, self._key_heads, self._head_dim = heads, key_heads, head_dim
        self._device, self._dtype = device, dtype
        self._attend = partial(
            functional.scaled_dot_product_attention, enable_gqa=heads != key_heads
        )

    def causal_mask(self, count: int, end: int) -> Any:
        """What `over_cache` takes for the last `count` of `end` positions.

        Each sees itself and all positions before it. None where no mask is needed.
        """
        if count in (1, end):
            return None
        if self._device.type == "cuda":
            return causal_lower_right(count, end)
        mask = torch.full((count, end), float("-inf"), device=self._device, dtype=self._dtype)
        return mask.triu_(end - count + 1)

    def queries(self, states: Tensor) -> Tensor:
        """(rows, heads × head_dim) → (rows, query heads, head_dim), a view."""
        width = self._heads * self._head_dim
        return states[:, :width].view(len(states), self._heads, -1)

    def over_cache(self, states: Tensor, cache: LayerCache, mask: Any = None) -> Tensor:
        """`states` (rows, heads × head_dim) → (rows, query heads × head_dim).

        The rows attend to the positions of one slot's `cache` (2 × key heads, positions, head_dim).
        `mask` is (rows, positions); on a CPU it must be that of `causal_mask`. Without one, a
        single row attends to all positions, and as many rows as positions attend causally.
        """
        count, end = len(states), cache.shape[1]
        queries = self.queries(states).transpose(0, 1)[None]
        whole = as_tensor(cache, self._dtype)
        keys, values = whole[None, : self._key_heads], whole[None, self._key_heads :]
        with _without_cudnn():
            if self._device.type == "cpu" and mask is not None:
                attention = self._in_blocks(queries, keys, values, mask)
            else:
                if isinstance(mask, CausalBias) and self._heads != self._key_heads:
                    # With fewer key heads torch would make a matrix of all rows and positions
                    # for each head.
                    group = self._heads // self._key_heads
                    keys, values = (each.repeat_interleave(group, 1) for each in (keys, values))
                is_causal = mask is None and count == end
                attention = self._attend(queries, keys, values, attn_mask=mask, is_causal=is_causal)
        return attention[0].transpose(0, 1).reshape(count, -1)

    def over_itself(self, states: Tensor) -> Tensor:
        """`states` (rows, heads × head_dim) → (rows, query heads × head_dim), causally.

        For rows that are a prompt from its beginning: nothing need be read from the cache.
        """
        count = len(states)
        sizes = (self._heads, self._key_heads, self._key_heads)
        query, key, value = (
            part.transpose(0, 1)[None]
            for part in states.view(count, -1, self._head_dim).split(sizes, 1)
        )
        attention = self._attend(query, key, value, is_causal=True)
        return attention[0].transpose(0, 1).reshape(count, -1)

    def _in_blocks(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        count, end = queries.shape[2], keys.shape[2]
        parts = []
        for first in range(0, count, _MASKED_ROWS):
            last = min(first + _MASKED_ROWS, count)
            seen = end - count + last
            parts.append(
                self._attend(
                    queries[:, :, first:last],
                    keys[:, :, :seen],
                    values[:, :, :seen],
                    attn_mask=mask[first:last, :seen],
                )
            )
        return torch.cat(parts, 2)


@contextmanager
def _without_cudnn() -> Iterator[None]:
    """Within, cuDNN's attention is disabled: it plans for each new length, for up to a second."""
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
