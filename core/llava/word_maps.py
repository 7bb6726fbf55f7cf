"""Where on the picture the words of an answer rest: maps over the image's patches.

For models whose layers our own forward pass runs, since attention is read from each of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.llava.evidence import Examiner, GeneratedAnswer
from core.llava.forward import ForwardPass
from core.picture import square_of
from core.transcript import Answer, Request
from core.words import Word, WordMap, strongest_region

# On 254 names in scenes of the built-in model the maximum lies on the thing for 99.6 % with
# attention and with both, for 37 % with the logit lens alone, and for 28 % with the plain average
# of all attention. The lens stays for larger models, whose image positions it can read.
Method = Literal["attention", "lens", "both"]
DEFAULT_METHOD: Method = "both"

# The weight of the lens relative to attention, both in standard deviations of the map.
_LENS_WEIGHT = 0.3
# A maximum of a single patch is often just outside the thing, so maps are smoothed; not those with
# fewer patches a side than this.
_LEAST_TO_SMOOTH = 8


class MapExaminer(Examiner[ForwardPass]):
    """An examiner that also shows where on the picture words rest."""

    def word_maps(
        self, request: Request, answer: Answer, words: Sequence[Word]
    ) -> tuple[WordMap, ...]:
        """Returns where on the picture each word rests, from one pass."""
        if not words:
            return ()
        started = time.perf_counter()
        maps = self.patch_maps(self.generated(request, answer), words)[DEFAULT_METHOD]
        seconds, size = time.perf_counter() - started, request.picture.pixels.size
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
        side = round(generated.image_tokens**0.5)
        return {
            method: _smoothed(collector.maps(method).view(-1, 1, side, side)) for method in methods
        }


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
        self._first = len(generated.inputs.positions) - 1
        is_of_word = torch.zeros(len(words), len(generated.ids))
        for row, word in zip(is_of_word, words, strict=True):
            row[word.first_token : word.end_token] = 1
        others = 1 - is_of_word
        # (words, tokens)
        weights = is_of_word / is_of_word.sum(1, keepdim=True).clamp(min=1)
        weights -= others / others.sum(1, keepdim=True).clamp(min=1)
        self._weights = weights.to(forward.device)
        self._attention = torch.zeros(len(words), generated.image_tokens, device=forward.device)
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
