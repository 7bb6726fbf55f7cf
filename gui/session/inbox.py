"""Brings the events of a folder run from other threads to the GUI thread, in slices of time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from core.batch import Item

_SLICE_SECONDS = 0.012


@dataclass(frozen=True)
class ItemChangedElsewhere:
    """The new state of an item whose files a person has changed, not the run."""

    item: Item


ItemEvent = Item | ItemChangedElsewhere | str
"""The new state of an item, or a piece that was generated of its caption."""


class Inbox(QObject):
    """A queue that any thread may write to and the thread it lives in empties.

    `put` may be called from any thread. `handle` is called with the same arguments in the inbox's
    own thread, in order, for at most 12 ms at a time, so that the window stays responsive however
    many events arrive: a queued signal for each of 100,000 rows would block it for seconds.
    """

    _filled = Signal()

    def __init__(self, handle: Callable[[int, ItemEvent], None], parent: QObject | None = None):
        super().__init__(parent)
        self._handle = handle
        self._events: deque[tuple[int, ItemEvent]] = deque()
        self._is_scheduled = False
        self._next_slice = QTimer(self, interval=0, singleShot=True)
        self._next_slice.timeout.connect(self._handle_some)
        self._filled.connect(self._handle_some, Qt.ConnectionType.QueuedConnection)

    def put(self, number: int, event: ItemEvent) -> None:
        """Queue an event of the item at `number`. Thread-safe; does not wait."""
        self._events.append((number, event))
        if not self._is_scheduled:
            self._is_scheduled = True
            self._filled.emit()

    def clear(self) -> None:
        """Drop what was put so far."""
        self._events.clear()

    async def emptied(self) -> None:
        """Return once everything put so far is handled."""
        while self._events:
            self._handle_some()
            await asyncio.sleep(0)

    @Slot()
    def _handle_some(self) -> None:
        until = time.perf_counter() + _SLICE_SECONDS
        while self._events and time.perf_counter() < until:
            self._handle(*self._events.popleft())
        # Only now: otherwise Qt would deliver one `_filled` after another and nothing else. A `put`
        # from now on schedules the next slice; what was put before this line is seen below.
        self._is_scheduled = False
        if self._events:
            self._is_scheduled = True
            self._next_slice.start()
