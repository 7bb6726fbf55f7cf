"""The engine's thread: it answers the requests of all clients in the slots of one engine.

The web application, on its event loop, submits requests and awaits what becomes of them; everything
about the engine happens in its own thread.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from core.batch import usual_slots
from core.engine import Capability, Engine, EngineFacts, inspectable, picture_preparation
from core.errors import AppError, Cancelled, EngineError, OutOfMemory, PromptError
from core.message import translatable
from core.picture import Picture
from core.transcript import Answer, Ending, Request
from core.words import Evidence

log = logging.getLogger(__name__)

OpenEngine = Callable[[threading.Event], Engine]
"""Loads the model; raises as `open_engine` does, and Cancelled once the event is set."""

_CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class Piece:
    """The next text of an answer."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The answer is complete; with the evidence for its tokens if the request wants it."""

    answer: Answer
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Failed:
    """There will be no answer. A PromptError is the client's fault."""

    error: AppError


class Closing(AppError):
    """The server ends before there is an answer."""


Event = Piece | Finished | Failed


class Full(Exception):
    """All slots and places of the queue are taken. Try again after so many `seconds`."""

    def __init__(self, seconds: int):
        super().__init__(seconds)
        self.seconds = seconds


class PendingRequest:
    """A request on its way, made and awaited on one event loop."""

    def __init__(self, request: Request, *, wants_evidence: bool = False):
        self.request, self.wants_evidence = request, wants_evidence
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._stop = threading.Event()
        self.has_text = False
        """Whether some of the text has been sent, which cannot be taken back."""

    async def next(self) -> Event:
        """Waits for what happens next. Nothing does after `Finished` and `Failed`."""
        return await self._events.get()

    def stop(self) -> None:
        """Ends the answer after its current token, or before it begins: the slot gets free."""
        self._stop.set()

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def tell(self, event: Event) -> None:
        """Says what happened; from the engine's thread."""
        self.has_text |= isinstance(event, Piece)
        with suppress(RuntimeError):  # The event loop has been closed.
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)


