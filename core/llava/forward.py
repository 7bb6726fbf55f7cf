"""The arithmetic of a LLaVA-1.5 on a static KV cache: vision, prefill, decode step.

transformers' modules launch some 1,500 small kernels a token and leave the card idle 93 % of the
time. Here a step has five kernels a layer on a card, a third of the calls elsewhere, and on CUDA
the step, the vision tower and the usual prefills are captured once and then replayed.
transformers' model stays whole: its weights become views of the joined ones, so `generate()` still
works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.bias import causal_lower_right
from transformers import LlavaForConditionalGeneration

from core.device.memory import LENGTH_STEP
from core.llava.cuda_graphs import Graph, HostCopy, SideStream, forked_stream, try_capture
from core.llava.kernels.launch import Kernels, load_kernels
from core.llava.kernels.shape import KernelShape
from core.llava.linear import DecoderLayer, Dequantizer, Matrix, layer_bits
from core.llava.operations import TorchOperations
from core.llava.passes import PrefillRows, Prompt, StepOutput
from core.llava.prompt import IMAGE_TOKEN_INDEX
from core.llava.quantized import QuantizedLinear
from core.llava.vision import VisionTower

log = logging.getLogger(__name__)

# Rotary embeddings that depend on nothing but the position.
_ROPE_TYPES = {"default", "linear", "llama3"}
# Captured prefills with a picture have a multiple of so many rows; with a row for each slot beside
# them of fewer, since each costs 20 µs on an H200; and no more than so many in all.
_PREFILL_STEP, _PREFILL_STEP_BESIDE, _LONGEST_WHOLE = 64, 8, 1024
# Those of one more question about it, by whether the matrices are quantised: these take 32 rows in
# two thirds of the time of 64, others in the same.
_SHORT_PREFILLS = {True: (32, 64), False: (64,)}
# So many kinds are kept.
_PREFILLS = 8
# So many rows at a time are masked on a processor.
_MASKED_ROWS = 128
# Of the memory that is free, the rest is left for what is computed and for other programs.
_FREE_FOR_SLOTS = 0.75
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
    log.info("Decoding by our own loop: %s.", forward.path)
    return forward


def _obstacle(model: Any) -> str | None:
    """What keeps `model` from the fast path, None when nothing does."""
    if not isinstance(model, LlavaForConditionalGeneration):
        return f"{type(model).__name__} is not LLaVA-1.5"
    config: Any = model.config
    text, vision = config.text_config, config.vision_config
    language: Any = model.model.language_model
    linear = [m for m in language.modules() if "Linear" in type(m).__name__]
    parameters = list(model.parameters())
    if text.model_type != "llama" or text.hidden_act != "silu":
        return f"the language model is {text.model_type} with {text.hidden_act}"
    if vision.model_type != "clip_vision_model" or not isinstance(config.vision_feature_layer, int):
        return "the vision tower is not read at one layer of a CLIP"
    if language.rotary_emb.rope_type not in _ROPE_TYPES:
        return f"its rotary embeddings are {language.rotary_emb.rope_type}"
    own = (nn.Linear, QuantizedLinear)
    if any(type(module) not in own for module in (*linear, model.lm_head)) or any(
        type(parameter.data) is not Tensor for parameter in parameters
    ):
        return "its weights are quantised by a library"
    if len({(p.device, p.dtype) for p in parameters}) != 1 or not parameters[0].is_floating_point():
        return "its weights are on several devices or in several precisions"
    return None


class ForwardPass:
    """Vision, prefill and decode step of one model, with its static KV cache.

    The cache has one row of `length` positions for each of `slots`. A slot stands at a position
    with a token to go on from, as `prefill` leaves it, until it rests. Not safe for two threads at
    once. What the cache holds in which slot is the caller's to know.
    """

    def __init__(self, model: Any):
        config, language = model.config.text_config, model.model.language_model
        self._heads, self._key_heads = config.num_attention_heads, config.num_key_value_heads
        self._head_dim = config.head_dim or config.hidden_size // config.num_attention_heads
        self._eps = config.rms_norm_eps
        self._embedding = language.embed_tokens.weight
        self._rotary = language.rotary_emb
        self._norm = language.norm.weight
        self.device, self.dtype = self._embedding.device, self._embedding.dtype
        group = self._heads // self._key_heads
        shape = KernelShape(
            dtype=self.dtype,
            bits=layer_bits(model),
            hidden=config.hidden_size,
            inner=config.intermediate_size,
            head_dim=self._head_dim,
            group=group,
        )
        self._kernels = load_kernels(shape, self.device)
        self._operations = self._kernels or TorchOperations(self.dtype, self._head_dim, group)
        self._short_prefills = _SHORT_PREFILLS[shape.bits < 16]
        dequantizer = Dequantizer(self._kernels)
        self._layers = [DecoderLayer.joined(layer, dequantizer) for layer in language.layers]
        self._lm_head = model.lm_head
        self._head = Matrix.joined([self._lm_head], dequantizer)
        self._tower = self._vision = VisionTower(model)
        self._vision_beside: SideStream | None = None
        # The pixel values of the last picture, and what became of them.
        self._encoded: tuple[np.ndarray, Tensor] | None = None
        self._weight_bytes = self._head.nbytes + sum(layer.nbytes for layer in self._layers)
        self._position_bytes = (
            len(self._layers) * 2 * self._key_heads * self._head_dim * self.dtype.itemsize
        )
        self.slots = self.length = 0
        # Where each slot stands; negative at rest. The device has the same in `_state`, ids first.
        self._positions: list[int] = []
        self._replay: Graph | None = None
        self._prefills: dict[str, Callable[..., Tensor]] = {}
        # A graph wants the same shapes at each step; without graphs, less is read.
        self.runs_ahead = self._has_graphs = self.device.type == "cuda"
        # A processor gains nothing by it: it computes about as fast as it reads.
        self.mixes_prefill_and_decode = self._has_graphs
        self._told = HostCopy(self.device)
        if self._has_graphs:
            size = model.config.vision_config.image_size
            self._pixels = torch.zeros(1, 3, size, size, device=self.device, dtype=self.dtype)
            self._vision = try_capture(self._tower, [self._pixels], self.device) or self._tower

    @property
    def path(self) -> str:
        """How it computes, for the log."""
        graphs = "CUDA graphs" if self._has_graphs else "no graphs"
        own = "our own kernels" if self._kernels is not None else "torch's operations"
        return (
            f"{graphs}, {own}, {self._layers[0].down.bits}-bit layers, {self.dtype}, {self.device}"
        )

    def slots_that_fit(self, length: int) -> int:
        """How many slots of `length` positions a card's free memory holds beside what the rest of
        the work takes; 0 on a processor."""
        if self.device.type != "cuda":
            return 0
        free, _ = torch.cuda.mem_get_info(self.device)
        free += torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return max(1, int(_FREE_FOR_SLOTS * free) // (length * self._position_bytes))

    @torch.inference_mode()
    def reserve(self, slots: int, length: int) -> None:
        """Makes the cache exactly `slots` rows of at least `length` positions.

        What the rows hold stays when there are no more or fewer of them. Drops the captured step
        when anything changes.
        """
        if slots != self.slots:
            self.release()
        length = max(-(-length // LENGTH_STEP) * LENGTH_STEP, self.length)
        if length == self.length:
            return
        self._replay = None
        self._prefills = {}
        # Zeros: a masked position still counts 0 × its value, which must not be NaN.
        shape = (slots, 2 * self._key_heads, length, self._head_dim)
        for layer in self._layers:
            grown = torch.zeros(shape, device=self.device, dtype=self.dtype)
            if layer.cache is not None:
                grown[:, :, : self.length] = layer.cache
            layer.cache = grown
        if self.slots == 0:
            self._positions = [-1] * slots
            self._state = torch.tensor([[0] * slots, [-1] * slots], device=self.device)
        self.slots, self.length = slots, length
        self._cosine, self._sine = self._tables(length)
        if self._has_graphs and slots > 1 and self._vision_beside is None:
            graph = try_capture(self._tower, [self._pixels], self.device, stream_key=1)
            self._vision_beside = SideStream(graph, self.device) if graph is not None else None

    def _tables(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine, (length, head_dim); the sign of rotate_half is in the sine."""
        like = torch.empty(0, device=self.device, dtype=self._operations.table_dtype)
        cos, sin = self._rotary(like, torch.arange(length, device=self.device)[None])
        half = self._head_dim // 2
        return cos[0].contiguous(), torch.cat([-sin[0, :, :half], sin[0, :, half:]], -1)

    def release(self) -> None:
        """Gives the cache and the captured step back."""
        self._replay = self._encoded = self._vision_beside = None
        self._prefills = {}
        self.slots = self.length = 0
        self._positions = []
        for layer in self._layers:
            layer.cache = None

    @torch.inference_mode()
    def warm_up(self, length: int) -> None:
        """On a card, all that a first answer would have to wait for: kernels loaded, one slot of
        `length` positions reserved, its step captured."""
        if not self._has_graphs:
            return
        self.reserve(1, length)
        pixels = np.zeros((1, *self._pixels.shape[1:]), np.float32)
        features = self.image_features(pixels)
        # The original's conversation has some fifty positions beside the image's.
        whole = [IMAGE_TOKEN_INDEX] * len(features) + [0] * 50
        if len(whole) + self._short_prefills[-1] <= length:
            self.prefill(Prompt(0, 0, whole, features)).ids()
            for rows in self._short_prefills:
                self.prefill(Prompt(0, len(whole), [0] * rows, None)).ids()
            self.step().ids()
        self.set_idle(0)

    @torch.inference_mode()
    def image_features(self, pixel_values: np.ndarray) -> Tensor:
        """float32 (1, 3, size, size) → (image tokens, hidden size), projected.

        The next call for other values writes over it. Those of the same array are not made again:
        a picture is encoded once for all that is asked about it, in whatever slots. With several,
        it is encoded beside the step under way.
        """
        if self._encoded is None or self._encoded[0] is not pixel_values:
            self._encoded = None

            def bring() -> Tensor:
                return self._sent(torch.from_numpy(pixel_values)).to(self.dtype)

            beside = self._vision_beside
            features = beside(bring) if beside is not None else self._vision(bring())
            self._encoded = pixel_values, features
        return self._encoded[1]

    def _sent(self, tensor: Tensor) -> Tensor:
        """A copy on the device. From memory that is not pinned it would wait for all under way."""
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    @torch.inference_mode()
    def prefill(self, prompt: Prompt) -> StepOutput:
        """Writes `prompt` into its slot and leaves that behind it; the others stay where they are.

        The result has one row, that slot's.
        """
        ids, features, slot = prompt.ids, prompt.features, prompt.slot
        if features is None and self._takes_short(prompt.begin, len(ids)):
            logits = self._short_prefill(prompt.begin, ids)
        elif prompt.is_whole and self.prefers_full_prefill(len(ids)):
            assert features is not None
            given = self._given(prompt)
            name = f"whole {len(given)}"
            logits = self._captured_once(name, self._whole, [given, features])(given, features)
        else:
            logits = self._alone(self._rows_of(prompt))
        self._positions[slot] = prompt.end
        return StepOutput(logits, self._told.of(self._state[0, slot : slot + 1]), slot)

    def _through_layers(
        self,
        hidden: Tensor,
        attend: Callable[[DecoderLayer, Tensor, Tensor], Tensor],
        last: Tensor | None = None,
    ) -> Tensor:
        """(rows, hidden) → the same, ready for the head.

        `attend` keeps what is to be kept of a layer's states (rows, heads × head_dim), and gives
        (rows, query heads × head_dim); it also gets what went into the layer. Of the last layer
        only the rows `last`, int64, may be asked for: then `attend` gives, and there come out,
        no others.
        """
        operations, delta = self._operations, None
        for layer in self._layers:
            states = operations.add_rms_norm(hidden, delta, layer.attention_norm, self._eps)
            attention = attend(layer, layer.query_key_value(states), hidden)
            if last is not None and layer is self._layers[-1]:
                hidden = hidden.index_select(0, last)
            delta = layer.output(attention)
            states = operations.add_rms_norm(hidden, delta, layer.mlp_norm, self._eps)
            delta = layer.down(operations.silu_and_mul(layer.gate_up(states)))
        return operations.add_rms_norm(hidden, delta, self._norm, self._eps)

    # ---- usual prefills as graphs: their launches would take longer than they do

    def _captured_once(
        self, name: str, function: Callable[..., Tensor], inputs: Sequence[Tensor]
    ) -> Callable[..., Tensor]:
        """`function` captured with what it is given first, until the cache changes or others are
        used more."""
        replay = self._prefills.pop(name, None)
        if replay is not None:
            self._prefills[name] = replay
        else:
            while len(self._prefills) >= _PREFILLS:
                del self._prefills[next(iter(self._prefills))]
            with self._state_kept():
                replay = self._prefills[name] = (
                    try_capture(function, inputs, self.device) or function
                )
        return replay

    def _takes_short(self, begin: int, count: int) -> bool:
        return (
            self._kernels is not None
            and self.slots == 1
            and count <= self._short_prefills[-1]
            and begin + self._short_prefills[-1] <= self.length
        )

    def _short_prefill(self, begin: int, ids: Sequence[int]) -> Tensor:
        """A few more positions in the only slot."""
        rows = next(rows for rows in self._short_prefills if len(ids) <= rows)
        given = self._sent(torch.tensor([*ids, *[0] * (rows - len(ids)), begin, 0, len(ids)]))
        return self._captured_once(f"short {rows}", self._short, [given])(given)

    def _short(self, given: Tensor) -> Tensor:
        """`given` int64: ids, of which only so many count; where they begin; the slot; how many.

        What the others leave in the cache is written over before it is looked at.
        """
        kernels = self._kernels
        assert kernels is not None
        ids, place, count = given[:-3], given[-3:-1], given[-1:]
        begin = place[0]
        places = torch.arange(self.length, device=self.device)
        is_hidden = places > (begin + places[: len(ids)])[:, None]
        mask = torch.zeros(is_hidden.shape, device=self.device, dtype=self.dtype)
        mask = mask.masked_fill_(is_hidden, float("-inf"))

        def attend(layer: DecoderLayer, states: Tensor) -> Tensor:
            kernels.rope_and_cache_at(states, layer.cache, self._cosine, self._sine, place)
            attention = self._attention(states, layer.cache[0], mask)
            return self._asked_for(layer, attention, count)

        hidden = functional.embedding(ids, self._embedding)
        return self._alone(PrefillRows(hidden, attend, place, count))

    def prefers_full_prefill(self, count: int) -> bool:
        """Whether a prompt of `count` positions is best prefilled from its beginning."""
        rows = self._whole_rows(count)
        return self._kernels is not None and rows <= min(self.length, _LONGEST_WHOLE)

    def _whole_rows(self, count: int) -> int:
        """How many a captured prefill of `count` has."""
        if self.slots == 1:
            return -(-count // _PREFILL_STEP) * _PREFILL_STEP
        together = count + self.slots
        return -(-together // _PREFILL_STEP_BESIDE) * _PREFILL_STEP_BESIDE - self.slots

    def _given(self, prompt: Prompt) -> Tensor:
        """A prompt with its picture, in any slot, as `_whole` takes it."""
        ids = prompt.ids
        rest = [0] * (self._whole_rows(len(ids)) - len(ids))
        first = ids.index(IMAGE_TOKEN_INDEX)
        numbers = [max(number, 0) for number in ids]
        return self._sent(torch.tensor([*numbers, *rest, first, 0, prompt.slot, len(ids)]))

    def _whole(self, given: Tensor, features: Tensor) -> Tensor:
        return self._alone(self._whole_prompt(given, features))

    def _whole_beside(self, given: Tensor, features: Tensor) -> Tensor:
        return self._step(self._state, self.length, self._whole_prompt(given, features))

    def _whole_prompt(self, given: Tensor, features: Tensor) -> PrefillRows:
        """`given` int64: ids, of which only so many count; where the image begins; 0, where they
        begin; the slot; how many count."""
        kernels = self._kernels
        assert kernels is not None
        ids, place, count = given[:-4], given[-3:-1], given[-1:]
        hidden = functional.embedding(ids, self._embedding)
        spots = given[-4] + torch.arange(len(features), device=self.device)
        hidden.index_copy_(0, spots, features)
        shape = (len(ids), -1, self._head_dim)
        sizes = (self._heads, self._key_heads, self._key_heads)

        def attend(layer: DecoderLayer, states: Tensor) -> Tensor:
            kernels.rope_and_cache_at(states, layer.cache, self._cosine, self._sine, place)
            query, key, value = (
                part.transpose(0, 1)[None] for part in states.view(shape).split(sizes, 1)
            )
            attention = functional.scaled_dot_product_attention(
                query, key, value, is_causal=True, enable_gqa=self._heads != self._key_heads
            )
            attention = attention[0].transpose(0, 1).reshape(len(ids), -1)
            return self._asked_for(layer, attention, count)

        return PrefillRows(hidden, attend, place, count)

    def _rows_of(self, prompt: Prompt) -> PrefillRows:
        """Any prompt, not for capture."""
        slot, begin, end = prompt.slot, prompt.begin, prompt.end
        mask = self._lower_right(len(prompt.ids), end)

        def attend(layer: DecoderLayer, states: Tensor) -> Tensor:
            cache = layer.cache[slot]
            self._operations.rope_and_cache(states, cache, self._cosine, self._sine, begin)
            if layer is self._layers[-1]:
                return self._attention(states[-1:], cache[:, :end])
            return self._attention(states, cache[:, :end], mask)

        given = self._sent(torch.tensor([begin, slot, len(prompt.ids)]))
        hidden = self._embedded(prompt.ids, prompt.features)
        return PrefillRows(hidden, attend, given[:2], given[2:])

    def _asked_for(self, layer: DecoderLayer, rows: Tensor, count: Tensor) -> Tensor:
        """Of the last layer, of a prompt of `count`, only the last; of the others, nothing more
        is asked there than their keys and values."""
        return rows.index_select(0, count - 1) if layer is self._layers[-1] else rows

    def _alone(self, prompt: PrefillRows) -> Tensor:
        """The prompt's slot goes on behind it; the logits (1, vocab) of its last row."""
        states = self._through_layers(
            prompt.hidden, lambda layer, states, _: prompt.attend(layer, states), prompt.count - 1
        )
        logits = self._logits(states)
        begin, slot = prompt.place[:1], prompt.place[1:]
        self._state[0].index_copy_(0, slot, logits.argmax(-1))
        self._state[1].index_copy_(0, slot, begin + prompt.count)
        return logits

    # ---- what is looked at afterwards

    @torch.inference_mode()
    def hidden_states(
        self,
        ids: Sequence[int],
        features: Tensor | None,
        on_layer: Callable[[int, Tensor, Tensor, Tensor], None] | None = None,
        *,
        slot: int = 0,
        begin: int = 0,
    ) -> Tensor:
        """As `prefill`, but the cache stays as it is: (rows, hidden), ready for the head.

        Looks at what `slot` holds before `begin`. `on_layer` hears for each layer its number, what
        goes into it (rows, hidden), the rows' queries (rows, heads, head_dim) and all keys (key
        heads, positions, head_dim), both turned; they are written over by what follows.
        """
        count, end = len(ids), begin + len(ids)
        fits = end <= self.length
        cosine, sine = (self._cosine, self._sine) if fits else self._tables(end)
        hidden = self._embedded(ids, features)
        shape = (2 * self._key_heads, end, self._head_dim)
        cache = torch.zeros(shape, device=self.device, dtype=self.dtype)
        mask = self._lower_right(count, end)
        numbers = iter(range(len(self._layers)))

        def attend(layer: DecoderLayer, states: Tensor, before: Tensor) -> Tensor:
            if begin:
                cache[:, :begin] = layer.cache[slot, :, :begin]
            self._operations.rope_and_cache(states, cache, cosine, sine, begin)
            if on_layer is not None:
                queries = states[:, : self._heads * self._head_dim].view(count, self._heads, -1)
                on_layer(next(numbers), before, queries, cache[: self._key_heads])
            return self._attention(states, cache, mask)

        return self._through_layers(hidden, attend)

    @property
    def layer_count(self) -> int:
        """How many there are."""
        return len(self._layers)

    @torch.inference_mode()
    def final_norm(self, hidden: Tensor) -> Tensor:
        """What goes into any layer, as `hidden_states` gives what comes out of the last."""
        return self._operations.add_rms_norm(hidden, None, self._norm, self._eps)

    @torch.inference_mode()
    def logits(self, states: Tensor, ids: Sequence[int] | None = None) -> Tensor:
        """float32 (rows, vocab) of states that are ready for the head, or (rows, `ids`)."""
        if ids is None:
            return self._head(states).float()
        return (states @ self._head.rows(ids, self.dtype).t()).float()

    def _embedded(self, ids: Sequence[int], features: Tensor | None) -> Tensor:
        """(rows, hidden): the embeddings of `ids`, the image's from `features`."""
        numbers = self._sent(torch.tensor(ids).clamp(min=0))
        hidden = functional.embedding(numbers, self._embedding)
        if features is not None:
            first = ids.index(IMAGE_TOKEN_INDEX)
            hidden[first : first + len(features)] = features
        return hidden

    def _lower_right(self, count: int, end: int) -> Any:
        """What `_attention` takes for the last `count` of `end` positions, each of which looks at
        itself and those before it; None where it knows by itself."""
        if count in (1, end):
            return None
        if self._heads == self._key_heads and self.device.type == "cuda":
            return causal_lower_right(count, end)
        mask = torch.full((count, end), float("-inf"), device=self.device, dtype=self.dtype)
        return mask.triu_(end - count + 1)

    def _attention(self, states: Tensor, cache: Tensor, mask: Any = None) -> Tensor:
        """`states` (rows, heads × head_dim) → (rows, query heads × head_dim).

        The rows look at what `cache` (2 × key heads, positions, head_dim) holds as `mask` (rows,
        positions) says, on a processor that of `_lower_right`; without one, a single row at all
        of it, and as many as there are positions each at itself and those before it.
        """
        count, end = len(states), cache.shape[1]
        queries = states[:, : self._heads * self._head_dim].view(count, self._heads, -1)
        queries = queries.transpose(0, 1)[None]
        keys, values = cache[None, : self._key_heads], cache[None, self._key_heads :]
        attend = partial(
            functional.scaled_dot_product_attention, enable_gqa=self._heads != self._key_heads
        )
        with _attention_kernels():
            if self.device.type == "cpu" and mask is not None:
                # What is masked would be computed too.
                parts = []
                for first in range(0, count, _MASKED_ROWS):
                    last = min(first + _MASKED_ROWS, count)
                    seen = end - count + last
                    parts.append(
                        attend(
                            queries[:, :, first:last],
                            keys[:, :, :seen],
                            values[:, :, :seen],
                            attn_mask=mask[first:last, :seen],
                        )
                    )
                attention = torch.cat(parts, 2)
            else:
                is_causal = mask is None and count == end
                attention = attend(queries, keys, values, attn_mask=mask, is_causal=is_causal)
        return attention[0].transpose(0, 1).reshape(count, -1)

    @torch.inference_mode()
    def step(self, prompt: Prompt | None = None) -> StepOutput:
        """One token further in every slot that is not at rest, and `prompt` into its own.

        They take one way through the layers, so that a matrix is read once for both; unless
        `mixes_prefill_and_decode` is false: then the others stay where they are. Writes each
        slot's token at its position; the likeliest of what follows is then its token. The result
        has a row for each of the first slots, up to the last that is not at rest, or the prompt's
        alone. Its logits are written over by the next step.
        """
        busy = [slot for slot, position in enumerate(self._positions) if position >= 0]
        whole = (
            prompt is not None and prompt.is_whole and self.prefers_full_prefill(len(prompt.ids))
        )
        is_joined = self.mixes_prefill_and_decode and self.slots > 1 and (busy or whole)
        if prompt is not None and not is_joined:
            return self.prefill(prompt)
        count = 1 + max(busy if prompt is None else [*busy, prompt.slot])
        span = max(self._positions) + 1
        if whole:
            assert prompt is not None
            given, features = self._given(prompt), prompt.features
            assert features is not None
            inputs, name = [given, features], f"whole {len(given)} beside"
            logits = self._captured_once(name, self._whole_beside, inputs)(*inputs)
        elif prompt is not None:
            logits = self._step(self._state[:, :count], span, self._rows_of(prompt))
        elif not self._has_graphs:
            with _threads(self._weight_bytes + count * span * self._position_bytes):
                logits = self._step(self._state[:, :count], span)
        else:
            # One graph for all slots.
            if self._replay is None:
                self._capture()
            logits = self._replay() if self._replay else self._step(self._state, self.length)
        self._positions = [at if at < 0 else at + 1 for at in self._positions]
        if prompt is not None:
            self._positions[prompt.slot] = prompt.end
        return StepOutput(logits[:count], self._told.of(self._state[0, :count]))

    @torch.inference_mode()
    def _capture(self) -> None:
        with self._state_kept():
            function = partial(self._step, self._state, self.length)
            self._replay = try_capture(function, [], self.device)

    @contextmanager
    def _state_kept(self) -> Iterator[None]:
        """While something is tried and captured, slots rest, and nothing is kept of it."""
        state = self._state.clone()
        self._state[1] = -1
        yield
        self._state.copy_(state)

    @torch.inference_mode()
    def set_token(self, slot: int, token: int) -> None:
        """Goes on from `token` in `slot` instead of from the likeliest."""
        # Assigned, it would first be brought from here, and that waits for all under way.
        self._state[0, slot].fill_(token)

    @torch.inference_mode()
    def set_idle(self, slot: int) -> None:
        """Stays where it is from now on. What `slot` holds before its position is kept."""
        self._state[1, slot].fill_(-1)
        self._positions[slot] = -1

    def _step(self, state: Tensor, span: int, prompt: PrefillRows | None = None) -> Tensor:
        """Goes on from `state` (2, rows), ids and positions, and changes it; float32 logits.

        `span` positions of the cache are read at most. The row of the `prompt`'s slot, which is
        at rest, is then that of the prompt's end.
        """
        ids, positions = state
        hidden = functional.embedding(ids, self._embedding)
        if self._kernels is not None and len(hidden) == 1 and self._is_plain:
            logits = self._fused_step(self._kernels, hidden, positions)
        else:
            logits = self._logits(self._step_states(hidden, positions, span, prompt))
        is_busy, ends = positions >= 0, positions
        if prompt is not None:
            begin, slot = prompt.place
            is_its = torch.arange(len(ids), device=self.device) == slot
            is_busy, ends = is_busy | is_its, torch.where(is_its, begin + prompt.count - 1, ends)
        ids.copy_(torch.where(is_busy, logits.argmax(-1), ids))
        positions.copy_(ends + is_busy)
        return logits

    def _step_states(
        self, hidden: Tensor, positions: Tensor, span: int, prompt: PrefillRows | None
    ) -> Tensor:
        """(rows, hidden) → the same, ready for the head; the prompt's end in its slot's row."""
        operations: Any = self._operations
        place = operations.step_positions(positions, span, self._cosine, self._sine)
        count = len(hidden)
        last = None
        if prompt is not None:
            own = torch.arange(count, device=self.device)
            last = torch.where(own == prompt.place[1], count + prompt.count - 1, own)
            hidden = torch.cat([hidden, prompt.hidden])

        def attend(layer: DecoderLayer, states: Tensor, _: Tensor) -> Tensor:
            if prompt is None:
                return operations.decode_attention(states, layer.cache, place)
            # The prompt's is computing, the others' is reading: neither waits for the other.
            with self._forked() as join:
                told = prompt.attend(layer, states[count:])
            steps = states[:count]
            attention = operations.decode_attention(steps, layer.cache, place)
            join()
            if layer is self._layers[-1]:
                return attention.index_copy(0, prompt.place[1:], told)
            return torch.cat([attention, told])

        return self._through_layers(hidden, attend, last)

    def _forked(self) -> AbstractContextManager[Callable[[], None]]:
        return (
            forked_stream(self.device) if self.device.type == "cuda" else nullcontext(lambda: None)
        )

    @cached_property
    def _is_plain(self) -> bool:
        """Whether every matrix is as the fused kernels want it."""
        matrices = [matrix for layer in self._layers for matrix in layer.matrices]
        bits = matrices[0].bits
        return (
            all(matrix.bits == bits and matrix.bias is None for matrix in matrices)
            and self._head.bits == (16 if bits == 16 else 8)
            and self._head.bias is None
        )

    def _fused_step(self, kernels: Kernels, hidden: Tensor, positions: Tensor) -> Tensor:
        """The same for one row in five kernels a layer."""
        eps, place = self._eps, kernels.step_positions(positions, 0, self._cosine, self._sine)
        for layer in self._layers:
            states = kernels.norm_gemv(
                layer.query_key_value.weight, hidden, layer.attention_norm, eps
            )
            states = kernels.decode_attention(states, layer.cache, place)
            kernels.gemv_add(layer.output.weight, states, hidden)
            states = kernels.norm_gemv_gated(layer.gate_up.weight, hidden, layer.mlp_norm, eps)
            kernels.gemv_add(layer.down.weight, states, hidden)
        return kernels.norm_gemv_logits(self._head.weight, hidden, self._norm, eps)

    def _logits(self, states: Tensor) -> Tensor:
        """float32 (rows, vocab) of what is ready for the head."""
        head = self._head if self._head.bits < 16 or self._head.is_wide else self._lm_head
        return head(states).float()


@contextmanager
def _attention_kernels() -> Iterator[None]:
    """Within, cuDNN's attention is left out: it plans for each new length, up to a second long."""
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


@contextmanager
def _threads(bytes_read: int) -> Iterator[None]:
    """Within, torch works with as many threads as pay for so much reading."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, max(1, bytes_read // _BYTES_PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
