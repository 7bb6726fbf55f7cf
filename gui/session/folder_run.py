"""A folder run in the GUI thread: chosen, run in the model thread, paused, undone, reopened."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import (
    Batch,
    BatchOptions,
    Control,
    Item,
    ItemState,
    KeptRun,
    Phase,
    Progress,
    find_runs,
)
from core.errors import AppError, Cancelled
from gui.session.caption_again import CaptionAgain
from gui.session.caption_edits import CaptionEdits, taken_notes
from gui.session.doubt_search import DoubtSearch
from gui.session.existing_captions import ExistingCaptions
from gui.session.folder_trial import FolderTrial
from gui.session.inbox import Inbox
from gui.session.model_thread import ModelThread
from gui.session.run_end import idle_phase, is_to_sum_up, left_unchanged, nothing_found, painted
from gui.session.run_engines import RunEngines
from gui.session.run_items import OpenedRun, RunItems, found_items, opened_run
from gui.session.run_pace import RunPace
from gui.widgets.translated import translated, translated_all

_USUAL = BatchOptions((" ",))

log = logging.getLogger(__name__)


class FolderRun(QObject):
    """One run at a time. Its coroutines belong to the window's loop; what is wrong is a notice.

    `items` are its images, `pace` is how fast they are done, `engines` what captions them,
    `existing` the captions that they have already, `edits` changes captions, `again` has the model
    write one again, `trial` tries the options first, and `doubt_search` looks through the finished
    captions; each has signals of its own.

    `phase_changed(Phase)`, `progressed(Progress)`, `options_replaced(BatchOptions)`,
    `roots_changed(list[Path])`, `noticed(str)`: a sentence to show about
    what was done last; `refused(str)`: one that is true while captions are written.
    `summed_up(Summary)`: once a run is over, was stopped or undone, and when that has changed.
    """

    phase_changed = Signal(object)
    progressed = Signal(object)
    options_replaced = Signal(object)
    roots_changed = Signal(list)
    noticed = Signal(str)
    refused = Signal(str)
    summed_up = Signal(object)

    def __init__(self, model: ModelThread, journals: Path, parent: QObject | None = None):
        """`journals` is the folder in which every run keeps its journal."""
        super().__init__(parent)
        self._model = model
        self._journals = journals
        self._roots: list[Path] = []
        self._batch: Batch | None = None
        self._phase = Phase.CHOOSING
        self._control = Control()
        self._is_stopped = False
        self._is_closed = False
        self._summing: asyncio.Future[None] | None = None
        self._searches = 0
        self._ended = asyncio.Event()
        self._ended.set()
        self.items = RunItems(self)
        self.engines = RunEngines(model, self)
        self.pace = RunPace(self.items, self)
        self.pace.progressed.connect(self.progressed)
        self._inbox = Inbox(self.items.handle, self)
        self.existing = ExistingCaptions(self.items, self)
        self.edits = CaptionEdits(self.items, self._inbox, self)
        self.trial = FolderTrial(model, self.items, self)
        self.doubt_search = DoubtSearch(model, self.items, self)
        self.edits.changed.connect(self._on_edits_changed)
        # A new caption of the run drops the edits of the one before.
        self.pace.progressed.connect(self.edits.report_changes)
        self.again = CaptionAgain(model, self.items, self.edits, self)
        self.pace.progressed.connect(self.doubt_search.report)
        self._stoppable = (self.trial, self.doubt_search, self.again)
        for part in (self.engines, self.trial, self.doubt_search):
            part.noticed.connect(self.noticed)

    @property
    def phase(self) -> Phase:
        """What is going on: images are chosen, captioned, given their files back, or nothing."""
        return self._phase

    @property
    def roots(self) -> list[Path]:
        """The folders and files that were chosen for the run."""
        return self._roots

    @property
    def has_run(self) -> bool:
        """Whether a run is open, whatever became of it."""
        return self._batch is not None

    @property
    def journal(self) -> Path | None:
        """The journal of the run that is open."""
        return self._batch.journal_path if self._batch else None

    @property
    def is_running(self) -> bool:
        """Whether files are being written now."""
        return self._phase in (Phase.RUNNING, Phase.ENDING, Phase.UNDOING)

    @property
    def options(self) -> BatchOptions | None:
        """The options of the run that is open."""
        return self._batch.options if self._batch else None

    # Opening

    async def choose(
        self,
        roots: Sequence[Path],
        is_recursive: bool = False,
        options: BatchOptions = _USUAL,
    ) -> None:
        """Show the images that a run would take, with the captions that one with these options
        would find beside them; nothing is written yet."""
        if self.is_running:
            self.refused.emit(
                self.tr("A folder run is in progress. Pause it, then choose another folder.")
            )
            return
        self._searches += 1
        mine = self._searches
        self._roots = list(roots)
        self.roots_changed.emit(self._roots)
        self._set_phase(Phase.FINDING)
        found, left_out = await asyncio.to_thread(found_items, self._roots, is_recursive)
        if mine == self._searches:
            await self._close_batch()
            self._show_items(found, Counter({ItemState.WAITING: len(found)}))
            self._set_phase(Phase.CHOOSING)
            self.look_beside(options)
            if note := left_out if found else nothing_found(left_out):
                self.noticed.emit(note)

    def look_beside(self, options: BatchOptions) -> None:
        """Read the captions that a run with these options would find, while images are chosen."""
        if self._phase is Phase.CHOOSING:
            self.existing.look(options, self._roots)

    async def start(
        self, options: BatchOptions, slots: int = 0, devices: Sequence[str] = ()
    ) -> None:
        """Begin the run that was chosen, and wait for its end; see `RunEngines.choose`."""
        if self._phase is not Phase.CHOOSING or not self.engines.may_ask(self._roots, options):
            return
        self.engines.choose(slots, devices)
        self._set_phase(Phase.FINDING)
        named = self.engines.named(options)
        opened = await self._open(partial(Batch.begin, self._roots, named, self._journals))
        if opened is None:
            return
        batch, counts, _ = opened
        self._show_items(batch.items, counts)
        if batch.warning:
            self.noticed.emit(translated(batch.warning))
        await self._run()

    async def reopen(self, kept: KeptRun) -> None:
        """Show a run of an earlier day, paused where it was."""
        if self.is_running:
            self.refused.emit(
                self.tr("A folder run is in progress. Pause it, then open another one.")
            )
            return
        self._searches += 1
        self._set_phase(Phase.FINDING)
        await self._close_batch()
        opened = await self._open(partial(Batch.resume, kept.journal))
        if opened is None:
            return
        batch, counts, doubts = opened
        self._roots = list(kept.roots)
        self.roots_changed.emit(self._roots)
        self.options_replaced.emit(batch.options)
        self._show_items(batch.items, counts)
        if doubts:
            await painted()
            self.doubt_search.found.emit(doubts)
        await self.edits.report()
        self._set_phase(idle_phase(batch, self.items))
        if notes := taken_notes(batch):
            self.noticed.emit(translated_all(notes))
        await painted()
        await self._sum_up()

    async def last(self) -> KeptRun | None:
        """Return the newest run."""
        return next(iter(await asyncio.to_thread(find_runs, self._journals)), None)

    # Running

    async def resume(self) -> None:
        """Go on with a paused run, and wait for its end."""
        if self._phase is Phase.PAUSED and await self._is_ready():
            await self._run()

    @Slot()
    def pause(self) -> None:
        """Pause after the captions under way."""
        if self._phase is Phase.RUNNING:
            self._control.stop_after_this()
            self._set_phase(Phase.ENDING)

    @Slot()
    def stop_after_this(self) -> None:
        """End after the captions under way, and sum up."""
        if self._phase is Phase.RUNNING:
            self._is_stopped = True
            self.pause()

    @Slot()
    def stop_now(self) -> None:
        """End inside the captions under way, and sum up."""
        if self._phase in (Phase.RUNNING, Phase.ENDING):
            self._is_stopped = True
            self._control.stop_now()
            self._set_phase(Phase.ENDING)

    async def retry_failed(self) -> None:
        """Caption the images again that have failed, and wait for the end."""
        if not self.is_running and await self._is_ready() and self._batch:
            await asyncio.to_thread(self._batch.retry_failed, self._inbox.put)
            await self._run()

    async def try_first(self, ways: Sequence[BatchOptions], *, on_others: bool) -> None:
        """Run `trial`, while images are being chosen."""
        if self._phase is Phase.CHOOSING and self.engines.may_ask(self._roots, *ways):
            await self.trial.run(ways, on_others=on_others)

    async def caption_again(self, number: int) -> None:
        """Run `again` for one item of the run that is open, unless it is captioning."""
        options = self.options
        if options and not self.is_running and self.engines.may_ask(self._roots, options):
            await self.again.run(number, options)

    async def find_doubt(self) -> None:
        """Run `doubt_search` over the run that is open, unless it is captioning."""
        if self._batch and not self.is_running:
            await self.doubt_search.run(self._batch)

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
            self.noticed.emit(translated(error))
        finally:
            await self.edits.report()  # None is left to undo.
            self._ended.set()
        if left:
            self.noticed.emit(left_unchanged(len(left)))
        self._set_phase(idle_phase(self._batch, self.items))
        await self._sum_up()

    async def close(self) -> None:
        """Stop inside the captions under way and close the journal: the program ends."""
        self._is_closed = True
        self._searches += 1
        self._control.stop_now()
        self.existing.close()
        for part in self._stoppable:
            part.stop()
        for part in self._stoppable:
            await part.close()
        await self._ended.wait()
        if self._summing:
            await self._summing
        await self._close_batch()

    # Inside

    async def _open(self, open_batch: Callable[[], Batch]) -> OpenedRun | None:
        """Open a run; return None once it is said why it cannot be, or the program ends."""
        try:
            opened = await asyncio.to_thread(opened_run, open_batch)
        except (AppError, ValueError) as error:
            self.noticed.emit(translated(error))
            self._set_phase(Phase.CHOOSING)
            return None
        self._batch, *_ = opened
        if not self._is_closed:
            return opened
        await self._close_batch()
        return None

    async def _is_ready(self) -> bool:
        """Whether the run that is open can go on, once its model is loaded."""
        batch, phase = self._batch, self._phase
        is_ready = batch is not None and await self.engines.make_ready(batch)
        return is_ready and (batch, phase) == (self._batch, self._phase)

    async def _run(self) -> None:
        assert self._batch is not None
        if not self.engines.may_ask(self._roots, self._batch.options):
            return
        batch, self._control = self._batch, Control()
        self.doubt_search.stop()
        self.again.stop()
        self._is_stopped = False
        self._ended.clear()
        self._set_phase(Phase.RUNNING)
        self.pace.start()

        doubts = self.doubt_search.put
        work = self.engines.work_on(batch, self._control, self._inbox.put, doubts)
        try:
            await painted()
            await self._model.run_exclusive(work, self._control.stop_now)
        except Cancelled:
            log.info("The run ends, as the program closes")
        except AppError as error:
            self.noticed.emit(translated(error))
        finally:
            self.pace.stop()
            summary = await asyncio.to_thread(batch.summary)
            await self.edits.report()
            self.doubt_search.report()
            self._ended.set()
            self._set_phase(idle_phase(self._batch, self.items))
            if self._is_to_sum_up:
                self.summed_up.emit(summary)
            if notes := taken_notes(self._batch):
                self.noticed.emit(translated_all(notes))

    @property
    def _is_to_sum_up(self) -> bool:
        return is_to_sum_up(self._phase, is_stopped=self._is_stopped)

    async def _sum_up(self) -> None:
        """Say what became of the run, as it is after an edit or an undo too."""
        if (batch := self._batch) and self._is_to_sum_up:
            summary = await asyncio.to_thread(batch.summary)
            if batch is self._batch and self._is_to_sum_up:
                self.summed_up.emit(summary)

    async def _close_batch(self) -> None:
        self.doubt_search.stop()
        await self.again.close()
        await self.edits.close()
        batch, self._batch = self._batch, None
        self.edits.set_batch(None)
        self._report_progress()
        if batch:
            try:
                await asyncio.to_thread(batch.close)
            except AppError as error:
                self.noticed.emit(translated(error))
            del batch  # With everything it knows of its images, which takes a while too.
            await painted()

    def _show_items(self, items: Sequence[Item], counts: Counter[ItemState]) -> None:
        self.edits.set_batch(self._batch)
        self.existing.stop()
        self.items.set_items(items, counts)
        self._report_progress()
        if self._batch:
            self.existing.look_in_run(self._batch)

    def _set_phase(self, phase: Phase) -> None:
        self._phase = phase
        self._report_progress()
        self.phase_changed.emit(phase)

    def _report_progress(self) -> None:
        self.progressed.emit(Progress(self.items.counts, self.items.edited))

    @Slot()
    def _on_edits_changed(self) -> None:
        if not self.is_running:
            self._report_progress()
            self._summing = asyncio.ensure_future(self._sum_up())
