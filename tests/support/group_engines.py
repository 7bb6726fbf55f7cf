"""Engines in children, which end as a test wants: `opener` of an `EngineProcess`.

The name of the model says how: "dies after 3" ends its process before its fourth answer, "fails
after 3" raises from then on, "crashes after 3" raises what nobody foresaw, "cannot be opened" says
so, "is slow" answers within minutes, "prepares" says of each image how it was prepared ahead,
anything else answers.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from core.errors import CheckpointError, EngineError
from core.picture import Picture
from core.transcript import Answer, ModelChoice, Request
from tests.support.folder_run import FolderEngine

OPENER = "tests.support.group_engines:open_engine"


def open_engine(
    choice: ModelChoice, on_progress: Callable[[float, str], None], stop: threading.Event
) -> FolderEngine:
    """Returns an engine that answers until its time has come."""
    on_progress(0.5, "Reading the weights")
    if choice.model == "cannot be opened":
        raise CheckpointError("There is no such model.")
    if choice.model == "prepares":
        return PreparingEngine()
    engine = FolderEngine(seconds=600 if choice.model == "is slow" else 0.003)
    kind, _, count = choice.model.partition(" after ")
    if count:
        engine.on_answer = _Ending(kind, int(count))
    return engine


class PreparingEngine(FolderEngine):
    """Prepares images in other threads than that which asks about them."""

    asking: threading.Thread | None = None

    def prepare_picture(self, picture: Picture) -> Picture:
        """Returns it with the size that it had."""
        time.sleep(0.01)  # So long that others wait.
        assert threading.current_thread() is not self.asking
        return replace(picture, prepared=picture.pixels.size)

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        picture, self.asking = request.picture, threading.current_thread()
        assert picture.path is not None
        self.says[picture.path.name] = f"{picture.path.name} prepared as {picture.prepared}"
        return super().answer(request, on_piece, stop)


class _Ending:
    """Ends an engine at its last answer."""

    def __init__(self, kind: str, count: int):
        self._kind, self._left = kind, count

    def __call__(self, request: Request) -> None:
        self._left -= 1
        if self._left >= 0:
            return
        if self._kind == "dies":
            os._exit(3)
        raise EngineError("CUDA error.") if self._kind == "fails" else ZeroDivisionError("?")
