"""What the caller of `Engine.answer_all` wants to hear and to decide about each request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.errors import PromptError
from core.generation.streaming import OnPiece, OnPieceOf
from core.transcript import Answer, Request

AnswerOne = Callable[[Request, OnPiece, threading.Event], Answer]
"""`Engine.answer`."""


@dataclass(frozen=True)
class Listeners:
    """The functions that were given to `Engine.answer_all`, and its `stop`."""

    stop: threading.Event
    on_piece: OnPieceOf | None = None
    is_stopped: Callable[[Request], bool] | None = None
    on_refused: Callable[[Request, PromptError], None] | None = None

    def ends(self, request: Request) -> bool:
        """Returns whether the answer to `request` is to end."""
        return self.stop.is_set() or (self.is_stopped is not None and self.is_stopped(request))

    def refuse(self, request: Request, error: PromptError) -> None:
        """Passes on that `request` cannot be asked; raises the error if nobody listens."""
        if self.on_refused is None:
            raise error
        self.on_refused(request, error)

    def answer_alone(self, request: Request, answer: AnswerOne) -> Iterator[tuple[Request, Answer]]:
        """Yields the request with its answer, unless it cannot be asked."""
        try:
            answered = answer(request, self._piece_listener(request), _Ending(self, request))
        except PromptError as error:
            self.refuse(request, error)
        else:
            yield request, answered

    def _piece_listener(self, request: Request) -> OnPiece:
        on_piece = self.on_piece
        if on_piece is None:
            return lambda _: None
        return lambda piece: on_piece(request, piece)


class _Ending(threading.Event):
    """Is set once the answer to a request is to end: all are, or this one."""

    def __init__(self, listeners: Listeners, request: Request):
        super().__init__()
        self._listeners, self._request = listeners, request

    def is_set(self) -> bool:
        return self._listeners.ends(self._request)
