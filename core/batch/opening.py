"""Images are opened ahead of the model, in threads: what comes of it, and by how many."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from core.batch.recording import Work
from core.engine import Engine, EngineFacts, picture_preparation
from core.picture import Picture, given_pixels, open_picture, open_to_send
from core.transcript import Request

# The cores that this process may use; taskset and containers can limit them.
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
_OPENERS_FOR_ONE = 12
_NICENESS = 10


def openers_for(engines: int) -> int:
    """Returns how many threads open images ahead of so many engines."""
    return min(_OPENERS_FOR_ONE * engines, max(2, (_CORES or 2) - 1))


def yield_to_model() -> None:
    """Lets the model's threads run before this one, where both need the same cores.

    Otherwise all of the model's threads would wait whenever one of them has to. Not with
    SCHED_IDLE: on busy cores such a thread gets no time for as long as a second, and the window
    stands still if the thread holds Python's lock then.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # Some containers do not allow it.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


@dataclass(frozen=True, eq=False)
class Opened:
    """The result of opening an image: what to ask about it, or why it is skipped or failed.

    `existing` is the caption of one that is skipped.
    """

    work: Work | None = None
    picture: Picture | None = None
    skipped: str = ""
    existing: str = ""
    failed: str = ""


def prepared(path: Path, facts: EngineFacts) -> Picture:
    """Opens an image and does what the engine would do with it first.

    Done here it takes no time from the model, and of the many large images that wait only small
    ones stay in memory.
    """
    if facts.sending:
        return open_to_send(path, facts.sending)
    picture = open_picture(path)
    if preprocessing := facts.preprocessing:
        given = given_pixels(picture.pixels, preprocessing, is_one_of_many=True)
        return replace(picture, pixels=given)
    return picture


def prepared_ahead(requests: Iterable[Request], engine: Engine, ahead: int) -> Generator[Request]:
    """Yields requests about open pictures, which threads prepare as those of a run do.

    At most `ahead` are prepared and wait. For measuring what a run can reach.
    """
    prepare, source = picture_preparation(engine), iter(requests)

    def ready(request: Request) -> Request:
        return replace(request, picture=prepare(request.picture))

    with ThreadPoolExecutor(min(ahead, openers_for(1)), "opener") as openers:
        waiting = deque(openers.submit(ready, request) for request in islice(source, ahead))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(openers.submit(ready, request) for request in islice(source, 1))
