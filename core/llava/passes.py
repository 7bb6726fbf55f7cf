"""What the decode loop asks of a forward pass, what goes into a prefill, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from core.llava.tokenizer import IMAGE_TOKEN_INDEX

ImageInput = Any
"""What the encoder of a model takes: pixel values for LLaVA-1.5's, see `ImageEncoder` and
`core.chat.loop` for others."""


ImageFeatures = Any
"""What `SlotForward.image_features` returned: what a prompt has in the place of its images."""


class SlotForward(Protocol):
    """Prefill and decode step over the slots of a static KV cache, as the decode loop needs them.

    `ForwardPass` is ours, for decoders like a Llama's; `core.chat.module_forward` runs those of
    transformers. A slot has a position and a token to continue from, as a prefill leaves it, until
    `set_idle`. Not safe for two threads at once.
    """

    runs_ahead: bool
    """The device works asynchronously: a step may be launched before the ids of the previous one
    are read."""
    mixes_prefill_and_decode: bool
    """A prefill and the step of other slots run as one pass."""

    @property
    def quantizes_cache(self) -> bool:
        """Keys and values are kept in 8 bits."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        ...

    def slots_that_fit(self, length: int) -> int:
        """Returns how many slots of `length` positions fit into the GPU's free memory; 0 on a
        CPU."""
        ...

    def reserve(self, slots: int, length: int) -> None:
        """Resizes the KV cache to `slots` rows of at least `length` positions.

        What is cached survives if `slots` is unchanged.
        """
        ...

    def release(self) -> None:
        """Frees the KV cache, and all that uses it."""
        ...

    def warm_up(self, length: int) -> None:
        """On CUDA, does beforehand what a first answer would wait for."""
        ...

    def set_token(self, slot: int, token: int) -> None:
        """Lets `slot` continue from `token` instead of the likeliest one."""
        ...

    def set_idle(self, slot: int) -> None:
        """Decode steps leave `slot` alone from now on. What it has cached stays."""
        ...

    def image_features(self, image: ImageInput, count: int | None = None) -> ImageFeatures:
        """Returns what stands for an image, or for the last `count` positions of it."""
        ...

    def prefill_begin(self, count: int, cached: int) -> int:
        """Where the prefill of a prompt of `count` positions best begins, if so many positions are
        cached and its image, or the last of them, is not."""
        ...

    def step(self, prompt: Prompt | None = None) -> StepOutput:
        """Moves every busy slot one token further, and prefills `prompt` into its own idle slot.

        Where `mixes_prefill_and_decode` is false, a prompt is prefilled alone and the other slots
        stay where they are. The likeliest next token of each slot becomes its token. The output
        has a row for each slot up to the last busy one, or that of the prompt alone.
        """
        ...

    def logits_after(
        self,
        ids: Sequence[int],
        features: ImageFeatures | None,
        count: int,
        *,
        slot: int = 0,
        begin: int = 0,
    ) -> Iterator[Tensor]:
        """Yields float32 logits (rows, vocabulary), `count` rows in all: those after the last
        `count` of `ids`, which begin at position `begin` of `slot`. Changes nothing in the cache.
        """
        ...


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

    Each id of -200 stands for one position of an image, whose `features` are those of the forward
    pass that runs the prompt: (positions, hidden size), in order, or the image as a whole.
    """

    slot: int
    begin: int
    ids: Sequence[int]
    features: ImageFeatures | None

    @property
    def end(self) -> int:
        """The position behind the last id."""
        return self.begin + len(self.ids)

    @property
    def has_whole_image(self) -> bool:
        """Whether it contains its image, in consecutive positions."""
        if self.features is None:
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
