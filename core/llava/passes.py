"""What goes into a prefill, and what comes out of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from core.llava.tokenizer import IMAGE_TOKEN_INDEX

ImageInput = Any
"""What the encoder of a model takes: pixel values for LLaVA-1.5's, see `ImageEncoder` and
`core.chat.loop` for others."""


class Encoder(Protocol):
    """Makes the features of an image; see `ImageEncoder` for LLaVA-1.5's."""

    @property
    def is_image_fixed(self) -> bool:
        """Whether all images have the same number of tokens."""
        ...

    def features(self, image: ImageInput) -> Tensor:
        """(image tokens, hidden size) of the language model; overwritten by the next call."""
        ...

    def example(self) -> Tensor | None:
        """The features of some image, to warm up with; None if there is none."""
        ...

    def use_side_stream(self) -> None:
        """From now on images are encoded beside decode steps, where that is possible."""
        ...

    def release(self) -> None:
        """Frees the last image's features."""
        ...


@dataclass(frozen=True, eq=False)
class Prompt:
    """Token ids to prefill into `slot`, starting at position `begin`.

    Each id of -200 stands for one row of `features` (rows, hidden size), in order.
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
        """Whether it begins at position 0 and contains its image, in consecutive positions."""
        if self.begin or self.features is None:
            return False
        first = self.ids.index(IMAGE_TOKEN_INDEX)
        last = len(self.ids) - 1 - self.ids[::-1].index(IMAGE_TOKEN_INDEX)
        return last - first + 1 == len(self.features)


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
