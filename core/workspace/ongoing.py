"""An edit of many captions that is made part by part: others read the workspace meanwhile, it says
how far it is, and it can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack
from threading import Event
from typing import TypeVar

from core.workspace.data import EditProgress, EditReport
from core.workspace.opening import failing

# So long others wait at most, but for a part that takes longer itself.
_SECONDS = 0.025

_Result = TypeVar("_Result")

Parts = Generator[EditProgress, None, EditReport]
"""How an edit is made: it goes on each time the next progress is asked for, and ends with what
became of it."""


def whole(parts: Parts) -> EditReport:
    """Makes an edit in one go, and returns what became of it."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            return end.value


def beside(work: Callable[[], _Result]) -> Generator[None, None, _Result]:
    """Returns what `work` returns, which is done in a thread; yields while it takes long, so that
    others may read meanwhile. It must not touch what they read."""
    with ThreadPoolExecutor(1, thread_name_prefix="edit") as pool:
        doing = pool.submit(work)
        while not wait([doing], _SECONDS).done:
            yield
        return doing.result()


def reporting(
    waiting: Generator[None, None, _Result], progress: EditProgress
) -> Generator[EditProgress, None, _Result]:
    """Yields this progress while something is waited for, and returns what comes of it."""
    while True:
        try:
            next(waiting)
        except StopIteration as end:
            return end.value
        yield progress


class OngoingEdit:
    """An edit that is made while `go_on` is called, until it `is_done`: always by the same thread,
    which keeps all others from writing captions until then. Calls raise what the edit raises, which
    ends it.

    `progress` is how far it is, None before the first call. `report` says what became of it; it
    stays None where there was nothing to undo or redo. `failure` is what ended it, None for none.
    """

    def __init__(
        self,
        guard: threading.RLock,
        writing: AbstractContextManager[object],
        begin: Callable[[Event], Parts | None],
    ):
        """`guard` is held while a part is made, `writing` until the end. `begin` is called under
        both, and gets what is set once the edit is to be stopped."""
        self._guard, self._writing, self._begin = guard, writing, begin
        self._held = ExitStack()
        self._parts: Parts | None = None
        self._stop = Event()
        self.progress: EditProgress | None = None
        self.report: EditReport | None = None
        self.failure: BaseException | None = None
        self.is_done = False

    def stop(self) -> None:
        """Leave the images that are not edited yet as they are. Any thread may call it."""
        self._stop.set()

    def go_on(self) -> None:
        """Makes some more of the edit, for a moment. Raises StoreError, and PatternError."""
        if self.is_done:
            return
        try:
            if self._parts is None:
                self._held.enter_context(self._writing)
            with self._guard, failing():
                self.is_done = self._is_at_end()
        except BaseException as error:
            self.is_done, self.failure = True, error
            raise
        finally:
            if self.is_done:
                self._held.close()

    def finish(self) -> EditReport | None:
        """Makes all that is left, without letting others read meanwhile."""
        with self._writing, self._guard:
            while not self.is_done:
                self.go_on()
        return self.report

    def _is_at_end(self) -> bool:
        end = time.monotonic() + _SECONDS
        if self._parts is None:
            self._parts = self._begin(self._stop)
        if self._parts is None:
            return True
        try:
            while time.monotonic() < end:
                self.progress = next(self._parts)
        except StopIteration as ended:
            self.report = ended.value
            return True
        return False


def finished(ongoing: OngoingEdit) -> EditReport:
    """Makes all of an edit, and returns what became of it."""
    report = ongoing.finish()
    assert report is not None
    return report
