"""The arithmetic of a LLaVA-1.5 in plain torch calls: vision, prefill, decode step.

transformers' modules launch some 1,500 small kernels a token and leave the card idle 93 % of the
time. Here one pass has a third of the calls, works on a static KV cache, and on CUDA the decode
step and the vision tower are captured once in a graph each and then replayed. transformers' model
stays whole: its weights become views of the joined ones, so `generate()` still works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlavaForConditionalGeneration
from transformers.activations import ACT2FN

from core.prompt import IMAGE_TOKEN_INDEX

log = logging.getLogger(__name__)

# Rotary embeddings that depend on nothing but the position.
_ROPE_TYPES = {"default", "linear", "llama3"}
# A graph belongs to one cache, so the cache grows in few steps.
_LENGTH_STEP = 512
# On a processor a step is bound by what it reads. Another thread pays from this much on; with
# less, waiting for each other takes longer, and far longer when other programs want the cores.
_BYTES_PER_THREAD = 32 << 20


def forward_pass(model: nn.Module) -> ForwardPass | None:
    """The fast path for `model`, or None when only `generate()` can run it; the log says which.

    Joins the weights of `model` in place, one layer at a time.
    """
    reason = _obstacle(model)
    if reason is not None:
        log.info("Decoding by generate(): %s.", reason)
        return None
    forward = ForwardPass(model)
    how = "CUDA graphs" if forward.device.type == "cuda" else "plain calls, no graphs"
    log.info("Decoding by our own loop: %s, %s on %s.", how, forward.dtype, forward.device)
    return forward


def _obstacle(model: Any) -> str | None:
    """What keeps `model` from the fast path, None when nothing does."""
    if not isinstance(model, LlavaForConditionalGeneration):
        return f"{type(model).__name__} is not LLaVA-1.5"
    config: Any = model.config
    text, vision = config.text_config, config.vision_config
    language: Any = model.model.language_model
    linear = [m for m in language.modules() if type(m).__name__.startswith("Linear")]
    parameters = list(model.parameters())
    if text.model_type != "llama" or text.hidden_act != "silu":
        return f"the language model is {text.model_type} with {text.hidden_act}"
    if vision.model_type != "clip_vision_model" or not isinstance(config.vision_feature_layer, int):
        return "the vision tower is not read at one layer of a CLIP"
    if language.rotary_emb.rope_type not in _ROPE_TYPES:
        return f"its rotary embeddings are {language.rotary_emb.rope_type}"
    if any(type(module) is not nn.Linear for module in (*linear, model.lm_head)) or any(
        type(parameter.data) is not Tensor for parameter in parameters
    ):
        return "its weights are quantised by a library"
    if len({(p.device, p.dtype) for p in parameters}) != 1 or not parameters[0].is_floating_point():
        return "its weights are on several devices or in several precisions"
    return None


class ForwardPass:
    """Vision, prefill and decode step of one model, with its static KV cache.

    The cache has one row of `length` positions for each of `slots`. Not safe for two threads at
    once. What the cache holds in which slot is the caller's to know.
    """

    def __init__(self, model: Any):
        config, language = model.config.text_config, model.model.language_model
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_dim = config.head_dim or config.hidden_size // config.num_attention_heads
        self.eps = config.rms_norm_eps
        self._embedding = language.embed_tokens.weight
        self._rotary = language.rotary_emb
        self._norm, self._head = language.norm.weight, model.lm_head
        self._layers = [_Layer.joined(layer) for layer in language.layers]
        self.device, self.dtype = self._embedding.device, self._embedding.dtype
        self._vision: Callable[[Tensor], Tensor] = _Vision(model)
        read = (self._head.weight, *(weight for layer in self._layers for weight in layer.weights))
        self._weight_bytes = sum(weight.nbytes for weight in read)
        self._position_bytes = (
            len(self._layers) * 2 * self.kv_heads * self.head_dim * self.dtype.itemsize
        )
        self.slots = self.length = 0
        self._replay: Callable[[Tensor, Tensor], Tensor] | None = None
        # A graph wants the same shapes at each step; without graphs, less is read.
        self._has_graphs = self.device.type == "cuda"
        if self._has_graphs:
            self._vision = _captured(self._vision, [self._pixels(model)]) or self._vision

    def _pixels(self, model: Any) -> Tensor:
        size = model.config.vision_config.image_size
        return torch.zeros(1, 3, size, size, device=self.device, dtype=self.dtype)

    @torch.inference_mode()
    def reserve(self, slots: int, length: int) -> None:
        """Makes the cache exactly `slots` rows of at least `length` positions.

        What the rows hold stays. Drops the captured step when anything changes.
        """
        length = max(-(-length // _LENGTH_STEP) * _LENGTH_STEP, self.length)
        if (slots, length) == (self.slots, self.length):
            return
        self._replay = None
        # Zeros: a masked position still counts 0 × its value, which must not be NaN.
        shape = (slots, 2 * self.kv_heads, length, self.head_dim)
        for layer in self._layers:
            grown = torch.zeros(shape, device=self.device, dtype=self.dtype)
            if layer.cache is not None:
                kept = min(slots, self.slots)
                grown[:kept, :, : self.length] = layer.cache[:kept]
            layer.cache = grown
        self.slots, self.length = slots, length
        positions = torch.arange(length, device=self.device)
        cos, sin = self._rotary(self._embedding, positions[None])
        half = self.head_dim // 2
        # (length, 1, head_dim); the sign of rotate_half is in the sine.
        self._cos = cos[0, :, None]
        self._sin = torch.cat([-sin[0, :, :half], sin[0, :, half:]], -1)[:, None]
        self._positions = positions
        self._rows = torch.arange(slots, device=self.device)

    def release(self) -> None:
        """Gives the cache and the captured step back."""
        self._replay = None
        self.slots = self.length = 0
        for layer in self._layers:
            layer.cache = None

    @torch.inference_mode()
    def image_features(self, pixel_values: np.ndarray) -> Tensor:
        """float32 (1, 3, size, size) → (image tokens, hidden size), projected."""
        pixels = torch.from_numpy(pixel_values).to(self.device, self.dtype)
        return self._vision(pixels)

    @torch.inference_mode()
    def prefill(self, slot: int, begin: int, ids: Sequence[int], features: Tensor | None) -> Tensor:
        """Writes `ids` from position `begin` on; returns the last one's logits, float32 (1, vocab).

        The ids of -200, one beside the other, are the rows of `features`.
        """
        count = len(ids)
        numbers = torch.tensor(ids).clamp(min=0).to(self.device)
        hidden = functional.embedding(numbers, self._embedding)
        if features is not None:
            first = ids.index(IMAGE_TOKEN_INDEX)
            hidden[first : first + len(features)] = features
        end = begin + count
        mask = None
        if begin:
            mask = torch.ones(count, end, device=self.device, dtype=torch.bool).tril(begin)

        def attend(cache: Tensor, query: Tensor, key_value: Tensor) -> Tensor:
            cache[slot, :, begin:end] = key_value.transpose(0, 1)
            attention = functional.scaled_dot_product_attention(
                query.transpose(0, 1)[None],
                cache[slot : slot + 1, : self.kv_heads, :end],
                cache[slot : slot + 1, self.kv_heads :, :end],
                attn_mask=mask,
                is_causal=mask is None,
                enable_gqa=self.heads != self.kv_heads,
            )
            return attention[0].transpose(0, 1).reshape(count, -1)

        hidden = self._through_layers(hidden, self._cos[begin:end], self._sin[begin:end], attend)
        return self._logits(hidden[-1:])

    @torch.inference_mode()
    def step(self, ids: Sequence[int], positions: Sequence[int]) -> Tensor:
        """One token further in the first slots: float32 (slots, vocab).

        Writes `ids` at `positions` and gives the logits of what follows. What a slot holds before
        its position stays as it is.
        """
        count = len(ids)
        numbers, places = torch.tensor(ids), torch.tensor(positions)
        if not self._has_graphs:
            span = max(positions) + 1
            with _threads(self._weight_bytes + count * span * self._position_bytes):
                return self._step(numbers, places, span)
        # One graph for all slots; the idle ones write where nothing is kept.
        idle = (0, self.slots - count)
        numbers = functional.pad(numbers, idle).to(self.device)
        places = functional.pad(places, idle, value=self.length - 1).to(self.device)
        if self._replay is None:
            whole_step = partial(self._step, span=self.length)
            self._replay = _captured(whole_step, [numbers, places]) or whole_step
        return self._replay(numbers, places)[:count]

    def _step(self, ids: Tensor, positions: Tensor, span: int) -> Tensor:
        """`span` positions of the cache are read, those behind a slot's own position masked."""
        count = len(ids)
        rows = self._rows[:count]
        mask = None
        if count > 1 or self._has_graphs:
            is_behind = self._positions[:span] > positions[:, None]
            mask = torch.zeros(is_behind.shape, device=self.device, dtype=self.dtype)
            mask = mask.masked_fill_(is_behind, float("-inf"))[:, None, None]

        def attend(cache: Tensor, query: Tensor, key_value: Tensor) -> Tensor:
            cache[rows, :, positions] = key_value
            # Query heads that share a key stand as queries beside each other: no key is repeated.
            attention = functional.scaled_dot_product_attention(
                query.view(count, self.kv_heads, -1, self.head_dim),
                cache[:count, : self.kv_heads, :span],
                cache[:count, self.kv_heads :, :span],
                attn_mask=mask,
            )
            return attention.reshape(count, -1)

        hidden = functional.embedding(ids, self._embedding)
        hidden = self._through_layers(hidden, self._cos[positions], self._sin[positions], attend)
        return self._logits(hidden)

    def _through_layers(
        self,
        hidden: Tensor,
        cos: Tensor,
        sin: Tensor,
        attend: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> Tensor:
        """(rows, hidden size) in and out. `attend` stores keys and values (rows, 2 × kv heads,
        head_dim), and returns (rows, heads × head_dim)."""
        count, half = len(hidden), self.head_dim // 2
        turned_heads = self.heads + self.kv_heads
        for layer in self._layers:
            assert layer.cache is not None
            states = self._normalised(hidden, layer.attention_norm)
            states = functional.linear(states, *layer.query_key_value).view(
                count, -1, self.head_dim
            )
            turned = states[:, :turned_heads]
            torch.addcmul(turned * cos, turned.roll(half, -1), sin, out=turned)
            attention = attend(layer.cache, states[:, : self.heads], states[:, self.heads :])
            hidden = hidden + functional.linear(attention, *layer.output)
            states = self._normalised(hidden, layer.mlp_norm)
            gate, up = functional.linear(states, *layer.gate_up).chunk(2, -1)
            hidden = hidden + functional.linear(functional.silu(gate) * up, *layer.down)
        return hidden

    def _normalised(self, hidden: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(hidden, weight.shape, weight, self.eps)

    def _logits(self, hidden: Tensor) -> Tensor:
        return self._head(self._normalised(hidden, self._norm)).float()


@contextmanager
def _threads(bytes_read: int) -> Iterator[None]:
    """Within, torch works with as many threads as pay for so much reading."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, max(1, bytes_read // _BYTES_PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---- weights ----------------------------------------------------------------------------------

_Linear = tuple[Tensor, Tensor | None]
"""Weight (out, in) and bias (out,)."""


@dataclass(eq=False)
class _Layer:
    """One decoder layer's weights, and its keys and values (slots, 2 × kv heads, length, dim)."""

    attention_norm: Tensor
    query_key_value: _Linear
    output: _Linear
    mlp_norm: Tensor
    gate_up: _Linear
    down: _Linear
    cache: Tensor | None = None

    @property
    def weights(self) -> list[Tensor]:
        return [
            weight for weight, _ in (self.query_key_value, self.output, self.gate_up, self.down)
        ]

    @staticmethod
    def joined(layer: Any) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        return _Layer(
            layer.input_layernorm.weight,
            _joined(attention.q_proj, attention.k_proj, attention.v_proj),
            _joined(attention.o_proj),
            layer.post_attention_layernorm.weight,
            _joined(mlp.gate_proj, mlp.up_proj),
            _joined(mlp.down_proj),
        )


@torch.no_grad()
def _joined(*modules: nn.Linear) -> _Linear:
    """The modules as one matrix, of which their own weights become views."""
    if len(modules) == 1:
        return modules[0].weight, modules[0].bias
    sizes = [module.out_features for module in modules]
    weight = torch.cat([module.weight for module in modules])
    for module, part in zip(modules, weight.split(sizes), strict=True):
        module.weight.data = part
    if weight.is_cuda:
        # The holes that the parts leave fit no joined matrix: 66 % of the weights would stay
        # reserved a second time.
        torch.cuda.empty_cache()
    if modules[0].bias is None:
        return weight, None
    bias = torch.cat([module.bias for module in modules])
    for module, part in zip(modules, bias.split(sizes), strict=True):
        module.bias.data = part
    return weight, bias


class _Vision:
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
        self._joined = [
            _joined(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)
            for layer in self._layers
        ]
        self._heads, self._activation = config.num_attention_heads, ACT2FN[config.hidden_act]
        self._first = 1 if model.config.vision_feature_select_strategy == "default" else 0
        self._projector = model.model.multi_modal_projector

    def __call__(self, pixels: Tensor) -> Tensor:
        hidden = self._first_norm(self._embeddings(pixels))
        for layer, joined in zip(self._layers, self._joined, strict=True):
            hidden = hidden + self._attention(layer, joined, layer.layer_norm1(hidden))
            states = self._activation(layer.mlp.fc1(layer.layer_norm2(hidden)))
            hidden = hidden + layer.mlp.fc2(states)
        return self._projector(hidden[0, self._first :])

    def _attention(self, layer: Any, joined: _Linear, states: Tensor) -> Tensor:
        count = states.shape[1]
        states = functional.linear(states, *joined).view(1, count, 3, self._heads, -1)
        query, key, value = states.permute(2, 0, 3, 1, 4)
        attention = functional.scaled_dot_product_attention(query, key, value)
        return layer.self_attn.out_proj(attention.transpose(1, 2).reshape(1, count, -1))


# ---- CUDA graphs ------------------------------------------------------------------------------


class _Graph:
    """`function` on tensors of one shape, captured once; each call copies in and replays.

    The output is overwritten by the next call.
    """

    def __init__(self, function: Callable[..., Tensor], inputs: Sequence[Tensor]):
        self._inputs = [tensor.clone() for tensor in inputs]
        self._device = self._inputs[0].device
        with torch.cuda.device(self._device):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                # The first calls choose kernels and take workspaces, which a capture may not.
                for _ in range(2):
                    function(*self._inputs)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._output = function(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        with torch.cuda.device(self._device):
            for mine, given in zip(self._inputs, inputs, strict=True):
                mine.copy_(given)
            self._graph.replay()
        return self._output


@torch.inference_mode()
def _captured(function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> _Graph | None:
    """The graph of `function`, or None where the device refuses: then it is called as it is."""
    try:
        return _Graph(function, inputs)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        log.warning("No CUDA graph, so decoding is slower: %s", error)
        return None
