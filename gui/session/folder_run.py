"""A folder run as the window has it: chosen, run in the model's thread, paused, undone."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.batch import (
    Batch,
    BatchOptions,
    Control,
    Doubt,
    Item,
    ItemState,
    KeptRun,
    Phase,
    Progress,
    Replacement,
    Summary,
    Tried,
    drawn,
    find_doubt,
    find_runs,
    summary_of,
    try_first,
    usual_slots,
)
from core.engine import Engine
from core.errors import AppError, Cancelled
from core.eta import Pace
from core.picture import find_pictures
from gui.session.inbox import Inbox
from gui.session.model_thread import ModelThread

TICK_MS = 250
FRAME_MS = 33
_FREED_AT_ONCE = 2000

log = logging.getLogger(__name__)


class FolderRun(QObject):
    """One run at a time. Its coroutines belong to the window's loop.

    `items_replaced(list[Item])`, `item_changed(int, Item)`, `piece_received(int, str)`,
    `phase_changed(Phase)`, `progressed(Progress)`, `options_replaced(BatchOptions)`,
    `roots_changed(list[Path])`, `noticed(str)`: a sentence to show.
    `summed_up(Summary)`: once a run is over or was stopped. `edits_changed(bool)`: whether there
    is an edit to take back.
    Trials: `trial_begun(list[tuple[int, Path]])`: with these pictures, `tried(Tried)`,
    `trying_changed(bool)`.
    `doubts_found(list[Doubt])`: the most doubtful words of captions, `doubting_changed(bool)`.
    """

    # A list would be converted, one item after another.
    items_replaced = Signal(object)
    item_changed = Signal(int, object)
    piece_received = Signal(int, str)
    phase_changed = Signal(object)
    progressed = Signal(object)
    options_replaced = Signal(object)
    roots_changed = Signal(list)
    noticed = Signal(str)
    summed_up = Signal(object)
    edits_changed = Signal(bool)
    trial_begun = Signal(list)
    tried = Signal(object)
    trying_changed = Signal(bool)
    doubts_found = Signal(object)
    doubting_changed = Signal(bool)

    _trial_heard = Signal(object)
    _doubt_heard = Signal(object)

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
        self._is_stopped = False
        self._slots = 0
        self._began = 0.0
        self._trial: threading.Event | None = None
        self._trial_numbers: list[int] = []
        self._trial_ended = asyncio.Event()
        self._trial_ended.set()
        self._doubting: threading.Event | None = None
        self._doubting_ended = asyncio.Event()
        self._doubting_ended.set()
        self._trials_told: dict[int, Tried] = {}
        self._captions_read: set[int] = set()
        self._pace = Pace()
        self._finished = 0
        self._ticked = 0.0
        self._finding = 0
        self._ended = asyncio.Event()
        self._ended.set()
        self._tick = QTimer(self, interval=TICK_MS)
        self._tick.timeout.connect(self._on_tick)
        self._frame = QTimer(self, interval=FRAME_MS, singleShot=True)
        self._frame.timeout.connect(self._on_frame)
        self._inbox = Inbox(self._on_told, self)
        # Emitted in the model's thread; heard in this one.
        self._trial_heard.connect(self._on_trial_heard)
        self._doubt_heard.connect(self._on_doubt_heard)

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
            self._replace_items(found, Counter({ItemState.WAITING: len(found)}))
            self._set_phase(Phase.CHOOSING)
            if not found:
                self.noticed.emit("There are no images here. Choose another folder.")

    async def start(self, options: BatchOptions, slots: int = 0) -> None:
        """Begin the run that was chosen. Raises nothing: what is wrong is a notice.

        `slots` is how many pictures are looked at at once, 0 for as many as suit the device.
        """
        if self._phase is not Phase.CHOOSING:
            return
        self._slots = slots
        self._set_phase(Phase.FINDING)
        try:
            begin = partial(Batch.begin, self._roots, options, self._journals)
            self._batch, counts, _ = await asyncio.to_thread(_opened, begin)
        except (AppError, ValueError) as error:
            self.noticed.emit(str(error))
            self._set_phase(Phase.CHOOSING)
            return
        self._replace_items(self._batch.items, counts)
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
            resume = partial(Batch.resume, kept.journal)
            self._batch, counts, doubts = await asyncio.to_thread(_opened, resume)
        except AppError as error:
            self.noticed.emit(str(error))
            self._set_phase(Phase.CHOOSING)
            return
        self._roots = list(kept.roots)
        self.roots_changed.emit(self._roots)
        batch = self._batch
        self.options_replaced.emit(batch.options)
        self._replace_items(batch.items, counts)
        if doubts:
            await _painted()
            self.doubts_found.emit(doubts)
        await self._tell_of_edits()
        self._set_phase(self._rest())
        if self._phase is Phase.OVER:
            await _painted()
            self.summed_up.emit(await asyncio.to_thread(self._summary, batch, 0.0))

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
        """Rest after the captions under way."""
        if self._phase is Phase.RUNNING:
            self._control.stop_after_this()
            self._set_phase(Phase.ENDING)

    def stop_after_this(self) -> None:
        """End after the captions under way, and sum up."""
        if self._phase is Phase.RUNNING:
            self._is_stopped = True
            self.pause()

    def stop_now(self) -> None:
        """End inside the captions under way, and sum up."""
        if self._phase in (Phase.RUNNING, Phase.ENDING):
            self._is_stopped = True
            self._control.stop_now()
            self._set_phase(Phase.ENDING)

    async def retry_failed(self) -> None:
        if self._batch and not self.is_running:
            await asyncio.to_thread(self._batch.retry_failed, self._inbox.put)
            await self._run()

    async def edit(self, number: int, caption: str) -> None:
        """Keep a person's caption beside its picture at once."""
        if self._batch is None:
            return
        try:
            await asyncio.to_thread(self._batch.edit, number, caption, self._inbox.put)
        except AppError as error:
            self.noticed.emit(str(error))
            # The row shows again what is in the file.
            self.item_changed.emit(number, self._items[number])
        await self._tell_of_edits()

    async def replace_in(self, replacement: Replacement, numbers: Sequence[int]) -> None:
        """Replace in the captions of these pictures, as one edit by hand."""
        if self._batch is None:
            return
        batch, items = self._batch, list(self._items)

        def work() -> int:
            changed = ((number, replacement.of(items[number].caption)) for number in numbers)
            captions = {n: replaced.after.strip() for n, replaced in changed if replaced}
            return batch.edit_all(captions, self._inbox.put)

        try:
            count = await asyncio.to_thread(work)
        except AppError as error:
            self.noticed.emit(str(error))
        else:
            captions = "1 caption" if count == 1 else f"{count:,} captions"
            self._tell_notes(f"Replaced in {captions}, and saved. Undo edit takes it back.")
        await self._tell_of_edits()

    async def undo_edit(self) -> None:
        """Take back the last edit by hand; a replacement in many captions is one."""
        if self._batch is None or not self._batch.can_undo_edit:
            return
        try:
            count = await asyncio.to_thread(self._batch.undo_edit, self._inbox.put)
        except AppError as error:
            self.noticed.emit(str(error))
        else:
            captions = "1 caption is" if count == 1 else f"{count:,} captions are"
            self._tell_notes(f"{captions} as before the edit.")
        await self._tell_of_edits()

    async def read_caption(self, number: int) -> None:
        """Show what is beside a picture that the run has skipped."""
        if self._batch is None or number in self._captions_read:
            return
        self._captions_read.add(number)
        batch = self._batch
        try:
            caption = await asyncio.to_thread(batch.caption_beside, number)
        except AppError as error:
            log.info("No caption to show: %s", error)
            return
        item = self._items[number] if number < len(self._items) else None
        if caption and batch is self._batch and item and item.state is ItemState.SKIPPED:
            self._items[number] = replace(item, caption=caption)
            self.item_changed.emit(number, self._items[number])

    # Tried first

    async def try_first(self, ways: Sequence[BatchOptions], on_others: bool) -> None:
        """Caption a few pictures in one way or two; nothing is written."""
        if self._phase is not Phase.CHOOSING or self._trial or not self._items:
            return
        if on_others or not self._trial_numbers:
            self._trial_numbers = drawn(len(self._items))
        pictures = [(number, self._items[number].path) for number in self._trial_numbers]
        self._trial = stop = threading.Event()
        self._trial_ended.clear()
        self._trials_told.clear()
        self.trial_begun.emit(pictures)
        self.trying_changed.emit(True)

        def work(engine: Engine) -> None:
            try_first(engine, pictures, ways, self._trial_heard.emit, stop)

        try:
            await self._model.lend(work, stop.set)
        except Cancelled:
            log.info("The trial is left, as the program closes")
        except AppError as error:
            self.noticed.emit(str(error))
        finally:
            self._on_frame()
            self._trial = None
            self._trial_ended.set()
            self.trying_changed.emit(False)

    @Slot()
    def stop_trial(self) -> None:
        """End inside the caption under way."""
        if self._trial:
            self._trial.set()

    # Doubt

    async def find_doubt(self) -> None:
        """Find the most doubtful word of each caption; what is wrong is a notice."""
        if self._batch is None or self.is_running or self._doubting:
            return
        batch, items = self._batch, list(self._items)
        self._doubting = stop = threading.Event()
        self._doubting_ended.clear()
        self.doubting_changed.emit(True)

        found: list[Doubt] = []

        def hear(doubt: Doubt) -> None:
            found.append(doubt)
            self._doubt_heard.emit(doubt)
            batch.keep_doubt(doubt)

        def work(engine: Engine) -> None:
            captions = [
                (number, item.path, item.caption)
                for number, item in enumerate(items)
                if item.state is ItemState.DONE and item.caption
            ]
            find_doubt(engine, captions, batch.options, hear, stop, batch.doubts)

        try:
            await self._model.lend(work, stop.set)
        except Cancelled:
            log.info("Doubt is left, as the program closes")
        except AppError as error:
            self.noticed.emit(str(error))
        else:
            if not (found or stop.is_set()):
                self.noticed.emit("The most doubtful word of every caption is known already.")
        finally:
            self._doubting = None
            self._doubting_ended.set()
            self.doubting_changed.emit(False)

    @Slot()
    def stop_doubt(self) -> None:
        """Look for no further doubtful words."""
        if self._doubting:
            self._doubting.set()

    async def undo(self, *, keeps_edits: bool = True) -> None:
        """Give every file back what it held before the run."""
        if not self._batch or self.is_running:
            return
        self._set_phase(Phase.UNDOING)
        self._ended.clear()
        try:
            undo = partial(self._batch.undo, self._inbox.put, keeps_edits=keeps_edits)
            left = await asyncio.to_thread(undo)
        except AppError as error:
            left = []
            self.noticed.emit(str(error))
        finally:
            await self._inbox.emptied()
            self._ended.set()
        if left:
            files = "1 file was" if len(left) == 1 else f"{len(left):,} files were"
            self.noticed.emit(f"{files} changed by hand since, and left so.")
        self._set_phase(self._rest())

    async def close(self) -> None:
        """Stop inside the captions under way and let go of the journal; it can be reopened."""
        self._finding += 1
        self._control.stop_now()
        self.stop_trial()
        self.stop_doubt()
        await self._trial_ended.wait()
        await self._doubting_ended.wait()
        await self._ended.wait()
        await self._let_go()

    # Inside

    async def _run(self) -> None:
        assert self._batch is not None
        batch, self._control = self._batch, Control()
        self.stop_doubt()
        self._is_stopped, self._began = False, time.monotonic()
        self._ended.clear()
        self._set_phase(Phase.RUNNING)
        self._pace, self._ticked, self._finished = Pace(), time.monotonic(), self._settled()
        self._tick.start()

        def work(engine: Engine) -> None:
            slots = self._slots or usual_slots(engine.facts)
            batch.run(engine, self._control, self._inbox.put, self._inbox.put, slots=slots)

        try:
            await _painted()
            await self._model.lend(work, self._control.stop_now)
        except Cancelled:
            log.info("The run is left, as the program closes")
        except AppError as error:
            self.noticed.emit(str(error))
        finally:
            self._tick.stop()
            summary = await asyncio.to_thread(self._summary, batch, time.monotonic() - self._began)
            await self._tell_of_edits()
            self._ended.set()
            self._set_phase(self._rest())
            if self._phase is Phase.OVER or (self._phase is Phase.PAUSED and self._is_stopped):
                self.summed_up.emit(summary)
            self._tell_notes()

    @staticmethod
    def _summary(batch: Batch, seconds: float) -> Summary:
        tables = tuple(batch.exports.values())
        return summary_of(batch.tally, list(batch.items), batch.options, tables, seconds)

    def _tell_notes(self, first: str = "") -> None:
        notes = self._batch.notes if self._batch else []
        if said := " ".join(filter(None, (first, *notes))):
            self.noticed.emit(said)
        notes.clear()

    async def _tell_of_edits(self) -> None:
        await self._inbox.emptied()
        if not self.is_running:
            self.progressed.emit(Progress(dict(self._counts)))
        self.edits_changed.emit(self._batch is not None and self._batch.can_undo_edit)

    def _rest(self) -> Phase:
        """What a run is when nobody works on it."""
        if self._batch is None:
            return Phase.CHOOSING
        if self._batch.is_undone:
            return Phase.UNDONE
        return Phase.OVER if self._settled() == len(self._items) else Phase.PAUSED

    async def _let_go(self) -> None:
        self.stop_doubt()
        batch, self._batch = self._batch, None
        if batch:
            try:
                await asyncio.to_thread(batch.close)
            except AppError as error:
                self.noticed.emit(str(error))
            del batch  # With all that it knew of its pictures, which takes a while too.
            await _painted()

    def _replace_items(self, items: Sequence[Item], counts: Counter[ItemState]) -> None:
        before, self._items = self._items, list(items)
        self._trial_numbers = []
        self._captions_read.clear()
        self._counts = counts
        self.items_replaced.emit(self._items)
        self.progressed.emit(Progress(dict(self._counts)))
        self._let_go_of(before)

    def _let_go_of(self, items: list[Item]) -> None:
        """Free rows bit by bit: 100,000 at once would hold the window for 30 ms."""
        del items[-_FREED_AT_ONCE:]
        if items:
            asyncio.get_running_loop().call_later(0.01, self._let_go_of, items)

    def _set_phase(self, phase: Phase) -> None:
        self._phase = phase
        self.progressed.emit(Progress(dict(self._counts)))
        self.phase_changed.emit(phase)

    def _settled(self) -> int:
        waiting = self._counts[ItemState.WAITING] + self._counts[ItemState.WORKING]
        return len(self._items) - waiting

    def _on_told(self, number: int, what: object) -> None:
        """How a picture stands now, or a piece of its caption."""
        match what:
            case Item():
                self._on_heard(number, what)
            case str():
                self._on_said(number, what)

    def _on_heard(self, number: int, item: Item) -> None:
        if number >= len(self._items) or self._items[number].path != item.path:
            return  # Of a run that is no longer shown.
        before = self._items[number]
        self._items[number] = item
        self._counts[before.state] -= 1
        self._counts[item.state] += 1
        self.item_changed.emit(number, item)

    def _on_said(self, number: int, piece: str) -> None:
        item = self._items[number] if number < len(self._items) else None
        if item and item.state is ItemState.WORKING:
            self._items[number] = replace(item, caption=item.caption + piece)
            self.piece_received.emit(number, piece)
            self.item_changed.emit(number, self._items[number])

    @Slot(object)
    def _on_trial_heard(self, tried: Tried) -> None:
        """At most once a frame, however fast the words come."""
        self._trials_told[tried.number] = tried
        if not self._frame.isActive():
            self._frame.start()

    @Slot(object)
    def _on_doubt_heard(self, doubt: Doubt) -> None:
        is_shown = doubt.number < len(self._items)
        if is_shown and self._items[doubt.number].caption == doubt.caption:
            self.doubts_found.emit([doubt])

    @Slot()
    def _on_frame(self) -> None:
        told, self._trials_told = self._trials_told, {}
        for tried in told.values():
            self.tried.emit(tried)

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


def _opened(open_batch: Callable[[], Batch]) -> tuple[Batch, Counter[ItemState], list[Doubt]]:
    """A run, and what there is to be shown of it: all that goes through 100,000 rows."""
    batch = open_batch()
    return batch, Counter(item.state for item in batch.items), batch.doubts


async def _painted() -> None:
    """Let the window be painted before the next step that takes a while."""
    await asyncio.sleep(0)
