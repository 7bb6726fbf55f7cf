"""Answers from the decode loop: of one request, and of many at once in its slots."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace

from core.errors import AppError, EngineError
from core.generation.banned_words import BannedWordsCache
from core.generation.listeners import AnswerOne, Listeners
from core.generation.pending import PendingAnswer
from core.generation.streaming import TextDecoder, UnthrottledAnswers
from core.llava.decoding import DecodeLoop, Job, LoopInputs
from core.llava.fitting import rounds_that_fit
from core.llava.together import AnswerInProgress, AnswersTogether
from core.transcript import Answer, Request


class LoopAnswers:
    """Answers requests on `loop`, for an engine.

    `prepare` makes the inputs of a request, and `failed` the error to raise for a failure of the
    model, whose memory it releases. `usual_length` is how many positions a slot needs.
    """

    def __init__(
        self,
        loop: DecodeLoop,
        decoder: TextDecoder,
        banned_words: BannedWordsCache,
        prepare: Callable[[Request], LoopInputs],
        failed: Callable[[BaseException], AppError],
        usual_length: int,
    ):
        self._loop, self._decoder, self._banned_words = loop, decoder, banned_words
        self._prepare, self._failed = prepare, failed
        self._usual_length = usual_length

    def answer(
        self,
        inputs: LoopInputs,
        pending: PendingAnswer,
        on_piece: Callable[[str], None],
        stop: threading.Event,
    ) -> Answer:
        """Returns the same answer as `generate()`, sooner.

        Runs in this thread: on two cores, reading in one thread beside a thread that computes made
        each token take more than twice as long.
        """
        streamed = UnthrottledAnswers(self._decoder, on_piece)
        this = AnswerInProgress(pending, streamed.begin(pending.request))

        def is_over() -> bool:
            return stop.is_set() or streamed.failure is not None

        job = self._job(inputs, this, is_over)
        try:
            (decoded,) = self._loop.decode([job])
        except Exception as failure:
            raise self._failed(failure) from failure
        answer = this.complete(decoded)
        if streamed.failure is not None:
            raise streamed.failure
        return answer

    def answer_all(
        self,
        requests: Iterable[Request | None],
        listeners: Listeners,
        slots: int,
        answer_alone: AnswerOne,
    ) -> Generator[tuple[Request, Answer]]:
        """See `Engine.answer_all`.

        The next request is taken when a slot is free, so that no more pictures are open than are
        being answered about. Takes as many of the `slots` as fit into the GPU's free memory. What
        the loop cannot answer is left to `answer_alone`, at the end.
        """
        together = AnswersTogether(self._decoder, listeners, self._prepare, self._job)
        try:
            rounds = rounds_that_fit(together.jobs(requests), slots, self._slots_now)
            for number, jobs in rounds:
                for decoded in self._loop.decode(jobs, number):
                    yield together.complete(decoded)
        except (RuntimeError, EngineError) as failure:
            # Broken numbers are in the cache too, which is released.
            raise self._failed(failure) from failure
        together.check()
        for request in together.unsupported:
            yield from listeners.answer_alone(request, answer_alone)

    def _slots_now(self) -> int:
        return self._loop.forward.slots_that_fit(self._usual_length)

    def _job(self, inputs: LoopInputs, this: AnswerInProgress, is_over: Callable[[], bool]) -> Job:
        sampling = replace(this.pending.request.sampling, seed=this.pending.seed)
        banned = self._banned_words.processor(sampling.banned_words)
        return Job(inputs, sampling, this.on_token, is_over, banned)
