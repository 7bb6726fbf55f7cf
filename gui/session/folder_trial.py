"""A trial before a folder run: a few images are captioned with the options, nothing is written."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.batch import BatchOptions, Tried, drawn, try_first
from core.engine import Engine
from gui.session.model_thread import ModelThread
from gui.session.run_items import RunItems
from gui.session.stoppable import Stoppable

FRAME_MS = 33


class FolderTrial(Stoppable):
    """One trial at a time, over the images that a run would take.

    `begun(list[tuple[int, Path]])`: with these images, by their number. `progressed(Tried)`: a
    caption so far, of one of them.
    """

    begun = Signal(list)
    progressed = Signal(object)

    # Emitted in the model thread, received in the GUI thread.
    _received = Signal(object)

    def __init__(self, model: ModelThread, items: RunItems, parent: QObject | None = None):
        super().__init__(parent)
        self._model = model
        self._items = items
        self._numbers: list[int] = []
        self._latest: dict[int, Tried] = {}
        self._frame = QTimer(self, interval=FRAME_MS, singleShot=True)
        self._frame.timeout.connect(self._report)
        self._received.connect(self._on_received)
        items.replaced.connect(self._on_items_replaced)

    async def run(self, ways: Sequence[BatchOptions], *, on_others: bool) -> None:
        """Caption a few images with each of `ways`, one or two, and wait for the end.

        The images are those of the trial before, unless `on_others` draws new ones. A failure is a
        notice.
        """
        if self.is_running or not self._items:
            return
        if on_others or not self._numbers:
            self._numbers = drawn(len(self._items))
        pictures = [(number, self._items[number].path) for number in self._numbers]
        self._latest.clear()
        self.begun.emit(pictures)

        def work(engine: Engine, stop: threading.Event) -> None:
            try_first(engine, pictures, ways, self._received.emit, stop)

        with self._running() as stop:
            try:
                await self._model.run_exclusive(partial(work, stop=stop), stop.set)
            finally:
                self._report()

    @Slot(object)
    def _on_items_replaced(self, items: object) -> None:
        self._numbers = []

    @Slot(object)
    def _on_received(self, tried: Tried) -> None:
        """Report at most once a frame, however fast the tokens come."""
        self._latest[tried.number] = tried
        if not self._frame.isActive():
            self._frame.start()

    @Slot()
    def _report(self) -> None:
        latest, self._latest = self._latest, {}
        for tried in latest.values():
            self.progressed.emit(tried)
