"""An engine that asks again until an answer will do: shorter, or with known tags."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

from core.captions.check import Check
from core.engine import Engine, EngineFacts, picture_preparation
from core.errors import EngineError, PromptError
from core.picture import Picture
from core.transcript import Answer, Ending, Request, Turn


@dataclass(frozen=True)
class CheckedRequest(Request):
    """A request whose answer is to be checked."""

    check: Check = field(default_factory=Check)


class AskingAgain:
    """Passes requests on to an engine. After an answer to a `CheckedRequest` that will not do, it
    asks a follow-up question, a few times at most. Pieces of such answers are given as a whole,
    once it is known which answer counts."""

    def __init__(self, engine: Engine):
        self._engine = engine

    @property
    def facts(self) -> EngineFacts:
        """What the engine is and can do."""
        return self._engine.facts

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """Answers as `Engine.answer`."""
        if not isinstance(request, CheckedRequest):
            return self._engine.answer(request, on_piece, stop)
        asked = _Asked(request, request)
        answer = self._engine.answer(request, lambda piece: None, stop)
        while following := asked.after(answer):
            try:
                answer = self._engine.answer(following.request, lambda piece: None, stop)
            except PromptError:
                break  # The follow-up question no longer fits into the context.
            asked = following
        result = asked.result(answer)
        on_piece(result.text)
        return result

    def answer_all(
        self,
        requests: Iterable[Request | None],
        stop: threading.Event,
        *,
        slots: int,
        on_piece: Callable[[Request, str], None] | None = None,
        is_stopped: Callable[[Request], bool] | None = None,
        on_refused: Callable[[Request, PromptError], None] | None = None,
    ) -> Generator[tuple[Request, Answer | EngineError]]:
        """Answers as `Engine.answer_all`. Follow-up questions go before new requests; those that
        come up when there are none any more are asked together in another round."""
        work = _Work(iter(requests))

        def piece(request: Request, text: str) -> None:
            if on_piece is not None and not work.is_checked(request):
                on_piece(request, text)

        def stopped(request: Request) -> bool:
            return is_stopped is not None and is_stopped(work.original(request))

        def refused(request: Request, error: PromptError) -> None:
            asked = work.taken(request)
            if on_refused is None:
                raise error
            on_refused(asked.original, error)

        while True:
            answers = self._engine.answer_all(
                work.requests(),
                stop,
                slots=slots,
                on_piece=piece if on_piece else None,
                is_stopped=stopped if is_stopped else None,
                on_refused=refused if on_refused else None,
            )
            with closing(answers):
                for request, answer in answers:
                    if isinstance(answer, EngineError):
                        yield work.taken(request).original, answer
                    elif asked := work.settled(request, answer):
                        result = asked.result(answer)
                        if on_piece is not None and isinstance(asked.original, CheckedRequest):
                            on_piece(asked.original, result.text)
                        yield asked.original, result
            if not work.waiting or stop.is_set():
                return

    def prepare_picture(self, picture: Picture) -> Picture:
        """Does what the engine does; see `picture_preparation`."""
        return picture_preparation(self._engine)(picture)

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()


@dataclass(frozen=True)
class _Asked:
    """A request, the follow-up question that is asked for it now, and the answers so far."""

    original: Request
    request: Request
    answers: tuple[Answer, ...] = ()

    def after(self, answer: Answer) -> _Asked | None:
        """Returns the next question; None if the answer will do, or nothing more helps."""
        original = self.original
        if not isinstance(original, CheckedRequest) or answer.ending is Ending.STOPPED:
            return None
        question = original.check.follow_up(answer.text, len(self.answers))
        if question is None:
            return None
        turns = (*original.turns[:-1], Turn(original.turns[-1].prompt, answer.text), Turn(question))
        request = Request(
            original.picture, turns, original.sampling, original.beginning, original.others
        )
        return _Asked(original, request, (*self.answers, answer))

    def result(self, answer: Answer) -> Answer:
        """Returns the answer that counts, with what is to be said of it."""
        original = self.original
        if not isinstance(original, CheckedRequest) or answer.ending is Ending.STOPPED:
            return answer
        check, answers = original.check, [*self.answers, answer]
        best = answers[check.best([one.text for one in answers])]
        complaint = check.complaint(best.text)
        notes = best.notes if complaint is None else (*best.notes, complaint)
        return replace(
            best,
            text=check.cleaned(best.text),
            seconds=sum(one.seconds for one in answers),
            notes=notes,
        )


@dataclass
class _Work:
    """The requests under way and those that wait, by the identity of what the engine gets."""

    source: Iterator[Request | None]
    waiting: deque[_Asked] = field(default_factory=deque[_Asked])
    under_way: dict[int, _Asked] = field(default_factory=dict[int, _Asked])

    def requests(self) -> Iterator[Request | None]:
        """Yields what the engine is to answer. Ends where nothing waits, since an engine may leave
        what it answers one by one to the end."""
        while True:
            while self.waiting:
                yield self._begun(self.waiting.popleft())
            try:
                request = next(self.source)
            except StopIteration:
                if not self.waiting:
                    return
            else:
                yield None if request is None else self._begun(_Asked(request, request))

    def settled(self, request: Request, answer: Answer) -> _Asked | None:
        """Returns what was answered; None if a follow-up question waits now."""
        asked = self.taken(request)
        following = asked.after(answer)
        if following is None:
            return asked
        self.waiting.append(following)
        return None

    def taken(self, request: Request) -> _Asked:
        """Returns what an answered or refused request was asked for."""
        return self.under_way.pop(id(request))

    def original(self, request: Request) -> Request:
        """Returns the request that an engine's request is asked for."""
        return self.under_way[id(request)].original

    def is_checked(self, request: Request) -> bool:
        """Returns whether the answer may be asked for again."""
        return isinstance(self.original(request), CheckedRequest)

    def _begun(self, asked: _Asked) -> Request:
        self.under_way[id(asked.request)] = asked
        return asked.request
