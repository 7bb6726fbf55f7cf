"""What is asked of the model thread: loads, answers and other work with the engine.

Each job is created in the GUI thread and holds the future that its caller awaits. The model
thread reads what is to be done and the stop event, and touches nothing else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Slot

from core.transcript import Answer, ModelChoice, Request

if TYPE_CHECKING:
    from core.engine import Engine

FRAME_MS = 16

OnPiece = Callable[[str], None]


class PieceBuffer(QObject):
    """Pieces of text on their way to the window: joined to one a frame, the first at once.

    At 1,000 tokens per second the window would otherwise lay its text out 1,000 times.
    """

    def __init__(self, on_piece: OnPiece, parent: QObject):
        super().__init__(parent)
        self._on_piece = on_piece
        self._pending: list[str] = []
        self._frame = QTimer(self, interval=FRAME_MS, singleShot=True)
        self._frame.timeout.connect(self.flush)

    def add(self, piece: str) -> None:
        """Takes a piece; passes it on at the end of the frame."""
        self._pending.append(piece)
        if not self._frame.isActive():
            self.flush()

    @Slot()
    def flush(self) -> None:
        """Passes on what is pending."""
        if self._pending:
            text, self._pending = "".join(self._pending), []
            self._frame.start()
            self._on_piece(text)


@dataclass(eq=False)
class LoadJob:
    """Load `choice` in place of the present model."""

    choice: ModelChoice
    done: asyncio.Future[None]
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class AnswerJob:
    """Answer `request`."""

    request: Request
    pieces: PieceBuffer
    answer: asyncio.Future[Answer]
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class ExclusiveJob:
    """Run `work` with the engine; `end`, called in the GUI thread, asks it to return soon."""

    work: Callable[[Engine], Any]
    end: Callable[[], None]
    outcome: asyncio.Future[Any]


@dataclass(eq=False)
class ReadOnlyJob:
    """Run `work` with the engine unless `stop` is set before it begins."""

    work: Callable[[Engine, threading.Event], Any]
    outcome: asyncio.Future[Any]
    stop: threading.Event = field(default_factory=threading.Event)


async def settled(future: asyncio.Future[Any], stop: threading.Event) -> Any:
    """Awaits the future; sets `stop` if the caller is cancelled meanwhile."""
    try:
        return await future
    except asyncio.CancelledError:
        stop.set()
        raise


def settle(future: asyncio.Future[Any], outcome: object) -> None:
    """Resolves the future with a value or an exception, unless its caller was cancelled."""
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
