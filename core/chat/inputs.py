"""A prompt with its images, as the family's processor returns it, as inputs of the decode loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from core.llava.cuda_graphs import to_device
from core.llava.tokenizer import IMAGE_TOKEN_INDEX


@dataclass(frozen=True, eq=False)
class ChatImage:
    """What transformers' model takes for a prompt with its images.

    `tensors` are on the CPU, as the processor returns them, with a batch of one.
    """

    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class ChatInputs:
    """The inputs of one answer for the decode loop.

    `positions` has -200 for each position of the images. `pixel_values` float32 are those of all
    images.
    """

    prompt: str
    positions: list[int]
    pixel_values: np.ndarray
    image: ChatImage
    max_new_tokens: int
    left_out: int = 0

    @property
    def length(self) -> int:
        """The number of positions the language model sees."""
        return len(self.positions)


def image_token_of(config: Any) -> int | None:
    """Returns the id that stands for a position of an image; None if the model has none."""
    for name in ("image_token_id", "image_token_index"):
        number = getattr(config, name, None)
        if isinstance(number, int):
            return number
    return None


def chat_inputs(
    prompt: str,
    tensors: Mapping[str, Tensor],
    max_new_tokens: int,
    left_out: int,
    image_token: int | None,
) -> ChatInputs:
    """Returns the tensors that the processor made of a prompt as inputs of the loop."""
    ids = tensors["input_ids"][0].tolist()
    positions = [IMAGE_TOKEN_INDEX if one == image_token else one for one in ids]
    pixels = tensors["pixel_values"].float().numpy()
    return ChatInputs(prompt, positions, pixels, ChatImage(tensors), max_new_tokens, left_out)


def on_device(tensors: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Returns the processor's tensors on the device of `model`, pixels in its precision."""
    return {
        name: to_device(tensor, model.device).to(
            model.dtype if tensor.is_floating_point() else tensor.dtype
        )
        for name, tensor in tensors.items()
    }
