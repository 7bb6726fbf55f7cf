"""The attention of transformers' modules, layer by layer, for the last rows of a prompt.

transformers returns whole matrices, and those of all layers at once. Here its own attention runs,
and what the last rows attend to is computed beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

OnAttention = Callable[[int, Callable[[], Tensor]], None]
"""Called for each layer with its number, and what computes its attention, float32 (heads, rows,
positions)."""


@contextmanager
def attention_noted(decoder: nn.Module, count: int, on_attention: OnAttention) -> Iterator[None]:
    """Calls `on_attention` for each layer that `decoder` runs meanwhile, with the last `count`
    rows. Some layers run no more than these."""
    own = set(decoder.modules())

    def attend(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        **more: Any,
    ) -> tuple[Tensor, None]:
        def attention() -> Tensor:
            is_causal = more.get("is_causal")
            is_causal = module.is_causal if is_causal is None else is_causal
            mask = attention_mask
            if mask is None and not is_causal:
                mask = torch.ones(1, 1, count, key.shape[2], dtype=torch.bool, device=key.device)
            return _rows(query[0, :, -count:], key[0], mask, more.get("scaling"))

        if module in own:
            on_attention(module.layer_idx, attention)
        return sdpa_attention_forward(module, query, key, value, attention_mask, **more)

    # Every model asks here for its attention. A name of its own would need a mask of its own too.
    ALL_ATTENTION_FUNCTIONS["sdpa"] = attend
    try:
        yield
    finally:
        del ALL_ATTENTION_FUNCTIONS["sdpa"]


def _rows(queries: Tensor, keys: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    """Attention of `queries` (heads, rows, dim), those of the last positions, to `keys` (key heads,
    positions, dim). Without a mask, each row attends to all before it."""
    heads, count, dim = queries.shape
    grouped = queries.reshape(len(keys), -1, dim) * (dim**-0.5 if scaling is None else scaling)
    scores = (grouped @ keys.transpose(1, 2)).view(heads, count, -1).float()
    if mask is None:
        first = keys.shape[1] - count
        is_later = torch.ones_like(scores[0], dtype=torch.bool).triu(first + 1)
        scores = scores.masked_fill(is_later, float("-inf"))
    elif mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask[0, :, -count:], float("-inf"))
    else:
        scores = scores + mask[0, :, -count:]
    return scores.softmax(-1)
