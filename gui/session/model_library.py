"""What a person can do with models: list, download, move, check and remove them. No widgets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.errors import HubError, HubNeed
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
from core.message import joined
from core.model_reference import server_model
from core.settings import Settings
from gui.session.model_jobs import JobThread, ModelJobs, OnProgress, Run
from gui.widgets.translated import translated


class ModelLibrary(QObject):
    """The models on this computer and those of the hub, and the work on them, which are `jobs`.

    There is one download at a time, the others wait; it continues while no dialog is open. The key
    of a download's job is the hub id; of any other, the key of the model's entry.

    `models_listed(list[Entry], DeviceMemory)`; `options_changed(DownloadOptions)`;
    `noticed(str)`: a sentence to show; `moved(str, str)`: a model's key, and the folder in which
    it lies now.

    An expected failure is a job's error or a notice; its coroutines raise none.
    """

    models_listed = Signal(list, object)
    options_changed = Signal(object)
    noticed = Signal(str)
    moved = Signal(str, str)

    def __init__(
        self,
        settings: Settings,
        keep_settings: Callable[[], Coroutine[Any, Any, None]],
        parent: QObject | None = None,
    ):
        """`keep_settings` writes the settings, after this has changed them."""
        super().__init__(parent)
        self._settings = settings
        self._keep_settings = keep_settings
        self._token = AccessToken()
        self._entries: dict[str, Entry] = {}
        self._found: dict[str, HubModel] = {}
        # Hub ids whose download under way was cancelled: its files are deleted once it has ended.
        self._discarded: set[str] = set()
        self._taken = 0
        self._listings = 0
        self.jobs = ModelJobs(self)

    async def refresh(self, taken: int | None = None) -> None:
        """List the models again; `taken` are the bytes that unloading the model would free."""
        if taken is not None:
            self._taken = taken
        self._listings += 1
        mine = self._listings
        settings = self._settings
        folders = [*map(Path, settings.model_folders), *filter(None, [self._downloads()])]
        found = tuple(self._found.values())
        look = partial(_look, folders, settings.device, self._taken, found)
        entries, memory, hub = await self.jobs.call(JobThread.DISK, look)
        entries += map(Entry.on_servers, reversed(settings.servers))
        if mine == self._listings:
            self._entries = {entry.key: entry for entry in entries}
            self.models_listed.emit(entries, memory)
            self._report_options(hub)

    async def look_up(self, hub_id: str) -> None:
        """Ask the hub how large a model is, its licence, and what it needs."""
        found: list[HubModel] = []

        def work(on_progress: OnProgress, stop: threading.Event) -> None:
            hub = Hub.here(is_offline=self._settings.works_offline)
            found.append(
                with_access_token(
                    self._token.read, hub, stop, lambda hub: look_up(hub, hub_id, stop)
                )
            )

        await self._run(hub_id, JobKind.LOOK_UP, JobThread.HUB, work)
        if found:
            self._found[hub_id] = found[0]
            await self.refresh()

    async def get(self, hub_id: str) -> None:
        """Download a model, or resume its download.

        It is resumed where it began or, if there was no space, where downloads go now: what has
        been downloaded is moved there.
        """
        into = self._downloads()
        is_part = any(
            entry.local and entry.local.missing_id == hub_id for entry in self._entries.values()
        )
        moves = False
        if begun := self._begun(hub_id):
            there = None if begun.where is Where.CACHE else begun.folder.parent
            moves = into not in (None, there) and self._lacked_space(hub_id)
            into = into if moves else there
        elif is_part:
            into = None  # Where every model finds it.

        def work(on_progress: OnProgress, stop: threading.Event) -> None:
            hub = Hub.here(is_offline=self._settings.works_offline)
            if begun and into and moves:
                move_model(begun, hub.cache, into, on_progress, stop)
            with_access_token(
                self._token.read,
                hub,
                stop,
                lambda hub: fetch(hub, hub_id, on_progress, stop, into, is_part=is_part),
            )

        job = self.jobs.get(hub_id)
        if job is None or not job.is_under_way:
            self._discarded.discard(hub_id)
        is_done = await self._run(hub_id, JobKind.DOWNLOAD, JobThread.DOWNLOAD, work)
        if is_done and hub_id in self._discarded:
            self._discarded.remove(hub_id)
            await self._discard(hub_id)

    def _lacked_space(self, hub_id: str) -> bool:
        job = self.jobs.get(hub_id)
        error = job.error if job else None
        return isinstance(error, HubError) and error.need is HubNeed.SPACE

    async def cancel(self, hub_id: str) -> None:
        """End a download and delete what has been downloaded."""
        job = self.jobs.get(hub_id)
        if job and job.is_under_way:
            self._discarded.add(hub_id)
            self.jobs.stop(hub_id)
        else:
            self.jobs.dismiss(hub_id)
            await self._discard(hub_id)

    async def _discard(self, hub_id: str) -> None:
        if begun := self._begun(hub_id):
            await self.remove(begun.model)

    async def remove(self, key: str) -> None:
        """Delete the files of a model."""
        if (model := self._local(key)) is None:
            return

        def work(on_progress: OnProgress, stop: threading.Event) -> None:
            remove_model(model, Hub.here().cache)

        await self._run(key, JobKind.REMOVE, JobThread.DISK, work)

    async def move(self, key: str, parent: Path) -> None:
        """Move a downloaded model into another folder, which is searched from now on."""
        if (model := self._local(key)) is None:
            return
        moved: list[Path] = []

        def work(on_progress: OnProgress, stop: threading.Event) -> None:
            moved.append(move_model(model, Hub.here().cache, parent, on_progress, stop))

        await self._run(key, JobKind.MOVE, JobThread.DISK, work)
        if moved:
            if self._settings.model == key:
                self._settings.model = str(moved[0])
            await self.add_folder(moved[0])
            self.moved.emit(key, str(moved[0]))

    async def check(self, key: str) -> None:
        """Read a model's files and compare their checksums."""
        if (model := self._local(key)) is None:
            return
        problems: list[str] | None = None

        def work(on_progress: OnProgress, stop: threading.Event) -> None:
            nonlocal problems
            problems = check_model(model, on_progress, stop)
            if problems:
                raise HubError(joined(*problems))

        await self._run(key, JobKind.CHECK, JobThread.DISK, work)
        if problems == []:
            self.noticed.emit(self.tr("“{name}” is complete and intact.").format(name=model.name))

    async def add_folder(self, folder: Path) -> None:
        """Look for models in this folder from now on."""
        kept = [one for one in self._settings.model_folders if one != str(folder)]
        self._settings.model_folders = [*kept, str(folder)]
        await self._keep_settings()
        await self.refresh()

    async def remove_folder(self, key: str) -> None:
        """Search the folder of this model no longer; the folder stays as it is. Forget a server."""
        if server_model(key):
            self._settings.servers = [one for one in self._settings.servers if one != key]
            await self._keep_settings()
            await self.refresh()
            return
        model = self._local(key)
        if model is None:
            return
        places = {str(model.folder), str(model.folder.parent)}
        kept = [one for one in self._settings.model_folders if one not in places]
        self._settings.model_folders = kept
        await self._keep_settings()
        await self.refresh()

    async def choose_downloads(self, folder: Path | None) -> None:
        """Download models into this folder from now on; None for the hub's cache."""
        self._settings.download_folder = str(folder or "")
        await self._keep_settings()
        await self.refresh()

    async def work_offline(self, is_offline: bool) -> None:
        """Use no network from now on, or allow it again."""
        self._settings.works_offline = is_offline
        if is_offline:
            for key, job in self.jobs.all.items():
                if _uses_network(job):
                    self.jobs.stop(key)
        await self._keep_settings()
        await self.refresh()

    async def keep_token(self, token: str) -> None:
        """Use this access token from now on; "" removes it."""
        if note := await self.jobs.call(JobThread.DISK, partial(self._token.keep, token)):
            self.noticed.emit(translated(note))

    async def _run(self, key: str, kind: JobKind, thread: JobThread, work: Run) -> bool:
        is_done = await self.jobs.run(key, kind, thread, work)
        if is_done:
            await self.refresh()
        return is_done

    def _local(self, key: str) -> LocalModel | None:
        entry = self._entries.get(key)
        return entry.local if entry else None

    def _begun(self, hub_id: str) -> LocalModel | None:
        """Return the download of it that is not finished."""
        models = (entry.local for entry in self._entries.values() if entry.hub_id == hub_id)
        return next((model for model in models if model and not model.is_complete), None)

    def _downloads(self) -> Path | None:
        chosen = self._settings.download_folder
        return Path(chosen) if chosen else None

    def _report_options(self, hub: Hub) -> None:
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
    """Whether it has to stop when the network may not be used. A waiting job stops as well."""
    is_waiting = job.state is JobState.WAITING
    return is_waiting or (job.is_under_way and job.kind in (JobKind.LOOK_UP, JobKind.DOWNLOAD))
