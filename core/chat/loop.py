"""Our own decode loop behind transformers' own vision tower.

Prompt, pixels and image features are what transformers makes of them, family by family: the tower,
the projector, tiles and their marks. The language model, if it is a Llama, a Mistral or a Qwen2,
runs by `core.llava.forward`, with its kernels; most others by their own modules with our static KV
cache, see `module_forward`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from core.chat.inputs import ChatImage, image_token_of, on_device
from core.chat.module_forward import module_forward
from core.llava.cuda_graphs import SideStream, to_device, try_capture
from core.llava.decoding import DecodeLoop, decode_loop
from core.llava.forward import decoder_obstacle
from core.llava.language_model import decoder_of
from core.llava.passes import SlotForward

log = logging.getLogger(__name__)


def chat_loop(
    model: Any, end_ids: frozenset[int], *, quantizes_cache: bool = False
) -> DecodeLoop[SlotForward] | None:
    """Returns the loop for `model`, or None if only `generate()` can run it; the log says why.

    `quantizes_cache` keeps keys and values in 8 bits where our own forward pass runs.
    """
    if image_token_of(model.config) is None:
        return None
    if (reason := decoder_obstacle(model)) is None:
        encoder = ChatEncoder(model)
        return decode_loop(model, end_ids, encoder, quantizes_cache=quantizes_cache)
    log.info("Not by our own forward pass: %s.", reason)
    forward = module_forward(model)
    return DecodeLoop(forward, end_ids) if forward is not None else None


class ChatEncoder:
    """Makes image features by transformers' own model: those that its language model would get.

    On CUDA the tower is captured where all images have one size.
    """

    def __init__(self, model: Any):
        self._model, self._decoder = model, decoder_of(model)
        self._image_token = image_token_of(model.config)
        self._encoded: tuple[ChatImage, Tensor] | None = None
        # Others cut an image into tiles or patches, by its shape.
        config = model.config
        self.is_image_fixed = (
            config.model_type == "llava" and config.vision_config.model_type != "pixtral"
        )
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
