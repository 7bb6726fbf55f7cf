"""A folder run as the window has it: chosen, run in the model's thread, paused, undone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.batch import Batch, KeptRun, find_runs
from core.batch_plan import BatchOptions, Item, ItemState, Phase, Progress
from core.batch_run import Answerer, Control
from core.errors import AppError, Cancelled
from core.pace import Pace
from core.picture import find_pictures
from core.transcript import Ready
from gui.model_thread import ModelThread

TICK_MS = 250
SLOTS_ON_A_CARD = 8

log = logging.getLogger(__name__)


class FolderRun(QObject):
    """One run at a time. Its coroutines belong to the window's loop.

    `items_replaced(list[Item])`, `item_changed(int, Item)`, `piece_said(int, str)`,
    `phase_changed(Phase)`, `progressed(Progress)`, `options_replaced(BatchOptions)`,
    `roots_changed(list[Path])`, `noticed(str)`: a sentence to show.
    """

    items_replaced = Signal(list)
    item_changed = Signal(int, object)
    piece_said = Signal(int, str)
    phase_changed = Signal(object)
    progressed = Signal(object)
    options_replaced = Signal(object)
    roots_changed = Signal(list)
    noticed = Signal(str)

    _heard = Signal(int, object)
    _said = Signal(int, str)

    def __init__(self, model: ModelThread, journals: Path, parent: QObject | None = None):
        super().__init__(parent)
        self._model = model
        self._journals = journals
        self._roots: list[Path] = []
        self._batch: Batch | None = None
        self._items: list[Item] = []
        self._counts: Counter[ItemState] = Counter()
        self._phase = Phase.CHOOSING
        self._control = Control()
        self._pace = Pace()
        self._finished = 0
        self._ticked = 0.0
        self._finding = 0
        self._ended = asyncio.Event()
        self._ended.set()
        self._tick = QTimer(self, interval=TICK_MS)
        self._tick.timeout.connect(self._on_tick)
        # Emitted in the model's and the writer's thread; heard in this one.
        self._heard.connect(self._on_heard)
        self._said.connect(self._on_said)

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def has_run(self) -> bool:
        """One is open, whatever became of it."""
        return self._batch is not None

    @property
    def is_running(self) -> bool:
        return self._phase in (Phase.RUNNING, Phase.ENDING, Phase.UNDOING)

    async def choose(self, roots: Sequence[Path], is_recursive: bool = False) -> None:
        """Show the pictures that a run would take; nothing is written yet."""
        if self.is_running:
            self.noticed.emit("A folder run is under way. Pause it, then choose another folder.")
            return
        self._finding += 1
        mine = self._finding
        self._roots = list(roots)
        self.roots_changed.emit(self._roots)
        self._set_phase(Phase.FINDING)
        found = await asyncio.to_thread(_items_in, self._roots, is_recursive)
        if mine == self._finding:
            await self._let_go()
            self._replace_items(found)
            self._set_phase(Phase.CHOOSING)
            if not found:
                self.noticed.emit("There are no pictures here. Choose another folder.")

    async def start(self, options: BatchOptions) -> None:
        """Begin the run that was chosen. Raises nothing: what is wrong is a notice."""
        if self._phase is not Phase.CHOOSING:
            return
        self._set_phase(Phase.FINDING)
        try:
            begin = partial(Batch.begin, self._roots, options, self._journals)
            self._batch = await asyncio.to_thread(begin)
        except (AppError, ValueError) as error:
            self.noticed.emit(str(error))
            self._set_phase(Phase.CHOOSING)
            return
        self._replace_items(self._batch.items)
        await self._run()

    async def reopen(self, kept: KeptRun) -> None:
        """Show a run of an earlier day, paused where it was."""
        if self.is_running:
            self.noticed.emit("A folder run is under way. Pause it, then open another.")
            return
        self._finding += 1
        self._set_phase(Phase.FINDING)
        await self._let_go()
        try:
            self._batch = await asyncio.to_thread(Batch.resume, kept.journal)
        except AppError as error:
            self.noticed.emit(str(error))
            self._set_phase(Phase.CHOOSING)
            return
        self._roots = list(kept.roots)
        self.roots_changed.emit(self._roots)
        self.options_replaced.emit(self._batch.options)
        self._replace_items(self._batch.items)
        self._set_phase(self._rest())

    async def last(self) -> KeptRun | None:
        """The newest run."""
        return next(iter(await asyncio.to_thread(find_runs, self._journals)), None)

    async def unfinished(self) -> KeptRun | None:
        """The newest run if something is left of it."""
        newest = await self.last()
        return None if newest is None or newest.is_over else newest

    async def go_on(self) -> None:
        if self._batch and self._phase is Phase.PAUSED:
            await self._run()

    def pause(self) -> None:
        """End after the captions under way."""
        if self._phase is Phase.RUNNING:
            self._control.stop_after_this()
            self._set_phase(Phase.ENDING)

    def stop_now(self) -> None:
        """End inside the captions under way."""
        if self._phase in (Phase.RUNNING, Phase.ENDING):
            self._control.stop_now()
            self._set_phase(Phase.ENDING)

    async def retry_failed(self) -> None:
        if self._batch and not self.is_running:
            await asyncio.to_thread(self._batch.retry_failed, self._heard.emit)
            await self._run()

    async def edit(self, number: int, caption: str) -> None:
        """Keep a person's caption beside its picture at once."""
        if self._batch is None:
            return
        try:
            await asyncio.to_thread(self._batch.edit, number, caption, self._heard.emit)
        except AppError as error:
            self.noticed.emit(str(error))
            # The row shows again what is in the file.
            self.item_changed.emit(number, self._items[number])

    async def undo(self) -> None:
        if not self._batch or self.is_running:
            return
        self._set_phase(Phase.UNDOING)
        self._ended.clear()
        try:
            left = await asyncio.to_thread(self._batch.undo, self._heard.emit)
        except AppError as error:
            self.noticed.emit(str(error))
            self._set_phase(self._rest())
            return
        finally:
            self._ended.set()
        if left:
            files = "file was" if len(left) == 1 else "files were"
            self.noticed.emit(f"{len(left)} {files} changed by hand since and left as they are.")
        self._set_phase(Phase.UNDONE)

    async def close(self) -> None:
        """Stop inside the captions under way and let go of the journal; it can be reopened."""
        self._finding += 1
        self._control.stop_now()
        await self._ended.wait()
        await self._let_go()

    # Inside

    async def _run(self) -> None:
        assert self._batch is not None
        batch, self._control = self._batch, Control()
        state = self._model.state
        on_card = isinstance(state, Ready) and state.facts.device.startswith("cuda")
        slots = SLOTS_ON_A_CARD if on_card else 1
        self._ended.clear()
        self._set_phase(Phase.RUNNING)
        self._pace, self._ticked, self._finished = Pace(), time.monotonic(), self._settled()
        self._tick.start()

        def work(engine: Answerer) -> None:
            batch.run(engine, self._control, self._heard.emit, self._said.emit, slots=slots)

        try:
            await self._model.lend(work, self._control.stop_now)
        except Cancelled:
            log.info("The run is left, as the program closes")
        except AppError as error:
            self.noticed.emit(str(error))
        finally:
            self._tick.stop()
            self._ended.set()
            self._set_phase(self._rest())
            tables = " and ".join(path.name for path in batch.exports.values())
            if tables and self._phase is Phase.OVER:
                folder = next(iter(batch.exports.values())).parent
                batch.notes.append(f"All captions are in {tables} in “{folder.name}”.")
            if batch.notes:
                self.noticed.emit(" ".join(batch.notes))
                batch.notes.clear()

    def _rest(self) -> Phase:
        """What a run is when nobody works on it."""
        if self._batch is None:
            return Phase.CHOOSING
        if self._batch.is_undone:
            return Phase.UNDONE
        is_over = all(
            item.state not in (ItemState.WAITING, ItemState.WORKING) for item in self._batch.items
        )
        return Phase.OVER if is_over else Phase.PAUSED

    async def _let_go(self) -> None:
        batch, self._batch = self._batch, None
        if batch:
            try:
                await asyncio.to_thread(batch.close)
            except AppError as error:
                self.noticed.emit(str(error))

    def _replace_items(self, items: Sequence[Item]) -> None:
        self._items = list(items)
        self._counts = Counter(item.state for item in self._items)
        self.items_replaced.emit(self._items)
        self.progressed.emit(Progress(dict(self._counts)))

    def _set_phase(self, phase: Phase) -> None:
        self._phase = phase
        self.progressed.emit(Progress(dict(self._counts)))
        self.phase_changed.emit(phase)

    def _settled(self) -> int:
        waiting = self._counts[ItemState.WAITING] + self._counts[ItemState.WORKING]
        return len(self._items) - waiting

    @Slot(int, object)
    def _on_heard(self, number: int, item: Item) -> None:
        if number >= len(self._items) or self._items[number].path != item.path:
            return  # Of a run that is no longer shown.
        before = self._items[number]
        self._items[number] = item
        self._counts[before.state] -= 1
        self._counts[item.state] += 1
        self.item_changed.emit(number, item)
        if not self.is_running:
            self.progressed.emit(Progress(dict(self._counts)))

    @Slot(int, str)
    def _on_said(self, number: int, piece: str) -> None:
        item = self._items[number]
        if item.state is ItemState.WORKING:
            self._items[number] = replace(item, caption=item.caption + piece)
            self.piece_said.emit(number, piece)
            self.item_changed.emit(number, self._items[number])

    @Slot()
    def _on_tick(self) -> None:
        now, settled = time.monotonic(), self._settled()
        left = self._pace.advance(
            now - self._ticked, settled - self._finished, len(self._items) - settled
        )
        self._ticked, self._finished = now, settled
        self.progressed.emit(Progress(dict(self._counts), self._pace.rate, left))


def _items_in(roots: Sequence[Path], is_recursive: bool) -> list[Item]:
    return [Item(path) for path in find_pictures(roots, is_recursive, trusts_suffix=True)]
