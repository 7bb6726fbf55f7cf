"""What goes into a pass through a language model's layers, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from core.llava.linear import DecoderLayer


@dataclass(frozen=True, eq=False)
class Prompt:
    """What goes into `slot` from position `begin` on: the ids of -200, one beside the other, are
    the rows of `features`."""

    slot: int
    begin: int
    ids: Sequence[int]
    features: Tensor | None

    @property
    def end(self) -> int:
        """The position after its last id."""
        return self.begin + len(self.ids)

    @property
    def is_whole(self) -> bool:
        """Whether it begins a conversation with an image."""
        return self.begin == 0 and self.features is not None


@dataclass(frozen=True, eq=False)
class PrefillRows:
    """A prompt on its way through the layers: `hidden` (rows, hidden), of which the first `count`,
    int64 (1,), are its own; `place` int64 (2,) is its first position and its slot.

    `attend` keeps its keys and values, and gives its attention; of the last layer, that of its
    last row alone.
    """

    hidden: Tensor
    attend: Callable[[DecoderLayer, Tensor], Tensor]
    place: Tensor
    count: Tensor


class StepOutput:
    """What a pass came to, for the slots from `first` on."""

    def __init__(self, logits: Tensor, told: Callable[[], list[int]], first: int = 0):
        self.logits, self._told, self._first = logits, told, first

    def logits_of(self, slot: int) -> Tensor:
        """float32 (1, vocab), good until the next pass."""
        return self.logits[slot - self._first : slot - self._first + 1]

    def ids(self) -> Callable[[int], int]:
        """The likeliest id of each slot. Waits for the pass; good until four more have begun."""
        told = self._told()
        return lambda slot: told[slot - self._first]
