"""CLIP's vision tower and LLaVA's projector: pixel values become image features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import ACT2FN, QuickGELUActivation

from core.llava.cuda_graphs import SideStream, to_device, try_capture
from core.llava.kernels.launch import Kernels
from core.llava.kernels.shape import LONGEST_LAYER_NORM
from core.llava.linear import Dequantizer, Matrix


class ImageEncoder:
    """Encodes one image at a time; on CUDA by a captured graph.

    `encode` maps pixels (1, 3, size, size) on the device to features (image tokens, hidden size).
    """

    is_image_fixed = True

    def __init__(
        self,
        model: Any,
        device: torch.device,
        dtype: torch.dtype,
        kernels: Kernels | None = None,
    ):
        self._device, self._dtype = device, dtype
        self._tower = VisionTower(model, kernels)
        self._has_graphs = device.type == "cuda"
        self._side_stream: SideStream | None = None
        # The pixel values of the last image, and their features.
        self._encoded: tuple[np.ndarray, Tensor] | None = None
        self.image_size: int = model.config.vision_config.image_size
        self.encode: Callable[[Tensor], Tensor] = self._tower
        if self._has_graphs:
            shape = (1, 3, self.image_size, self.image_size)
            self._pixels = torch.zeros(shape, device=device, dtype=dtype)
            self.encode = try_capture(self._tower, [self._pixels], device) or self._tower

    def use_side_stream(self) -> None:
        """From now on images are encoded concurrently with the decode steps of other slots."""
        if self._has_graphs and self._side_stream is None:
            graph = try_capture(self._tower, [self._pixels], self._device, stream_key=1)
            self._side_stream = SideStream(graph, self._device) if graph is not None else None

    def features(self, pixel_values: np.ndarray) -> Tensor:
        """float32 (1, 3, size, size) → (image tokens, hidden size), after the projector.

        Without a side stream the result is overwritten by the next call with another array. Calls
        with the same array return the same features: an image is encoded once for all questions
        about it, whatever their slots.
        """
        if self._encoded is None or self._encoded[0] is not pixel_values:
            self._encoded = None

            def pixels() -> Tensor:
                return to_device(torch.from_numpy(pixel_values), self._device).to(self._dtype)

            side_stream = self._side_stream
            features = side_stream(pixels) if side_stream is not None else self.encode(pixels())
            self._encoded = pixel_values, features
        return self._encoded[1]

    def example(self) -> Tensor:
        """The features of a black image, to warm up with."""
        return self.features(np.zeros((1, 3, self.image_size, self.image_size), np.float32))

    def release(self) -> None:
        """Frees the last image's features and the side stream's graph."""
        self._encoded = self._side_stream = None


class VisionTower:
    """CLIP's tower up to the layer that LLaVA reads, then the projector."""

    def __init__(self, model: Any, kernels: Kernels | None = None):
        """Norms and activations are by `kernels` where there are some for these sizes."""
        config, tower = model.config.vision_config, model.model.vision_tower
        # Newer versions of transformers have no `vision_model` in between.
        tower = getattr(tower, "vision_model", tower)
        self._embeddings, self._first_norm = tower.embeddings, tower.pre_layrnorm
        layer = model.config.vision_feature_layer
        layers = tower.encoder.layers
        # transformers counts the input of the first layer as hidden_states[0].
        self._layers = layers[: layer if layer >= 0 else len(layers) + 1 + layer]
        attention = [layer.self_attn for layer in self._layers]
        self._joined = [
            Matrix.joined([each.q_proj, each.k_proj, each.v_proj], Dequantizer(None))
            for each in attention
        ]
        self._heads, self._activation = config.num_attention_heads, ACT2FN[config.hidden_act]
        # The "default" strategy leaves out the class token.
        self._first = 1 if model.config.vision_feature_select_strategy == "default" else 0
        self._projector = model.model.multi_modal_projector
        width = config.hidden_size
        fits = width % 8 == 0 and width <= LONGEST_LAYER_NORM and config.intermediate_size % 8 == 0
        self._kernels = kernels if fits else None

    def __call__(self, pixels: Tensor) -> Tensor:
        """(1, 3, size, size) → (image tokens, hidden size of the language model)."""
        hidden = self._first_norm(self._embeddings(pixels))
        delta = None
        for layer, matrix in zip(self._layers, self._joined, strict=True):
            states = self._normalized(hidden, delta, layer.layer_norm1)
            delta = self._attention(layer, matrix, states)
            states = self._normalized(hidden, delta, layer.layer_norm2)
            delta = layer.mlp.fc2(self._activated(layer.mlp.fc1(states)))
        if delta is not None:
            hidden += delta
        return self._projector(hidden[0, self._first :])

    def _normalized(self, hidden: Tensor, delta: Tensor | None, norm: nn.LayerNorm) -> Tensor:
        """The layer norm of `hidden`, to which `delta` is added in place."""
        if self._kernels is not None:
            return self._kernels.add_layer_norm(hidden, delta, norm.weight, norm.bias, norm.eps)
        if delta is not None:
            hidden += delta
        return norm(hidden)

    def _activated(self, states: Tensor) -> Tensor:
        if isinstance(self._activation, QuickGELUActivation):
            if self._kernels is not None:
                return self._kernels.quick_gelu(states)
            # In place: on a CPU, allocating memory takes as long as the arithmetic.
            return states.mul_((1.702 * states).sigmoid_())
        return self._activation(states)

    def _attention(self, layer: Any, joined: Matrix, states: Tensor) -> Tensor:
        count = states.shape[1]
        states = joined(states).view(1, count, 3, self._heads, -1)
        query, key, value = states.permute(2, 0, 3, 1, 4)
        attention = functional.scaled_dot_product_attention(query, key, value)
        return layer.self_attn.out_proj(attention.transpose(1, 2).reshape(1, count, -1))
