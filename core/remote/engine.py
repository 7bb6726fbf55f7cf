"""A model on one or several servers as an `Engine`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from core.engine import Capability, EngineFacts
from core.errors import EngineError, PromptError, ServerError
from core.message import translatable
from core.remote.dispatch import IN_A_RUN, WHILE_SOMEBODY_WAITS, Dispatcher, Job, Patience
from core.remote.loop_thread import LoopThread, Started
from core.remote.question import require_answerable
from core.remote.scores import (
    WANTED,
    WANTED_IN_A_RUN,
    YES_OR_NO_TOKENS,
    evidence_of,
    presence,
    presence_questions,
)
from core.remote.server import Reply, Server
from core.transcript import Answer, Ending, Request, Sampling, Turn
from core.words import Evidence, Presence, Word

_TICK_SECONDS = 0.05
_SECONDS_TO_END = 2.0
_LENGTH = ("length", "max_tokens")


class RemoteEngine:
    """Asks servers; the calling thread waits. Made by `core.remote.opening`."""

    def __init__(
        self,
        facts: EngineFacts,
        loop: LoopThread,
        servers: Sequence[tuple[Server, int]],
        *,
        patience: Patience = WHILE_SOMEBODY_WAITS,
        run_patience: Patience = IN_A_RUN,
    ):
        """The engine closes `loop`, in which the servers live."""
        self.facts = facts
        self._loop = loop
        self._patience, self._run_patience = patience, run_patience
        self._dispatcher = loop.submit(_dispatcher(servers)).result()

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """See `Engine.answer`. Raises ServerError."""
        asking = _Asking(
            self._dispatcher,
            self._loop,
            self._patience,
            may_repeat_shown=False,
            wanted_scores=WANTED if self._gives_scores else {},
        )
        self._require(request)
        if stop.is_set():
            return _stopped()
        asking.begin(request)
        try:
            while True:
                for _, piece, outcome in asking.take(stop):
                    if piece:
                        on_piece(piece)
                    if isinstance(outcome, Answer):
                        return outcome
        finally:
            asking.end()

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
        """See `Engine.answer_all`. `slots` bounds how many requests are under way at a server, in
        proportion at one of less weight; within that each gets as many as do it good.

        A request that no server answers, though they answer others, is yielded with its error.
        Raises ServerError once no server is left.
        """
        self._require()
        asking = _Asking(
            self._dispatcher,
            self._loop,
            self._run_patience,
            may_repeat_shown=True,
            wanted_scores=WANTED_IN_A_RUN if self._gives_scores else {},
        )
        asking.is_stopped = is_stopped
        asking.is_heard = on_piece is not None
        self._loop.submit(_call(self._dispatcher.limit_to, slots)).result()
        source = iter(requests)
        has_more = True
        try:
            while True:
                if has_more and not stop.is_set():
                    has_more = self._begin_some(asking, source, stop, on_refused)
                if not asking.count:
                    if has_more and not stop.is_set():
                        continue
                    return
                for request, piece, outcome in asking.take(stop):
                    if piece and on_piece:
                        on_piece(request, piece)
                    if outcome is not None:
                        yield request, outcome
        finally:
            asking.end()

    def _begin_some(
        self,
        asking: _Asking,
        source: Iterator[Request | None],
        stop: threading.Event,
        on_refused: Callable[[Request, PromptError], None] | None,
    ) -> bool:
        """Begins as many requests as there is room for; returns whether there are more."""
        while not stop.is_set() and asking.count < self._dispatcher.room():
            try:
                request = next(source)
            except StopIteration:
                return False
            if request is None:
                return True
            if self._is_answerable(request, on_refused):
                asking.begin(request)
        return True

    def evidence(self, request: Request, answer: Answer, stop: threading.Event) -> Evidence:
        """See `InspectableEngine.evidence`: what the server said of the answer when it gave it."""
        return evidence_of(answer)

    def look_again(self, request: Request, answer: Answer, word: Word) -> Presence:
        """See `InspectableEngine.look_again`. All questions are asked at the same time."""
        self._require(request)
        questions = presence_questions(answer, word)
        asking = _Asking(
            self._dispatcher,
            self._loop,
            self._patience,
            may_repeat_shown=False,
            wanted_scores=WANTED,
        )
        sampling = Sampling(max_new_tokens=YES_OR_NO_TOKENS)
        asked = [
            replace(request, turns=(Turn(question),), sampling=sampling, beginning="")
            for question in questions
        ]
        answers: dict[int, Answer] = {}
        try:
            for one in asked:
                asking.begin(one)
            while asking.count:
                for one, _, outcome in asking.take(threading.Event()):
                    if isinstance(outcome, Answer):
                        answers[id(one)] = outcome
        finally:
            asking.end()
        return presence(questions, [answers[id(one)] for one in asked])

    def close(self) -> None:
        """See `Engine.close`: the servers keep their models."""
        if not self._loop.is_closed:
            closing = self._loop.submit(self._dispatcher.close())
            try:
                closing.result(_SECONDS_TO_END)
            except TimeoutError:
                closing.cancel()
        self._loop.close()

    @property
    def counts(self) -> dict[str, int]:
        """How many answers each server has given, by its host."""
        return {post.server.host: post.answered for post in self._dispatcher.posts}

    @property
    def _gives_scores(self) -> bool:
        return Capability.EVIDENCE not in self.facts.missing

    def _is_answerable(
        self, request: Request, on_refused: Callable[[Request, PromptError], None] | None
    ) -> bool:
        try:
            self._require(request)
        except PromptError as error:
            if on_refused is None:
                raise
            on_refused(request, error)
            return False
        return True

    def _require(self, request: Request | None = None) -> None:
        if self._loop.is_closed:
            raise _not_used()
        if request is not None:
            require_answerable(request, self.facts.most_pictures)


async def _dispatcher(servers: Sequence[tuple[Server, int]]) -> Dispatcher:
    return Dispatcher(servers)


async def _call(function: Callable[[int], None], value: int) -> None:
    function(value)


class _UnderWay:
    """A request that was sent. The servers' thread adds the text of its answer."""

    def __init__(self, request: Request):
        self.request = request
        self.began = time.perf_counter()
        self.text = ""
        self.pieces = 0
        self.job: Job | None = None
        self.started: Started | None = None
        self._held = ""

    def add(self, piece: str) -> str:
        """Returns what may be shown of the answer now: it has no blanks at its two ends."""
        self.pieces += 1
        text = self._held + piece
        if not self.text:
            text = text.lstrip()
        shown = text.rstrip()
        self._held = text[len(shown) :]
        self.text += shown
        return shown

    def cancel(self) -> None:
        """Closes the connection, at which the server stops too."""
        if self.started is not None:
            self.started.cancel()

    def let_go(self) -> None:
        """Lets go of what refers to this again: its image would stay in memory until the garbage
        collector comes by, in a fast run for hundreds of images."""
        self.started = self.job = None

    def answer(self, reply: Reply | None) -> Answer:
        """Returns the answer, of a reply or, if there is None, of what came before a stop."""
        seconds = time.perf_counter() - self.began
        if reply is None:
            reply_so_far = self.job.reply if self.job else None
            scores = tuple(reply_so_far.scores) if reply_so_far else ()
            return Answer(self.text, Ending.STOPPED, self.pieces, seconds, seconds, scores=scores)
        first = reply.first_seconds
        return Answer(
            text=reply.text.strip(),
            ending=Ending.LENGTH if reply.finish in _LENGTH else Ending.COMPLETE,
            # Most servers send a token a piece: their number stands in where it is not given.
            tokens=reply.chunks if reply.tokens is None else reply.tokens,
            seconds=seconds,
            seconds_to_first_token=seconds if first is None else min(first, seconds),
            input_tokens=reply.input_tokens,
            left_out=reply.left_out,
            seed=self.request.sampling.seed,
            scores=tuple(reply.scores),
            sent=reply.sending,
        )


