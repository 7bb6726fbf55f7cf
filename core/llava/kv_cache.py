"""The static KV cache: keys and values of each slot, and the position that it has reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from core.device.memory import LENGTH_STEP
from core.llava.quantized_cache import LayerCache, QuantizedCache, as_tensor

# Of free GPU memory, activations and other programs get a quarter, but at most so many bytes.
_SHARE_LEFT, _MOST_LEFT = 0.25, 1_500_000_000

IDLE = -1
"""The position of a slot that decode steps leave alone."""


class KVCache:
    """Keys and values of `slots` sequences of up to `length` positions; both are 0 until `resize`.

    `layers` has one tensor per decoder layer, (slots, 2 × key heads, length, head_dim) with the key
    heads first; in 8 bits where the cache `is_quantized`. `state` int64 (2, slots) is what a
    decode step continues from: the token id of each slot, and its position, negative if it is idle.
    `positions` is the same row on the host. `cosine` and `sine` (length, head_dim) are the rotary
    tables.

    Captured graphs read and write these tensors, so `resize` and `release` invalidate them. Which
    text is cached in which slot is the caller's knowledge.
    """

    def __init__(
        self,
        layer_count: int,
        key_heads: int,
        head_dim: int,
        device: torch.device,
        dtype: torch.dtype,
        rotary_tables: Callable[[int], tuple[Tensor, Tensor]],
        *,
        is_quantized: bool = False,
    ):
        """`rotary_tables` returns cosine and sine for a number of positions."""
        self._layer_count, self._key_heads, self._head_dim = layer_count, key_heads, head_dim
        self._device, self._dtype = device, dtype
        self._rotary_tables = rotary_tables
        self.is_quantized = is_quantized
        self.slots = self.length = 0
        self.layers: list[LayerCache] = []
        self.positions: list[int] = []
        self.state = torch.empty(2, 0, dtype=torch.int64, device=device)
        self.cosine = self.sine = torch.empty(0, head_dim, device=device)

    @property
    def bytes_per_position(self) -> int:
        """Keys and values of one position of one slot, in all layers."""
        scale = torch.float32.itemsize
        of_head = (
            self._head_dim + scale if self.is_quantized else self._head_dim * self._dtype.itemsize
        )
        return self._layer_count * 2 * self._key_heads * of_head

    @property
    def busy_slots(self) -> list[int]:
        """The slots that are not idle."""
        return [slot for slot, position in enumerate(self.positions) if position >= 0]

    def padded_length(self, length: int) -> int:
        """The length that `resize` would give a cache that must hold `length` positions."""
        return max(-(-length // LENGTH_STEP) * LENGTH_STEP, self.length)

    def slots_that_fit(self, length: int) -> int:
        """Returns how many slots of `length` positions fit into the GPU's free memory.

        The memory of the slots that are there counts as free. Leaves room for activations. Returns
        0 on a CPU.
        """
        if self._device.type != "cuda":
            return 0
        free = self.free_bytes()
        free += self.slots * self.length * self.bytes_per_position
        for_slots = free - min(_MOST_LEFT, int(_SHARE_LEFT * free))
        return max(1, for_slots // (length * self.bytes_per_position))

    def free_bytes(self) -> int:
        """The GPU's free memory, with what torch has reserved and does not use."""
        free, _ = torch.cuda.mem_get_info(self._device)
        free += torch.cuda.memory_reserved(self._device)
        return free - torch.cuda.memory_allocated(self._device)

    def unreserved_bytes(self) -> int:
        """The GPU's free memory without what torch has reserved.

        Much of that is in the pools of captured graphs, which nothing else can use.
        """
        return torch.cuda.mem_get_info(self._device)[0]

    def resize(self, slots: int, length: int) -> None:
        """Makes room for `slots` sequences of `length` positions, all idle if there was no cache.

        A cache in use keeps its number of slots and what they contain; `release` it first for
        another number. Allocates the new tensor of a layer before it frees the old one.
        """
        if self.slots == 0:
            self.positions = [IDLE] * slots
            self.state = torch.tensor([[0] * slots, [IDLE] * slots], device=self._device)
        for number in range(self._layer_count):
            grown = self._zeros(slots, 2 * self._key_heads, length, self._head_dim)
            if self.slots:
                grown[:, :, : self.length] = self.layers[number]  # type: ignore[assignment]
                self.layers[number] = grown
            else:
                self.layers.append(grown)
        self.slots, self.length = slots, length
        self.cosine, self.sine = self._rotary_tables(length)

    def keys_and_values(self, layer: int, slot: int, count: int) -> Tensor:
        """(2 × key heads, count, head_dim): what the first positions of `slot` have in `layer`, in
        the model's dtype."""
        return as_tensor(self.layers[layer][slot, :, :count], self._dtype)

    def of_one_prompt(self, length: int) -> LayerCache:
        """Room like that of one slot in one layer, (2 × key heads, length, head_dim)."""
        return self._zeros(2 * self._key_heads, length, self._head_dim)

    def _zeros(self, *shape: int) -> LayerCache:
        # Zeros: a masked position still counts 0 × its value, which must not be NaN.
        if self.is_quantized:
            return QuantizedCache.zeros(shape, self._device)
        return torch.zeros(shape, device=self._device, dtype=self._dtype)

    def release(self) -> None:
        """Frees the keys and values."""
        self.slots = self.length = 0
        self.positions = []
        self.layers = []

    def set_token(self, slot: int, token: int) -> None:
        """Lets `slot` continue from `token` instead of the likeliest one."""
        # Assignment would copy from pageable memory, which waits for all queued work.
        self.state[0, slot].fill_(token)

    def set_idle(self, slot: int) -> None:
        """Decode steps leave `slot` alone from now on. Its keys and values stay."""
        self.state[1, slot].fill_(IDLE)
        self.positions[slot] = IDLE

    def advance(self) -> None:
        """Notes on the host that a decode step moved every busy slot by one position."""
        self.positions = [at if at < 0 else at + 1 for at in self.positions]

    @contextmanager
    def all_idle(self) -> Iterator[None]:
        """Within, all slots are idle: for trial runs and captures, which must not change them."""
        state = self.state.clone()
        self.state[1] = IDLE
        yield
        self.state.copy_(state)
