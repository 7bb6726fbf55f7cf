"""Edits of the open workspace: one after the other, and those of many captions in parts, between
which its thread reads what the window shows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import AppError
from core.workspace import EditProgress, EditReport, OngoingEdit, PatternError
from gui.session.worker_thread import WorkerThread, unforeseen

_REPORT_SECONDS = 0.1

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class WorkspaceEdits(QObject):
    """While an edit is made in parts, all that are asked for meanwhile wait until it is done, also
    where the folder was left and the edits of the next one are meant.

    `progressed()`: `progress` is another, None for no edit in parts. `ended(EditReport | None)`:
    what became of an edit. `failed(AppError)`: why it could not be made.
    """

    progressed = Signal()
    ended = Signal(object)
    failed = Signal(object)
    _left_done = Signal()

    def __init__(self, thread: WorkerThread, parent: QObject | None = None):
        super().__init__(parent)
        self._thread = thread
        self._ongoing: OngoingEdit | None = None
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_leaving = False
        # How many folders were left whose edits are still made.
        self._left = 0
        self._left_done.connect(self._on_left_done)
        self._reported = 0.0
        self.progress: EditProgress | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether an edit is made in parts, so that others wait."""
        return self._ongoing is not None or self._left > 0

    def do(self, work: Callable[[], EditReport | None]) -> None:
        """Make an edit in one go; `ended` follows."""
        self._when_free(lambda: self._thread.ask(self.ended.emit, work))

    def begin(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Return the future of what an edit returns that is made in one go."""
        if not self.is_under_way:
            return self._thread.begin(work)
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(
            lambda: self._thread.begin(work).add_done_callback(partial(_pass_on, future))
        )
        return future

    def do_in_parts(self, begin: Callable[[], OngoingEdit]) -> None:
        """Make an edit in parts; `ended` follows, or `failed`."""
        self._when_free(lambda: self._begin(begin()))

    @Slot()
    def stop(self) -> None:
        """Leave the captions as they are that the edit under way has not come to."""
        if self._ongoing is not None:
            self._ongoing.stop()

    def leave(self) -> bool:
        """The workspace is about to be closed: make all that was asked for, without a report.
        Return whether that may take long."""
        takes_long = self.is_under_way
        ongoing, self._ongoing, self.progress = self._ongoing, None, None
        self._is_leaving = True
        if ongoing is not None:
            self._thread.submit(partial(_finish, ongoing))
        while self._waiting:
            self._waiting.popleft()()
        self._is_leaving = False
        if takes_long:
            self._left += 1
            self._thread.submit(self._left_done.emit)
        return takes_long

    # Inside

    def _when_free(self, act: Callable[[], object]) -> None:
        if not self.is_under_way:
            act()
        else:
            self._waiting.append(act)

    def _do_waiting(self) -> None:
        while self._waiting and not self.is_under_way:
            self._waiting.popleft()()

    @Slot()
    def _on_left_done(self) -> None:
        self._left -= 1
        self._do_waiting()

    def _begin(self, ongoing: OngoingEdit) -> None:
        if self._is_leaving:
            self._thread.submit(partial(_finish, ongoing))
        else:
            self._ongoing = ongoing
            self._go_on(ongoing)

    def _go_on(self, ongoing: OngoingEdit) -> None:
        self._thread.ask(partial(self._on_gone_on, ongoing), partial(_part, ongoing))

    def _on_gone_on(self, ongoing: OngoingEdit, error: AppError | None) -> None:
        if ongoing is not self._ongoing:
            return
        if not ongoing.is_done:
            self._report(ongoing)
            self._go_on(ongoing)
            return
        self._ongoing, had_progress, self.progress = None, self.progress, None
        if had_progress is not None:
            self.progressed.emit()
        if error is None:
            self.ended.emit(ongoing.report)
        else:
            self.failed.emit(error)
        self._do_waiting()

    def _report(self, ongoing: OngoingEdit) -> None:
        now = time.monotonic()
        if now - self._reported > _REPORT_SECONDS:
            self._reported, self.progress = now, ongoing.progress
            self.progressed.emit()


def _part(ongoing: OngoingEdit) -> AppError | None:
    """Makes some more of an edit; returns why that failed."""
    try:
        ongoing.go_on()
    except PatternError as error:
        return AppError(error.message)
    except AppError as error:
        return error
    except Exception:
        log.exception("An edit failed")
        return unforeseen()
    return None


def _finish(ongoing: OngoingEdit) -> None:
    """Makes all that is left of an edit that nobody looks at any more."""
    while not ongoing.is_done:
        _part(ongoing)


def _pass_on(future: asyncio.Future[_Result], done: asyncio.Future[_Result]) -> None:
    if future.cancelled() or done.cancelled():
        future.cancel()
    elif (error := done.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
