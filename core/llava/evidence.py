"""What each word of an answer rests on: its probability, the picture's share, where on the picture.

Computed after the answer, by forward passes over prompt and answer that do not touch the KV cache:
what the next answer is made from stays as it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.errors import Cancelled
from core.generation.failure import broken_numbers
from core.llava.decoding import DecodeLoop
from core.llava.forward import ForwardPass
from core.llava.prompt import Inputs
from core.llava.tokenizer import Tokenizer
from core.picture import square_of
from core.words import (
    Candidate,
    Evidence,
    TokenEvidence,
    Word,
    WordMap,
    doubts,
    is_function_word,
    is_list_number,
    split_words,
    strongest_region,
)

MOST_CANDIDATES = 5

# On 254 names in scenes of the built-in model the maximum lies on the thing for 99.6 % with
# attention and with both, for 37 % with the logit lens alone, and for 28 % with the plain average
# of all attention. The lens stays for larger models, whose image positions it can read.
Method = Literal["attention", "lens", "both"]
DEFAULT_METHOD: Method = "both"

# Rows whose logits over the whole vocabulary are in memory at once: 32 MB of a Llama's.
_ROWS_AT_ONCE = 256
# The weight of the lens relative to attention, both in standard deviations of the map.
_LENS_WEIGHT = 0.3
# A maximum of a single patch is often just outside the thing, so maps are smoothed; not those with
# fewer patches a side than this.
_LEAST_TO_SMOOTH = 8


@dataclass(frozen=True, eq=False)
class GeneratedAnswer:
    """An answer to examine: the prompt's inputs, and the ids that were generated."""

    inputs: Inputs
    ids: tuple[int, ...]

    @property
    def positions(self) -> list[int]:
        """The ids of prompt and answer as the language model reads them, -200 for each of the
        image's positions."""
        return [*self.inputs.positions, *self.ids]

    @property
    def image(self) -> slice:
        """The image's positions."""
        first = self.inputs.image_begin
        return slice(first, first + self.inputs.image_tokens)


