"""PyTorch for the graphics card: looked for, downloaded, tried and removed. No widgets."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from core.engine_packs.current import current_engine
from core.engine_packs.get import clear_leftovers, get_pack, offline_sources
from core.engine_packs.installed import prefer_engine, remove_pack, retire_pack
from core.engine_packs.overview import Overview, overview
from core.engine_packs.pins import PINS_FILE, read_pins
from core.engine_packs.sources import sources_here
from core.errors import HubNeed, PackError
from core.hub import JobKind, ModelJob
from core.settings import Settings
from gui.engines.state import EnginesState, Stage
from gui.session.model_jobs import JobThread, ModelJobs, OnProgress, Run
from gui.widgets.translated import translated


class EnginePacks(QObject):
    """What is known about engines is `state`; the work on them goes on without any dialog.

    Everything that asks drivers, reads the disk or uses the network does so in threads.

    `changed(EnginesState)`: also for each bit of progress. `looked(EnginesState)`: it was looked
    for the first time. `got(str name)`: a pack is ready to be used from the next start on.
    `failed(AppError)`: a pack could not be got or removed; the state has the error too.
    """

    changed = Signal(object)
    looked = Signal(object)
    got = Signal(str)
    failed = Signal(object)

    def __init__(
        self,
        engines: Path,
        settings: Settings,
        parent: QObject | None = None,
        pins_file: Path = PINS_FILE,
    ):
        """`engines` is the folder of packs."""
        super().__init__(parent)
        self._engines, self._settings, self._pins_file = engines, settings, pins_file
        self._jobs = ModelJobs(self)
        self._jobs.changed.connect(self._on_job_changed)
        self._state = EnginesState(engines)
        self._is_cancelled = False
        self._has_looked = False
        self._is_closed = False

    @property
    def state(self) -> EnginesState:
        """What is known now."""
        return self._state

    async def look(self) -> None:
        """Ask which cards there are and what their driver can run, and which packs are here."""
        if self._is_closed:
            return
        look = partial(_look, self._engines, self._pins_file, clears=not self._has_looked)
        found, problem = None, ""
        try:
            found = await self._jobs.call(JobThread.DISK, look)
        except PackError as error:
            problem = translated(error)
        chosen, job = current_engine(), next(iter(self._jobs.all.values()), None)
        uses_pack = chosen is not None and chosen.folder.parent == self._engines
        self._set(EnginesState(self._engines, found, uses_pack, job, problem))
        if not self._has_looked:
            self._has_looked = True
            self.looked.emit(self._state)

    async def get(self, folder: Path | None = None) -> None:
        """Download the pack that is offered, or go on with it, and try it on the card.

        Its wheels come from `folder` if that is given, and from nowhere else then.
        """
        found = self._state.overview
        if found is None or found.offer.pack is None or self._is_busy:
            return
        pack = found.offer.pack

        def work(on_progress: OnProgress, stop: threading.Event) -> None:
            if folder is not None:
                sources = offline_sources(folder)
            elif self._settings.works_offline:
                raise PackError(
                    self.tr("Onlooker is offline. Go online in the Models dialog first."),
                    HubNeed.ONLINE,
                )
            else:
                sources = sources_here(read_pins(self._pins_file).default_index)
            get_pack(pack, self._engines, sources, on_progress, stop)

        self._is_cancelled = False
        await self._run(pack.name, JobKind.DOWNLOAD, JobThread.DOWNLOAD, work)
        if self._is_cancelled:
            self._is_cancelled = False
            await self._remove(pack.name)
        elif self._state.stage is Stage.NEEDS_RESTART:
            self.got.emit(pack.name)

    @Slot()
    def pause(self) -> None:
        """Stop the download. What has come stays, and `get` goes on from there."""
        for name in self._jobs.all:
            self._jobs.stop(name)

    async def cancel(self) -> None:
        """End the download and delete what has come."""
        if self._is_busy:
            self._is_cancelled = True
            self.pause()
        elif self._state.partial:
            await self._remove(self._state.partial.name)

    async def remove(self) -> None:
        """Delete the pack that the state calls removable; the one in use goes at the next start."""
        if pack := self._state.removable:
            await self._remove(pack.name)

    async def use_pack(self) -> None:
        """Have the next start use a pack, although the processor was chosen before."""
        await self._jobs.call(JobThread.DISK, partial(prefer_engine, self._engines, ""))

    async def close(self, seconds: float) -> bool:
        """Stop what is under way. False if a thread is still at work after `seconds`."""
        self._is_closed = True
        return await self._jobs.close(seconds)

    @property
    def _is_busy(self) -> bool:
        return self._state.job is not None and self._state.job.is_under_way

    async def _remove(self, name: str) -> None:
        found, engines = self._state.overview, self._engines
        is_in_use = self._state.uses_pack and found is not None and found.in_use == name

        def work(on_progress: OnProgress, stop: threading.Event) -> None:
            if is_in_use:
                retire_pack(engines, name)
            else:
                remove_pack(engines, name)

        await self._run(name, JobKind.REMOVE, JobThread.DISK, work)

    async def _run(self, name: str, kind: JobKind, thread: JobThread, work: Run) -> None:
        for other in list(self._jobs.all):
            self._jobs.dismiss(other)  # A failure of before.
        await self._jobs.run(name, kind, thread, work)
        await self.look()
        job = self._jobs.get(name)
        if job and job.error:
            self.failed.emit(job.error)

    @Slot(str, object)
    def _on_job_changed(self, name: str, job: ModelJob | None) -> None:
        """Show its progress; how it ended is shown with what is on the disk then, by `look`."""
        if job and job.is_under_way:
            self._set(replace(self._state, job=job))

    def _set(self, state: EnginesState) -> None:
        if state != self._state:
            self._state = state
            self.changed.emit(state)


def _look(engines: Path, pins_file: Path, *, clears: bool) -> Overview:
    if clears:
        clear_leftovers(engines)
    return overview(engines, read_pins(pins_file))
