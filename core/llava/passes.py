"""What goes into a prefill, and what comes out of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Prompt:
    """Token ids to prefill into `slot`, starting at position `begin`.

    Each id of -200 stands for one row of `features` (rows, hidden size), in order; they are
    consecutive.
    """

    slot: int
    begin: int
    ids: Sequence[int]
    features: Tensor | None

    @property
    def end(self) -> int:
        """The position behind the last id."""
        return self.begin + len(self.ids)

    @property
    def is_full(self) -> bool:
        """Whether it begins at position 0 and contains its image."""
        return self.begin == 0 and self.features is not None


class StepOutput:
    """The result of a step or prefill for the slots from `first` on."""

    def __init__(self, logits: Tensor, ids: Callable[[], list[int]], first: int = 0):
        """`ids` waits for the likeliest token of each slot."""
        self.logits, self._ids, self._first = logits, ids, first

    def logits_of(self, slot: int) -> Tensor:
        """float32 (1, vocabulary), overwritten by the next step."""
        return self.logits[slot - self._first : slot - self._first + 1]

    def ids(self) -> Callable[[int], int]:
        """Waits for the step; the returned function gives the likeliest token of a slot.

        Call it before four more steps are launched, which reuse the memory.
        """
        ids = self._ids()
        return lambda slot: ids[slot - self._first]
