"""Prefill and decode step by transformers' own modules, over the slots of a static KV cache.

For models whose layers our own forward pass does not know. On CUDA the decode step of all slots is
captured once and replayed, so that launching some 1,500 kernels per token costs nothing; how a
family embeds images, counts positions and masks them stays what transformers does.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from core.chat.attention import OnAttention, attention_noted
from core.chat.inputs import ChatImage, on_device
from core.chat.slot_cache import LayerShape, Rows, ShapedCache, ShapeProbe, SlotCache
from core.llava.cuda_graphs import Graph, HostCopy, to_device, try_capture
from core.llava.language_model import decoder_of
from core.llava.operations import likeliest
from core.llava.passes import Prompt, StepOutput

log = logging.getLogger(__name__)

_LAYER_TYPES = {"full_attention", "sliding_attention"}
# Rows whose logits over the whole vocabulary are float32 at once.
_ROWS_AT_ONCE = 256


def module_obstacle(model: Any) -> str | None:
    """What keeps `model` from `ModuleForward`; None when nothing does."""
    if getattr(model.config, "is_encoder_decoder", False):
        return "it has an encoder of its own for text"
    if not getattr(model, "_can_compile_fullgraph", False):
        return "transformers does not run it with a static cache"
    text = model.config.get_text_config()
    if not set(getattr(text, "layer_types", None) or _LAYER_TYPES) <= _LAYER_TYPES:
        return "not all of its layers are plain attention"
    if model.config._attn_implementation not in ("sdpa", "eager"):
        return f"its attention is {model.config._attn_implementation}"
    if len({parameter.device for parameter in model.parameters()}) != 1:
        return "its weights are on several devices"
    return None


def module_forward(model: Any) -> ModuleForward | None:
    """Returns the forward pass for `model`, or None if it cannot run; the log says why."""
    if (reason := module_obstacle(model)) is not None:
        log.info("Decoding by generate(): %s.", reason)
        return None
    try:
        forward = ModuleForward(model)
        forward.try_out()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError) as error:
        # Each of some thirty families has its own classes, which change with transformers.
        log.warning("Decoding by generate(): a trial failed (%s).", error)
        return None
    log.info("Decoding by transformers' modules with a static cache, on %s.", model.device)
    return forward


class ModuleForward:
    """A `SlotForward` of transformers' modules; see there. `image_features` returns the image."""

    mixes_prefill_and_decode = False

    def __init__(self, model: Any):
        self._model, self._decoder = model, decoder_of(model)
        self.device, self.dtype = model.device, model.dtype
        text = model.config.get_text_config()
        self.layer_count = text.num_hidden_layers
        parameters = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in parameters else "past_key_values"
        self._has_limited_logits = "logits_to_keep" in parameters
        self.cache = ShapedCache(self._layer_shapes(), self.device, self.dtype)
        self._rows = Rows(self.cache)
        self._given_cache = SlotCache(self._rows, self.layer_count)
        # What the position ids of a slot's text are ahead of its positions in the cache.
        self._ahead = torch.zeros(0, dtype=torch.int64, device=self.device)
        self._window = getattr(text, "sliding_window", None)
        self._layer_types = set(getattr(text, "layer_types", None) or ())
        self._is_mask_added = model.config._attn_implementation == "eager"
        self._graph: Graph | None = None
        self._is_capture_refused = False
        self._host_copy = HostCopy(self.device)
        self._is_cuda = self.device.type == "cuda"
        self.runs_ahead = self._is_cuda

    @torch.inference_mode()
    def _layer_shapes(self) -> Sequence[LayerShape]:
        """The shapes of the layers' keys, as a pass of two tokens has them."""
        probe = ShapeProbe(self.layer_count, self.device)
        arguments = self._arguments(Prompt(0, 0, [0, 1], None))
        self._model(**arguments, use_cache=True, **{self._cache_name: probe})
        return probe.shapes

    def try_out(self) -> None:
        """Raises whatever the model's classes raise that do not fit."""
        self.reserve(1, 8)
        for begin, ids in ((0, [0, 1]), (2, [1])):
            self.prefill(Prompt(0, begin, ids, None)).ids()
        self.step().ids()
        self.release()

    # ---- the cache and its slots

    @property
    def quantizes_cache(self) -> bool:
        """See `SlotForward`: transformers' modules take keys and values in the model's dtype."""
        return False

    def slots_that_fit(self, length: int) -> int:
        """See `SlotForward`."""
        return self.cache.slots_that_fit(length)

    @torch.inference_mode()
    def reserve(self, slots: int, length: int) -> None:
        """See `SlotForward`."""
        cache = self.cache
        if slots != cache.slots:
            self.release()
            self._ahead = torch.zeros(slots, dtype=torch.int64, device=self.device)
        length = cache.padded_length(length)
        if length != cache.length:
            self._graph = None
            cache.resize(slots, length)

    def release(self) -> None:
        """See `SlotForward`."""
        self._graph, self._is_capture_refused = None, False
        self.cache.release()

    def warm_up(self, length: int) -> None:
        """See `SlotForward`."""
        if self._is_cuda:
            self.reserve(1, length)
            self.prefill(Prompt(0, 0, [0], None)).ids()
            self.step().ids()
            self.set_idle(0)

    @torch.inference_mode()
    def set_token(self, slot: int, token: int) -> None:
        """See `SlotForward`."""
        self.cache.set_token(slot, token)

    @torch.inference_mode()
    def set_idle(self, slot: int) -> None:
        """See `SlotForward`."""
        self.cache.set_idle(slot)

    # ---- the passes of an answer

    def image_features(self, image: ChatImage, count: int | None = None) -> ChatImage:
        """Returns the image itself: transformers embeds it in the same pass."""
        return image

    def prefill_begin(self, count: int, cached: int) -> int:
        """Images are embedded with the whole prompt alone."""
        return 0

    @torch.inference_mode()
    def prefill(self, prompt: Prompt) -> StepOutput:
        """Prefills `prompt` into its slot, which then continues behind it. Others do not move."""
        slot, state = prompt.slot, self.cache.state
        logits = self._prompt_logits(prompt, 1, is_kept=True).float()
        state[0, slot : slot + 1].copy_(likeliest(logits))
        state[1, slot : slot + 1].fill_(prompt.end)
        self.cache.positions[slot] = prompt.end
        return StepOutput(logits, self._host_copy.start(state[0, slot : slot + 1]), slot)

    @torch.inference_mode()
    def step(self, prompt: Prompt | None = None) -> StepOutput:
        """See `SlotForward`."""
        if prompt is not None:
            return self.prefill(prompt)
        cache = self.cache
        count = 1 + max(cache.busy_slots)
        logits = self._graph_step() if self._is_cuda else None
        if logits is None:
            logits = self._step(cache.state[:, :count], max(cache.positions) + 1)
        cache.advance()
        return StepOutput(logits[:count], self._host_copy.start(cache.state[0, :count]))

    def _graph_step(self) -> Tensor | None:
        """A replayed step of all slots; captured first. None if the device refuses, which is not
        tried again at each token."""
        cache = self.cache
        if self._graph is None and not self._is_capture_refused:
            with cache.all_idle():
                function = partial(self._step, cache.state, cache.length)
                self._graph = try_capture(function, [], self.device)
            self._is_capture_refused = self._graph is None
        return self._graph() if self._graph is not None else None

    def _step(self, state: Tensor, span: int) -> Tensor:
        """One step of `state` (2, rows), token ids and positions, which it updates in place.

        Reads at most `span` positions of the cache. Returns float32 logits (rows, vocabulary).
        """
        ids, positions = state
        is_busy = positions >= 0
        # Idle rows read position 0 and write at the last position: what they compute is finite.
        own = positions.clamp(min=0)
        self._rows.step(torch.where(is_busy, positions, self.cache.length - 1), span)
        output = self._model(
            input_ids=ids.clamp(min=0)[:, None],
            attention_mask=self._step_mask(own, span),
            position_ids=(own + self._ahead[: len(own)])[:, None],
            **self._cache_arguments,
        )
        logits = output.logits[:, -1].float()
        ids.copy_(torch.where(is_busy, likeliest(logits), ids))
        positions.copy_(positions + is_busy)
        return logits

    def _step_mask(self, positions: Tensor, span: int) -> Tensor | dict[str, Tensor]:
        """(rows, 1, 1, span), by layer type where there are several."""
        at, own = torch.arange(span, device=self.device), positions[:, None]
        full = window = at <= own
        if self._window is not None:
            window = full & (at > own - self._window)
        if "sliding_attention" in self._layer_types:
            masks = {"full_attention": full, "sliding_attention": window}
            return {name: self._as_mask(mask) for name, mask in masks.items()}
        return self._as_mask(full if self._layer_types else window)

    def _as_mask(self, is_seen: Tensor) -> Tensor:
        is_seen = is_seen[:, None, None]
        if not self._is_mask_added:
            return is_seen
        hidden = torch.finfo(self.dtype).min
        return torch.zeros_like(is_seen, dtype=self.dtype).masked_fill(~is_seen, hidden)

    # ---- passes that leave the cache as it is

    @torch.inference_mode()
    def logits_after(
        self,
        ids: Sequence[int],
        features: ChatImage | None,
        count: int,
        *,
        slot: int = 0,
        begin: int = 0,
    ) -> Iterator[Tensor]:
        """See `SlotForward`."""
        prompt = Prompt(slot, begin, ids, features)
        if not self.cache.slots:
            self.reserve(1, 1)
        logits = self._prompt_logits(prompt, count, is_kept=False)
        for first in range(0, count, _ROWS_AT_ONCE):
            yield logits[first : first + _ROWS_AT_ONCE].float()

    @torch.inference_mode()
    def note_attention(
        self, ids: Sequence[int], image: ChatImage, count: int, on_attention: OnAttention
    ) -> None:
        """Runs a prompt without the cache, and calls `on_attention` for each layer, see there, with
        the last `count` rows."""
        arguments = self._arguments(Prompt(0, 0, ids, image)) | {"use_cache": False}
        if self._has_limited_logits:
            arguments["logits_to_keep"] = count
        with attention_noted(self._decoder, count, on_attention):
            self._model(**arguments)

    # ---- what transformers' model is given

    @property
    def _cache_arguments(self) -> dict[str, Any]:
        return {self._cache_name: self._given_cache, "use_cache": True}

    def _prompt_logits(self, prompt: Prompt, count: int, *, is_kept: bool) -> Tensor:
        """Runs a prompt; returns the logits (count, vocabulary) after its last ids."""
        self._rows.prefill(prompt.slot, prompt.begin, is_kept=is_kept)
        arguments = self._arguments(prompt) | self._cache_arguments
        if self._has_limited_logits:
            arguments["logits_to_keep"] = count
        used: list[Tensor | None] = []

        def note(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            used.append(named.get("position_ids"))

        hook = self._decoder.register_forward_pre_hook(note, with_kwargs=True)
        try:
            output = self._model(**arguments)
        finally:
            hook.remove()
        if is_kept and prompt.begin == 0:
            self._note_positions(prompt, used[-1] if used else None)
        return output.logits[0, -count:]

    def _arguments(self, prompt: Prompt) -> dict[str, Any]:
        """The tensors of a prompt; ids behind those that the processor made are text."""
        image: ChatImage | None = prompt.features
        if image is None:
            ids = to_device(torch.tensor([list(prompt.ids)]).clamp(min=0), self.device)
            positions = torch.arange(prompt.begin, prompt.end, device=self.device)[None]
            if prompt.begin:
                positions = positions + self._ahead[prompt.slot]
            return {"input_ids": ids, "position_ids": positions}
        tensors = dict(image.tensors)
        length = tensors["input_ids"].shape[1]
        if more := list(prompt.ids[length:]):
            for name, tensor in tensors.items():
                if tensor.shape == (1, length):
                    added = torch.full((1, len(more)), int(name == "attention_mask"))
                    tensors[name] = torch.cat([tensor, added.to(tensor.dtype)], 1)
            tensors["input_ids"][0, length:] = torch.tensor(more)
        return on_device(tensors, self._model)

    def _note_positions(self, prompt: Prompt, used: Tensor | None) -> None:
        """Notes how a slot's text goes on, from the position ids of its prompt."""
        ahead = self._ahead[prompt.slot : prompt.slot + 1]
        if used is None:
            ahead.fill_(0)
            return
        # Qwen's have several planes, for time, height and width; text goes on in all of them.
        ahead.copy_(used[..., -1].max() + 1 - prompt.end)
