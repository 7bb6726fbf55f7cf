"""Answers that the decode loop is generating at the same time, and their text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from core.errors import PromptError
from core.generation.listeners import Listeners
from core.generation.pending import PendingAnswer
from core.generation.streaming import StreamedAnswer, StreamedAnswers, TextDecoder
from core.llava.decoding import Decoded, DecodeLoop, Job, LoopInputs
from core.transcript import Answer, Request


class AnswerInProgress:
    """An answer in the decode loop; `stream` passes its text on."""

    def __init__(self, pending: PendingAnswer, stream: StreamedAnswer | None = None):
        self.pending, self.stream = pending, stream

    def on_token(self, token: int) -> None:
        """Takes the next id of the answer."""
        self.pending.note_token()
        if self.stream is not None:
            self.stream.add(token)

    def complete(self, decoded: Decoded) -> Answer:
        """Passes the rest of the text on, and returns the answer."""
        if self.stream is not None:
            self.stream.end()
        return self.pending.complete(decoded.job.inputs, decoded.ids, decoded.ending)


class AnswersTogether:
    """One `Engine.answer_all`: requests become jobs, and what is decoded becomes their answers.

    `unsupported` are the requests that came, and that the decode loop cannot answer.
    """

    def __init__(
        self,
        decoder: TextDecoder,
        listeners: Listeners,
        prepare: Callable[[Request], LoopInputs],
        make_job: Callable[[LoopInputs, AnswerInProgress, Callable[[], bool]], Job],
    ):
        self._decoder, self._listeners = decoder, listeners
        self._prepare, self._make_job = prepare, make_job
        on_piece = listeners.on_piece
        self._streamed = StreamedAnswers(decoder, on_piece) if on_piece else None
        self._in_progress: dict[Job, AnswerInProgress] = {}
        self.unsupported: list[Request] = []

    def jobs(self, requests: Iterable[Request | None]) -> Iterator[Job | None]:
        """Yields the jobs of `requests`, and None where none waits."""
        for request in requests:
            if self._listeners.stop.is_set() or self._has_failed:
                return
            if request is None:
                yield None
                continue
            if not DecodeLoop.supports(request.sampling):
                self.unsupported.append(request)
                continue
            try:
                job = self._begin(request)
            except PromptError as error:
                self._listeners.refuse(request, error)
            else:
                yield job

    def _begin(self, request: Request) -> Job:
        inputs = self._prepare(request)
        stream = self._streamed.begin(request) if self._streamed else None
        this = AnswerInProgress(PendingAnswer(request, self._decoder), stream)

        def is_over() -> bool:
            return self._has_failed or self._listeners.ends(request)

        job = self._make_job(inputs, this, is_over)
        self._in_progress[job] = this
        return job

    def complete(self, decoded: Decoded) -> tuple[Request, Answer]:
        """Returns the answer of a job that ended, with its request."""
        this = self._in_progress.pop(decoded.job)
        return this.pending.request, this.complete(decoded)

    def check(self) -> None:
        """Raises what `on_piece` has raised."""
        if self._streamed is not None and self._streamed.failure is not None:
            raise self._streamed.failure

    @property
    def _has_failed(self) -> bool:
        return self._streamed is not None and self._streamed.failure is not None
