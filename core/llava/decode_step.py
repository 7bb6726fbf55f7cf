"""Decode step: every busy slot moves one token further, alone or together with a prefill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.llava.cuda_graphs import Graph, GraphCache, forked_stream, try_capture
from core.llava.float8 import RawProduct
from core.llava.kernels.launch import Kernels
from core.llava.kv_cache import KVCache
from core.llava.language_model import LanguageModel
from core.llava.passes import Prompt
from core.llava.prefill import Prefill, PrefillRows

# On a CPU a step is bound by the bytes it reads. Another thread pays off from this many on; with
# less, waiting for each other takes longer, and far longer if other programs use the cores.
_BYTES_PER_THREAD = 32 << 20


class DecodeStep:
    """Runs decode steps on `cache`; on CUDA the step of all slots is captured as one graph.

    Each step writes the key and value of every busy slot's token, and leaves the likeliest next
    token and its position in `cache.state`. The host's positions are the caller's to advance.
    """

    def __init__(
        self, model: LanguageModel, cache: KVCache, prefill: Prefill, graphs: GraphCache
    ) -> None:
        self._model, self._cache = model, cache
        self._prefill, self._graphs = prefill, graphs
        self._has_graphs = model.device.type == "cuda"
        self._graph: Graph | None = None

    def drop_graph(self) -> None:
        """Frees the captured step; must be called before the cache changes."""
        self._graph = None

    def run(self, count: int) -> Tensor:
        """One step. Returns float32 logits (rows, vocabulary) of at least the first `count` slots.

        The result is overwritten by the next step.
        """
        cache = self._cache
        if not self._has_graphs:
            span = self._span
            with _threads(self._model.weight_bytes + count * span * cache.bytes_per_position):
                return self._step(cache.state[:, :count], span)
        if self._graph is None:
            with cache.all_idle():
                function = partial(self._step, cache.state, cache.length)
                self._graph = try_capture(function, [], self._model.device)
        return self._graph() if self._graph else self._step(cache.state, cache.length)

    def run_with(self, prompt: Prompt, count: int) -> Tensor:
        """One step, and the prefill of `prompt` into its own idle slot, in one pass.

        Each weight matrix is then read once for both. Returns as `run`; the row of the prompt's
        slot is that after its last token.
        """
        cache, prefill = self._cache, self._prefill
        if prefill.is_full(prompt):
            inputs = prefill.full_inputs(prompt)
            name = f"full {len(inputs[0])} from {prompt.begin} with a step"
            return self._graphs.run(
                name,
                lambda given, features: self._step(
                    cache.state, cache.length, prefill.full_rows(given, features, prompt.begin)
                ),
                inputs,
            )
        return self._step(cache.state[:, :count], self._span, prefill.eager_rows(prompt))

    @property
    def _span(self) -> int:
        """How many positions of the cache a step needs to read at most."""
        return max(self._cache.positions) + 1

    def _step(self, state: Tensor, span: int, prompt: PrefillRows | None = None) -> Tensor:
        """One step of `state` (2, rows), token ids and positions, which it updates in place.

        Reads at most `span` positions of the cache. Returns float32 logits (rows, vocabulary), with
        the end of `prompt` in the row of its slot.
        """
        ids, positions = state
        model = self._model
        # A token of broken logits is read only after this step may have been launched.
        hidden = functional.embedding(ids.clamp(min=0), model.embedding)
        if model.kernels is not None and len(hidden) == 1 and model.fits_fused_kernels:
            logits = self._fused_step(model.kernels, hidden, positions)
        else:
            logits = model.logits(self._step_states(hidden, positions, span, prompt))
        if prompt is not None:
            begin, slot = prompt.begin_and_slot
            is_its = torch.arange(len(ids), device=model.device) == slot
            positions.copy_(torch.where(is_its, begin + prompt.count - 1, positions))
        model.operations.next_token(logits, ids, positions)
        return logits

    def _step_states(
        self, hidden: Tensor, positions: Tensor, span: int, prompt: PrefillRows | None
    ) -> Tensor:
        """(rows, hidden size) → the same after the final norm.

        The prompt's rows go through the layers below those of the step, and only its last comes
        out, in the row of its slot.
        """
        model, cache = self._model, self._cache
        operations: Any = model.operations
        at = operations.step_positions(positions, span, cache.cosine, cache.sine)
        count = len(hidden)
        last = None
        if prompt is not None:
            own = torch.arange(count, device=model.device)
            is_its = own == prompt.begin_and_slot[1]
            last = torch.where(is_its, count + prompt.count - 1, own)
            hidden = torch.cat([hidden, prompt.hidden])

        def attend(layer: int, states: Tensor | RawProduct, _: Tensor) -> Tensor:
            if prompt is None:
                return operations.decode_attention(states, cache.layers[layer], at)
            # A prompt's attention is bound by arithmetic and a step's by memory: they run at the
            # same time.
            with self._forked() as join:
                of_prompt = prompt.attend(layer, states[count:])
            attention = operations.decode_attention(states[:count], cache.layers[layer], at)
            join()
            if model.is_last(layer):
                return attention.index_copy(0, prompt.begin_and_slot[1:], of_prompt)
            return torch.cat([attention, of_prompt])

        return model.run_layers(hidden, attend, last)

    def _forked(self) -> AbstractContextManager[Callable[[], None]]:
        if self._has_graphs:
            return forked_stream(self._model.device)
        return nullcontext(lambda: None)

    def _fused_step(self, kernels: Kernels, hidden: Tensor, positions: Tensor) -> Tensor:
        """A step of one slot by five kernels per layer: (1, hidden size) → logits.

        Overwrites `hidden`.
        """
        model, cache, eps = self._model, self._cache, self._model.eps
        at = kernels.step_positions(positions, 0, cache.cosine, cache.sine)
        for layer, keys_and_values in zip(model.layers, cache.layers, strict=True):
            projection = layer.query_key_value
            states = kernels.norm_gemv(
                projection.weight, hidden, layer.attention_norm, eps, projection.bias
            )
            states = kernels.decode_attention(states, keys_and_values, at)
            kernels.gemv_add(layer.output.weight, states, hidden)
            states = kernels.norm_gemv_gated(layer.gate_up.weight, hidden, layer.mlp_norm, eps)
            kernels.gemv_add(layer.down.weight, states, hidden)
        return kernels.norm_gemv_logits(model.head.weight, hidden, model.norm, eps)


@contextmanager
def _threads(bytes_read: int) -> Iterator[None]:
    """Within, torch uses as many threads as pay off for reading so many bytes."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, max(1, bytes_read // _BYTES_PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
