"""How a decode step's attention is divided among blocks, and what they keep between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.llava.kernels.shape import KernelShape

# With few slots more blocks keep the GPU busy. With many a block takes as much as leaves so many
# blocks: each begins with the query and ends with what all its threads have summed. On an H200, 64
# slots of 656 positions take 115 µs in parts of 256 with 32 heads in 8 bits, and 97 whole; in 16
# bits 75 and 56 with 8 key heads of 4 queries each.
_FEW_SLOTS, _ENOUGH_BLOCKS = 4, 512
# With few slots, by the bits of the cache: in 8 bits each of four warps takes 32 positions at once.
_PART = {16: 64, 8: 128}
# With so many queries to a key or more, combining parts takes long: they are no more than these.
# An estimate of how long the last block waits for its loads, not measured.
_MANY_QUERIES, _MOST_PARTS = 5, 48
# Where a block is bound by its loads alone, as with 16 bits and one query to a key: 168 and 176 µs.
_MOST_OF_ONE_QUERY = 256
_UNIT = 32


@dataclass(frozen=True, eq=False)
class AttentionScratch:
    """Memory of the attention kernel, of which each block handles `part` positions.

    `partial` is float32 (slots × query heads, parts, head_dim + 2): each part's result, its maximum
    and its sum of weights. `ended` is int32 (slots, key heads): how many parts have finished; zero
    between two calls.
    """

    part: int
    partial: Tensor
    ended: Tensor

    @staticmethod
    def allocate(
        slots: int,
        length: int,
        key_heads: int,
        shape: KernelShape,
        device: torch.device,
    ) -> AttentionScratch:
        """For a cache of `slots` × `length` positions of a model of `shape`."""
        part = _part(slots, length, key_heads, shape)
        heads, parts = slots * key_heads * shape.group, -(-length // part)
        return AttentionScratch(
            part,
            torch.empty(heads, parts, shape.head_dim + 2, device=device),
            torch.zeros(slots, key_heads, dtype=torch.int32, device=device),
        )


def _part(slots: int, length: int, key_heads: int, shape: KernelShape) -> int:
    if slots <= _FEW_SLOTS:
        part = _PART[shape.cache_bits]
        if shape.group < _MANY_QUERIES:
            return part
        return max(part, -(-length // (_MOST_PARTS * _UNIT)) * _UNIT)
    parts = max(1, _ENOUGH_BLOCKS // (slots * key_heads))
    part = max(2, -(-length // (parts * _UNIT))) * _UNIT
    is_bound_by_loads = shape.cache_bits == 16 and shape.group == 1
    return min(part, _MOST_OF_ONE_QUERY) if is_bound_by_loads else part
