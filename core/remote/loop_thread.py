"""An event loop in a thread of its own, for callers that block."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")

_PATIENCE_SECONDS = 3.0
_SECONDS_TO_TAKE_DOWN = 0.01


class LoopThread:
    """Runs coroutines until it is closed. Everything but the making may be called from any
    thread."""

    def __init__(self, name: str):
        self._loop = asyncio.new_event_loop()
        self._waiting: deque[Started] = deque()
        self._is_woken = False
        # The loop itself keeps weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        """Whether no more work is taken."""
        return self._loop.is_closed() or not self._thread.is_alive()

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Starts a coroutine in the loop; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def start(self, work: Coroutine[Any, Any, None]) -> Started:
        """Starts a coroutine that says itself what becomes of it. Takes a fraction of what `submit`
        does: the loop is woken once for all that wait to be started."""
        started = Started(self._loop, work)
        self._waiting.append(started)
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._start_all)
        return started

    def close(self) -> None:
        """Cancels what is left, and waits a moment for it."""
        if self.is_closed:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)

    def _start_all(self) -> None:
        self._is_woken = False  # What is added from now on wakes the loop again.
        while self._waiting:
            task = self._waiting.popleft().begin()
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._start_all()  # They are cancelled with the others.
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=_PATIENCE_SECONDS))
            # Closed connections are taken down in the loop's next rounds.
            self._loop.run_until_complete(asyncio.sleep(_SECONDS_TO_TAKE_DOWN))
        finally:
            self._loop.close()


class Started:
    """A coroutine on its way into a loop in another thread, or under way there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]):
        self._loop, self._work = loop, work
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> asyncio.Task[None]:
        """Begins it; belongs to the loop's thread."""
        self._task = self._loop.create_task(self._work)
        return self._task

    def cancel(self) -> None:
        """Cancels it, if it is not over. May be called from any thread."""
        with suppress(RuntimeError):  # The loop is closed, and with it all that was under way.
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
