"""The search for the most doubtful word of each caption of a folder run."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import Batch, Doubt, ItemState, find_doubt
from core.engine import Engine
from gui.session.model_thread import ModelThread
from gui.session.run_items import RunItems
from gui.session.stoppable import Stoppable


class DoubtSearch(Stoppable):
    """One search at a time, over the finished captions.

    `found(list[Doubt])`: the most doubtful words of captions.
    """

    found = Signal(object)

    # Emitted in the model thread, received in the GUI thread.
    _received = Signal(object)

    def __init__(self, model: ModelThread, items: RunItems, parent: QObject | None = None):
        super().__init__(parent)
        self._model = model
        self._items = items
        self._received.connect(self._on_received)

    async def run(self, batch: Batch) -> None:
        """Search the captions of `batch` that have not been searched, and wait for the end.

        What is found is kept in the batch's journal. A failure is a notice.
        """
        if self.is_running:
            return
        items = self._items.copy()
        found: list[Doubt] = []

        def on_doubt(doubt: Doubt) -> None:
            found.append(doubt)
            self._received.emit(doubt)
            batch.keep_doubt(doubt)

        def work(engine: Engine, stop: threading.Event) -> None:
            captions = [
                (number, item.path, item.caption)
                for number, item in enumerate(items)
                if item.state is ItemState.DONE and item.caption
            ]
            find_doubt(engine, captions, batch.options, on_doubt, stop, batch.doubts)

        with self._running() as stop:
            await self._model.run_exclusive(partial(work, stop=stop), stop.set)
            if not (found or stop.is_set()):
                self.noticed.emit(
                    self.tr("The most doubtful word of each caption is already known.")
                )

    async def report(self, batch: Batch) -> None:
        """Emit what the answers of a run, as a server gave them, say of doubt by themselves."""
        if known := await asyncio.to_thread(lambda: batch.doubts):
            self.found.emit(known)

    @Slot(object)
    def _on_received(self, doubt: Doubt) -> None:
        is_shown = doubt.number < len(self._items)
        if is_shown and self._items[doubt.number].caption == doubt.caption:
            self.found.emit([doubt])