class EngineThread:
    """Owns the engine, which may be a group of several. `slots`, of each, None for as many as suit
    it; `places` wait besides."""

    def __init__(self, open_engine: OpenEngine, *, slots: int | None, places: int):
        self._open_engine, self._wanted_slots, self._places = open_engine, slots, places
        self._stop = threading.Event()
        self._loaded: Future[EngineFacts] = Future()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        # None wakes the thread up.
        self._submitted: queue.SimpleQueue[PendingRequest | None] = queue.SimpleQueue()
        self._again: deque[PendingRequest] = deque()
        self._under_way: dict[int, PendingRequest] = {}
        self._slots = self._engines = 1
        self.prepare_picture: Callable[[Picture], Picture] = lambda picture: picture
        """What the model does first with the only picture of a request; any thread may call it."""
        self._admitted = 0
        self._seconds = 1.0  # What an answer took lately.

    def open(self) -> EngineFacts:
        """Starts the thread and waits until the model is loaded. Raises what loading raises."""
        self._thread.start()
        return self._loaded.result()

    def close(self) -> None:
        """Ends what is being loaded or answered, closes the engine and waits for the thread."""
        self._stop.set()
        self._submitted.put(None)
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)

    @contextmanager
    def place(self) -> Generator[None]:
        """A slot or a place in the queue. Use it on the event loop alone. Raises Full."""
        at_once = self._slots * self._engines
        most = at_once + self._places
        if self._admitted >= most:
            raise Full(max(1, round(self._seconds * most / (2 * at_once))))
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    def submit(self, pending: PendingRequest) -> None:
        """Lets the request be answered as soon as a slot is free."""
        self._submitted.put(pending)

    # ---- in the engine's thread

    def _work(self) -> None:
        try:
            engine = self._open_engine(self._stop)
        except BaseException as error:
            self._loaded.set_exception(error)
            return
        try:
            self._slots = self._wanted_slots or usual_slots(engine.facts)
            self._engines = engine.facts.engines
            self.prepare_picture = picture_preparation(engine)
            self._loaded.set_result(engine.facts)
            while not self._stop.is_set():
                self._answer(engine)
        finally:
            self._end_all()
            engine.close()

    def _answer(self, engine: Engine) -> None:
        """Answers requests until something fails, or until those that failed together are done.

        These are asked again one by one, so that the one that fails is found.
        """
        again = self._again
        answers = engine.answer_all(
            self._alone(again) if again else self._requests(),
            self._stop,
            slots=1 if again else self._slots,
            on_piece=lambda request, text: self._under_way[id(request)].tell(Piece(text)),
            is_stopped=self._is_stopped,
            on_refused=lambda request, error: self._under_way.pop(id(request)).tell(Failed(error)),
        )
        try:
            for request, answer in answers:
                # It stays under way while its evidence is looked for, which may fail too.
                if isinstance(answer, EngineError):
                    self._under_way[id(request)].tell(Failed(answer))
                else:
                    self._finish(engine, self._under_way[id(request)], answer)
                del self._under_way[id(request)]
        except Exception as error:
            self._fail(error)

    def _is_stopped(self, request: Request) -> bool:
        """Whether its client has gone; asked by the threads of several engines."""
        pending = self._under_way.get(id(request))
        return pending is None or pending.is_stopped

    def _requests(self) -> Iterator[Request | None]:
        """Yields requests as they come, and None where none waits while others are answered."""
        while not self._stop.is_set():
            try:
                pending = self._submitted.get(block=not self._under_way)
            except queue.Empty:
                yield None
                continue
            if pending is not None and not pending.is_stopped:
                self._under_way[id(pending.request)] = pending
                yield pending.request

    def _alone(self, several: deque[PendingRequest]) -> Iterator[Request]:
        while several:
            pending = several.popleft()
            if not pending.is_stopped:
                self._under_way[id(pending.request)] = pending
                yield pending.request

    def _finish(self, engine: Engine, pending: PendingRequest, answer: Answer) -> None:
        self._seconds += 0.2 * (answer.seconds - self._seconds)
        log.info("Answered: %s, %d tokens, %.1f s", answer.ending, answer.tokens, answer.seconds)
        if answer.ending is Ending.STOPPED and not pending.is_stopped:
            pending.tell(Failed(_closing()))
            return
        evidence = None
        if pending.wants_evidence and not pending.is_stopped:
            examiner = inspectable(engine, Capability.EVIDENCE)
            try:
                evidence = examiner.evidence(pending.request, answer, self._stop)
            except Cancelled:
                pending.tell(Failed(_closing()))
                return
        pending.tell(Finished(answer, evidence))

    def _fail(self, error: Exception) -> None:
        """The engine failed, and may be asked again. Whoever has got no text yet is asked again."""
        if not isinstance(error, AppError):
            log.exception("The model failed unexpectedly")
            sentence = translatable("core", "The model failed ({error}). Ask again.")
            error = EngineError(sentence.format(error=type(error).__name__))
        several = list(self._under_way.values())
        self._under_way.clear()
        is_alone = len(several) == 1
        if isinstance(error, OutOfMemory) and not is_alone:
            self._slots = max(1, self._slots // 2)
        for pending in several:
            if pending.has_text or is_alone or isinstance(error, PromptError):
                pending.tell(Failed(error))
            else:
                self._again.append(pending)

    def _end_all(self) -> None:
        waiting = [*self._under_way.values(), *self._again]
        with suppress(queue.Empty):
            while True:
                pending = self._submitted.get_nowait()
                waiting += [pending] if pending is not None else []
        for pending in waiting:
            pending.tell(Failed(_closing()))


def _closing() -> Closing:
    return Closing(translatable("core", "The server is closing. Start it, then ask again."))
