"""What each word of an answer rests on: its probability, and the picture's share in it.

Computed after the answer, by forward passes over prompt and answer that do not touch the KV cache:
what the next answer is made from stays as it is. `word_maps` says where on the picture.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
import torch
from torch import Tensor

from core.errors import Cancelled, PromptError
from core.generation.failure import broken_numbers
from core.generation.streaming import TextDecoder
from core.llava.decoding import DecodeLoop, Forward_co, LoopInputs
from core.llava.passes import ImageFeatures, ImageInput
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.message import translatable
from core.transcript import Answer, Request, Turn
from core.words import (
    Evidence,
    Presence,
    TokenEvidence,
    Word,
    absent_questions,
    joined_candidates,
    judged_words,
    question_about,
)

MOST_CANDIDATES = 5


@dataclass(frozen=True, eq=False)
class GeneratedAnswer:
    """An answer to examine: the prompt's inputs, and the ids that were generated."""

    request: Request
    inputs: LoopInputs
    ids: tuple[int, ...]

    @property
    def positions(self) -> list[int]:
        """The ids of prompt and answer as the language model reads them, -200 for each of the
        image's positions."""
        return [*self.inputs.positions, *self.ids]

    @property
    def image_positions(self) -> list[int]:
        """The positions of the request's images, in order."""
        ids = enumerate(self.inputs.positions)
        return [number for number, one in ids if one == IMAGE_TOKEN_INDEX]


