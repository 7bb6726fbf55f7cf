"""A trial before a folder run: a few images are captioned with the options, nothing is written."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.batch import BatchOptions, Tried, drawn, try_first
from core.engine import Engine
from core.errors import AppError, Cancelled
from gui.session.model_thread import ModelThread
from gui.session.run_items import RunItems

FRAME_MS = 33

log = logging.getLogger(__name__)


class FolderTrial(QObject):
    """One trial at a time, over the images that a run would take.

    `begun(list[tuple[int, Path]])`: with these images, by their number. `progressed(Tried)`: a
    caption so far, of one of them. `running_changed(bool)`. `noticed(str)`: a sentence to show.
    """

    begun = Signal(list)
    progressed = Signal(object)
    running_changed = Signal(bool)
    noticed = Signal(str)

    # Emitted in the model thread, received in the GUI thread.
    _received = Signal(object)

    def __init__(self, model: ModelThread, items: RunItems, parent: QObject | None = None):
        super().__init__(parent)
        self._model = model
        self._items = items
        self._numbers: list[int] = []
        self._stop: threading.Event | None = None
        self._ended = asyncio.Event()
        self._ended.set()
        self._latest: dict[int, Tried] = {}
        self._frame = QTimer(self, interval=FRAME_MS, singleShot=True)
        self._frame.timeout.connect(self._report)
        self._received.connect(self._on_received)
        items.replaced.connect(self._on_items_replaced)

    @property
    def is_running(self) -> bool:
        """Whether a trial is under way."""
        return self._stop is not None

    async def run(self, ways: Sequence[BatchOptions], *, on_others: bool) -> None:
        """Caption a few images with each of `ways`, one or two, and wait for the end.

        The images are those of the trial before, unless `on_others` draws new ones. A failure is a
        notice.
        """
        if self._stop or not self._items:
            return
        if on_others or not self._numbers:
            self._numbers = drawn(len(self._items))
        pictures = [(number, self._items[number].path) for number in self._numbers]
        self._stop = stop = threading.Event()
        self._ended.clear()
        self._latest.clear()
        self.begun.emit(pictures)
        self.running_changed.emit(True)

        def work(engine: Engine) -> None:
            try_first(engine, pictures, ways, self._received.emit, stop)

        try:
            await self._model.run_exclusive(work, stop.set)
        except Cancelled:
            log.info("The trial ends, as the program closes")
        except AppError as error:
            self.noticed.emit(str(error))
        finally:
            self._report()
            self._stop = None
            self._ended.set()
            self.running_changed.emit(False)

    @Slot()
    def stop(self) -> None:
        """End inside the caption under way."""
        if self._stop:
            self._stop.set()

    async def close(self) -> None:
        """Stop, and wait for the end."""
        self.stop()
        await self._ended.wait()

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