class Examiner:
    """Examines answers that `loop` generated. `plain` are the pixel values of a plain picture."""

    def __init__(self, loop: DecodeLoop, tokenizer: Tokenizer, plain: np.ndarray):
        self._loop, self._forward = loop, loop.forward
        self._tokenizer, self._plain = tokenizer, plain
        self._plain_features: Tensor | None = None

    def evidence(self, generated: GeneratedAnswer, is_stopped: Callable[[], bool]) -> Evidence:
        """Returns the evidence for each word, from two passes: with the picture, and with a plain
        one in the pad colour.

        Raises Cancelled if `is_stopped`, which is asked before each pass.
        """
        started = time.perf_counter()
        if not generated.ids:
            return Evidence((), 0.0)
        if is_stopped():
            raise Cancelled("Looking for evidence was ended.")
        with_picture = self._pass(generated, self._features(generated))
        if is_stopped():
            raise Cancelled("Looking for evidence was ended.")
        if self._plain_features is None:
            self._plain_features = self._forward.image_features(self._plain).clone()
        without_picture = self._pass(generated, self._plain_features, candidates=0)
        text, spans = token_spans(generated.ids, self._tokenizer)
        words = self._words(generated.ids, text, spans, with_picture, without_picture)
        scores = with_picture.log_p.tolist(), without_picture.log_p.tolist()
        tokens = tuple(
            TokenEvidence(number, *span, log_p, without)
            for number, span, log_p, without in zip(generated.ids, spans, *scores, strict=True)
        )
        return Evidence(words, time.perf_counter() - started, tokens)

    def _features(self, generated: GeneratedAnswer) -> Tensor:
        return self._forward.image_features(generated.inputs.pixel_values)

    @torch.inference_mode()
    def _pass(
        self, generated: GeneratedAnswer, features: Tensor, candidates: int = MOST_CANDIDATES
    ) -> _Scores:
        """The scores at each token of the answer, as they were before it was generated."""
        count = len(generated.ids)
        # The last token predicts nothing that was generated.
        states = self._forward.hidden_states(generated.positions[:-1], features)[-count:]
        log_p, likeliest, likeliest_ids = [], [], []
        for first in range(0, count, _ROWS_AT_ONCE):
            rows = states[first : first + _ROWS_AT_ONCE]
            ids = torch.tensor(generated.ids[first : first + len(rows)], device=rows.device)
            logits = self._forward.logits(rows).log_softmax(-1)
            log_p.append(logits.gather(1, ids[:, None])[:, 0])
            top = logits.topk(max(1, candidates), -1)
            likeliest.append(top.values)
            likeliest_ids.append(top.indices)
        scores = torch.cat(log_p).cpu().numpy()
        if not np.isfinite(scores).all():
            raise broken_numbers()
        return _Scores(
            scores,
            torch.cat(likeliest).cpu().numpy(),
            torch.cat(likeliest_ids).cpu().numpy(),
        )

    def _words(
        self,
        ids: Sequence[int],
        text: str,
        spans: Sequence[tuple[int, int]],
        with_picture: _Scores,
        without_picture: _Scores,
    ) -> tuple[Word, ...]:
        measured = []
        for begin, end in split_words(text):
            first, last = _tokens_of(begin, end, spans)
            tokens = slice(first, last)
            word = Word(
                begin,
                end,
                text[begin:end],
                first,
                last,
                probability=float(np.exp(with_picture.log_p[tokens].sum())),
                candidates=self._candidates(ids, with_picture, first),
                gain=float((with_picture.log_p[tokens] - without_picture.log_p[tokens]).sum()),
                doubt=None,
                is_content=_has_content(text, begin, end),
            )
            measured.append(word)
        found = doubts(measured, with_picture.log_p)
        return tuple(replace(w, doubt=d) for w, d in zip(measured, found, strict=True))

    def _candidates(self, ids: Sequence[int], scores: _Scores, token: int) -> tuple[Candidate, ...]:
        """The likeliest tokens here, as text; those with the same text count together."""
        # How a piece decodes, its blanks too, depends on a few tokens before it.
        context = list(ids[max(0, token - 4) : token])
        before = self._tokenizer.decode(context)
        found: dict[str, float] = {}
        for number, log_p in zip(scores.ids[token].tolist(), scores.likeliest[token], strict=True):
            text = self._tokenizer.decode([*context, number])[len(before) :].strip()
            found[text] = found.get(text, 0.0) + float(np.exp(log_p))
        return tuple(Candidate(text, p) for text, p in found.items() if text)

    # ---- maps on the picture

    def word_maps(
        self, generated: GeneratedAnswer, words: Sequence[Word], size: tuple[int, int]
    ) -> tuple[WordMap, ...]:
        """Returns where each word rests on a picture of this (width, height), from one pass."""
        if not words:
            return ()
        started = time.perf_counter()
        maps = self.patch_maps(generated, words)[DEFAULT_METHOD]
        seconds = time.perf_counter() - started
        return tuple(_word_map(values, size, seconds) for values in maps)

    @torch.inference_mode()
    def patch_maps(
        self,
        generated: GeneratedAnswer,
        words: Sequence[Word],
        methods: Sequence[Method] = (DEFAULT_METHOD,),
    ) -> dict[Method, np.ndarray]:
        """Returns float32 (words, rows, columns) over the image's patches, at most 1, by method.

        Attention is computed for the answer's rows of one layer at a time, and one number a patch
        and word is kept.
        """
        collector = _MapCollector(self._forward, generated, words)
        states = self._forward.hidden_states(
            generated.positions[:-1], self._features(generated), collector.on_layer
        )
        collector.on_image_states(states[generated.image])
        side = round(generated.inputs.image_tokens**0.5)
        return {
            method: _smoothed(collector.maps(method).view(-1, 1, side, side)) for method in methods
        }

    # ---- whether a thing is there

    @torch.inference_mode()
    def log_odds(self, inputs: Inputs, yes: int, no: int) -> float:
        """Returns log p(yes) − log p(no) for the first token of an answer, in nats."""
        logits = self._loop.first_logits(inputs)
        odds = float(logits[yes] - logits[no])
        if not math.isfinite(odds):
            raise broken_numbers()
        return odds


@dataclass(frozen=True, eq=False)
class _Scores:
    """For each token of an answer: its log-probability, float32 (tokens,), and log-probabilities
    and ids of the likeliest in its place, float32 and int64 (tokens, candidates), best first."""

    log_p: np.ndarray
    likeliest: np.ndarray
    ids: np.ndarray


