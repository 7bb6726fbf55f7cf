"""CLIP's vision tower and LLaVA's projector in few calls."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional
from transformers.activations import ACT2FN, QuickGELUActivation

from core.llava.linear import Dequantizer, Matrix


class VisionTower:
    """CLIP's tower up to the layer that is read, and the projector."""

    def __init__(self, model: Any):
        config, tower = model.config.vision_config, model.model.vision_tower
        # Newer transformers have flattened it.
        tower = getattr(tower, "vision_model", tower)
        self._embeddings, self._first_norm = tower.embeddings, tower.pre_layrnorm
        layer = model.config.vision_feature_layer
        layers = tower.encoder.layers
        # hidden_states[0] is what goes into the first layer.
        self._layers = layers[: layer if layer >= 0 else len(layers) + 1 + layer]
        attention = [layer.self_attn for layer in self._layers]
        self._joined = [
            Matrix.joined([each.q_proj, each.k_proj, each.v_proj], Dequantizer(None))
            for each in attention
        ]
        self._heads, self._activation = config.num_attention_heads, ACT2FN[config.hidden_act]
        self._first = 1 if model.config.vision_feature_select_strategy == "default" else 0
        self._projector = model.model.multi_modal_projector

    def __call__(self, pixels: Tensor) -> Tensor:
        """Returns the projected features (patches, hidden) of one image's `pixels` (1, 3, H, W)."""
        hidden = self._first_norm(self._embeddings(pixels))
        for layer, matrix in zip(self._layers, self._joined, strict=True):
            hidden += self._attention(layer, matrix, layer.layer_norm1(hidden))
            states = self._activated(layer.mlp.fc1(layer.layer_norm2(hidden)))
            hidden += layer.mlp.fc2(states)
        return self._projector(hidden[0, self._first :])

    def _activated(self, states: Tensor) -> Tensor:
        if isinstance(self._activation, QuickGELUActivation):
            # In place: on a processor, fresh memory takes as long as the arithmetic.
            return states.mul_((1.702 * states).sigmoid_())
        return self._activation(states)

    def _attention(self, layer: Any, joined: Matrix, states: Tensor) -> Tensor:
        count = states.shape[1]
        states = joined(states).view(1, count, 3, self._heads, -1)
        query, key, value = states.permute(2, 0, 3, 1, 4)
        attention = functional.scaled_dot_product_attention(query, key, value)
        return layer.self_attn.out_proj(attention.transpose(1, 2).reshape(1, count, -1))
