"""The static KV cache: keys and values of each slot, and the position that it has reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from core.device.memory import LENGTH_STEP

# The share of free GPU memory for the KV cache; activations and other programs get the rest.
_FREE_FOR_SLOTS = 0.75

IDLE = -1
"""The position of a slot that decode steps leave alone."""


class KVCache:
    """Keys and values of `slots` sequences of up to `length` positions; both are 0 until `resize`.

    `layers` has one tensor per decoder layer, (slots, 2 × key heads, length, head_dim) with the key
    heads first. `state` int64 (2, slots) is what a decode step continues from: the token id of each
    slot, and its position, negative if the slot is idle. `positions` is the same row on the host.
    `cosine` and `sine` (length, head_dim) are the rotary tables.

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
    ):
        """`rotary_tables` returns cosine and sine for a number of positions."""
        self._layer_count, self._key_heads, self._head_dim = layer_count, key_heads, head_dim
        self._device, self._dtype = device, dtype
        self._rotary_tables = rotary_tables
        self.slots = self.length = 0
        self.layers: list[Tensor] = []
        self.positions: list[int] = []
        self.state = torch.empty(2, 0, dtype=torch.int64, device=device)
        self.cosine = self.sine = torch.empty(0, head_dim, device=device)

    @property
    def bytes_per_position(self) -> int:
        """Keys and values of one position of one slot, in all layers."""
        return self._layer_count * 2 * self._key_heads * self._head_dim * self._dtype.itemsize

    @property
    def busy_slots(self) -> list[int]:
        """The slots that are not idle."""
        return [slot for slot, position in enumerate(self.positions) if position >= 0]

    def padded_length(self, length: int) -> int:
        """The length that `resize` would give a cache that must hold `length` positions."""
        return max(-(-length // LENGTH_STEP) * LENGTH_STEP, self.length)

    def slots_that_fit(self, length: int) -> int:
        """Returns how many slots of `length` positions fit into the GPU's free memory.

        Leaves room for activations. Returns 0 on a CPU.
        """
        if self._device.type != "cuda":
            return 0
        free, _ = torch.cuda.mem_get_info(self._device)
        free += torch.cuda.memory_reserved(self._device)
        free -= torch.cuda.memory_allocated(self._device)
        return max(1, int(_FREE_FOR_SLOTS * free) // (length * self.bytes_per_position))

    def resize(self, slots: int, length: int) -> None:
        """Makes room for `slots` sequences of `length` positions, all idle if there was no cache.

        A cache in use keeps its number of slots and what they contain; `release` it first for
        another number. Allocates the new tensor of a layer before it frees the old one.
        """
        # Zeros: a masked position still counts 0 × its value, which must not be NaN.
        shape = (slots, 2 * self._key_heads, length, self._head_dim)
        if self.slots == 0:
            self.positions = [IDLE] * slots
            self.state = torch.tensor([[0] * slots, [IDLE] * slots], device=self._device)
        for number in range(self._layer_count):
            grown = torch.zeros(shape, device=self._device, dtype=self._dtype)
            if self.slots:
                grown[:, :, : self.length] = self.layers[number]
                self.layers[number] = grown
            else:
                self.layers.append(grown)
        self.slots, self.length = slots, length
        self.cosine, self.sine = self._rotary_tables(length)

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
