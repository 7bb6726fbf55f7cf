"""A thread that does one piece of work after another, and reports what comes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from core.errors import AppError
from gui.session.in_thread import begin_in

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_Discard = Callable[[Any], object] | None


class WorkerThread(QObject):
    """`failed(AppError)`: a piece of work that nobody awaits failed, foreseen or not: who asked for
    it waits for a report.

    `serial` is another number after each `renew`.
    """

    failed = Signal(object)
    _done = Signal(int, object, object, object, bool)

    def __init__(self, name: str, parent: QObject | None = None):
        super().__init__(parent)
        self._name = name
        self._executor = self._new_executor()
        # Those that still do what was asked for before.
        self._earlier: list[ThreadPoolExecutor] = []
        self.serial = 0
        self.is_closed = False
        self._done.connect(self._on_done)

    def renew(self, *, beside: bool = False) -> Callable[[Callable[[], object]], object]:
        """Report nothing more of what was asked until now; it is still done. What is asked from now
        on is done after it, or `beside` it in another thread. Return what does a last piece of
        work after it, without a report."""
        self.serial += 1
        executor = self._executor
        if not beside:
            return executor.submit
        self._earlier.append(executor)
        self._executor = self._new_executor()

        def end(work: Callable[[], object]) -> None:
            executor.submit(work)
            executor.shutdown(wait=False)

        return end

    def ask(
        self,
        report: Callable[..., object] | None,
        work: Callable[[], object],
        discard: _Discard = None,
    ) -> None:
        """Do `work` in the thread, and give `report` what comes of it in the GUI thread. What is
        not wanted any more by then is given to `discard`, in the thread."""
        if not self.is_closed:
            self._executor.submit(self._work, self.serial, report, work, discard)

    async def call(self, work: Callable[[], _Result]) -> _Result:
        """Return what `work` returns, done in the thread."""
        return await self.begin(work)

    def begin(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Begin `work` in the thread, after what was asked for before, and return its future."""
        return begin_in(self._executor, work)

    def submit(self, work: Callable[[], object]) -> None:
        """Do `work` without a report; any thread may ask for it."""
        self._executor.submit(work)

    async def close(self) -> None:
        """Do what was asked for, and end."""
        self.is_closed = True
        for executor in (*self._earlier, self._executor):
            await asyncio.to_thread(executor.shutdown)

    def _new_executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, thread_name_prefix=self._name)

    def _work(
        self, serial: int, report: object, work: Callable[[], object], discard: _Discard
    ) -> None:
        has_failed = True
        try:
            result = work()
            has_failed = False
        except AppError as error:
            result = error
        except Exception as error:
            log.exception("Work of the thread failed")
            result = error
        self._done.emit(serial, report, result, discard, has_failed)

    @Slot(int, object, object, object, bool)
    def _on_done(
        self, serial: int, report: object, result: object, discard: _Discard, has_failed: bool
    ) -> None:
        if serial != self.serial:
            if discard is not None and not has_failed:
                self._discard(discard, result)
        elif has_failed:
            self.failed.emit(result if isinstance(result, AppError) else unforeseen())
        elif callable(report):
            report(result)

    def _discard(self, discard: Callable[[Any], object], result: object) -> None:
        if self.is_closed:
            discard(result)
        else:
            self._executor.submit(discard, result)


def unforeseen() -> AppError:
    """Return what to say of an unexpected error."""
    return AppError(
        QCoreApplication.translate(
            "WorkerThread",
            "This failed unexpectedly. Try again; Onlooker's log has the details.",
        )
    )
