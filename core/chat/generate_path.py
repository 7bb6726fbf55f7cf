"""Answers by transformers' `generate()`: one alone, or several requests as one batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch

from core.chat.inputs import on_device
from core.chat.preparing import Prepared, Preparer, pixels_of
from core.chat.text import RowsStreamer
from core.errors import PromptError
from core.generation.banned_words import BannedWordsCache
from core.generation.generate import generate_in_thread, stopping
from core.generation.listeners import AnswerOne, Listeners
from core.generation.pending import PendingAnswer
from core.generation.sampling import FiniteScores, generation_config, logits_processors, seeded
from core.generation.streaming import PieceStreamer, StreamedAnswers, TextDecoder
from core.transcript import Answer, Request, Sampling


class GeneratePath:
    """Runs `generate()` of a model.

    Within `failures_explained`, what the model and its processor raise becomes an AppError.
    """

    def __init__(
        self,
        model: Any,
        preparer: Preparer,
        decoder: TextDecoder,
        banned_words: BannedWordsCache,
        end_ids: frozenset[int],
        failures_explained: Callable[[], AbstractContextManager[None]],
    ):
        self._failures_explained = failures_explained
        self._model, self._preparer, self._decoder = model, preparer, decoder
        self._banned_words, self._end_ids = banned_words, end_ids

    def answer(
        self,
        prepared: Prepared,
        pending: PendingAnswer,
        on_piece: Callable[[str], None],
        stop: threading.Event,
    ) -> Answer:
        """Returns the answer to one request. Raises GenerateFailed, and what `on_piece` raises."""
        sampling = pending.request.sampling

        def generate(streamer: PieceStreamer, is_over: Callable[[], bool]) -> list[int]:
            used = streamer if sampling.beams == 1 else None
            with seeded(pending.seed, self._model.device):
                return self._generate(
                    prepared.inputs, sampling, prepared.max_new_tokens, is_over, used
                )[0]

        ids = generate_in_thread(generate, self._decoder, pending, on_piece, stop)
        answer = pending.complete_generated(prepared, ids, self._end_ids)
        if sampling.beams > 1 and answer.text:
            # Beam search has the text only at its end.
            on_piece(answer.text)
        return answer

    def in_groups(
        self,
        requests: Iterable[Request | None],
        listeners: Listeners,
        slots: int,
        answer_alone: AnswerOne,
    ) -> Generator[tuple[Request, Answer]]:
        """Greedy requests with the same sampling go through one `generate()`, `slots` at once.

        Others go one by one, since each draws its own random numbers. A group ends early only once
        all of it is stopped.
        """
        waiting = iter(requests)
        stop = listeners.stop
        while not stop.is_set() and (group := _next_group(waiting, max(1, slots))):
            while group:
                sampling = group[0].sampling
                batch = [one for one in group if one.sampling == sampling]
                if sampling.temperature > 0 or sampling.beams > 1 or len(batch) == 1:
                    batch = group[:1]
                    if not stop.is_set():
                        yield from listeners.answer_alone(group[0], answer_alone)
                else:
                    yield from self._answer_batch(batch, listeners)
                group = [one for one in group if all(one is not other for other in batch)]

    def _answer_batch(
        self, requests: list[Request], listeners: Listeners
    ) -> Generator[tuple[Request, Answer]]:
        prepared = self._prepare_all(requests, listeners)
        if not prepared:
            return
        answers = [PendingAnswer(request, self._decoder) for request, _ in prepared]
        most = min(one.max_new_tokens for _, one in prepared)
        on_piece = listeners.on_piece
        streamed = StreamedAnswers(self._decoder, on_piece) if on_piece else None
        streamer = None
        if streamed:
            streamer = RowsStreamer([streamed.begin(r) for r, _ in prepared], self._end_ids)

        def is_over() -> bool:
            for answer in answers:
                answer.note_token()
            has_failed = streamed is not None and streamed.failure is not None
            return has_failed or all(listeners.ends(request) for request, _ in prepared)

        with self._failures_explained():
            pictures = [pixels_of(request) for request, _ in prepared]
            inputs = self._preparer.inputs([one.prompt for _, one in prepared], pictures)
            rows = self._generate(inputs, prepared[0][0].sampling, most, is_over, streamer)
        if streamed and streamed.failure is not None:
            raise streamed.failure
        for answer, (_, one), ids in zip(answers, prepared, rows, strict=True):
            yield answer.request, answer.complete_generated(one, ids, self._end_ids)

    def _prepare_all(
        self, requests: list[Request], listeners: Listeners
    ) -> list[tuple[Request, Prepared]]:
        prepared: list[tuple[Request, Prepared]] = []
        with self._failures_explained():
            for request in requests:
                try:
                    prepared.append((request, self._preparer.prepare(request)))
                except PromptError as error:
                    listeners.refuse(request, error)
        return prepared

    @torch.inference_mode()
    def _generate(
        self,
        inputs: dict[str, torch.Tensor],
        sampling: Sampling,
        max_new_tokens: int,
        is_over: Callable[[], bool],
        streamer: PieceStreamer | RowsStreamer | None = None,
    ) -> list[list[int]]:
        """Returns the new ids of each row; all rows have the length of the longest answer."""
        inputs = on_device(inputs, self._model)
        length = inputs["input_ids"].shape[1]
        banned = self._banned_words.processor(sampling.banned_words, length)
        finite = FiniteScores()
        output = self._model.generate(
            **inputs,
            generation_config=generation_config(
                sampling,
                max_new_tokens=max_new_tokens,
                end_ids=self._end_ids,
                pad_id=self._preparer.pad_id,
            ),
            logits_processor=logits_processors(sampling, banned, finite, length),
            stopping_criteria=stopping(is_over, finite),
            streamer=streamer,
        )
        return output[:, length:].tolist()


def _next_group(waiting: Iterator[Request | None], most: int) -> list[Request]:
    """Returns up to `most` requests that wait now; none once there will be no more."""
    group: list[Request] = []
    for request in waiting:
        if request is not None:
            group.append(request)
        if len(group) == most or (request is None and group):
            break
    return group
