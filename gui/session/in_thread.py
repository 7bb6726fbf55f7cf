"""Work in a thread of one's own, also while the program ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

_Result = TypeVar("_Result")


def begin_in(executor: Executor, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
    """Begins `work` in the thread of `executor`, and returns the future of what it returns.

    That is cancelled if the executor was shut down, as what still waited then is: the program ends,
    and so does what a coroutine wanted to do next.
    """
    try:
        return asyncio.wrap_future(executor.submit(work))
    except RuntimeError:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        return future
