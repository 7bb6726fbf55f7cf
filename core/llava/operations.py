"""The small operations of a Llama decoder in torch's own calls, for every device and precision.

`core.llava.kernels.launch.Kernels` does the same on a card with one kernel each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a step's rows stand: `positions` (rows,), the `span` that is read, and what of it is
    masked for which row, (rows, 1, 1, span); None masks nothing, and one row is at its end. The
    tables are those of the rows, (rows, head_dim)."""

    positions: Tensor
    rows: Tensor
    span: int
    mask: Tensor | None
    cosine: Tensor
    sine: Tensor


class TorchOperations:
    """Tables are of the model's dtype, (length, head_dim); the sine carries rotate_half's sign."""

    def __init__(self, dtype: torch.dtype, head_dim: int, group: int):
        self.table_dtype = dtype
        self._head_dim, self._group = head_dim, group

    def add_rms_norm(
        self, hidden: Tensor, delta: Tensor | None, gain: Tensor, eps: float
    ) -> Tensor:
        """Adds `delta` to `hidden` (rows, hidden) in place, and returns the sum normalised."""
        if delta is not None:
            hidden += delta
        return functional.rms_norm(hidden, gain.shape, gain, eps)

    def silu_and_mul(self, gates: Tensor) -> Tensor:
        """(rows, 2 × inner) → (rows, inner): silu(gate) × value, in place."""
        gate, value = gates.chunk(2, -1)
        # Fresh memory would take as long as the arithmetic.
        return functional.silu(gate, inplace=True).mul_(value)

    def rope_and_cache(
        self, states: Tensor, cache: Tensor, cosine: Tensor, sine: Tensor, begin: int
    ) -> None:
        """Turns queries and keys of `states` (rows, heads × head_dim) in place to the positions
        from `begin` on, and copies keys and values to `cache` (2 × key heads, length, head_dim)."""
        count, key_heads = len(states), len(cache) // 2
        end = begin + count
        heads = self._turned(states, cosine[begin:end], sine[begin:end], key_heads)
        cache[:, begin:end] = heads[:, key_heads * self._group :].transpose(0, 1)

    def step_positions(self, positions: Tensor, span: int, cosine: Tensor, sine: Tensor) -> _Place:
        """`span` positions of the cache are read, those behind a row's own masked.

        A row at a negative position has nothing to say, and writes at the last one.
        """
        length = cosine.shape[0]
        positions = positions.remainder(length)
        rows = torch.arange(len(positions), device=positions.device)
        mask = None
        if len(positions) > 1 or span == length:
            is_behind = torch.arange(span, device=positions.device) > positions[:, None]
            mask = torch.zeros(is_behind.shape, device=positions.device, dtype=self.table_dtype)
            mask = mask.masked_fill_(is_behind, float("-inf"))[:, None, None]
        return _Place(positions, rows, span, mask, cosine[positions], sine[positions])

    def decode_attention(self, states: Tensor, cache: Tensor, place: _Place) -> Tensor:
        """One decode step's attention: (rows, heads × head_dim) → (rows, query heads × head_dim).

        Turns queries and keys to their positions, and keeps keys and values in `cache` (slots,
        2 × key heads, length, head_dim).
        """
        count, key_heads = states.shape[0], cache.shape[1] // 2
        heads = self._turned(states, place.cosine, place.sine, key_heads)
        queries = key_heads * self._group
        if place.mask is None:
            cache[0, :, place.span - 1] = heads[0, queries:]
        else:
            cache[place.rows, :, place.positions] = heads[:, queries:]
        # Query heads that share a key stand as queries beside each other: no key is repeated.
        attention = functional.scaled_dot_product_attention(
            heads[:, :queries].reshape(count, key_heads, -1, self._head_dim),
            cache[:count, :key_heads, : place.span],
            cache[:count, key_heads:, : place.span],
            attn_mask=place.mask,
        )
        return attention.reshape(count, -1)

    def _turned(self, states: Tensor, cosine: Tensor, sine: Tensor, key_heads: int) -> Tensor:
        """`states` as heads, (rows, heads, head_dim), queries and keys turned in place."""
        heads = states.view(states.shape[0], -1, self._head_dim)
        turned = heads[:, : key_heads * (self._group + 1)]
        partner = turned.roll(self._head_dim // 2, -1)
        torch.addcmul(turned * cosine[:, None], partner, sine[:, None], out=turned)
        return heads
