"""The forward pass of a Llama decoder behind an image encoder, with a static KV cache: prefill,
decode step.

transformers' modules launch some 1,500 small kernels per token and leave the GPU idle for 93 % of
the time. Here a step has five kernels per layer on a GPU and a third of the calls elsewhere; on
CUDA the step, the vision tower and the usual prefills are captured once and then replayed.
transformers' model stays intact: its weights become views of the joined ones, so `generate()` still
works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from core.llava.cuda_graphs import GraphCache, HostCopy
from core.llava.decode_step import DecodeStep
from core.llava.float8 import RawProduct, scaled
from core.llava.kv_cache import KVCache
from core.llava.language_model import LanguageModel, decoder_of
from core.llava.passes import Encoder, ImageInput, Prompt, StepOutput
from core.llava.prefill import Prefill
from core.llava.quantized_cache import as_tensor
from core.llava.quantized_linear import QuantizedLinear
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.llava.vision import ImageEncoder

log = logging.getLogger(__name__)

# transformers' classes whose layers have the same parts, by name: importing all takes long.
_DECODERS = {
    "transformers.models.llama.modeling_llama.LlamaModel",
    "transformers.models.mistral.modeling_mistral.MistralModel",
    "transformers.models.qwen2.modeling_qwen2.Qwen2Model",
}
# Types of rotary embedding that depend on the position alone.
_ROPE_TYPES = {"default", "linear", "llama3"}
# Rows whose logits over the whole vocabulary are in memory at once: 32 MB of a Llama's.
_ROWS_AT_ONCE = 256

OnLayer = Callable[[int, Tensor, Tensor, Tensor], None]
"""Called for each layer with its number, its input (rows, hidden size), the queries (rows, heads,
head_dim) of these rows, and all keys (key heads, positions, head_dim), both after the rotary
embedding. Later layers overwrite the tensors."""


def forward_pass(
    model: Any, encoder: Encoder | None = None, *, quantizes_cache: bool = False
) -> ForwardPass | None:
    """The fast path for `model`, or None when only `generate()` can run it; the log says which.

    Joins the weights of `model` in place, one layer at a time. Without `encoder`, the model must
    have LLaVA-1.5's. `quantizes_cache` keeps keys and values in 8 bits.
    """
    reason = decoder_obstacle(model)
    if reason is None and encoder is None:
        reason = _tower_obstacle(model)
    if reason is not None:
        log.info("Decoding by generate(): %s.", reason)
        return None
    forward = ForwardPass(model, encoder, quantizes_cache=quantizes_cache)
    log.info("Decoding by our own loop: %s.", forward.description)
    return forward


def _tower_obstacle(model: Any) -> str | None:
    """What keeps the vision tower of `model` from our own encoder, None when nothing does."""
    if not isinstance(model, LlavaForConditionalGeneration):
        return f"{type(model).__name__} is not LLaVA-1.5"
    config: Any = model.config
    is_one_layer = isinstance(config.vision_feature_layer, int)
    if config.vision_config.model_type != "clip_vision_model" or not is_one_layer:
        return "the vision tower is not read at one layer of a CLIP"
    return None


def decoder_obstacle(model: Any) -> str | None:
    """What keeps the language model of `model` from the fast path, None when nothing does."""
    if not hasattr(model, "lm_head") or not hasattr(model, "model"):
        return f"{type(model).__name__} has other parts than a LLaVA"
    text: Any = model.config.get_text_config()
    language = decoder_of(model)
    kind = type(language)
    if f"{kind.__module__}.{kind.__qualname__}" not in _DECODERS:
        return f"the language model is {text.model_type}"
    if text.hidden_act != "silu":
        return f"the language model is {text.model_type} with {text.hidden_act}"
    if _has_window(text):
        return "its attention has a sliding window"
    if language.rotary_emb.rope_type not in _ROPE_TYPES:
        return f"its rotary embeddings are {language.rotary_emb.rope_type}"
    linear = [m for m in language.modules() if "Linear" in type(m).__name__]
    parameters = list(model.parameters())
    own = (nn.Linear, QuantizedLinear)
    if any(type(module) not in own for module in (*linear, model.lm_head)) or any(
        type(parameter.data) is not Tensor for parameter in parameters
    ):
        return "its weights are quantised by a library"
    if len({(p.device, p.dtype) for p in parameters}) != 1 or not parameters[0].is_floating_point():
        return "its weights are on several devices or in several precisions"
    return None


def _has_window(text: Any) -> bool:
    kinds = getattr(text, "layer_types", None)
    if kinds is not None:
        return set(kinds) != {"full_attention"}
    return getattr(text, "sliding_window", None) is not None


class ForwardPass:
    """Image encoder, prefill and decode step of one model, with its static KV cache.

    A slot has a position and a token to continue from, as `prefill` leaves it, until `set_idle`.
    Not safe for two threads at once.

    `runs_ahead` says that the device works asynchronously, so that a step may be launched before
    the ids of the previous one are read. `mixes_prefill_and_decode` says that a prefill and the
    step of other slots run as one pass.
    """

    def __init__(
        self, model: Any, encoder: Encoder | None = None, *, quantizes_cache: bool = False
    ):
        cache_bits = 8 if quantizes_cache else 16
        self.language_model = language_model = LanguageModel(model, cache_bits=cache_bits)
        self.device, self.dtype = language_model.device, language_model.dtype
        self.images = encoder or ImageEncoder(
            model, self.device, self.dtype, language_model.kernels
        )
        self.cache = KVCache(
            len(language_model.layers),
            language_model.key_heads,
            language_model.head_dim,
            self.device,
            self.dtype,
            language_model.rotary_tables,
            is_quantized=quantizes_cache,
        )
        self._graphs = GraphCache(self.device, self.cache.all_idle)
        self._prefill = Prefill(
            language_model,
            self.cache,
            self._graphs,
            is_image_fixed=self.images.is_image_fixed,
        )
        self._decode = DecodeStep(language_model, self.cache, self._prefill, self._graphs)
        self._host_copy = HostCopy(self.device)
        self._is_cuda = self.device.type == "cuda"
        self.runs_ahead = self._is_cuda
        # A CPU gains nothing: it computes about as fast as it reads.
        self.mixes_prefill_and_decode = self._is_cuda

    @property
    def description(self) -> str:
        """How it computes, for the log."""
        graphs = "CUDA graphs" if self._is_cuda else "no graphs"
        own = self.language_model.kernels is not None
        kernels = "our own kernels" if own else "torch's operations"
        model = self.language_model
        layers = model.format or f"{model.bits}-bit"
        cache = ", KV cache in 8 bits" if self.cache.is_quantized else ""
        return f"{graphs}, {kernels}, {layers} layers{cache}, {self.dtype}, {self.device}"

    @property
    def quantizes_cache(self) -> bool:
        """See `SlotForward`."""
        return self.cache.is_quantized

    @property
    def layer_count(self) -> int:
        """The number of decoder layers."""
        return len(self.language_model.layers)

    # ---- the cache and its slots

    def slots_that_fit(self, length: int) -> int:
        """See `SlotForward`."""
        return self.cache.slots_that_fit(length)

    @torch.inference_mode()
    def reserve(self, slots: int, length: int) -> None:
        """Resizes the KV cache to `slots` rows of at least `length` positions.

        Cached keys and values survive if `slots` is unchanged. Any change invalidates the captured
        decode step and prefills.
        """
        cache = self.cache
        if slots != cache.slots:
            self.release()
        length = cache.padded_length(length)
        if length == cache.length:
            return
        self._drop_graphs()
        cache.resize(slots, length)
        if slots > 1:
            self.images.use_side_stream()

    def release(self) -> None:
        """Frees the KV cache, the graphs that use it, and the last image's features."""
        self._drop_graphs()
        self.images.release()
        self.cache.release()

    @torch.inference_mode()
    def warm_up(self, length: int) -> None:
        """On CUDA, does beforehand what a first answer would wait for.

        Loads kernels, reserves one slot of `length` positions, and captures its graphs.
        """
        if not self._is_cuda:
            return
        self.reserve(1, length)
        features = self.images.example()
        # LLaVA's conversation template has some fifty positions besides the image's.
        ids = [IMAGE_TOKEN_INDEX] * (0 if features is None else len(features)) + [0] * 50
        if len(ids) + self._prefill.short_rows[-1] <= length:
            self.prefill(Prompt(0, 0, ids, features)).ids()
            for rows in self._prefill.short_rows:
                self.prefill(Prompt(0, len(ids), [0] * rows, None)).ids()
            self.step().ids()
        self.set_idle(0)

    @torch.inference_mode()
    def set_token(self, slot: int, token: int) -> None:
        """Lets `slot` continue from `token` instead of the likeliest one."""
        self.cache.set_token(slot, token)

    @torch.inference_mode()
    def set_idle(self, slot: int) -> None:
        """Decode steps leave `slot` alone from now on. What it has cached stays."""
        self.cache.set_idle(slot)

    # ---- the passes of an answer

    @torch.inference_mode()
    def image_features(self, image: ImageInput, count: int | None = None) -> Tensor:
        """Returns the last `count` rows of `Encoder.features`, or all."""
        features = self.images.features(image)
        return features if count is None else features[-count:]

    def prefill_begin(self, count: int, cached: int) -> int:
        """See `SlotForward`."""
        return self._prefill.best_begin(count, cached)

    @torch.inference_mode()
    def prefill(self, prompt: Prompt) -> StepOutput:
        """Prefills `prompt` into its slot, which then continues behind it. Others do not move.

        The output has one row, that of the slot.
        """
        slot = prompt.slot
        logits = self._prefill.run(prompt)
        self.cache.positions[slot] = prompt.end
        ids = self.cache.state[0, slot : slot + 1]
        return StepOutput(logits, self._host_copy.start(ids), slot)

    @torch.inference_mode()
    def step(self, prompt: Prompt | None = None) -> StepOutput:
        """Moves every busy slot one token further, and prefills `prompt` into its own idle slot.

        Both in one pass through the layers; where `mixes_prefill_and_decode` is false, a prompt is
        prefilled alone and the other slots stay where they are. The likeliest next token of each
        slot becomes its token.

        The output has a row for each slot up to the last busy one, or that of the prompt alone. Its
        logits are overwritten by the next step.
        """
        cache = self.cache
        busy = cache.busy_slots
        if prompt is None:
            count = 1 + max(busy)
            logits = self._decode.run(count)
        else:
            # A full prefill is padded for a decode step too: one graph serves with busy slots or
            # none.
            is_mixed = self.mixes_prefill_and_decode and cache.slots > 1
            if not (is_mixed and (busy or self._prefill.is_full(prompt))):
                return self.prefill(prompt)
            count = 1 + max([*busy, prompt.slot])
            logits = self._decode.run_with(prompt, count)
        cache.advance()
        if prompt is not None:
            cache.positions[prompt.slot] = prompt.end
        return StepOutput(logits[:count], self._host_copy.start(cache.state[0, :count]))

    # ---- passes that leave the cache as it is

    @torch.inference_mode()
    def hidden_states(
        self,
        ids: Sequence[int],
        features: Tensor | None,
        on_layer: OnLayer | None = None,
        *,
        slot: int = 0,
        begin: int = 0,
    ) -> Tensor:
        """Runs the layers like `prefill`, but writes to no slot. Returns (rows, hidden size).

        The result is that after the final norm. The rows also attend to what `slot` has cached
        before `begin`.
        """
        model, cache, attention = self.language_model, self.cache, self._prefill.attention
        count, end = len(ids), begin + len(ids)
        if end <= cache.length:
            cosine, sine = cache.cosine, cache.sine
        else:
            cosine, sine = model.rotary_tables(end)
        hidden = model.embed(ids, features)
        own: Any = cache.of_one_prompt(end)
        mask = attention.causal_mask(count, end)

        def attend(layer: int, raw: Tensor | RawProduct, layer_input: Tensor) -> Tensor:
            states = scaled(raw)
            if begin:
                own[:, :begin] = cache.layers[layer][slot, :, :begin]
            model.operations.rope_and_cache(states, own, cosine, sine, begin)
            if on_layer is not None:
                keys = as_tensor(own[: model.key_heads], self.dtype)
                on_layer(layer, layer_input, attention.queries(states), keys)
            return attention.over_cache(states, own, mask)

        return model.run_layers(hidden, attend)

    @torch.inference_mode()
    def logits_after(
        self,
        ids: Sequence[int],
        features: Tensor | None,
        count: int,
        *,
        slot: int = 0,
        begin: int = 0,
    ) -> Iterator[Tensor]:
        """See `SlotForward`."""
        states = self.hidden_states(ids, features, slot=slot, begin=begin)[-count:]
        for first in range(0, count, _ROWS_AT_ONCE):
            yield self.logits(states[first : first + _ROWS_AT_ONCE])

    @torch.inference_mode()
    def final_norm(self, hidden: Tensor) -> Tensor:
        """The final norm of a layer's input (rows, hidden size), ready for `logits`."""
        return self.language_model.final_norm(hidden)

    @torch.inference_mode()
    def logits(self, states: Tensor, ids: Sequence[int] | None = None) -> Tensor:
        """float32 (rows, vocabulary) of states after the final norm, or (rows, ids) of some ids."""
        head = self.language_model.head
        if ids is None:
            return head(states).float()
        return (states @ head.rows(ids, self.dtype).t()).float()

    def _drop_graphs(self) -> None:
        self._decode.drop_graph()
        self._prefill.forget_graphs()
        self._graphs.clear()
