"""The operations of a Llama decoder between its matrices, by torch, for every device and precision.

`core.llava.kernels.launch.Kernels` has the same methods, each with one kernel on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from core.llava.float8 import Float8Rows, RawProduct, scaled
from core.llava.quantized_cache import LayerCache, as_tensor

BROKEN = -1
"""Stands for a token id where the logits were not finite."""


def likeliest(logits: Tensor) -> Tensor:
    """Returns the likeliest token of each row of logits, int64; `BROKEN` where they are not finite.

    The maximum of a row with NaN is NaN. Costs no wait for the device, and may be captured.
    """
    highest = logits.max(-1)
    is_broken = highest.values - highest.values != 0  # Infinity less itself is NaN too.
    return highest.indices.masked_fill(is_broken, BROKEN)


@dataclass(frozen=True, eq=False)
class _StepPositions:
    """`positions` int64 (rows,) of a decode step, and the `span` of positions that it reads.

    `mask` (rows, 1, 1, span) excludes the positions behind each row's own. It is None for a single
    row at the end of the span. `cosine` and `sine` (rows, head_dim) are those of the positions.
    """

    positions: Tensor
    rows: Tensor
    span: int
    mask: Tensor | None
    cosine: Tensor
    sine: Tensor


class TorchOperations:
    """Operations on tensors of one dtype, `group` query heads per key head.

    Rotary tables have the model's dtype and are (length, head_dim); the sine has the sign of
    rotate_half built in.
    """

    def __init__(self, dtype: torch.dtype, head_dim: int, group: int):
        self.table_dtype = dtype
        self._head_dim, self._group = head_dim, group

    def add_rms_norm(
        self, hidden: Tensor, delta: Tensor | RawProduct | None, gain: Tensor, eps: float
    ) -> Tensor:
        """Adds `delta` to `hidden` in place; returns the RMS-normalized sum times `gain`.

        `hidden`, `delta` and the result are (rows, hidden size), `gain` (hidden size,).
        """
        if delta is not None:
            hidden += scaled(delta)
        return functional.rms_norm(hidden, gain.shape, gain, eps)

    def silu_and_mul(self, gates: Tensor) -> Tensor:
        """(rows, 2 × inner) → (rows, inner): silu(gate) × value, a view of `gates`."""
        gate, value = gates.chunk(2, -1)
        # In place: allocating memory would take as long as the arithmetic.
        return functional.silu(gate, inplace=True).mul_(value)

    def add_rms_norm_float8(
        self, hidden: Tensor, delta: Tensor | RawProduct | None, gain: Tensor, eps: float
    ) -> Float8Rows:
        """`add_rms_norm` with the result in FP8."""
        return Float8Rows.rounded(self.add_rms_norm(hidden, delta, gain, eps))

    def silu_and_mul_float8(self, gates: Tensor | RawProduct) -> Float8Rows:
        """`silu_and_mul` with the result in FP8."""
        return Float8Rows.rounded(self.silu_and_mul(scaled(gates)))

    def round_to_float8(self, states: Tensor) -> Float8Rows:
        """(rows, columns) in FP8."""
        return Float8Rows.rounded(states)

    def rope_and_cache(
        self, states: Tensor, cache: LayerCache, cosine: Tensor, sine: Tensor, begin: int
    ) -> None:
        """Rotates queries and keys of `states` in place; copies keys and values to `cache`.

        `states` (rows, heads × head_dim) has the query, key and value heads of the positions from
        `begin` on; `cache` is that of one slot, (2 × key heads, length, head_dim).
        """
        count, key_heads = len(states), len(cache) // 2
        end = begin + count
        heads = self._rotated(states, cosine[begin:end], sine[begin:end], key_heads)
        cache[:, begin:end] = heads[:, key_heads * self._group :].transpose(0, 1)

    def step_positions(
        self, positions: Tensor, span: int, cosine: Tensor, sine: Tensor
    ) -> _StepPositions:
        """What `decode_attention` needs to know of a step at `positions`, int64 (rows,).

        `span` positions of the cache are read. A row with a negative position (an idle slot) writes
        to the last position of its slot; its result is undefined.
        """
        length = cosine.shape[0]
        positions = positions.remainder(length)
        rows = torch.arange(len(positions), device=positions.device)
        mask = None
        if len(positions) > 1 or span == length:
            is_behind = torch.arange(span, device=positions.device) > positions[:, None]
            mask = torch.zeros(is_behind.shape, device=positions.device, dtype=self.table_dtype)
            mask = mask.masked_fill_(is_behind, float("-inf"))[:, None, None]
        return _StepPositions(positions, rows, span, mask, cosine[positions], sine[positions])

    def decode_attention(
        self, states: Tensor | RawProduct, cache: LayerCache, at: _StepPositions
    ) -> Tensor:
        """One decode step: (rows, heads × head_dim) → (rows, query heads × head_dim).

        Rotates queries and keys to each row's position, writes keys and values to `cache` (slots,
        2 × key heads, length, head_dim), and attends to all positions up to it.
        """
        states = scaled(states)
        count, key_heads = states.shape[0], cache.shape[1] // 2
        heads = self._rotated(states, at.cosine, at.sine, key_heads)
        queries = key_heads * self._group
        if at.mask is None:
            cache[0, :, at.span - 1] = heads[0, queries:]
        else:
            cache[at.rows, :, at.positions] = heads[:, queries:]
        read = as_tensor(cache[:count, :, : at.span], states.dtype)
        # Query heads that share a key head become its queries, so that no key is repeated.
        attention = functional.scaled_dot_product_attention(
            heads[:, :queries].reshape(count, key_heads, -1, self._head_dim),
            read[:, :key_heads],
            read[:, key_heads:],
            attn_mask=at.mask,
        )
        return attention.reshape(count, -1)

    def next_token(self, logits: Tensor, ids: Tensor, positions: Tensor) -> None:
        """Sets `ids` to the likeliest token of each slot, and moves `positions` one further.

        `logits` is float32 (slots, vocabulary), `ids` and `positions` are int64 (slots,). A slot
        with a negative position stays as it is.
        """
        is_busy = positions >= 0
        ids.copy_(torch.where(is_busy, likeliest(logits), ids))
        positions += is_busy

    def _rotated(self, states: Tensor, cosine: Tensor, sine: Tensor, key_heads: int) -> Tensor:
        """`states` as heads, (rows, heads, head_dim), queries and keys turned in at."""
        heads = states.view(states.shape[0], -1, self._head_dim)
        rotated = heads[:, : key_heads * (self._group + 1)]
        partner = rotated.roll(self._head_dim // 2, -1)
        torch.addcmul(rotated * cosine[:, None], partner, sine[:, None], out=rotated)
        return heads
