"""Several downloads at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Waits until all are done; the first failure ends the others, and is raised by itself."""
    failure = None
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as failures:
        failure = failures.exceptions[0]
    if failure:
        raise failure
