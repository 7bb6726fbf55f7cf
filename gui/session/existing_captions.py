"""The captions beside the images of a folder run, read in the background and kept up to date."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.batch import Batch, BatchOptions, CaptionsBeside, ItemState
from core.errors import AppError
from gui.session.inbox import Inbox, ItemEvent
from gui.session.run_items import RunItems

_COUNTED_MS = 100
# Otherwise the GUI thread would wait for the interpreter's lock after nearly every call of Qt.
_AT_A_STRETCH, _PAUSE_SECONDS = 4, 0.001
_HELD_SECONDS = 0.2

log = logging.getLogger(__name__)

Read = Callable[[int], str]
"""Returns the caption in the files beside the image with this number; called in another thread."""


class ExistingCaptions(QObject):
    """Reads the captions of all items that have none of the run, those in view first.

    One thread reads file after file, however slow the disk is, and only the texts stay in memory.
    `unread_changed(int)`: how many are still to be read.
    """

    unread_changed = Signal(int)

    def __init__(self, items: RunItems, parent: QObject | None = None):
        super().__init__(parent)
        self._items = items
        self._job: _Job | None = None
        self._is_closed = False
        self._inbox = Inbox(self._on_read, self)
        self._reported = 0
        self._count_timer = QTimer(self, interval=_COUNTED_MS, singleShot=True)
        self._count_timer.timeout.connect(self._count)
        items.outdated.connect(self.read_again)

    @property
    def unread(self) -> int:
        """How many captions are still to be read."""
        return self._job.unread if self._job else 0

    def look(self, options: BatchOptions, roots: Sequence[Path]) -> None:
        """Read, of all items, what a run with these options would find."""
        paths = [item.path for item in self._items.copy()]

        def prepare() -> Read:
            beside = CaptionsBeside(options, roots, paths)
            return lambda number: beside.read(paths[number])

        self._start(prepare, range(len(paths)))

    def look_in_run(self, batch: Batch) -> None:
        """Read the captions of the items that have none of this run."""
        items = enumerate(self._items.copy())
        numbers = [number for number, item in items if item.state is not ItemState.DONE]
        self._start(lambda: batch.caption_beside, numbers)

    @Slot(int)
    def read_first(self, number: int) -> None:
        """Read the caption of an item in view next, if it has not been read."""
        if self._job:
            self._job.read_first(number)

    @Slot(int)
    def read_again(self, number: int) -> None:
        """Read the caption of an item once more, since its files have changed."""
        if self._job:
            self._job.read_again(number)
            self._count_later()

    @Slot()
    def give_way(self) -> None:
        """Read nothing for a moment, as somebody types and the rows are filtered."""
        if self._job:
            self._job.held_until = time.monotonic() + _HELD_SECONDS

    def stop(self) -> None:
        """End the reading within the present file, without waiting for it."""
        if self._job:
            self._job.stop()
            self._inbox.clear()
        self._job = None
        self._count()

    def close(self) -> None:
        """Stop, and read nothing from now on."""
        self._is_closed = True
        self.stop()

    def _start(self, prepare: Callable[[], Read], numbers: Iterable[int]) -> None:
        self.stop()
        if self._is_closed or not len(self._items):
            return
        self._job = _Job(prepare, numbers, len(self._items), self._inbox.put)
        self._count()
        self._job.start()

    def _on_read(self, number: int, event: ItemEvent) -> None:
        assert isinstance(event, str)
        self._items.show_existing(number, event)
        self._count_later()

    def _count_later(self) -> None:
        if not self._count_timer.isActive():
            self._count_timer.start()

    @Slot()
    def _count(self) -> None:
        if self.unread != self._reported:
            self._reported = self.unread
            self.unread_changed.emit(self._reported)


class _Job:
    """One thread that reads captions. What it has read goes to `put`, until it is stopped.

    `prepare` is called in that thread, and returns how to read.
    """

    def __init__(
        self,
        prepare: Callable[[], Read],
        numbers: Iterable[int],
        size: int,
        put: Callable[[int, str], None],
    ):
        self._prepare, self._put = prepare, put
        self._lock = threading.Condition()
        self._is_unread = bytearray(size)
        self._first: deque[int] = deque()
        self._rest = deque(numbers)
        for number in self._rest:
            self._is_unread[number] = 1
        self._is_stopped = False
        self.unread = len(self._rest)
        self.held_until = 0.0

    def start(self) -> None:
        # A file on a disk that no longer answers must not keep the program from closing.
        threading.Thread(target=self._work, name="captions", daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            self._lock.notify()

    def read_first(self, number: int) -> None:
        with self._lock:
            if number < len(self._is_unread) and self._is_unread[number]:
                self._first.append(number)
                self._lock.notify()

    def read_again(self, number: int) -> None:
        with self._lock:
            if number < len(self._is_unread):
                self.unread += not self._is_unread[number]
                self._is_unread[number] = 1
                self._first.append(number)
                self._lock.notify()

    def _next(self) -> int | None:
        """Returns the next number to read, waiting for one; None once stopped."""
        with self._lock:
            while not self._is_stopped:
                if (held := self.held_until - time.monotonic()) > 0:
                    self._lock.wait(held)
                    continue
                while self._first or self._rest:
                    # The last that came into view is in view most likely.
                    number = self._first.pop() if self._first else self._rest.popleft()
                    if self._is_unread[number]:
                        self._is_unread[number] = 0
                        return number
                self._lock.wait()
        return None

    def _work(self) -> None:
        read = self._prepare()
        while (number := self._next()) is not None:
            try:
                text = read(number)
            except AppError as error:
                log.info("No caption to show: %s", error)
                text = ""
            with self._lock:
                if self._is_stopped:
                    return
                self.unread -= 1
                self._put(number, text)
                if number % _AT_A_STRETCH == 0:
                    self._lock.wait_for(lambda: self._is_stopped, _PAUSE_SECONDS)
