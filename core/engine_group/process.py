"""An engine in a child process, as an `Engine`: what breaks there takes nothing else along."""

from __future__ import annotations

import queue
import subprocess
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, cast

from core.engine import EngineFacts
from core.engine_group.messages import (
    Answered,
    Ask,
    Begin,
    Failed,
    FromParent,
    NoMore,
    NoneNow,
    Open,
    Opened,
    Over,
    Piece,
    Progress,
    Refused,
    Stop,
    StopOne,
    Wanted,
    receive,
    send,
)
from core.engine_group.one_answer import answer_one
from core.errors import Cancelled, EngineLost, PromptError
from core.isolation.process import start_child
from core.isolation.protocol import ChildFailed
from core.message import translatable
from core.transcript import Answer, ModelChoice, Request

OPENER = "core.open_engine:open_engine"
"""What opens a model's engine in the child."""

_LOOK_SECONDS = 0.05
# A slow computer reads a prompt for minutes; beyond that the child hangs.
_STOP_SECONDS = 300.0


class EngineProcess:
    """A loaded model in a process of its own. Belongs to one thread, as every engine does."""

    def __init__(
        self,
        choice: ModelChoice,
        on_progress: Callable[[float, str], None],
        stop: threading.Event,
        *,
        opener: str = OPENER,
        environment: Mapping[str, str] | None = None,
    ):
        """Starts the child and waits until the model is loaded there.

        `environment` is added to the child's. Raises as `opener` does, EngineLost if the child
        ends, and Cancelled once `stop` is set.
        """
        try:
            process = start_child(
                "core.engine_group.child", has_torch=True, environment=environment
            )
        except ChildFailed as error:
            raise _lost(str(error)) from error
        assert process.stdin is not None
        assert process.stdout is not None
        self._process: subprocess.Popen[bytes] = process
        self._requests = cast(BinaryIO, process.stdin)
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        reader = threading.Thread(
            target=_read,
            args=(cast(BinaryIO, process.stdout), self._replies),
            name="replies",
            daemon=True,
        )
        reader.start()
        # Also when nobody closes it, and when the program ends.
        self._end = weakref.finalize(self, _end, process, reader)
        try:
            self.facts = self._opened(Open(opener, choice), on_progress, stop)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def _opened(
        self, opening: Open, on_progress: Callable[[float, str], None], stop: threading.Event
    ) -> EngineFacts:
        self._send(opening)
        while True:
            match self._receive(stop):
                case Opened(facts):
                    return facts
                case Progress(fraction, stage):
                    on_progress(fraction, stage)
                case Failed(error):
                    raise error
                case _:
                    raise Cancelled("Loading was cancelled.")

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """See `Engine.answer`."""
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
        """See `Engine.answer_all`. The next request is taken shortly before a slot is free.

        Raises EngineLost if the child has ended.
        """
        self._send(Begin(slots, on_piece is not None, on_refused is not None))
        this = _Round(requests, is_stopped)
        try:
            while not this.is_over:
                match self._receive(None if this.is_stopping else stop, this.newly_stopped):
                    case Wanted():
                        self._ask_next(this)
                    case StopOne() as message:
                        self._tell(message)
                    case Piece(number, text) if on_piece is not None:
                        on_piece(this.sent[number], text)
                    case Refused(number, error) if on_refused is not None:
                        on_refused(this.sent.pop(number), error)
                    case Answered(number, answer):
                        yield this.sent.pop(number), answer
                    case Over():
                        this.is_over = True
                    case Failed(error):
                        this.is_over = True
                        raise error
                    case _:
                        this.is_stopping = True
                        self._tell(Stop())
        except EngineLost:
            this.is_over = True
            raise
        finally:
            if not this.is_over:
                self._end_round()

    def close(self) -> None:
        """See `Engine.close`: ends the child. May be called from any thread."""
        self._end()

    def _end_round(self) -> None:
        """Stops the answers that nobody wants any more, and waits for the round's end."""
        with suppress(EngineLost):
            self._send(Stop())
            while not isinstance(message := self._receive(None), Over | Failed):
                if isinstance(message, Wanted):
                    self._send(NoMore())

    def _receive(
        self,
        stop: threading.Event | None,
        interrupted: Callable[[], StopOne | None] = lambda: None,
    ) -> Any:
        """Returns what the child says next, None once `stop` is set, or what `interrupted` returns
        if that is not None. Raises EngineLost."""
        waited = 0.0
        while True:
            if (interruption := interrupted()) is not None:
                return interruption
            try:
                message = self._replies.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                waited += _LOOK_SECONDS
                if stop is not None and stop.is_set():
                    return None
                if stop is None and waited > _STOP_SECONDS:
                    self.close()
                continue
            if message is None:
                self.close()
                raise _lost(f"exit status {self._process.returncode}")
            return message

    def _ask_next(self, this: _Round) -> None:
        if self._process.poll() is None:  # Else another engine gets the request.
            self._tell(this.next())

    def _tell(self, message: FromParent) -> None:
        """Sends a message of a round. That the child has ended shows once all that it said before
        is received: its last answers count."""
        with suppress(EngineLost):
            self._send(message)

    def _send(self, message: FromParent) -> None:
        try:
            send(self._requests, message)
        except (OSError, ValueError) as error:
            self.close()
            raise _lost(f"exit status {self._process.returncode}") from error


class _Round:
    """One `answer_all`: what is still to be asked, and what was asked and is not answered."""

    def __init__(
        self,
        requests: Iterable[Request | None],
        is_stopped: Callable[[Request], bool] | None,
    ):
        self.sent: dict[int, Request] = {}
        self.is_over = self.is_stopping = False
        self._waiting = iter(requests)
        self._count = 0
        self._is_stopped = is_stopped
        self._stopped: set[int] = set()

    def next(self) -> Ask | NoneNow | NoMore:
        """Returns what the child gets for a `Wanted`."""
        if self.is_stopping:
            return NoMore()
        try:
            request = next(self._waiting)
        except StopIteration:
            return NoMore()
        if request is None:
            return NoneNow()
        self.sent[self._count] = request
        self._count += 1
        return Ask(self._count - 1, request)

    def newly_stopped(self) -> StopOne | None:
        """Returns what to tell the child about a request that alone is stopped, if there is one."""
        if self._is_stopped is None:
            return None
        for number, request in self.sent.items():
            if number not in self._stopped and self._is_stopped(request):
                self._stopped.add(number)
                return StopOne(number)
        return None


def _lost(reason: str) -> EngineLost:
    text = translatable("core", "The model's process has ended ({reason}). Load the model again.")
    return EngineLost(text.format(reason=reason))


def _read(pipe: BinaryIO, replies: queue.SimpleQueue[Any]) -> None:
    with pipe:
        while (message := receive(pipe)) is not None:
            replies.put(message)
    replies.put(None)


def _end(process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    if reader is not threading.current_thread():
        reader.join()  # It closes the other pipe.
