"""Our own decode loop behind transformers' own vision tower, for models of LLaVA's shape.

Prompt, pixels and image features are what transformers makes of them, family by family: the tower,
the projector, tiles and their marks. Only the language model, if it is a Llama, a Mistral or a
Qwen2, runs by `core.llava.forward`, with its static KV cache, slots and kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.llava.cuda_graphs import SideStream, to_device, try_capture
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
    """Makes image features by transformers' own model: those that its language model would get.

    On CUDA the tower is captured where all images have one size.
    """

    def __init__(self, model: Any):
        self._model, self._decoder = model, decoder_of(model)
        self._image_token = image_token_of(model.config)
        self._encoded: tuple[ChatImage, Tensor] | None = None
        # Others cut an image into tiles, by its shape.
        self.is_image_fixed = model.config.model_type == "llava"
        self._captured: Callable[..., Tensor] | None = None
        self._side_stream: SideStream | None = None
        self._pixels: Tensor | None = None
        if self.is_image_fixed and model.device.type == "cuda":
            size = model.config.vision_config.image_size
            shape = (1, 3, size, size)
            self._pixels = torch.zeros(shape, device=model.device, dtype=model.dtype)
            self._captured = try_capture(self._tower, [self._pixels], model.device)

    @torch.inference_mode()
    def features(self, image: ChatImage) -> Tensor:
        """(image tokens, hidden size), of all images of the prompt."""
        if self._encoded is None or self._encoded[0] is not image:
            self._encoded = None
            self._encoded = image, self._features(image)
        return self._encoded[1]

    @torch.inference_mode()
    def example(self) -> Tensor | None:
        """The features of a grey image, where the tower is captured."""
        return self._captured(self._pixels) if self._captured is not None else None

    def use_side_stream(self) -> None:
        """From now on images are encoded beside decode steps, where the tower is captured."""
        if self._captured is not None and self._pixels is not None and self._side_stream is None:
            device = self._model.device
            graph = try_capture(self._tower, [self._pixels], device, stream_key=1)
            self._side_stream = SideStream(graph, device) if graph is not None else None

    def release(self) -> None:
        """Frees the last image's features and the side stream's graph."""
        self._encoded = self._side_stream = None

    def _features(self, image: ChatImage) -> Tensor:
        given, captured = image.tensors["pixel_values"], self._captured
        if captured is not None and self._pixels is not None and given.shape == self._pixels.shape:

            def pixels() -> Tensor:
                return to_device(given, self._model.device).to(self._model.dtype)

            side_stream = self._side_stream
            return side_stream(pixels) if side_stream is not None else captured(pixels())
        tensors = on_device(image.tensors, self._model)
        embedded = self._embedded(tensors)
        return embedded[0][tensors["input_ids"][0] == self._image_token]

    @torch.inference_mode()
    def _tower(self, pixels: Tensor) -> Tensor:
        """(1, 3, size, size) → (image tokens, hidden size): tower and projector."""
        config = self._model.config
        found = self._model.model.get_image_features(
            pixel_values=pixels,
            vision_feature_layer=config.vision_feature_layer,
            vision_feature_select_strategy=config.vision_feature_select_strategy,
        )
        # A list or a tensor of the images' features, by the version of transformers.
        features = getattr(found, "pooler_output", found)
        return features[0]

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
