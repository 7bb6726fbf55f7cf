"""The search for the most doubtful word of each caption of a folder run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import Batch, Doubt, ItemState, find_doubt
from core.engine import Engine
from gui.session.model_thread import ModelThread
from gui.session.run_items import RunItems
from gui.session.stoppable import Stoppable


class DoubtSearch(Stoppable):
    """One search at a time, over the finished captions; and what servers say of doubt by
    themselves, while a run goes on.

    `found(list[Doubt])`: the most doubtful words of captions.
    """

    found = Signal(object)

    # Emitted in the model thread, received in the GUI thread.
    _received = Signal(object)

    def __init__(self, model: ModelThread, items: RunItems, parent: QObject | None = None):
        super().__init__(parent)
        self._model = model
        self._items = items
        self._arrived: deque[Doubt] = deque()
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

    def put(self, doubts: Sequence[Doubt]) -> None:
        """Take what a server said of captions that were written; in any thread."""
        self._arrived.extend(doubts)

    @Slot()
    def report(self) -> None:
        """Emit what has arrived since then, all of it together."""
        if self._arrived:
            arrived = [self._arrived.popleft() for _ in range(len(self._arrived))]
            self.found.emit(arrived)

    @Slot(object)
    def _on_received(self, doubt: Doubt) -> None:
        is_shown = doubt.number < len(self._items)
        if is_shown and self._items[doubt.number].caption == doubt.caption:
            self.found.emit([doubt])