class Examiner(Generic[Forward_co]):
    """Examines answers that `loop` generated.

    `prepare` makes the inputs of a request, and `plain_image` what the vision tower would get for
    it with pictures of one colour.
    """

    def __init__(
        self,
        loop: DecodeLoop[Forward_co],
        decoder: TextDecoder,
        prepare: Callable[[Request], LoopInputs],
        plain_image: Callable[[Request], ImageInput],
    ):
        self._loop, self._forward = loop, loop.forward
        self._decoder, self._prepare, self._plain_image = decoder, prepare, plain_image
        self._last_plain: tuple[ImageInput, ImageFeatures] | None = None

    def generated(self, request: Request, answer: Answer) -> GeneratedAnswer:
        """Returns the answer's ids; those of its text if it comes from the store or was edited."""
        inputs, ids = self._prepare(request), answer.output_ids
        if self._decoder.decode(list(ids)).strip() != answer.text:
            ids = self._ids_of(request, inputs, answer.text)
        return GeneratedAnswer(request, inputs, ids)

    def _ids_of(self, request: Request, inputs: LoopInputs, text: str) -> tuple[int, ...]:
        """The ids of `text` as the continuation of the prompt."""
        beginning = f"{request.beginning} {text}" if request.beginning else text
        continued = self._prepare(replace(request, beginning=beginning))
        return tuple(continued.positions[len(inputs.positions) :])

    def evidence(
        self, request: Request, answer: Answer, is_stopped: Callable[[], bool]
    ) -> Evidence:
        """Returns the evidence for each word, from two passes: with the picture, and with a plain
        one.

        Raises Cancelled if `is_stopped`, which is asked before each pass.
        """
        started = time.perf_counter()
        generated = self.generated(request, answer)
        if not generated.ids:
            return Evidence((), 0.0)
        if is_stopped():
            raise Cancelled("Looking for evidence was ended.")
        with_picture = self._pass(generated, self._features(generated))
        if is_stopped():
            raise Cancelled("Looking for evidence was ended.")
        without_picture = self._pass(generated, self._plain_features(request), candidates=0)
        text, spans = token_spans(generated.ids, self._decoder)
        gains = with_picture.log_p - without_picture.log_p
        likeliest = [
            self._likeliest(generated.ids, with_picture, token) for token in range(len(spans))
        ]
        words = judged_words(
            text,
            spans,
            with_picture.log_p,
            lambda token: joined_candidates((one, math.exp(p)) for one, p in likeliest[token]),
            lambda tokens: float(gains[tokens].sum()),
        )
        scores = with_picture.log_p.tolist(), without_picture.log_p.tolist()
        tokens = tuple(
            TokenEvidence(number, *span, log_p, without, others)
            for number, span, log_p, without, others in zip(
                generated.ids, spans, *scores, likeliest, strict=True
            )
        )
        return Evidence(words, time.perf_counter() - started, tokens)

    def read(self, inputs: LoopInputs) -> None:
        """Runs a whole prompt, as before the first token of an answer; changes no slot."""
        features = self._forward.image_features(inputs.image)
        for _ in self._forward.logits_after(inputs.positions, features, 1):
            pass

    def _features(self, generated: GeneratedAnswer) -> ImageFeatures:
        return self._forward.image_features(generated.inputs.image)

    def _plain_features(self, request: Request) -> ImageFeatures:
        image = self._plain_image(request)
        if self._last_plain is None or self._last_plain[0] is not image:
            features = self._forward.image_features(image)
            # The next image's would overwrite them.
            kept = features.clone() if isinstance(features, Tensor) else features
            self._last_plain = image, kept
        return self._last_plain[1]

    @torch.inference_mode()
    def _pass(
        self, generated: GeneratedAnswer, features: ImageFeatures, candidates: int = MOST_CANDIDATES
    ) -> _Scores:
        """The scores at each token of the answer, as they were before it was generated."""
        count = len(generated.ids)
        # The last token predicts nothing that was generated.
        log_p, likeliest, likeliest_ids = [], [], []
        first = 0
        for rows in self._forward.logits_after(generated.positions[:-1], features, count):
            ids = torch.tensor(generated.ids[first : first + len(rows)], device=rows.device)
            first += len(rows)
            logits = rows.log_softmax(-1)
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

    def _likeliest(
        self, ids: Sequence[int], scores: _Scores, token: int
    ) -> tuple[tuple[str, float], ...]:
        """The likeliest tokens here, as text, with their log probabilities."""
        # How a piece decodes, its blanks too, depends on a few tokens before it.
        context = list(ids[max(0, token - 4) : token])
        before = self._decoder.decode(context)
        return tuple(
            (self._decoder.decode([*context, number])[len(before) :], log_p)
            for number, log_p in zip(
                scores.ids[token].tolist(), scores.likeliest[token].tolist(), strict=True
            )
        )

    # ---- whether a thing is there

    def look_again(self, request: Request, answer: Answer, word: Word) -> Presence:
        """See `InspectableEngine.look_again`. Also asks about things that are surely not there.

        Each question is asked outside the conversation, in which the model would stay with what
        it said. Raises PromptError if `core.words.question_about` has no question for the word.
        """
        question = question_about(answer.text, word)
        if question is None:
            raise PromptError(
                translatable(
                    "core",
                    "“{word}” names nothing to look for. Choose another word.",
                ).format(word=word.text)
            )
        questions = [question, *absent_questions(answer.text)]
        odds = [self._yes_over_no(request, question) for question in questions]
        return Presence(question, odds[0], statistics.median(odds[1:]))

    @torch.inference_mode()
    def _yes_over_no(self, request: Request, question: str) -> float:
        """Returns log p(yes) − log p(no) for the first token of an answer, in nats."""
        asked = replace(request, turns=(Turn(question),), beginning="")
        inputs = self._prepare(asked)
        yes, no = (self._ids_of(asked, inputs, word)[0] for word in ("Yes", "No"))
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


# ---- tokens and text ----------------------------------------------------------------------------


def token_spans(ids: Sequence[int], decoder: TextDecoder) -> tuple[str, list[tuple[int, int]]]:
    """Returns the answer's text, and the [begin, end) of it that each token stands for.

    A token that is only a part of a character has the span of the whole character.
    """
    text = decoder.decode(list(ids))
    blanks = len(text) - len(text.lstrip())
    ends = []
    for number in range(1, len(ids) + 1):
        so_far = decoder.decode(list(ids[:number])).rstrip("\N{REPLACEMENT CHARACTER}")
        ends.append(max(0, len(so_far) - blanks))
    if ends:
        ends[-1] = len(text) - blanks
    spans, begin = [], 0
    for number, end in enumerate(ends):
        later = next((e for e in ends[number:] if e > begin), end)
        spans.append((begin, max(end, later)))
        begin = max(begin, end)
    return text.strip(), spans
