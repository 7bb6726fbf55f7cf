"""Several engines of one model that answer as one: requests go to whichever is free first."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace

from core.engine import Capability, Engine, EngineFacts, Missing
from core.engine_group.ahead import PreparedAhead
from core.engine_group.feed import Broken, Complete, Feed, Heard, Noted, Refused, Wants
from core.engine_group.one_answer import answer_one
from core.errors import AppError, EngineError, EngineLost, OutOfMemory, PromptError
from core.message import translatable
from core.transcript import Answer, Request

log = logging.getLogger(__name__)

_ONE_ENGINE = translatable("core", "Several graphics cards are used.")
_USE_ONE = translatable("core", "Use one card.")


@dataclass(frozen=True)
class EngineSource:
    """Where an engine of a group comes from: `open(stop)` is called in the engine's own thread.

    `name` is what the user calls it, such as cuda:1. `is_lent` means that somebody else owns the
    engine and closes it.
    """

    name: str
    open: Callable[[threading.Event], Engine]
    is_lent: bool = False


class EngineGroup:
    """An `Engine` over several others, each in a thread of its own.

    They join as soon as they are open; the group is ready with the first. One that fails leaves its
    requests to the others, and the `notes` of `facts` say so. Belongs to one thread, and each
    engine to another.
    """

    def __init__(
        self,
        sources: Sequence[EngineSource],
        stop: threading.Event,
        on_opened: Callable[[str, EngineFacts], None] = lambda *_: None,
    ):
        """Opens the engines, and returns once the first is open. `on_opened` is called from the
        engines' threads.

        Raises what opening the first one raised if none could be opened.
        """
        self._closing = threading.Event()
        self._members = [_Member(source, self._closing, on_opened) for source in sources]
        self._notes: list[str] = []
        try:
            self._first = self._first_opened(stop)
        except BaseException:
            self.close()
            raise

    def _first_opened(self, stop: threading.Event) -> EngineFacts:
        opening = [member.opening for member in self._members]
        while True:
            for future in opening:
                if future.done() and not future.exception():
                    return future.result().facts
            if all(future.done() for future in opening):
                return opening[0].result().facts  # It raises.
            if stop.is_set():
                self._closing.set()
            wait([future for future in opening if not future.done()], 0.05, "FIRST_COMPLETED")

    @property
    def facts(self) -> EngineFacts:
        """Those of the first that was open, and of how many they are."""
        names = [member.name for member in self._members if member.is_usable]
        missing = Missing(_ONE_ENGINE, _USE_ONE)
        return replace(
            self._first,
            device=", ".join(names) or self._first.device,
            notes=(*self._first.notes, *self._notes),
            missing={
                **self._first.missing,
                Capability.EVIDENCE: missing,
                Capability.MAPS: missing,
                Capability.TRACE: missing,
            },
            engines=max(1, len(names)),
        )

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """See `Engine.answer`. A request at which one engine fails is asked of another."""
        return answer_one(self, request, on_piece, stop)

    def answer_all(
        self,
        requests: Iterable[Request | None],
        stop: threading.Event,
        *,
        slots: int,
        on_piece: Callable[[Request, str], None] | None = None,
        is_stopped: Callable[[Request], bool] | None = None,
        on_refused: Callable[[Request, PromptError], None] | None = None,
    ) -> Generator[tuple[Request, Answer]]:
        """See `Engine.answer_all`; `slots` are those of each engine.

        Raises EngineLost if no engine is left that can be asked again.
        """
        working = [member for member in self._members if member.is_usable]
        if not working:
            raise _all_lost()
        feed = Feed(len(working), stop)
        asked = _Asked(feed, self._slots_of(slots), on_piece is not None, is_stopped)
        futures = [member.submit(asked) for member in working]
        source = iter(requests)
        failure: Exception | None = None
        notes: list[str] = []
        try:
            while failure is None and (event := feed.next_event()) is not None:
                match event:
                    case Wants():
                        feed.fill_from(source)
                    case Complete(request, answer):
                        yield request, answer
                    case Heard(request, text):
                        if on_piece is not None:
                            on_piece(request, text)
                    case Refused(request, error):
                        if on_refused is None:
                            raise error
                        on_refused(request, error)
                    case Noted(text, is_certain):
                        (self._notes if is_certain else notes).append(text)
                    case Broken(error):
                        failure = error
        finally:
            feed.end()
            _wait_for(futures)
            self._note_unopened()
        if failure is None:
            self._notes += notes
            return
        yield from feed.completed()
        raise self._raised(failure)

    def close(self) -> None:
        """See `Engine.close`. Ends what is still being opened."""
        self._closing.set()
        for member in self._members:
            member.close()

    def _slots_of(self, slots: int) -> int:
        """Returns 0 for as many as fit on each card, unless the user wants another number."""
        return 0 if slots == self._first.slots_that_fit else slots

    def _note_unopened(self) -> None:
        """Notes the engines that could not be opened, once each."""
        for member in self._members:
            if member.opening.done() and (error := member.opening.exception()):
                note = _not_opened(member.name, error)
                if note not in self._notes:
                    self._notes.append(note)

    def _raised(self, failure: Exception) -> Exception:
        """Returns EngineLost only if no engine can be asked again."""
        if not any(member.is_usable for member in self._members):
            lost = _all_lost()
            lost.__cause__ = failure
            return lost
        return EngineError(failure.message) if isinstance(failure, EngineLost) else failure


@dataclass(frozen=True, eq=False)
class _Asked:
    """One `answer_all` of a group, for each of its engines; `slots` 0 means as many as fit."""

    feed: Feed
    slots: int
    streams: bool
    is_stopped: Callable[[Request], bool] | None


class _Member:
    """An engine of a group, and its thread."""

    def __init__(
        self,
        source: EngineSource,
        closing: threading.Event,
        on_opened: Callable[[str, EngineFacts], None],
    ):
        self.name = source.name
        self._source, self._on_opened = source, on_opened
        self._most_slots = 10**6
        self._is_lost = False
        self._thread = ThreadPoolExecutor(1, f"engine {source.name}")
        self.opening: Future[Engine] = self._thread.submit(self._open, closing)

    @property
    def is_usable(self) -> bool:
        """Whether it is open or being opened, and has not gone for good."""
        if self.opening.done() and (self.opening.cancelled() or self.opening.exception()):
            return False
        return not self._is_lost

    def submit(self, asked: _Asked) -> Future[None]:
        """Answers what the feed has, as soon as the engine is open."""
        return self._thread.submit(self._work, asked)

    def close(self) -> None:
        """Closes the engine in its thread, or as soon as it is open."""
        self._thread.submit(self._close)
        self._thread.shutdown()

    def _open(self, stop: threading.Event) -> Engine:
        engine = self._source.open(stop)
        self._on_opened(self.name, engine.facts)
        return engine

    def _close(self) -> None:
        if not (self._source.is_lent or self.opening.exception()):
            self.opening.result().close()

    def _work(self, asked: _Asked) -> None:
        feed = asked.feed
        try:
            if error := self.opening.exception():
                feed.fail(self.name, _as_exception(error))
                return
            engine = self.opening.result()
            while feed.has_work() and self._answer(engine, asked):
                pass
        finally:
            feed.leave(self.name)

    def _answer(self, engine: Engine, asked: _Asked) -> bool:
        """Answers what there is; returns whether the engine can take more after that."""
        feed = asked.feed
        slots = min(asked.slots or engine.facts.slots_that_fit or 1, self._most_slots)
        try:
            with PreparedAhead(engine, feed, self.name) as ahead:
                self._answer_all(engine, asked, ahead, slots)
        except OutOfMemory as error:
            if slots == 1:
                feed.fail(self.name, error, _failed(self.name, error), is_certain=False)
                return False
            self._most_slots = slots // 2
            feed.give_back(self.name, _fewer_at_once(self.name, self._most_slots))
            return True
        except Exception as error:
            if not isinstance(error, AppError):
                log.exception("%s failed unexpectedly", self.name)
            self._is_lost = isinstance(error, EngineLost)
            note = _failed(self.name, error)
            feed.fail(self.name, error, note, is_certain=self._is_lost)
        else:
            return not feed.stop.is_set()
        return False

    def _answer_all(self, engine: Engine, asked: _Asked, ahead: PreparedAhead, slots: int) -> None:
        feed, is_stopped = asked.feed, asked.is_stopped

        def on_piece(request: Request, text: str) -> None:
            feed.hear(ahead.original(request), text)

        def on_refused(request: Request, error: PromptError) -> None:
            feed.refuse(self.name, ahead.answered(request), error)

        answers = engine.answer_all(
            ahead.requests(),
            feed.stop,
            slots=slots,
            on_piece=on_piece if asked.streams else None,
            is_stopped=(lambda one: is_stopped(ahead.original(one))) if is_stopped else None,
            on_refused=on_refused,
        )
        with closing(answers):
            for request, answer in answers:
                if isinstance(answer, EngineError):
                    raise answer
                feed.complete(self.name, ahead.answered(request), answer)


def _wait_for(futures: Sequence[Future[None]]) -> None:
    """Waits until no engine works. One that is still being opened has not begun."""
    for future in futures:
        if not future.cancel():
            future.result()


def _as_exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else EngineError(str(error))


def _all_lost() -> EngineLost:
    return EngineLost(
        translatable("core", "The model stopped on all cards. Load it again, then resume.")
    )


def _not_opened(name: str, error: BaseException) -> str:
    text = translatable("core", "{name} is not used. {error}")
    return text.format(name=name, error=error)


def _failed(name: str, error: Exception) -> str:
    text = translatable("core", "{name} failed, so the others captioned its images. {error}")
    return text.format(name=name, error=error)


def _fewer_at_once(name: str, slots: int) -> str:
    if slots == 1:
        text = translatable(
            "core", "Memory ran out on {name}, so images are now captioned one at a time there."
        )
        return text.format(name=name)
    text = translatable(
        "core", "Memory ran out on {name}, so {count} images are now captioned at once there."
    )
    return text.format(name=name, count=slots)
