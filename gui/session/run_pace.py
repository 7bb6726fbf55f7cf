"""How fast a folder run goes: the progress of its items, four times a second."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.batch import Progress
from core.eta import Pace
from gui.session.run_items import RunItems

TICK_MS = 250


class RunPace(QObject):
    """Measures while it is started.

    `progressed(Progress)`: with the rate and the remaining time.
    """

    progressed = Signal(object)

    def __init__(self, items: RunItems, parent: QObject | None = None):
        super().__init__(parent)
        self._items = items
        self._pace = Pace()
        self._ticked = 0.0
        self._settled_at_tick = 0
        self._tick = QTimer(self, interval=TICK_MS)
        self._tick.timeout.connect(self._on_tick)

    @property
    def rate(self) -> float:
        """Images per second; 0 while it is not measured or unknown."""
        return self._pace.rate if self._tick.isActive() else 0.0

    def start(self) -> None:
        """Measure from now on."""
        self._pace, self._ticked = Pace(), time.monotonic()
        self._settled_at_tick = self._items.settled
        self._tick.start()

    def stop(self) -> None:
        """Measure no more."""
        self._tick.stop()

    @Slot()
    def _on_tick(self) -> None:
        now, settled = time.monotonic(), self._items.settled
        left = self._pace.advance(
            now - self._ticked, settled - self._settled_at_tick, len(self._items) - settled
        )
        self._ticked, self._settled_at_tick = now, settled
        counts, edited = self._items.counts, self._items.edited
        self.progressed.emit(Progress(counts, edited, self._pace.rate, left))
