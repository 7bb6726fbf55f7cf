"""Runs work on models in threads: one job for each model, with its progress and its failure."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import AppError, Cancelled
from core.hub import JobKind, JobState, ModelJob, Progress
from gui.session.in_thread import begin_in

FRAME_SECONDS = 0.05

Result = TypeVar("Result")
OnProgress = Callable[[Progress], None]
Run = Callable[[OnProgress, threading.Event], None]
"""The work of a job: calls back with its progress and, once the event is set, raises Cancelled."""

log = logging.getLogger(__name__)


class JobThread(Enum):
    """One thread each, so that a download keeps neither a list nor a look at the hub waiting."""

    DOWNLOAD = auto()
    HUB = auto()
    DISK = auto()


@dataclass(eq=False)
class _Work:
    job: ModelJob
    stop: threading.Event = field(default_factory=threading.Event)
    reported: float = 0.0


class ModelJobs(QObject):
    """Owns the threads and the jobs. Belongs to the GUI thread.

    `changed(str key, ModelJob | None)`: None when the job is done or was stopped.
    """

    changed = Signal(str, object)

    # Emitted in those threads, received in the GUI thread.
    _progressed = Signal(str, object, object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._works: dict[str, _Work] = {}
        self._is_closing = False
        self._executors = {
            JobThread.DOWNLOAD: ThreadPoolExecutor(1, thread_name_prefix="download"),
            JobThread.HUB: ThreadPoolExecutor(1, thread_name_prefix="hub"),
            JobThread.DISK: ThreadPoolExecutor(1, thread_name_prefix="models"),
        }
        self._progressed.connect(self._on_progressed)

    @property
    def all(self) -> dict[str, ModelJob]:
        """The jobs that wait, are under way or have failed, by the key of their model."""
        return {key: work.job for key, work in self._works.items()}

    def get(self, key: str) -> ModelJob | None:
        """Return the job of a model."""
        work = self._works.get(key)
        return work.job if work else None

    async def call(self, thread: JobThread, work: Callable[[], Result]) -> Result:
        """Run `work` in a thread, without a job, and return what it returns. Raises CancelledError
        if the program closes."""
        if self._is_closing:
            # A thread that is not ended yet would still do it, another would not.
            raise asyncio.CancelledError
        return await begin_in(self._executors[thread], work)

    async def run(self, key: str, kind: JobKind, thread: JobThread, run: Run) -> bool:
        """Run one job on one model, and wait for its end. A failure is the job's error.

        Returns False if another job on this model is under way, or the program closes.
        """
        before = self._works.get(key)
        if self._is_closing or (before and before.job.is_under_way):
            return False
        work = _Work(ModelJob(kind, JobState.WAITING))
        self._works[key] = work
        self.changed.emit(key, work.job)

        def report(progress: Progress) -> None:
            now = time.monotonic()
            if now - work.reported >= FRAME_SECONDS or progress.done == progress.total:
                work.reported = now
                self._progressed.emit(key, work, ModelJob(kind, progress=progress))

        def in_thread() -> None:
            if work.stop.is_set():
                raise Cancelled("It was ended before it began.")
            report(Progress("", 0, 0))
            run(report, work.stop)

        failure: AppError | None = None
        try:
            await self.call(thread, in_thread)
        except Cancelled:
            pass
        except AppError as error:
            log.warning("%s %s failed", kind, key, exc_info=error)
            failure = error
        finally:
            self._end(key, work, failure)
        return True

    def stop(self, key: str) -> None:
        """Stop the job of a model. One that has failed stays as it is."""
        if work := self._works.get(key):
            work.stop.set()
            if work.job.state is JobState.WAITING:
                # No thread has begun with it, and none will.
                self._end(key, work)

    def dismiss(self, key: str) -> None:
        """Remove the job of a model that has failed."""
        if work := self._works.get(key):
            self._end(key, work)

    async def close(self, seconds: float) -> bool:
        """Stop all jobs. False if a thread is still at work after `seconds`, since a disk or a
        keyring does not answer."""
        self._is_closing = True
        for work in self._works.values():
            work.stop.set()
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def wait() -> None:
            for executor in self._executors.values():
                executor.shutdown(cancel_futures=True)
            with suppress(RuntimeError):  # The loop is closed.
                loop.call_soon_threadsafe(ended.set)

        # Not one of the loop's threads, which other parts need for their own end.
        threading.Thread(target=wait, name="models' end", daemon=True).start()
        try:
            await asyncio.wait_for(ended.wait(), seconds)
        except TimeoutError:
            return False
        return True

    @Slot(str, object, object)
    def _on_progressed(self, key: str, work: _Work, job: ModelJob) -> None:
        # Progress that was emitted before the end may be received after it.
        if self._works.get(key) is work and work.job.is_under_way:
            work.job = job
            self.changed.emit(key, job)

    def _end(self, key: str, work: _Work, failure: AppError | None = None) -> None:
        if self._works.get(key) is not work:
            return
        if failure:
            work.job = replace(work.job, state=JobState.FAILED, error=failure)
            self.changed.emit(key, work.job)
        else:
            del self._works[key]
            self.changed.emit(key, None)