_Event = tuple[Request, str, Answer | ServerError | None]


class _Asking:
    """Requests that one caller has under way, and what happens to them, in the caller's thread."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        loop: LoopThread,
        patience: Patience,
        *,
        may_repeat_shown: bool,
        wanted_scores: Mapping[str, Any],
    ):
        self._dispatcher, self._loop, self._patience = dispatcher, loop, patience
        self._may_repeat_shown, self._wanted_scores = may_repeat_shown, wanted_scores
        self._inbox: SimpleQueue[tuple[_UnderWay, str | Reply | Exception]] = SimpleQueue()
        self._under_way: dict[int, _UnderWay] = {}
        self.is_stopped: Callable[[Request], bool] | None = None
        """Whether one request is to end alone."""
        self.is_heard = True
        """Whether pieces are wanted. Waking the caller's thread for each takes long."""

    @property
    def count(self) -> int:
        """How many requests are under way."""
        return len(self._under_way)

    def begin(self, request: Request) -> None:
        """Sends a request."""
        one, inbox, is_heard = _UnderWay(request), self._inbox, self.is_heard
        self._under_way[id(one)] = one

        def on_piece(piece: str) -> None:
            shown = one.add(piece)
            if shown and is_heard:
                inbox.put((one, shown))

        job = one.job = Job(
            request, on_piece, self._patience, self._may_repeat_shown, self._wanted_scores
        )
        one.started = self._loop.start(self._answered(one, job))

    async def _answered(self, one: _UnderWay, job: Job) -> None:
        """Runs in the servers' thread."""
        try:
            reply = await self._dispatcher.answer(job)
        except asyncio.CancelledError:
            # Whoever cancelled it does not look here, unless the engine was closed.
            self._inbox.put((one, _not_used()))
            raise
        except Exception as error:
            self._inbox.put((one, error))
        else:
            self._inbox.put((one, reply))

    def take(self, stop: threading.Event) -> Iterator[_Event]:
        """Waits a moment for what comes, and yields it: text, and the outcomes of requests.

        Once `stop` is set all that is under way ends with the text so far.
        """
        with suppress(Empty):
            found = self._inbox.get(timeout=_TICK_SECONDS)
            while True:
                yield from self._event(*found)
                found = self._inbox.get_nowait()
        is_stopped = self.is_stopped
        if not stop.is_set() and is_stopped is None:
            return
        for one in list(self._under_way.values()):
            if stop.is_set() or (is_stopped and is_stopped(one.request)):
                one.cancel()
                del self._under_way[id(one)]
                answer = one.answer(None)
                one.let_go()
                yield one.request, "", answer

    def end(self) -> None:
        """Cancels what is under way."""
        for one in self._under_way.values():
            one.cancel()
            one.let_go()
        self._under_way = {}

    def _event(self, one: _UnderWay, news: str | Reply | Exception) -> Iterator[_Event]:
        if id(one) not in self._under_way:
            return
        if isinstance(news, str):
            yield one.request, news, None
            return
        del self._under_way[id(one)]
        one.let_go()
        yield one.request, "", self._outcome(one, news)

    def _outcome(self, one: _UnderWay, news: Reply | Exception) -> Answer | ServerError:
        if isinstance(news, Reply):
            return one.answer(news)
        if isinstance(news, ServerError) and news.is_of_one_request and self._may_repeat_shown:
            return news
        raise news


def _not_used() -> EngineError:
    return EngineError(
        translatable("core", "The server is not used any more. Choose it again, then ask.")
    )


def _stopped() -> Answer:
    return Answer("", Ending.STOPPED, 0, 0.0)
