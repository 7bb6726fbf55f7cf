"""What other threads tell, heard in the window's thread in slices of time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

_SLICE_SECONDS = 0.012


class Inbox(QObject):
    """`put` may be called from any thread; `take` is called with the same in the thread that the
    inbox lives in, in order. However much comes at once, the window is looked after in between:
    a signal for each of 100,000 rows would hold it for seconds.
    """

    _woken = Signal()

    def __init__(self, take: Callable[[int, object], None], parent: QObject | None = None):
        super().__init__(parent)
        self._take = take
        self._things: deque[tuple[int, object]] = deque()
        self._is_woken = False
        self._rest = QTimer(self, interval=0, singleShot=True)
        self._rest.timeout.connect(self._take_some)
        self._woken.connect(self._take_some, Qt.ConnectionType.QueuedConnection)

    def put(self, number: int, thing: object) -> None:
        self._things.append((number, thing))
        if not self._is_woken:
            self._is_woken = True
            self._woken.emit()

    async def emptied(self) -> None:
        """Return once everything put so far is taken."""
        while self._things:
            self._take_some()
            await asyncio.sleep(0)

    @Slot()
    def _take_some(self) -> None:
        until = time.perf_counter() + _SLICE_SECONDS
        while self._things and time.perf_counter() < until:
            self._take(*self._things.popleft())
        # Not sooner: Qt would deliver one wake after another and come to nothing else. What is put
        # from now on wakes it again, and what was put until now is seen here.
        self._is_woken = False
        if self._things:
            self._is_woken = True
            self._rest.start()
