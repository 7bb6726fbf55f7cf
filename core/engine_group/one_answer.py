"""One request, for engines whose own way is to answer many."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

from core.engine import Engine
from core.errors import EngineError
from core.transcript import Answer, Ending, Request


def answer_one(
    engine: Engine, request: Request, on_piece: Callable[[str], None], stop: threading.Event
) -> Answer:
    """Answers as `Engine.answer` does, by the engine's `answer_all`."""
    with closing(
        engine.answer_all([request], stop, slots=1, on_piece=lambda _, piece: on_piece(piece))
    ) as answers:
        for _, outcome in answers:
            if isinstance(outcome, EngineError):
                raise outcome
            return outcome
    return Answer("", Ending.STOPPED, 0, 0.0)
