"""Edits of the open workspace: one after the other, and those of many captions in parts, between
which its thread reads what the window shows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import AppError
from core.workspace import EditProgress, EditReport, OngoingEdit
from gui.session.left_edits import LeftEdit, LeftEdits, outcome_of, part_of
from gui.session.worker_thread import WorkerThread

_REPORT_SECONDS = 0.1

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
    _made = Signal(int, object, object)
    _left_done = Signal()

    def __init__(self, thread: WorkerThread, parent: QObject | None = None):
        super().__init__(parent)
        self._thread = thread
        self._ongoing: OngoingEdit | None = None
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_leaving = False
        # How many folders were left whose edits are still made.
        self._left = 0
        # Which folder is open, and what was open before.
        self._visit = 0
        self._places: list[tuple[Path, ...]] = []
        self.left = LeftEdits(self)
        self._made.connect(self._on_made)
        self._left_done.connect(self._on_left_done)
        self._reported = 0.0
        self.progress: EditProgress | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether an edit is made in parts, so that others wait."""
        return self._ongoing is not None or self._left > 0

    def do(self, work: Callable[[], EditReport | None]) -> None:
        """Make an edit in one go; `ended` follows."""
        self._when_free(lambda: self._thread.submit(partial(self._make, self._visit, work)))

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

    def leave(self, roots: Sequence[Path]) -> bool:
        """The workspace of these files and folders is about to be closed: make all that was asked
        for; `left` reports it. Return whether that may take long."""
        takes_long = self.is_under_way
        self._places.append(tuple(roots))
        ongoing, self._ongoing, self.progress = self._ongoing, None, None
        self._is_leaving = True
        if ongoing is not None:
            self._thread.submit(self.left.finishing(self._places[-1], ongoing))
        while self._waiting:
            self._waiting.popleft()()
        self._is_leaving = False
        self._visit += 1
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

    def _make(self, visit: int, work: Callable[[], EditReport | None]) -> None:
        self._made.emit(visit, *outcome_of(work))

    @Slot(int, object, object)
    def _on_made(self, visit: int, report: EditReport | None, error: AppError | None) -> None:
        if visit != self._visit:
            self.left.take(LeftEdit(self._places[visit], report, error))
        elif error is None:
            self.ended.emit(report)
        else:
            self.failed.emit(error)

    def _begin(self, ongoing: OngoingEdit) -> None:
        if self._is_leaving:
            self._thread.submit(self.left.finishing(self._places[-1], ongoing))
        else:
            self._ongoing = ongoing
            self._go_on(ongoing)

    def _go_on(self, ongoing: OngoingEdit) -> None:
        self._thread.ask(partial(self._on_gone_on, ongoing), partial(part_of, ongoing))

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


def _pass_on(future: asyncio.Future[_Result], done: asyncio.Future[_Result]) -> None:
    if future.cancelled() or done.cancelled():
        future.cancel()
    elif (error := done.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
