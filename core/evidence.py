"""Why a word was said: how sure it was, what the picture adds to it, where on it the word rests.

All of it comes after the answer, from passes over prompt and answer as they were said, beside the
KV cache: what the next answer is made from stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.decoding import DecodeLoop
from core.doubt import doubts
from core.errors import Cancelled
from core.forward import ForwardPass
from core.model_view import square_of
from core.prompt import Inputs, Tokenizer
from core.words import (
    Candidate,
    Evidence,
    Word,
    WordMap,
    is_function_word,
    split_words,
    strongest_region,
)

MOST_CANDIDATES = 5

Way = Literal["attention", "lens", "both"]

# Rows whose logits over the whole vocabulary are held at once: 32 MB of a Llama's.
_ROWS_AT_ONCE = 256
# The lens's share beside the attention, both in standard deviations of the map.
_LENS_SHARE = 0.3
# A maximum of one patch is often one beside the thing; of fewer patches none can be spared.
_LEAST_TO_SMOOTH = 8


@dataclass(frozen=True, eq=False)
class Said:
    """An answer as it was said: what was given, and the ids that came, at least one."""

    inputs: Inputs
    ids: tuple[int, ...]

    @property
    def positions(self) -> list[int]:
        """All ids as the language model sees them, -200 for each of the image's positions."""
        return [*self.inputs.positions, *self.ids]

    @property
    def image(self) -> slice:
        """The image's positions."""
        first = self.inputs.image_begin
        return slice(first, first + self.inputs.image_tokens)


class Examiner:
    """Examines answers that `loop` gave. `plain` are the pixel values of a plain picture."""

    def __init__(self, loop: DecodeLoop, tokenizer: Tokenizer, plain: np.ndarray):
        self._loop, self._forward = loop, loop.forward
        self._tokenizer, self._plain = tokenizer, plain
        self._plain_features: Tensor | None = None

    def evidence(self, said: Said, is_stopped: Callable[[], bool]) -> Evidence:
        """Two passes: with the picture, and with a plain one of the pad colour in its place.

        Raises Cancelled.
        """
        started = time.perf_counter()
        if not said.ids:
            return Evidence((), 0.0)
        if is_stopped():
            raise Cancelled("Looking for evidence was ended.")
        seen = self._pass(said, self._features(said))
        if is_stopped():
            raise Cancelled("Looking for evidence was ended.")
        if self._plain_features is None:
            self._plain_features = self._forward.image_features(self._plain).clone()
        unseen = self._pass(said, self._plain_features, candidates=0)
        words = self._words(said, seen, unseen)
        return Evidence(words, time.perf_counter() - started)

    def _features(self, said: Said) -> Tensor:
        return self._forward.image_features(said.inputs.pixel_values)

    @torch.inference_mode()
    def _pass(self, said: Said, features: Tensor, candidates: int = MOST_CANDIDATES) -> _Scores:
        """What each token of the answer was given, as it was about to be said."""
        count = len(said.ids)
        # The last token is followed by nothing that was said.
        states = self._forward.beside(said.positions[:-1], features)[-count:]
        log_p, likeliest, found = [], [], []
        for first in range(0, count, _ROWS_AT_ONCE):
            rows = states[first : first + _ROWS_AT_ONCE]
            ids = torch.tensor(said.ids[first : first + len(rows)], device=rows.device)
            logits = self._forward.logits(rows).log_softmax(-1)
            log_p.append(logits.gather(1, ids[:, None])[:, 0])
            top = logits.topk(max(1, candidates), -1)
            likeliest.append(top.values)
            found.append(top.indices)
        return _Scores(
            torch.cat(log_p).cpu().numpy(),
            torch.cat(likeliest).cpu().numpy(),
            torch.cat(found).cpu().numpy(),
        )

    def _words(self, said: Said, seen: _Scores, unseen: _Scores) -> tuple[Word, ...]:
        text, spans = token_spans(said.ids, self._tokenizer)
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
                probability=float(np.exp(seen.log_p[tokens].sum())),
                candidates=self._candidates(said.ids, seen, first),
                gain=float((seen.log_p[tokens] - unseen.log_p[tokens]).sum()),
                doubt=None,
                is_content=not is_function_word(text[begin:end]),
            )
            measured.append(word)
        found = doubts(measured, seen.log_p, seen.likeliest[:, 0], unseen.log_p)
        return tuple(replace(w, doubt=d) for w, d in zip(measured, found, strict=True))

    def _candidates(self, ids: Sequence[int], seen: _Scores, token: int) -> tuple[Candidate, ...]:
        """The likeliest at this token, as text; those that are the same text count together."""
        # What a piece says, its blanks too, hangs on what stands before it; not on much of it.
        context = list(ids[max(0, token - 4) : token])
        before = self._tokenizer.decode(context)
        found: dict[str, float] = {}
        for number, log_p in zip(seen.ids[token].tolist(), seen.likeliest[token], strict=True):
            text = self._tokenizer.decode([*context, number])[len(before) :].strip()
            found[text] = found.get(text, 0.0) + float(np.exp(log_p))
        return tuple(Candidate(text, p) for text, p in found.items() if text)

    # ---- where

    def word_map(self, said: Said, word: Word, size: tuple[int, int]) -> WordMap:
        """Where the word rests on a picture of this width and height."""
        started = time.perf_counter()
        values = self.gaze(said, word)
        left, top, right, bottom = square = square_of(*size)
        rows, columns = values.shape
        patch = (right - left) / columns, (bottom - top) / rows
        region = strongest_region(values)
        box = (
            max(0.0, left + region[0] * patch[0]),
            max(0.0, top + region[1] * patch[1]),
            min(float(size[0]), left + region[2] * patch[0]),
            min(float(size[1]), top + region[3] * patch[1]),
        )
        return WordMap(values, square, box, time.perf_counter() - started)

    @torch.inference_mode()
    def gaze(self, said: Said, word: Word, way: Way = "both") -> np.ndarray:
        """Float32 (rows, columns) of the image's patches, from 0 to 1 where the word rests most.

        One pass, of which no more attention is ever made than the answer's rows of one layer, and
        no more kept than one number a patch.
        """
        gaze = _Gaze(self._forward, said, word)
        states = self._forward.beside(said.positions[:-1], self._features(said), gaze.heed)
        gaze.heed_last(states)
        side = round(said.inputs.image_tokens**0.5)
        found = gaze.map(way).view(1, 1, side, side)
        if side >= _LEAST_TO_SMOOTH:
            padded = functional.pad(found, (1, 1, 1, 1), mode="replicate")
            found = functional.avg_pool2d(padded, 3, 1)
        values = found[0, 0].cpu().numpy()
        span = float(values.max() - values.min())
        return (values - values.min()) / span if span else np.zeros_like(values)

    # ---- is it there?

    @torch.inference_mode()
    def log_odds(self, inputs: Inputs, yes: int, no: int) -> float:
        """log p(yes) − log p(no) as the first token of an answer, in nats."""
        logits = self._loop.first_logits(inputs)
        return float(logits[yes] - logits[no])


