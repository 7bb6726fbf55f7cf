"""What a person can do with models: see them, get, pause, move, check and remove. No widgets."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import AppError, Cancelled, HubError, HubNeed
from core.hub import (
    AccessToken,
    DeviceMemory,
    DownloadOptions,
    Entry,
    Hub,
    HubModel,
    JobKind,
    JobState,
    LocalModel,
    ModelJob,
    Progress,
    Where,
    check_model,
    device_memory,
    fetch,
    find_models,
    list_entries,
    look_up,
    move_model,
    remove_model,
    with_access_token,
)
from core.settings import Settings

FRAME_SECONDS = 0.05

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Work:
    job: ModelJob
    stop: threading.Event = field(default_factory=threading.Event)
    told: float = 0.0
    is_discarded: bool = False


class ModelLibrary(QObject):
    """One download at a time, the others wait; it goes on while no dialog is open.

    A download's job is known by the hub id, any other by the key of the model's entry.

    `models_listed(list[Entry], DeviceMemory)`; `job_changed(str key, ModelJob | None)`: None when
    it is done or paused; `options_changed(DownloadOptions)`; `noticed(str)`: a sentence to show;
    `moved(str, str)`: a model's key, and the folder in which it lies now.

    An expected failure is a job's error or a notice; its coroutines raise none.
    """

    models_listed = Signal(list, object)
    job_changed = Signal(str, object)
    options_changed = Signal(object)
    noticed = Signal(str)
    moved = Signal(str, str)

    _told = Signal(str, object, object)

    def __init__(
        self,
        settings: Settings,
        keep_settings: Callable[[], Coroutine[Any, Any, None]],
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._settings = settings
        self._keep_settings = keep_settings
        self._token = AccessToken()
        self._works: dict[str, _Work] = {}
        self._entries: dict[str, Entry] = {}
        self._found: dict[str, HubModel] = {}
        self._taken = 0
        self._listing = 0
        self._is_closing = False
        # A download must not keep a list or a picture waiting.
        self._network = ThreadPoolExecutor(1, thread_name_prefix="download")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="hub")
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="models")
        # Emitted in those threads; heard in this one.
        self._told.connect(self._on_told)

    @property
    def jobs(self) -> dict[str, ModelJob]:
        return {key: work.job for key, work in self._works.items()}

    async def refresh(self, taken: int | None = None) -> None:
        """Look again at what is here; `taken` are the bytes that the loaded model would free."""
        if taken is not None:
            self._taken = taken
        self._listing += 1
        mine = self._listing
        settings = self._settings
        folders = [*map(Path, settings.model_folders), *filter(None, [self._downloads()])]
        found = tuple(self._found.values())
        look = partial(_look, folders, settings.device, self._taken, found)
        entries, memory, hub = await self._in(self._disk, look)
        if mine == self._listing:
            self._entries = {entry.key: entry for entry in entries}
            self.models_listed.emit(entries, memory)
            self._tell_options(hub)

    async def look_up(self, hub_id: str) -> None:
        """Ask the hub how large a model is, its licence, and what it needs."""
        found: list[HubModel] = []

        def work(on_progress: Callable[[Progress], None], stop: threading.Event) -> None:
            hub = Hub.here(is_offline=self._settings.works_offline)
            found.append(
                with_access_token(
                    self._token.read, hub, stop, lambda hub: look_up(hub, hub_id, stop)
                )
            )

        await self._do(hub_id, JobKind.LOOK_UP, self._asking, work)
        if found:
            self._found[hub_id] = found[0]
            await self.refresh()

    async def get(self, hub_id: str) -> None:
        """Download a model, or go on with it: where it began, or, if there was no space, where
        downloads go now, and what has come goes along."""
        into = self._downloads()
        is_part = any(entry.local and entry.local.missing_id == hub_id for entry in self._all())
        moves = False
        if begun := self._begun(hub_id):
            there = None if begun.where is Where.CACHE else begun.folder.parent
            moves = into not in (None, there) and self._lacked_space(hub_id)
            into = into if moves else there
        elif is_part:
            into = None  # Where every model finds it.

        def work(on_progress: Callable[[Progress], None], stop: threading.Event) -> None:
            hub = Hub.here(is_offline=self._settings.works_offline)
            if begun and into and moves:
                move_model(begun, hub.cache, into, on_progress, stop)
            with_access_token(
                self._token.read,
                hub,
                stop,
                lambda hub: fetch(hub, hub_id, on_progress, stop, into, is_part=is_part),
            )

        done = await self._do(hub_id, JobKind.DOWNLOAD, self._network, work)
        if done and done.is_discarded:
            await self._discard(hub_id)

    def _lacked_space(self, hub_id: str) -> bool:
        work = self._works.get(hub_id)
        error = work.job.error if work else None
        return isinstance(error, HubError) and error.need is HubNeed.SPACE

    def pause(self, key: str) -> None:
        """End the work on a model; a download goes on from there with `get`."""
        if work := self._works.get(key):
            work.stop.set()
            if work.job.state is JobState.WAITING:
                # No thread has begun with it, and none will.
                self._end(key, work)

    async def cancel(self, hub_id: str) -> None:
        """End a download and delete what has come of it."""
        work = self._works.get(hub_id)
        if work and work.job.is_under_way:
            work.is_discarded = True
            self.pause(hub_id)
        else:
            self._end(hub_id, work)
            await self._discard(hub_id)

    async def _discard(self, hub_id: str) -> None:
        if begun := self._begun(hub_id):
            await self.remove(begun.model)

    async def remove(self, key: str) -> None:
        if (model := self._local(key)) is None:
            return

        def work(on_progress: Callable[[Progress], None], stop: threading.Event) -> None:
            remove_model(model, Hub.here().cache)

        await self._do(key, JobKind.REMOVE, self._disk, work)

    async def move(self, key: str, parent: Path) -> None:
        """Bring a downloaded model into another folder, which is looked into from now on."""
        if (model := self._local(key)) is None:
            return
        moved: list[Path] = []

        def work(on_progress: Callable[[Progress], None], stop: threading.Event) -> None:
            moved.append(move_model(model, Hub.here().cache, parent, on_progress, stop))

        await self._do(key, JobKind.MOVE, self._disk, work)
        if moved:
            if self._settings.model == key:
                self._settings.model = str(moved[0])
            await self.add_folder(moved[0])
            self.moved.emit(key, str(moved[0]))

    async def check(self, key: str) -> None:
        """Read a model again and compare its checksums."""
        if (model := self._local(key)) is None:
            return
        problems: list[str] | None = None

        def work(on_progress: Callable[[Progress], None], stop: threading.Event) -> None:
            nonlocal problems
            problems = check_model(model, on_progress, stop)
            if problems:
                raise HubError(" ".join(problems))

        await self._do(key, JobKind.CHECK, self._disk, work)
        if problems == []:
            self.noticed.emit(f"“{model.name}” is in order.")

    async def add_folder(self, folder: Path) -> None:
        """Look for models in this folder from now on."""
        kept = [one for one in self._settings.model_folders if one != str(folder)]
        self._settings.model_folders = [*kept, str(folder)]
        await self._keep_settings()
        await self.refresh()

    async def forget_folder(self, key: str) -> None:
        """Look there no longer; the folder stays as it is."""
        model = self._local(key)
        if model is None:
            return
        places = {str(model.folder), str(model.folder.parent)}
        kept = [one for one in self._settings.model_folders if one not in places]
        self._settings.model_folders = kept
        await self._keep_settings()
        await self.refresh()

    async def choose_downloads(self, folder: Path | None) -> None:
        self._settings.download_folder = str(folder or "")
        await self._keep_settings()
        await self.refresh()

    async def work_offline(self, is_offline: bool) -> None:
        """Ask the network for nothing, or again when told to."""
        self._settings.works_offline = is_offline
        if is_offline:
            for key, work in list(self._works.items()):
                if _uses_network(work.job):
                    self.pause(key)
        await self._keep_settings()
        await self.refresh()

    async def keep_token(self, token: str) -> None:
        """Use this access token from now on; "" forgets it."""
        if note := await self._in(self._disk, partial(self._token.keep, token)):
            self.noticed.emit(note)

    async def close(self, seconds: float) -> bool:
        """End all work; downloads are gone on with when they are asked for again.

        False when some is still under way after `seconds`: a disk or a keyring does not answer.
        """
        self._is_closing = True
        for work in self._works.values():
            work.stop.set()
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def wait() -> None:
            for executor in (self._network, self._asking, self._disk):
                executor.shutdown(cancel_futures=True)
            with suppress(RuntimeError):  # The loop has gone.
                loop.call_soon_threadsafe(ended.set)

        # Not one of the loop's threads, which others need to end.
        threading.Thread(target=wait, name="models' end", daemon=True).start()
        try:
            await asyncio.wait_for(ended.wait(), seconds)
        except TimeoutError:
            return False
        return True

    # Work

    async def _do(
        self,
        key: str,
        kind: JobKind,
        executor: ThreadPoolExecutor,
        run: Callable[[Callable[[Progress], None], threading.Event], None],
    ) -> _Work | None:
        """One piece of work on one model, in a thread; None if there is another under way."""
        before = self._works.get(key)
        if self._is_closing or (before and before.job.is_under_way):
            return None
        work = _Work(ModelJob(kind, JobState.WAITING))
        self._works[key] = work
        self.job_changed.emit(key, work.job)

        def tell(progress: Progress) -> None:
            now = time.monotonic()
            if now - work.told >= FRAME_SECONDS or progress.done == progress.total:
                work.told = now
                self._told.emit(key, work, ModelJob(kind, progress=progress))

        def in_thread() -> None:
            if work.stop.is_set():
                raise Cancelled("It was ended before it began.")
            tell(Progress("", 0, 0))
            run(tell, work.stop)

        failure: AppError | None = None
        try:
            await self._in(executor, in_thread)
        except Cancelled:
            pass
        except AppError as error:
            log.warning("%s %s failed", kind, key, exc_info=error)
            failure = error
        finally:
            self._end(key, work, failure)
        await self.refresh()
        return work

    async def _in(self, executor: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, work)

    @Slot(str, object, object)
    def _on_told(self, key: str, work: _Work, job: ModelJob) -> None:
        # What was told before the end may be heard after it.
        if self._works.get(key) is work and work.job.is_under_way:
            work.job = job
            self.job_changed.emit(key, job)

    def _end(self, key: str, work: _Work | None, failure: AppError | None = None) -> None:
        if work is None or self._works.get(key) is not work:
            return
        if failure:
            work.job = replace(work.job, state=JobState.FAILED, error=failure)
            self.job_changed.emit(key, work.job)
        else:
            del self._works[key]
            self.job_changed.emit(key, None)

    def _local(self, key: str) -> LocalModel | None:
        entry = self._entries.get(key)
        return entry.local if entry else None

    def _begun(self, hub_id: str) -> LocalModel | None:
        """The download that is not finished."""
        models = (entry.local for entry in self._all() if entry.hub_id == hub_id)
        return next((model for model in models if model and not model.is_complete), None)

    def _all(self) -> Iterable[Entry]:
        return self._entries.values()

    def _downloads(self) -> Path | None:
        chosen = self._settings.download_folder
        return Path(chosen) if chosen else None

    def _tell_options(self, hub: Hub) -> None:
        settings = self._settings
        folders = tuple(map(Path, settings.model_folders))
        is_offline = settings.works_offline or hub.is_offline
        self.options_changed.emit(
            DownloadOptions(
                self._downloads(), is_offline, hub.cache, folders, is_bound=hub.is_offline
            )
        )


def _look(
    folders: list[Path], device: str, taken: int, found: tuple[HubModel, ...]
) -> tuple[list[Entry], DeviceMemory, Hub]:
    memory, hub = device_memory(device, taken), Hub.here()
    return list_entries(find_models(folders, hub.cache), memory.device, found), memory, hub


def _uses_network(job: ModelJob) -> bool:
    """Whether it has to stop when the network may not be asked. A waiting job stops as well."""
    is_waiting = job.state is JobState.WAITING
    return is_waiting or (job.is_under_way and job.kind in (JobKind.LOOK_UP, JobKind.DOWNLOAD))
