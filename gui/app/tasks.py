"""Work that the program starts and nobody awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from PySide6.QtCore import QObject, Signal

from core.errors import AppError
from gui.widgets.translated import translated

Begin = Callable[[Coroutine], None]
"""Starts a coroutine in the event loop and returns at once."""


class BackgroundTasks(QObject):
    """Holds coroutines until they end, and reports what they raise.

    `noticed(str)`: the message of an expected error. `failed(Exception)`: an unexpected one.
    """

    noticed = Signal(str)
    failed = Signal(object)

    def __init__(self, loop: asyncio.AbstractEventLoop, parent: QObject | None = None):
        super().__init__(parent)
        self._loop = loop
        self._tasks: set[asyncio.Task] = set()

    def begin(self, coroutine: Coroutine) -> None:
        """Start a coroutine. The one place where work starts that nobody awaits. Once the program
        has ended it starts nothing: a timer may still fire."""
        if self._loop.is_closed():
            coroutine.close()
            return
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    async def all_done(self, until: float) -> bool:
        """Wait for them, at most until this time of the loop's clock. False if some go on."""
        if not self._tasks:
            return True
        left = max(0.0, until - self._loop.time())
        _, pending = await asyncio.wait(self._tasks, timeout=left)
        return not pending

    def _on_done(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        match task.exception():
            case None:
                pass
            case AppError() as error:
                self.noticed.emit(translated(error))
            case error:
                self.failed.emit(error)
