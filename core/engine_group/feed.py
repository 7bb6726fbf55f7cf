"""What the engines of a group share: requests that wait, and which engine holds which of them.

The group's caller puts requests in and takes events out; each engine's thread takes requests and
says what became of them. A request is with the caller, waiting here, or held by one engine, so none
is lost or answered twice.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from core.errors import PromptError
from core.message import translatable
from core.transcript import Answer, Ending, Request

# Stopping is noticed so soon: what sets the event wakes nobody here.
_LOOK_SECONDS = 0.05
# How soon a caller without a request is asked again.
_IDLE_SECONDS = 0.005


@dataclass(frozen=True)
class Wants:
    """More requests are wanted."""


@dataclass(frozen=True)
class Complete:
    """An answer is complete."""

    request: Request
    answer: Answer


@dataclass(frozen=True)
class Heard:
    """A piece of an answer that is being generated."""

    request: Request
    text: str


@dataclass(frozen=True)
class Refused:
    """A request that cannot be asked, of any engine."""

    request: Request
    error: PromptError


@dataclass(frozen=True)
class Noted:
    """Something that the user should know; not certain if a request may be to blame instead."""

    text: str
    is_certain: bool


@dataclass(frozen=True)
class Broken:
    """An engine failed, and the other engines cannot make up for it."""

    error: Exception


Event = Wants | Complete | Heard | Refused | Noted | Broken


class EitherEvent(threading.Event):
    """An event that is also set once another one is."""

    def __init__(self, other: threading.Event):
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        """Returns whether one of the two is set."""
        return super().is_set() or self._other.is_set()


class _End:
    """There is no further request."""


class Feed:
    """The requests of one `answer_all` of a group, on their way to the engines and back."""

    def __init__(self, engines: int, stop: threading.Event):
        """Keeps one request ready for each of so many `engines`."""
        self.stop = EitherEvent(stop)
        self._changed = threading.Condition()
        self._ahead = engines
        self._working = engines
        self._ready: deque[Request] = deque()
        self._held: dict[str, dict[int, Request]] = {}
        # The names of the engines that failed, by the identity of each request they held.
        self._failed: dict[int, str] = {}
        self._events: deque[Event] = deque()
        self._is_exhausted = self._is_idle = False
        self._last_error: Exception | None = None

    # The caller's side

    def fill_from(self, source: Iterator[Request | None]) -> None:
        """Takes the next request for whichever engine is free first.

        None means that none waits now: the engines go on with what they hold.
        """
        try:
            request = next(source)
        except StopIteration:
            with self._changed:
                self._is_exhausted = True
                self._changed.notify_all()
            return
        with self._changed:
            self._is_idle = request is None
            if request is None:
                self._changed.wait(_IDLE_SECONDS)
            else:
                self._ready.append(request)
            self._changed.notify_all()

    def next_event(self) -> Event | None:
        """Waits for what happens next; None once all is answered, or stopped."""
        with self._changed:
            while True:
                if self._events:
                    return self._events.popleft()
                if self.stop.is_set():
                    self.stop.set()  # It wakes who waits for it.
                    self._ready.clear()
                    self._is_exhausted, self._last_error = True, None
                    self._changed.notify_all()
                if self._is_over:
                    return None
                if not self._working:
                    return Broken(self._last_error) if self._last_error else None
                if not self._is_exhausted and len(self._ready) < self._ahead:
                    return Wants()
                self._changed.wait(_LOOK_SECONDS)

    def end(self) -> None:
        """Ends the answers under way, whose requests stay with the caller."""
        self.stop.set()
        with self._changed:
            self._changed.notify_all()

    def completed(self) -> Generator[tuple[Request, Answer]]:
        """Yields the answers that were complete before the end and not yet taken out."""
        while self._events:
            match self._events.popleft():
                case Complete(request, answer) if answer.ending is not Ending.STOPPED:
                    yield request, answer
                case _:
                    pass

    # The engines' side

    def has_work(self) -> bool:
        """Waits until a request waits for an engine; returns False once there will be none."""
        with self._changed:
            while not self._ready:
                if self._is_over or self.stop.is_set():
                    return False
                self._changed.wait(_LOOK_SECONDS)
            return not self.stop.is_set()

    def requests_for(self, engine: str) -> Generator[Request | None]:
        """Yields requests, which `engine` then holds; ends if there is none to wait for.

        Yields None where the caller has none now and `engine` holds some.
        """
        while not isinstance(request := self._take(engine), _End):
            yield request

    def ready_for(self, engine: str) -> Request | None:
        """Returns a request that waits, which `engine` then holds; None if none does."""
        with self._changed:
            return None if self.stop.is_set() or not self._ready else self._give(engine)

    def _take(self, engine: str) -> Request | _End | None:
        with self._changed:
            while not self._ready:
                if self._is_exhausted or self.stop.is_set():
                    return _End()
                if self._is_idle and self._held.get(engine):
                    return None
                self._changed.wait(_LOOK_SECONDS)
            return _End() if self.stop.is_set() else self._give(engine)

    def _give(self, engine: str) -> Request:
        request = self._ready.popleft()
        self._held.setdefault(engine, {})[id(request)] = request
        self._changed.notify_all()
        return request

    def complete(self, engine: str, request: Request, answer: Answer) -> None:
        """Hands an engine's answer to the caller."""
        with self._changed:
            del self._held[engine][id(request)]
            if (failed := self._failed.get(id(request))) is not None:
                answer = replace(answer, notes=(*answer.notes, _retold(failed, engine)))
            self._events.append(Complete(request, answer))
            self._changed.notify_all()

    def hear(self, request: Request, text: str) -> None:
        """Hands on a piece. Those of a request that was asked before are left out, since its text
        would begin once more."""
        with self._changed:
            if id(request) not in self._failed:
                self._events.append(Heard(request, text))
                self._changed.notify_all()

    def give_back(self, engine: str, note: str) -> None:
        """Lets all engines take the requests that `engine` holds, which goes on itself."""
        with self._changed:
            self._return_held(engine)
            self._events.append(Noted(note, is_certain=True))
            self._changed.notify_all()

    def fail(
        self, engine: str, error: Exception, note: str = "", *, is_certain: bool = False
    ) -> None:
        """Gives the requests that `engine` holds to the others, as it takes no more.

        If one of them has made another engine fail already, it may be to blame, and the error goes
        to the caller, who can find out.
        """
        with self._changed:
            self._last_error = error
            held = self._held.get(engine, {})
            is_suspect = any(number in self._failed for number in held)
            self._failed.update(dict.fromkeys(held, engine))
            self._return_held(engine)
            if note and self._working > 1:
                self._events.append(Noted(note, is_certain))
            if is_suspect:
                self._events.append(Broken(error))
            self._changed.notify_all()

    def refuse(self, engine: str, request: Request, error: PromptError) -> None:
        """Hands a request back that cannot be asked."""
        with self._changed:
            self._held[engine].pop(id(request), None)
            self._events.append(Refused(request, error))
            self._changed.notify_all()

    def leave(self, engine: str) -> None:
        """Says that `engine` takes no more; what it holds was stopped before it began."""
        with self._changed:
            self._held.pop(engine, None)
            self._working -= 1
            self._changed.notify_all()

    @property
    def _is_over(self) -> bool:
        is_held = any(self._held.values())
        return self._is_exhausted and not (self._ready or is_held)

    def _return_held(self, engine: str) -> None:
        self._ready.extendleft(reversed(self._held.pop(engine, {}).values()))


def _retold(failed: str, engine: str) -> str:
    text = translatable(
        "core", "{failed} failed while it captioned this image, so {engine} captioned it."
    )
    return text.format(failed=failed, engine=engine)
