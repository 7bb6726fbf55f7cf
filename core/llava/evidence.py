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

from core.errors import Cancelled
from core.llava.decoding import DecodeLoop
from core.llava.forward import ForwardPass
from core.llava.prompt import Inputs
from core.llava.tokenizer import Tokenizer
from core.picture import square_of
from core.words import (
    Candidate,
    Evidence,
    Word,
    WordMap,
    doubts,
    is_function_word,
    is_list_number,
    split_words,
    strongest_region,
)

MOST_CANDIDATES = 5

# On 254 names of the built-in model's scenes the maximum lies on the thing for 99.6 % by attention
# and by both, for 37 % by the lens alone, and for 28 % by the plain average of all attention; the
# lens stays for larger models, whose image positions it can read.
Way = Literal["attention", "lens", "both"]
DEFAULT_WAY: Way = "both"

# Rows whose logits over the whole vocabulary are held at once: 32 MB of a Llama's.
_ROWS_AT_ONCE = 256
# The lens's share beside the attention, both in standard deviations of the map.
_LENS_SHARE = 0.3
# A maximum of one patch is often one beside the thing; of fewer patches none can be spared.
_LEAST_TO_SMOOTH = 8


@dataclass(frozen=True, eq=False)
class GeneratedAnswer:
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

    def evidence(self, said: GeneratedAnswer, is_stopped: Callable[[], bool]) -> Evidence:
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

    def _features(self, said: GeneratedAnswer) -> Tensor:
        return self._forward.image_features(said.inputs.pixel_values)

    @torch.inference_mode()
    def _pass(
        self, said: GeneratedAnswer, features: Tensor, candidates: int = MOST_CANDIDATES
    ) -> _Scores:
        """What each token of the answer was given, as it was about to be said."""
        count = len(said.ids)
        # The last token is followed by nothing that was said.
        states = self._forward.hidden_states(said.positions[:-1], features)[-count:]
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

    def _words(self, said: GeneratedAnswer, seen: _Scores, unseen: _Scores) -> tuple[Word, ...]:
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
                is_content=_has_content(text, begin, end),
            )
            measured.append(word)
        found = doubts(measured, seen.log_p)
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

    def word_maps(
        self, said: GeneratedAnswer, words: Sequence[Word], size: tuple[int, int]
    ) -> tuple[WordMap, ...]:
        """Where each of the words rests on a picture of this width and height, in one pass."""
        if not words:
            return ()
        started = time.perf_counter()
        maps = self.gazes(said, words)[DEFAULT_WAY]
        seconds = time.perf_counter() - started
        return tuple(_word_map(values, size, seconds) for values in maps)

    @torch.inference_mode()
    def gazes(
        self, said: GeneratedAnswer, words: Sequence[Word], ways: Sequence[Way] = (DEFAULT_WAY,)
    ) -> dict[Way, np.ndarray]:
        """float32 (words, rows, columns) of the image's patches, 1 where a word rests most.

        No more attention is ever made than the answer's rows of one layer, and no more kept than
        one number a patch and word.
        """
        gaze = _Gaze(self._forward, said, words)
        states = self._forward.hidden_states(said.positions[:-1], self._features(said), gaze.heed)
        gaze.heed_last(states[said.image])
        side = round(said.inputs.image_tokens**0.5)
        return {way: _smoothed(gaze.maps(way).view(-1, 1, side, side)) for way in ways}

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
    """Hears the layers of one pass, and keeps what they looked at as each word was about to be
    said.

    Attention: the rows that lead to the word's tokens, averaged over the heads of the upper half
    of the layers, less the average of the answer's other rows: patches that everything looks at,
    as large models have them, say nothing of this word. A word's own row, from which the next
    token comes, looks elsewhere already.

    Lens: the head's logits of the word's tokens at each image position, in the same layers, less
    the average of the answer's other tokens. arXiv 2410.02762 takes the softmax over the whole
    vocabulary; this needs no more of the head than the answer's own rows.
    """

    def __init__(self, forward: ForwardPass, said: GeneratedAnswer, words: Sequence[Word]):
        self._forward, self._image = forward, said.image
        self._ids = said.ids
        # The rows that lead to the answer's tokens.
        self._first = said.inputs.length - 1
        is_of_word = torch.zeros(len(words), len(said.ids))
        for row, word in zip(is_of_word, words, strict=True):
            row[word.first_token : word.end_token] = 1
        others = 1 - is_of_word
        # (words, tokens)
        weights = is_of_word / is_of_word.sum(1, keepdim=True).clamp(min=1)
        weights -= others / others.sum(1, keepdim=True).clamp(min=1)
        self._weights = weights.to(forward.device)
        self._attention = torch.zeros(len(words), said.inputs.image_tokens, device=forward.device)
        self._lens = torch.zeros_like(self._attention)

    def heed(self, layer: int, hidden: Tensor, queries: Tensor, keys: Tensor) -> None:
        """`hidden` (positions, hidden size) goes into `layer`; `queries` (positions, heads, dim)
        and `keys` (key heads, positions, dim) are turned to their places."""
        middle = self._forward.layer_count // 2
        if layer > middle:
            self.heed_last(self._forward.final_norm(hidden[self._image].clone()))
        if layer < middle:
            return
        rows = queries[self._first :].transpose(0, 1)
        heads, count, dim = rows.shape
        # Query heads that share a key stand beside each other.
        grouped = rows.reshape(len(keys), -1, dim) * dim**-0.5
        scores = (grouped @ keys.transpose(1, 2)).view(heads, count, -1).float()
        is_behind = torch.ones_like(scores[0], dtype=torch.bool).triu(self._first + 1)
        attention = scores.masked_fill_(is_behind, float("-inf")).softmax(-1)
        self._attention += self._weights @ attention[:, :, self._image].mean(0)

    def heed_last(self, states: Tensor) -> None:
        """`states` of the image's positions, ready for the head."""
        self._lens += self._weights @ self._forward.logits(states, self._ids).t()

    def maps(self, way: Way) -> Tensor:
        """float32 (words, patches)."""
        if way == "attention":
            return self._attention
        if way == "lens":
            return self._lens
        return _standard(self._attention) + _LENS_SHARE * _standard(self._lens)


def _standard(values: Tensor) -> Tensor:
    """Each row in its own standard deviations from its mean."""
    spread = values.std(1, keepdim=True).clamp(min=1e-12)
    return (values - values.mean(1, keepdim=True)) / spread


def _smoothed(found: Tensor) -> np.ndarray:
    """float32 (words, 1, rows, columns) → (words, rows, columns), from 0 to 1 each."""
    if found.shape[-1] >= _LEAST_TO_SMOOTH:
        padded = functional.pad(found, (1, 1, 1, 1), mode="replicate")
        found = functional.avg_pool2d(padded, 3, 1)
    values = found[:, 0].cpu().numpy()
    values = values - values.min((1, 2), keepdims=True)
    return values / np.maximum(values.max((1, 2), keepdims=True), 1e-12)


def _word_map(values: np.ndarray, size: tuple[int, int], seconds: float) -> WordMap:
    width, height = size
    left, top, right, bottom = square = square_of(width, height)
    rows, columns = values.shape
    across, down = (right - left) / columns, (bottom - top) / rows
    # The model may lean on the padding most; where on the picture is asked for.
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
