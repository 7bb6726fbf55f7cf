"""The side of an engine's process that lives in the child: opens the engine, and answers rounds."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, BinaryIO

from core.engine import Engine
from core.engine_group.messages import (
    Answered,
    Ask,
    Begin,
    Failed,
    FromChild,
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
from core.errors import AppError, EngineError, PromptError
from core.message import translatable
from core.picture import Picture
from core.transcript import Request

log = logging.getLogger(__name__)

# Of requests that are here before a slot is free for them: the way through the pipe takes less
# than a millisecond.
_AHEAD = 2
# Threads that do ahead what the model does first with a picture, if it does something.
_PREPARING = 2


@dataclass(eq=False)
class _Round:
    """A round of requests, as they come in."""

    begin: Begin
    asked: queue.SimpleQueue[Future[Ask] | Ask | NoneNow | NoMore] = field(
        default_factory=queue.SimpleQueue["Future[Ask] | Ask | NoneNow | NoMore"]
    )
    stopped: set[int] = field(default_factory=set[int])
    stop: threading.Event = field(default_factory=threading.Event)


def serve(requests: BinaryIO, replies: BinaryIO) -> int:
    """Opens an engine and answers, until the parent ends this process."""
    _Server(requests, replies).run()
    return 0


class _Server:
    """Answers in the main thread; another one reads what the parent sends."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO):
        self._requests, self._replies = requests, replies
        self._inbox: queue.SimpleQueue[Open | _Round | None] = queue.SimpleQueue()
        self._opening_stop = threading.Event()
        self._prepare: Callable[[Picture], Picture] | None = None
        self._preparing = ThreadPoolExecutor(_PREPARING, "opener")

    def run(self) -> None:
        threading.Thread(target=self._read, name="parent", daemon=True).start()
        opening = self._inbox.get()
        if not isinstance(opening, Open):
            return
        try:
            engine = self._open(opening)
        except Exception as error:
            self._send(Failed(_as_app_error(error)))
            return
        self._prepare = getattr(engine, "prepare_picture", None)
        # What counts tokens would bring the tokenizer with it.
        self._send(Opened(replace(engine.facts, count_tokens=None)))
        while isinstance(this := self._inbox.get(), _Round):
            try:
                self._answer(engine, this)
            except Exception as error:
                self._send(Failed(_as_app_error(error)))
            else:
                self._send(Over())

    def _read(self) -> None:
        this: _Round | None = None
        while True:
            match receive(self._requests):
                case Open() as opening:
                    self._inbox.put(opening)
                case Begin() as begin:
                    this = _Round(begin)
                    self._inbox.put(this)
                case Ask() as message if this is not None and self._prepare is not None:
                    this.asked.put(self._preparing.submit(_prepared, message, self._prepare))
                case Ask() | NoneNow() | NoMore() as message if this is not None:
                    this.asked.put(message)
                case StopOne(number) if this is not None:
                    this.stopped.add(number)
                case Stop() if this is not None:
                    this.stop.set()
                    this.asked.put(NoMore())
                case _:  # The parent is gone, and nobody wants what is under way.
                    os._exit(0)

    def _open(self, opening: Open) -> Engine:
        module, _, name = opening.opener.partition(":")
        opener: Any = getattr(import_module(module), name)

        def on_progress(fraction: float, stage: str) -> None:
            self._send(Progress(fraction, stage))

        return opener(opening.choice, on_progress, self._opening_stop)

    def _answer(self, engine: Engine, this: _Round) -> None:
        # By identity, as an engine gives the same request back.
        asked: dict[int, Ask] = {}

        def requests() -> Generator[Request | None]:
            for _ in range(_AHEAD if self._prepare is None else _AHEAD + _PREPARING):
                self._send(Wanted())
            while not isinstance(message := this.asked.get(), NoMore) and not this.stop.is_set():
                while isinstance(message, Future):
                    if asked and not message.done():
                        yield None  # Answers under way do not wait for it.
                    else:
                        message = message.result()
                self._send(Wanted())
                if isinstance(message, Ask):
                    asked[id(message.request)] = message
                yield message.request if isinstance(message, Ask) else None

        def on_piece(request: Request, text: str) -> None:
            self._send(Piece(asked[id(request)].number, text))

        def on_refused(request: Request, error: PromptError) -> None:
            self._send(Refused(asked.pop(id(request)).number, error))

        answers = engine.answer_all(
            requests(),
            this.stop,
            slots=this.begin.slots,
            on_piece=on_piece if this.begin.streams else None,
            is_stopped=lambda request: asked[id(request)].number in this.stopped,
            on_refused=on_refused if this.begin.goes_on else None,
        )
        for request, answer in answers:
            if isinstance(answer, EngineError):
                raise answer
            self._send(Answered(asked.pop(id(request)).number, answer))

    def _send(self, message: FromChild) -> None:
        try:
            send(self._replies, message)
        except (OSError, ValueError):
            os._exit(0)


def _prepared(ask: Ask, prepare: Callable[[Picture], Picture]) -> Ask:
    request = ask.request
    if request.others:
        return ask
    return replace(ask, request=replace(request, picture=prepare(request.picture)))


def _as_app_error(error: Exception) -> AppError:
    if isinstance(error, AppError):
        error.__cause__ = error.__context__ = error.__traceback__ = None
        return error
    log.exception("The engine failed unexpectedly")
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return EngineError(
        translatable("core", "The model failed ({error}). Try again.").format(error=reason)
    )
