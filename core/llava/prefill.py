"""Prefill: a prompt's keys and values go into its slot of the KV cache.

On CUDA the two usual kinds of prompt are captured as graphs, since launching their kernels takes
longer than running them. A *full* prefill is a prompt with its image, from position 0 on, or behind
the text before the image, which a slot has cached from the prompt before. A *short* one is a few
more text tokens, such as the next question about the same image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from core.llava.attention import PromptAttention
from core.llava.captured_prefills import CapturedPrefills
from core.llava.cuda_graphs import GraphCache, to_device
from core.llava.float8 import RawProduct, scaled
from core.llava.kernels.launch import Kernels
from core.llava.kv_cache import KVCache
from core.llava.language_model import LanguageModel
from core.llava.operations import likeliest
from core.llava.passes import Prompt
from core.llava.tokenizer import IMAGE_TOKEN_INDEX

# Rows that short prefills are padded to, by whether the weights are quantized: with these, 32 rows
# take two thirds of the time of 64; with 16 bits they take the same.
_SHORT_ROWS = {True: (32, 64), False: (64,)}


@dataclass(frozen=True, eq=False)
class PrefillRows:
    """A prompt about to go through the layers, padded with rows that do not count.

    `hidden` (rows, hidden size) are its embeddings, of which the first `count`, int64 (1,), count.
    `begin_and_slot` is int64 (2,). `attend` gets a layer's number and projected states (rows,
    heads × head_dim), which it may have to scale, writes keys and values to the cache, and returns
    the attention (rows, query heads × head_dim); in the last layer that of the prompt's last token
    alone.
    """

    hidden: Tensor
    attend: Callable[[int, Tensor | RawProduct], Tensor]
    begin_and_slot: Tensor
    count: Tensor


class Prefill:
    """Prefills one prompt at a time. `short_rows` are the sizes of captured short prefills.

    `is_image_fixed` says that all images have the same number of tokens: full prefills are captured
    for one number of features.
    """

    def __init__(
        self, model: LanguageModel, cache: KVCache, graphs: GraphCache, *, is_image_fixed: bool
    ):
        self._model, self._cache, self._graphs = model, cache, graphs
        self._is_image_fixed = is_image_fixed
        self.attention = PromptAttention(
            model.heads, model.key_heads, model.head_dim, model.device, model.dtype
        )
        self.short_rows = _SHORT_ROWS[model.bits < 16]
        self._captured = CapturedPrefills(cache, cache.unreserved_bytes)

    def run(self, prompt: Prompt) -> Tensor:
        """Prefills `prompt`; returns float32 logits (1, vocabulary) after its last token.

        The slot then continues behind the prompt from the likeliest token; others stay as they are.
        """
        if prompt.features is None and self._is_short(prompt):
            inputs = [self._short_inputs(prompt)]
            name = f"short {len(inputs[0])}"
            return self._graphs.run(name, lambda given: self._alone(self._short(given)), inputs)
        if self.is_full(prompt):
            inputs = self.full_inputs(prompt)
            begin = prompt.begin
            return self._graphs.run(
                f"full {len(inputs[0])} from {begin}",
                lambda given, features: self._alone(self.full_rows(given, features, begin)),
                inputs,
            )
        return self._alone(self.eager_rows(prompt))

    def forget_graphs(self) -> None:
        """To be called when the graphs are dropped."""
        self._captured.forget()

    def is_full(self, prompt: Prompt) -> bool:
        """Whether `prompt` is run as a captured full prefill."""
        can_capture = self._can_capture and prompt.has_whole_image
        return can_capture and self._captured.takes(len(prompt.ids), prompt.begin)

    def best_begin(self, count: int, cached: int) -> int:
        """See `SlotForward.prefill_begin`."""
        return self._captured.best_begin(count, cached) if self._can_capture else cached

    @property
    def _can_capture(self) -> bool:
        return self._model.kernels is not None and self._is_image_fixed

    def full_inputs(self, prompt: Prompt) -> list[Tensor]:
        """What `full_rows` takes for a prompt with its image, in any slot."""
        assert prompt.features is not None
        ids = prompt.ids
        padding = [0] * (self._captured.rows(len(ids)) - len(ids))
        image_begin = ids.index(IMAGE_TOKEN_INDEX)
        numbers = [max(number, 0) for number in ids]
        given = torch.tensor([*numbers, *padding, image_begin, prompt.begin, prompt.slot, len(ids)])
        return [to_device(given, self._model.device), prompt.features]

    def full_rows(self, given: Tensor, features: Tensor, begin: int) -> PrefillRows:
        """A prompt with its image, from position `begin` on; may be captured.

        `given` int64 (rows + 4,): the padded ids, the image's place among them, `begin`, the slot,
        and how many ids count.
        """
        kernels, cache = self._kernels, self._cache
        ids, begin_and_slot, count = given[:-4], given[-3:-1], given[-1:]
        hidden = functional.embedding(ids, self._model.embedding)
        image = given[-4] + torch.arange(len(features), device=self._model.device)
        hidden.index_copy_(0, image, features)

        def attend(layer: int, states: Tensor | RawProduct) -> Tensor:
            whole = kernels.rope_and_cache_at(
                states, cache.layers[layer], cache.cosine, cache.sine, begin_and_slot, begin
            )
            attention = self.attention.over_itself(whole)[begin:]
            return self._last_of_last_layer(layer, attention, count)

        return PrefillRows(hidden, attend, begin_and_slot, count)

    def eager_rows(self, prompt: Prompt) -> PrefillRows:
        """Any prompt, without padding; cannot be captured."""
        cache, operations = self._cache, self._model.operations
        slot, begin, end = prompt.slot, prompt.begin, prompt.end
        mask = self.attention.causal_mask(len(prompt.ids), end)

        def attend(layer: int, raw: Tensor | RawProduct) -> Tensor:
            states = scaled(raw)
            own = cache.layers[layer][slot]
            operations.rope_and_cache(states, own, cache.cosine, cache.sine, begin)
            if self._model.is_last(layer):
                return self.attention.over_cache(states[-1:], own[:, :end])
            return self.attention.over_cache(states, own[:, :end], mask)

        given = to_device(torch.tensor([begin, slot, len(prompt.ids)]), self._model.device)
        hidden = self._model.embed(prompt.ids, prompt.features)
        return PrefillRows(hidden, attend, given[:2], given[2:])

    @property
    def _kernels(self) -> Kernels:
        kernels = self._model.kernels
        assert kernels is not None
        return kernels

    def _is_short(self, prompt: Prompt) -> bool:
        longest = self.short_rows[-1]
        return (
            self._model.kernels is not None
            and self._cache.slots == 1
            and len(prompt.ids) <= longest
            and prompt.begin + longest <= self._cache.length
        )

    def _short_inputs(self, prompt: Prompt) -> Tensor:
        ids = prompt.ids
        rows = next(rows for rows in self.short_rows if len(ids) <= rows)
        given = torch.tensor([*ids, *[0] * (rows - len(ids)), prompt.begin, 0, len(ids)])
        return to_device(given, self._model.device)

    def _short(self, given: Tensor) -> PrefillRows:
        """A few text tokens in the only slot; may be captured.

        `given` int64 (rows + 3,): the padded ids, their first position, the slot, and how many
        count. What the padding writes to the cache is overwritten before it is read.
        """
        kernels, model, cache = self._kernels, self._model, self._cache
        ids, begin_and_slot, count = given[:-3], given[-3:-1], given[-1:]
        begin = begin_and_slot[0]
        positions = torch.arange(cache.length, device=model.device)
        is_hidden = positions > (begin + positions[: len(ids)])[:, None]
        mask = torch.zeros(is_hidden.shape, device=model.device, dtype=model.dtype)
        mask = mask.masked_fill_(is_hidden, float("-inf"))

        def attend(layer: int, raw: Tensor | RawProduct) -> Tensor:
            keys_and_values = cache.layers[layer]
            states = kernels.rope_and_cache_at(
                raw, keys_and_values, cache.cosine, cache.sine, begin_and_slot
            )
            attention = self.attention.over_cache(states, keys_and_values[0], mask)
            return self._last_of_last_layer(layer, attention, count)

        hidden = functional.embedding(ids, model.embedding)
        return PrefillRows(hidden, attend, begin_and_slot, count)

    def _last_of_last_layer(self, layer: int, rows: Tensor, count: Tensor) -> Tensor:
        """All rows, but in the last layer only the prompt's last: only its logits are needed."""
        return rows.index_select(0, count - 1) if self._model.is_last(layer) else rows

    def _alone(self, prompt: PrefillRows) -> Tensor:
        """Runs the prompt without a decode step; sets its slot's state. Logits (1, vocabulary)."""
        states = self._model.run_layers(
            prompt.hidden, lambda layer, states, _: prompt.attend(layer, states), prompt.count - 1
        )
        logits = self._model.logits(states)
        state = self._cache.state
        begin, slot = prompt.begin_and_slot[:1], prompt.begin_and_slot[1:]
        state[0].index_copy_(0, slot, likeliest(logits))
        state[1].index_copy_(0, slot, begin + prompt.count)
        return logits
