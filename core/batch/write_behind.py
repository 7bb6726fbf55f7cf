"""Captions are written behind the model, in a thread of their own, and many together.

Bringing captions to the disk takes about as long for a hundred as for one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from core.batch.recording import Recorder, Work

# A busy disk takes a second to sync, in which servers may answer so often.
_UNWRITTEN = 256
# So long captions wait for others. A process that is killed meanwhile asks for them again.
_TOGETHER_SECONDS = 0.1


class WriteBehind:
    """Writes what a run has found out, in the thread of `writer`.

    Once `is_over` is set nothing waits for more. What writing raises is raised by the next call.
    """

    def __init__(self, recorder: Recorder, writer: ThreadPoolExecutor, is_over: threading.Event):
        self._recorder, self._writer, self._is_over = recorder, writer, is_over
        self._writes: deque[Future[None]] = deque()
        self._lock = threading.Lock()
        # To be written together by a call that has not begun.
        self._answered: list[Work] | None = None

    def add(self, work: Work) -> None:
        """Has the caption of an answered image written. Waits while too many are not."""
        with self._lock:
            works = self._answered
            is_full = works is not None and len(works) >= _UNWRITTEN
            if works is not None and not is_full:
                works.append(work)
                return
            works = self._answered = [work]
        if is_full:
            self.finish()
        self._submit(self._write, works)

    def call(self, write: Callable[..., None], *arguments: object) -> None:
        """Calls `write` in that thread. Captions that are added later may be written before."""
        self._submit(write, *arguments)

    def finish(self) -> None:
        """Waits until all is written."""
        while self._writes:
            self._writes.popleft().result()

    def _submit(self, write: Callable[..., None], *arguments: object) -> None:
        self._writes.append(self._writer.submit(write, *arguments))
        while self._writes and (self._writes[0].done() or len(self._writes) > _UNWRITTEN):
            self._writes.popleft().result()

    def _write(self, works: list[Work]) -> None:
        # Also in a run that has several prompts, and calls in between, many images are in `works`.
        self._is_over.wait(max(_TOGETHER_SECONDS, self._recorder.pause_seconds))
        with self._lock:
            if self._answered is works:
                self._answered = None
        self._recorder.write(works)