@dataclass(frozen=True, eq=False)
class _Scores:
    """Of each token of an answer: its log-probability, float32 (tokens,), and the likeliest in its
    place, float32 and int64 (tokens, candidates), likeliest first."""

    log_p: np.ndarray
    likeliest: np.ndarray
    ids: np.ndarray


class _Gaze:
    """Hears the layers of one pass, and keeps what they looked at as the word was about to be said.

    Attention: the rows that lead to the word's tokens, averaged over the heads of the upper half
    of the layers, less the average of the answer's other rows: patches that everything looks at,
    as large models have them, say nothing of this word. A word's own row, from which the next
    token comes, looks elsewhere already.

    Lens: the head's logits of the word's tokens at each image position, in the same layers, less
    the average of the answer's other tokens (arXiv 2410.02762 takes the softmax over the whole
    vocabulary; this needs no more than the answer's own rows of the head).
    """

    def __init__(self, forward: ForwardPass, said: Said, word: Word):
        self._forward, self._image = forward, said.image
        self._ids = said.ids
        count = len(said.ids)
        # The rows that lead to the answer's tokens.
        self._first = said.inputs.length - 1
        is_of_word = torch.zeros(count, device=forward.device, dtype=torch.bool)
        is_of_word[word.first_token : word.end_token] = True
        others = (~is_of_word).float()
        self._weights = is_of_word.float() / is_of_word.sum()
        self._weights -= others / others.sum().clamp(min=1)
        patches = said.inputs.image_tokens
        self._attention = torch.zeros(patches, device=forward.device)
        self._lens = torch.zeros(patches, device=forward.device)

    def heed(self, layer: int, hidden: Tensor, queries: Tensor, keys: Tensor) -> None:
        """`hidden` (positions, hidden size) goes into `layer`; `queries` (positions, heads, dim)
        and `keys` (key heads, positions, dim) are turned to their places."""
        if layer < self._forward.layers // 2:
            return
        rows = queries[self._first :].transpose(0, 1)
        heads, count, dim = rows.shape
        grouped = rows.reshape(len(keys), -1, dim)
        scores = (grouped @ keys.transpose(1, 2)).float().view(heads, count, -1) / dim**0.5
        is_behind = torch.ones_like(scores[0], dtype=torch.bool).triu(self._first + 1)
        attention = scores.masked_fill_(is_behind, float("-inf")).softmax(-1)
        attention = attention[:, :, self._image].mean(0)
        self._attention += (self._weights[:, None] * attention).sum(0)
        if layer > self._forward.layers // 2:
            self.heed_last(self._forward.ready(hidden[self._image].clone()))

    def heed_last(self, states: Tensor) -> None:
        """The same of `states` that are ready for the head."""
        if len(states) > len(self._lens):
            states = states[self._image]
        self._lens += self._forward.logits(states, self._ids) @ self._weights

    def map(self, way: Way) -> Tensor:
        """float32 (patches,)."""
        if way == "attention":
            return self._attention
        if way == "lens":
            return self._lens
        return _standard(self._attention) + _LENS_SHARE * _standard(self._lens)


def _standard(values: Tensor) -> Tensor:
    return (values - values.mean()) / values.std().clamp(min=1e-12)


# ---- tokens and text ----------------------------------------------------------------------------


def token_spans(ids: Sequence[int], tokenizer: Tokenizer) -> tuple[str, list[tuple[int, int]]]:
    """The answer's text, and the stretch of it that each token says.

    A token that says only a part of a character has the stretch of the whole character.
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
    """First token and the one behind the last that say any of the text from `begin` to `end`."""
    of_word = [n for n, span in enumerate(spans) if span[0] < end and span[1] > begin]
    return (of_word[0], of_word[-1] + 1) if of_word else (0, 0)
