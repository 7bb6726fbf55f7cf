"""Our own decode loop behind transformers' own vision tower, for models of LLaVA's shape.

Prompt, pixels and image features are what transformers makes of them, family by family: the tower,
the projector, tiles and their marks. Only the language model, if it is a Llama, a Mistral or a
Qwen2, runs by `core.llava.forward`, with its static KV cache, slots and kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.llava.decoding import DecodeLoop, decode_loop
from core.llava.language_model import decoder_of
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


def chat_loop(model: Any, end_ids: frozenset[int]) -> DecodeLoop | None:
    """Returns the loop for `model`, or None if only `generate()` can run it; the log says why."""
    if image_token_of(model.config) is None:
        return None
    return decode_loop(model, end_ids, ChatEncoder(model))


def image_token_of(config: Any) -> int | None:
    """Returns the id that stands for a position of an image; None if the model has none."""
    for name in ("image_token_id", "image_token_index"):
        number = getattr(config, name, None)
        if isinstance(number, int):
            return number
    return None


class ChatEncoder:
    """Makes image features by transformers' own model: those that its language model would get."""

    def __init__(self, model: Any):
        self._model, self._decoder = model, decoder_of(model)
        self._image_token = image_token_of(model.config)
        self._encoded: tuple[ChatImage, Tensor] | None = None
        # Others cut an image into tiles, by its shape.
        self.is_image_fixed = model.config.model_type == "llava"

    @torch.inference_mode()
    def features(self, image: ChatImage) -> Tensor:
        """(image tokens, hidden size), of all images of the prompt."""
        if self._encoded is None or self._encoded[0] is not image:
            self._encoded = None
            tensors = on_device(image.tensors, self._model)
            embedded = self._embedded(tensors)
            features = embedded[0][tensors["input_ids"][0] == self._image_token]
            self._encoded = image, features
        return self._encoded[1]

    def example(self) -> None:
        """There is no image to warm up with."""

    def use_side_stream(self) -> None:
        """Its towers are not captured, so that there is nothing to run aside."""

    def release(self) -> None:
        """Frees the last image's features."""
        self._encoded = None

    def _embedded(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """(1, positions, hidden size): what transformers' model passes to its language model."""

        def catch(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            raise _Embedded(named["inputs_embeds"])

        hook = self._decoder.register_forward_pre_hook(catch, with_kwargs=True)
        try:
            self._model.model(**tensors, use_cache=False)
        except _Embedded as caught:
            return caught.embeddings
        finally:
            hook.remove()
        raise RuntimeError("the model did not run its language model")


class _Embedded(BaseException):
    """Ends transformers' forward pass before its language model, with the embeddings.

    Not an Exception, so that nothing on the way takes it for a failure.
    """

    def __init__(self, embeddings: Tensor):
        super().__init__()
        self.embeddings = embeddings


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
        name: tensor.to(model.device, model.dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in tensors.items()
    }
