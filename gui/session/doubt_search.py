"""The search for the most doubtful word of each caption of a folder run."""

from __future__ import annotations

import asyncio
import logging
import threading

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import Batch, Doubt, ItemState, find_doubt
from core.engine import Engine
from core.errors import AppError, Cancelled
from gui.session.model_thread import ModelThread
from gui.session.run_items import RunItems

log = logging.getLogger(__name__)


class DoubtSearch(QObject):
    """One search at a time, over the finished captions.

    `found(list[Doubt])`: the most doubtful words of captions. `running_changed(bool)`.
    `noticed(str)`: a sentence to show.
    """

    found = Signal(object)
    running_changed = Signal(bool)
    noticed = Signal(str)

    # Emitted in the model thread, received in the GUI thread.
    _received = Signal(object)

    def __init__(self, model: ModelThread, items: RunItems, parent: QObject | None = None):
        super().__init__(parent)
        self._model = model
        self._items = items
        self._stop: threading.Event | None = None
        self._ended = asyncio.Event()
        self._ended.set()
        self._received.connect(self._on_received)

    async def run(self, batch: Batch) -> None:
        """Search the captions of `batch` that have not been searched, and wait for the end.

        What is found is kept in the batch's journal. A failure is a notice.
        """
        if self._stop:
            return
        items = self._items.copy()
        self._stop = stop = threading.Event()
        self._ended.clear()
        self.running_changed.emit(True)
        found: list[Doubt] = []

        def on_doubt(doubt: Doubt) -> None:
            found.append(doubt)
            self._received.emit(doubt)
            batch.keep_doubt(doubt)

        def work(engine: Engine) -> None:
            captions = [
                (number, item.path, item.caption)
                for number, item in enumerate(items)
                if item.state is ItemState.DONE and item.caption
            ]
            find_doubt(engine, captions, batch.options, on_doubt, stop, batch.doubts)

        try:
            await self._model.run_exclusive(work, stop.set)
        except Cancelled:
            log.info("The search for doubt ends, as the program closes")
        except AppError as error:
            self.noticed.emit(str(error))
        else:
            if not (found or stop.is_set()):
                self.noticed.emit("The most doubtful word of every caption is known already.")
        finally:
            self._stop = None
            self._ended.set()
            self.running_changed.emit(False)

    @Slot()
    def stop(self) -> None:
        """Search no further captions."""
        if self._stop:
            self._stop.set()

    async def close(self) -> None:
        """Stop, and wait for the end."""
        self.stop()
        await self._ended.wait()

    @Slot(object)
    def _on_received(self, doubt: Doubt) -> None:
        is_shown = doubt.number < len(self._items)
        if is_shown and self._items[doubt.number].caption == doubt.caption:
            self.found.emit([doubt])
