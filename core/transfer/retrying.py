"""Requests that are repeated when the network or the server fails."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from core.transfer.network import connection_failures

_LONGEST_WAIT = 60.0

Answered = TypeVar("Answered")


class Busy(Exception):
    """The server cannot answer now; `seconds` is how long it asks to wait, None if it does not say.

    Status 200 means that it closed the connection too early.
    """

    def __init__(self, status: int, seconds: float | None = None):
        super().__init__(f"HTTP {status}")
        self.status = status
        self.seconds = seconds


class Damaged(Exception):
    """The bytes that came are not those of the file that was asked for."""


class GaveUp(Exception):
    """All tries failed; `error` is the last failure, `asked` the seconds a server asked to wait."""

    def __init__(self, error: Exception, asked: float | None):
        super().__init__(str(error))
        self.error, self.asked = error, asked


async def retrying(
    attempt: Callable[[], Coroutine[Any, Any, Answered]],
    waits: Sequence[float],
    *,
    bytes_here: Callable[[], int],
    has_received: Callable[[], bool],
    on_wait: Callable[[float], None],
) -> Answered:
    """Repeats `attempt` until it succeeds; raises GaveUp after several failures without progress.

    `waits` are the seconds between tries. `bytes_here` returns how many bytes of the file are on
    the disk, `has_received` whether anything has come over the network at all. `on_wait` is called
    with the seconds before each wait of a second or more, and with 0 after it.
    """
    left, failures = iter(waits), connection_failures()
    while True:
        before = bytes_here()
        try:
            return await attempt()
        except Busy as busy:
            error, asked = busy, busy.seconds
        except failures as failure:
            error, asked = failure, None
            if not has_received() and len(waits) - operator.length_hint(left) >= 2:
                # Nothing has ever come: there is no network, rather than a broken one.
                left = iter(())
        if bytes_here() > before:
            left = iter(waits)
        wait = next(left, None)
        if wait is None or (asked or 0) > _LONGEST_WAIT:
            raise GaveUp(error, asked) from error
        seconds = wait if asked is None else asked
        if seconds >= 1:
            on_wait(seconds)
        await asyncio.sleep(seconds)
        if seconds >= 1:
            on_wait(0)


def seconds_to_wait(retry_after: str | None) -> float | None:
    """Of a Retry-After header; a date in it is not read."""
    text = (retry_after or "").strip()
    return float(text) if text.isdecimal() and len(text) < 7 else None