class _MapCollector:
    """Collects from the layers of one pass where on the picture each word rests.

    Attention: the rows that predict the word's tokens, averaged over the heads of the upper half
    of the layers, minus the average of the answer's other rows. Patches that every row attends
    to, as in large models, say nothing about this word. The word's own row, which predicts the
    next token, already attends elsewhere.

    Lens: the head's logits of the word's tokens at each image position, in the same layers, minus
    the average of the answer's other tokens. arXiv 2410.02762 takes the softmax over the whole
    vocabulary; this needs no more of the head than the rows of the answer's ids.
    """

    def __init__(self, forward: ForwardPass, generated: GeneratedAnswer, words: Sequence[Word]):
        self._forward, self._image = forward, generated.image
        self._ids = generated.ids
        # The first row that predicts a token of the answer.
        self._first = generated.inputs.length - 1
        is_of_word = torch.zeros(len(words), len(generated.ids))
        for row, word in zip(is_of_word, words, strict=True):
            row[word.first_token : word.end_token] = 1
        others = 1 - is_of_word
        # (words, tokens)
        weights = is_of_word / is_of_word.sum(1, keepdim=True).clamp(min=1)
        weights -= others / others.sum(1, keepdim=True).clamp(min=1)
        self._weights = weights.to(forward.device)
        self._attention = torch.zeros(
            len(words), generated.inputs.image_tokens, device=forward.device
        )
        self._lens = torch.zeros_like(self._attention)

    def on_layer(self, layer: int, hidden: Tensor, queries: Tensor, keys: Tensor) -> None:
        """Takes the input of `layer`, `hidden` (positions, hidden size), and its `queries`
        (positions, heads, dim) and `keys` (key heads, positions, dim) with rotary embedding."""
        middle = self._forward.layer_count // 2
        if layer > middle:
            self.on_image_states(self._forward.final_norm(hidden[self._image].clone()))
        if layer < middle:
            return
        rows = queries[self._first :].transpose(0, 1)
        heads, count, dim = rows.shape
        # Query heads that share a key head are adjacent.
        grouped = rows.reshape(len(keys), -1, dim) * dim**-0.5
        scores = (grouped @ keys.transpose(1, 2)).view(heads, count, -1).float()
        is_later = torch.ones_like(scores[0], dtype=torch.bool).triu(self._first + 1)
        attention = scores.masked_fill_(is_later, float("-inf")).softmax(-1)
        self._attention += self._weights @ attention[:, :, self._image].mean(0)

    def on_image_states(self, states: Tensor) -> None:
        """Takes `states` of the image's positions, (patches, hidden size), after the final norm."""
        self._lens += self._weights @ self._forward.logits(states, self._ids).t()

    def maps(self, method: Method) -> Tensor:
        """Returns float32 (words, patches)."""
        match method:
            case "attention":
                return self._attention
            case "lens":
                return self._lens
            case "both":
                return _standardized(self._attention) + _LENS_WEIGHT * _standardized(self._lens)


def _standardized(values: Tensor) -> Tensor:
    """Each row in standard deviations from its mean."""
    spread = values.std(1, keepdim=True).clamp(min=1e-12)
    return (values - values.mean(1, keepdim=True)) / spread


def _smoothed(maps: Tensor) -> np.ndarray:
    """float32 (words, 1, rows, columns) → (words, rows, columns), from 0 to 1 each."""
    if maps.shape[-1] >= _LEAST_TO_SMOOTH:
        padded = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
        maps = functional.avg_pool2d(padded, 3, 1)
    values = maps[:, 0].cpu().numpy()
    values = values - values.min((1, 2), keepdims=True)
    return values / np.maximum(values.max((1, 2), keepdims=True), 1e-12)


def _word_map(values: np.ndarray, size: tuple[int, int], seconds: float) -> WordMap:
    width, height = size
    left, top, right, bottom = square = square_of(width, height)
    rows, columns = values.shape
    across, down = (right - left) / columns, (bottom - top) / rows
    # The maximum may lie on the padding, but a place on the picture is wanted.
    begins, ends = left + across * np.arange(columns), left + across * np.arange(1, columns + 1)
    is_across = (ends > 0) & (begins < width)
    begins, ends = top + down * np.arange(rows), top + down * np.arange(1, rows + 1)
    is_down = (ends > 0) & (begins < height)
    on_picture = np.where(is_down[:, None] & is_across, values, -1.0)
    first_column, first_row, last_column, last_row = strongest_region(on_picture)
    box = (
        max(0.0, left + first_column * across),
        max(0.0, top + first_row * down),
        min(float(width), left + last_column * across),
        min(float(height), top + last_row * down),
    )
    return WordMap(values, square, box, seconds)


def _has_content(text: str, begin: int, end: int) -> bool:
    return not (is_function_word(text[begin:end]) or is_list_number(text, begin, end))


# ---- tokens and text ----------------------------------------------------------------------------


def token_spans(ids: Sequence[int], tokenizer: Tokenizer) -> tuple[str, list[tuple[int, int]]]:
    """Returns the answer's text, and the [begin, end) of it that each token stands for.

    A token that is only a part of a character has the span of the whole character.
    """
    text = tokenizer.decode(list(ids))
    blanks = len(text) - len(text.lstrip())
    ends = []
    for number in range(1, len(ids) + 1):
        so_far = tokenizer.decode(list(ids[:number])).rstrip("\N{REPLACEMENT CHARACTER}")
        ends.append(max(0, len(so_far) - blanks))
    if ends:
        ends[-1] = len(text) - blanks
    spans, begin = [], 0
    for number, end in enumerate(ends):
        later = next((e for e in ends[number:] if e > begin), end)
        spans.append((begin, max(end, later)))
        begin = max(begin, end)
    return text.strip(), spans


def _tokens_of(begin: int, end: int, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The [first, end) of the tokens whose spans overlap the text from `begin` to `end`."""
    of_word = [n for n, span in enumerate(spans) if span[0] < end and span[1] > begin]
    return (of_word[0], of_word[-1] + 1) if of_word else (0, 0)
