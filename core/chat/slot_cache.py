"""transformers' cache interface over the slots of our static KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

from core.llava.kv_cache import IDLE, KVCache

LayerShape = tuple[int, int] | None
"""Key heads and head_dim of a layer; None if it uses the keys of another layer."""


class ShapedCache(KVCache):
    """A KV cache whose layers need not have the same shape.

    `layers` has one tensor per shape, (slots, 2 × key heads, length, head_dim), which is empty for
    layers without keys of their own.
    """

    def __init__(self, shapes: Sequence[LayerShape], device: torch.device, dtype: torch.dtype):
        super().__init__(len(shapes), 0, 0, device, dtype, lambda _: (self.cosine, self.sine))
        self._shapes = [shape or (0, 0) for shape in shapes]

    @property
    def bytes_per_position(self) -> int:
        """Keys and values of one position of one slot, in all layers."""
        return sum(2 * heads * dim for heads, dim in self._shapes) * self._dtype.itemsize

    def resize(self, slots: int, length: int) -> None:
        """See `KVCache.resize`."""
        if self.slots == 0:
            self.positions = [IDLE] * slots
            self.state = torch.tensor([[0] * slots, [IDLE] * slots], device=self._device)
            self.layers = [torch.empty(0)] * len(self._shapes)
        for number, (heads, dim) in enumerate(self._shapes):
            # Zeros: a masked position still counts 0 × its value, which must not be NaN.
            shape = (slots, 2 * heads, length, dim)
            grown = torch.zeros(shape, device=self._device, dtype=self._dtype)
            if self.slots:
                before: Any = self.layers[number]  # Never in 8 bits here.
                grown[:, :, : self.length] = before
            self.layers[number] = grown
        self.slots, self.length = slots, length


class Rows:
    """Which rows of the cache the pass under way reads and writes; its layers share it.

    A prefill runs one slot from `begin` on; a step writes the position `at` int64 (rows,) of each
    slot, and reads `span` positions of all.
    """

    def __init__(self, cache: KVCache):
        self.cache = cache
        self.begin = self.span = 0
        self.slot: int | None = None
        self.is_kept = True
        self.at = torch.empty(0, dtype=torch.int64)
        self.numbers = self.at

    def prefill(self, slot: int, begin: int, *, is_kept: bool = True) -> None:
        """The next pass is of one slot; unless `is_kept`, what it computes is not cached."""
        self.slot, self.begin, self.is_kept = slot, begin, is_kept

    def step(self, at: Tensor, span: int) -> None:
        """The next pass is a decode step."""
        self.slot, self.at, self.span = None, at, span
        self.numbers = torch.arange(len(at), device=at.device)


class SlotCache(Cache):
    """What a model of transformers takes as its cache: the layers of `rows.cache`."""

    def __init__(self, rows: Rows, layers: int):
        # The base class declares its own layers' types, which are not exported.
        views: list[Any] = [_SlotLayer(rows, number) for number in range(layers)]
        super().__init__(layers=views)


class _SlotLayer(CacheLayerMixin):
    """Keys and values of one layer. Sliding windows are left to the mask."""

    is_compileable = False
    is_sliding = False

    def __init__(self, rows: Rows, number: int):
        super().__init__()
        self._rows, self._number = rows, number
        self.is_initialized = True

    def lazy_initialization(self, *_: Any) -> None:
        """There is nothing to do."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Takes (rows, key heads, positions, head_dim); returns all that the pass attends to."""
        rows = self._rows
        # Never in 8 bits here.
        whole: Any = rows.cache.layers[self._number]
        heads = key_states.shape[1]
        if whole.shape[1] != 2 * heads or key_states.shape != value_states.shape:
            raise ValueError("the layers' keys and values have several shapes")
        if rows.slot is None:
            whole[rows.numbers, :heads, rows.at] = key_states[:, :, 0]
            whole[rows.numbers, heads:, rows.at] = value_states[:, :, 0]
            read = whole[: len(key_states), :, : rows.span]
            return read[:, :heads], read[:, heads:]
        own, begin = whole[rows.slot], rows.begin
        if rows.is_kept:
            end = begin + key_states.shape[2]
            own[:heads, begin:end] = key_states[0]
            own[heads:, begin:end] = value_states[0]
        if begin == 0:
            return key_states, value_states
        before = own[None, :, :begin]
        return (
            torch.cat([before[:, :heads], key_states], 2),
            torch.cat([before[:, heads:], value_states], 2),
        )

    def get_mask_sizes(self, query_length: Any) -> tuple[int, int]:
        """How many positions the rows of a prefill attend to, and the first of them."""
        # An older transformers passed the positions themselves.
        count = query_length if isinstance(query_length, int) else len(query_length)
        return self.get_seq_length() + count, 0

    def get_seq_length(self) -> int:
        """The position of the first row of a prefill. A step's are given by its mask."""
        return self._rows.span if self._rows.slot is None else self._rows.begin

    def get_max_length(self) -> int:
        """The length of the cache."""
        return self._rows.cache.length

    def get_max_cache_shape(self) -> int:
        """The length of the cache."""
        return self._rows.cache.length


class ShapeProbe(Cache):
    """Notes the shape of each layer's keys in a pass, and keeps nothing of it."""

    def __init__(self, layers: int, device: torch.device):
        self.shapes: list[LayerShape] = [None] * layers
        rows = Rows(ShapedCache((), device, torch.float32))
        probes: list[Any] = [_ProbedLayer(rows, number, self.shapes) for number in range(layers)]
        super().__init__(layers=probes)


class _ProbedLayer(_SlotLayer):
    def __init__(self, rows: Rows, number: int, shapes: list[LayerShape]):
        super().__init__(rows, number)
        self._shapes = shapes

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Returns what it takes."""
        self._shapes[self._number] = key_states.shape[1], key_states.shape[3]
        return key_states, value_states
