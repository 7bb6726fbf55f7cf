"""Counting the bytes of a job, and reporting how far it is."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import Cancelled
from core.message import translatable


@dataclass(frozen=True)
class Progress:
    """How far a job is: `stage` in words, bytes, and bytes a second while it downloads.

    `total` is 0 and `seconds_left` None while unknown.
    """

    stage: str
    done: int
    total: int
    rate: float = 0.0
    seconds_left: float | None = None


DOWNLOADING = "Downloading"
OnProgress = Callable[[Progress], None]

_RATE_SECONDS = 5.0
_LEAST_RATE_SECONDS = 0.1


class DownloadMeter:
    """What a download has done so far: bytes, and the stage of each file under way by its name.

    `done` counts the bytes on the disk, those of an earlier attempt included; `received` only
    those that came over the network now.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.files: dict[str, str] = {}
        self.total = 0
        self.done = 0
        self.received = 0
        self._rate = _Rate()

    def receive(self, count: int) -> None:
        """Counts bytes that came over the network and are written."""
        self.done += count
        self.received += count

    def progress(self) -> Progress:
        """How far the download is now. The rate is that of the last few seconds."""
        rate = self._rate.after(self.received)
        left = (self.total - self.done) / rate if rate > 0 else None
        return Progress(self._stage_now(), self.done, self.total, rate, left)

    def _stage_now(self) -> str:
        stages = list(self.files.values()) or [self.stage]
        downloading = [stage for stage in stages if stage.startswith(DOWNLOADING)]
        if len(downloading) > 1:
            return translatable("core", "Downloading {count} files").format(count=len(downloading))
        return downloading[0] if downloading else stages[0]


class _Rate:
    """Bytes a second, over the last few seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def after(self, received: int) -> float:
        now = time.monotonic()
        self._samples.append((now, received))
        while now - self._samples[0][0] > _RATE_SECONDS and len(self._samples) > 2:
            self._samples.popleft()
        then, before = self._samples[0]
        return (received - before) / (now - then) if now - then >= _LEAST_RATE_SECONDS else 0.0


class ByteCounter:
    """Counts the bytes of a job on the disk and reports each step.

    `add` raises Cancelled once `stop` is set.
    """

    def __init__(self, stage: str, total: int, on_progress: OnProgress, stop: threading.Event):
        self._stage, self._total = stage, total
        self._on_progress, self._stop = on_progress, stop
        self._done = 0

    def add(self, count: int) -> None:
        """Counts `count` more bytes."""
        if self._stop.is_set():
            raise Cancelled(f"{self._stage} was ended.")
        self._done += count
        self._on_progress(Progress(self._stage, self._done, self._total))
