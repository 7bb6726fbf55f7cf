"""Runs a coroutine to its end from a thread that has no event loop, until it is stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from core.errors import Cancelled

TICK_SECONDS = 0.2

Result = TypeVar("Result")


def run_until_stopped(
    work: Coroutine[Any, Any, Result], stop: threading.Event, on_tick: Callable[[], None]
) -> Result:
    """Returns the result of `work`, which runs in an event loop of its own in this thread.

    Calls `on_tick` several times a second. Raises Cancelled within a second once `stop` is set.
    """
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_Executor(2, thread_name_prefix="transfer"))
        return runner.run(_watched(work, stop, on_tick))


async def _watched(
    work: Coroutine[Any, Any, Result], stop: threading.Event, on_tick: Callable[[], None]
) -> Result:
    task = asyncio.create_task(work)
    while not task.done():
        on_tick()
        if stop.is_set():
            task.cancel()
        await asyncio.wait([task], timeout=TICK_SECONDS)
    if task.cancelled():
        raise Cancelled("The download was ended.")
    return task.result()


class _Executor(ThreadPoolExecutor):
    """Does not wait for its threads: a name server that does not answer would delay a cancel."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)
