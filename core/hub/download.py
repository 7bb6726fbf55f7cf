"""Downloading a model from the hub: its files, side by side, resumed where they stopped, verified.

huggingface_hub's own download is not used: it starts a file again after a broken connection (2.x)
and notices a cancel only every ten megabytes.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

from core.errors import HubError, HubNeed
from core.formatting import format_bytes
from core.hub.checksum import feed, new_digest
from core.hub.client import ASKING, Hub, HubClient, require_askable
from core.hub.listing import is_settings, require_runnable, tower_of
from core.hub.location import (
    CacheLocation,
    FolderLocation,
    HubFile,
    ModelLocation,
    Record,
    free_bytes,
)
from core.message import translatable
from core.model_reference import short_name
from core.transfer.blocking import run_until_stopped
from core.transfer.meter import DOWNLOADING, DownloadMeter, OnProgress
from core.transfer.retrying import Busy, Damaged
from core.transfer.together import together

_SPARE_BYTES = 200_000_000
# Files that are downloaded at once: a content network limits the rate of each connection.
_CONNECTIONS = 4
# Plain HTTP gives at most 50 GB at a time, as huggingface_hub's own download says. A larger file is
# requested in ranges.
_LONGEST_ANSWER = 40_000_000_000


def fetch(
    hub: Hub,
    hub_id: str,
    on_progress: OnProgress,
    stop: threading.Event,
    parent: Path | None = None,
    *,
    is_part: bool = False,
) -> Path:
    """Downloads a model, with the vision tower that it names, and returns the folder to load.

    It goes into the hub's cache, or into a folder of its own in `parent`. `is_part` means that it
    is a vision tower, which cannot answer on its own. Blocks; calls `on_progress` from this thread
    several times a second. Raises HubError, and Cancelled within a second once `stop` is set. The
    bytes that came stay on the disk, and the same call resumes from them.
    """
    require_askable(hub, hub_id)
    download = _Download(hub, parent, on_progress, stop)
    return run_until_stopped(download.run(hub_id, is_part), stop, download.report)


class _Download:
    """The steps of one download, and how far it is."""

    def __init__(
        self, hub: Hub, parent: Path | None, on_progress: OnProgress, stop: threading.Event
    ):
        self._hub = hub
        self._parent = parent
        self._on_progress = on_progress
        self._stop = stop
        self._meter = DownloadMeter(ASKING)

    def report(self) -> None:
        """Calls `on_progress` with how far it is."""
        self._on_progress(self._meter.progress())

    async def run(self, hub_id: str, is_part: bool) -> Path:
        try:
            async with HubClient(self._hub, self._meter) as self._client:
                location = self._location(self._parent, hub_id)
                folder = await self._fetch(hub_id, location, is_part=is_part)
        except OSError as error:
            raise _explained(error, hub_id) from error
        self._meter.stage = "Ready"
        self.report()
        return folder

    def _location(self, parent: Path | None, hub_id: str) -> ModelLocation:
        if parent is None:
            return CacheLocation(self._hub.cache, hub_id)
        return FolderLocation(parent / short_name(hub_id), hub_id)

    async def _fetch(self, hub_id: str, location: ModelLocation, *, is_part: bool = False) -> Path:
        """Downloads the model, and before its weights the vision tower that its settings name."""
        record, _ = await self._client.read_record(hub_id)
        with location.lock():
            location.begin(record)
            try:
                await self._fetch_files(location, record, is_part)
            finally:
                if not location.downloaded_bytes(record):
                    location.discard()
        return location.folder(record.revision)

    async def _fetch_files(self, location: ModelLocation, record: Record, is_part: bool) -> None:
        self._meter.total += record.size
        self._meter.done += location.downloaded_bytes(record)
        settings = [file for file in record.files if is_settings(file)]
        weights = [file for file in record.files if not is_settings(file)]
        await self._get_all(location, record, settings)
        try:
            config = require_runnable(record.hub_id, location.folder(record.revision), is_part)
        except HubError:
            location.discard()
            raise
        if tower := tower_of(config):
            inside = location.root if self._parent else None
            await self._fetch(tower, self._location(inside, tower), is_part=True)
        self._require_space(location)
        await self._get_all(location, record, weights)
        location.finish(record)

    def _require_space(self, location: ModelLocation) -> None:
        needed, free = self._meter.total - self._meter.done, free_bytes(location.root)
        if needed and needed + _SPARE_BYTES > free:
            raise HubError(
                translatable(
                    "core",
                    "This model needs {size} on the disk, where {free} is free. Free some "
                    "space, or choose another folder for downloads.",
                ).format(size=format_bytes(needed + _SPARE_BYTES), free=format_bytes(free)),
                HubNeed.SPACE,
            )

    async def _get_all(self, location: ModelLocation, record: Record, files: list[HubFile]) -> None:
        """Downloads several files at once; the first failure ends the others, whose bytes stay."""
        gate = asyncio.Semaphore(_CONNECTIONS)

        async def get(file: HubFile) -> None:
            async with gate:
                if not location.is_complete(record, file):
                    await self._get(location, record, file)
                location.commit(record, file)

        await together(map(get, files))

    async def _get(self, location: ModelLocation, record: Record, file: HubFile) -> None:
        path = location.partial_path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        address = self._client.address_of(record, file.name)
        try:
            await self._client.retrying(
                file.name,
                lambda: self._get_rest(record.hub_id, address, file, path),
                lambda: path.stat().st_size if path.exists() else 0,
            )
        except Damaged as error:
            self._delete_partial(path)
            raise HubError(
                translatable(
                    "core",
                    "“{name}” was damaged during the download. Try again.",
                ).format(name=file.name)
            ) from error
        finally:
            self._meter.files.pop(file.name, None)

    async def _get_rest(self, hub_id: str, address: str, file: HubFile, path: Path) -> None:
        """Downloads what is missing of a file, from the end of its partial file; verifies it."""
        if path.is_symlink() and path.is_file():
            self._delete_partial(
                path
            )  # Whoever gave the folder away would have us write elsewhere.
        digest = new_digest(file)
        have = path.stat().st_size if path.exists() else 0
        if have > file.size:
            self._delete_partial(path)
            have = 0
        if have:
            self._meter.files[file.name] = translatable("core", "Checking downloaded files")
            await asyncio.to_thread(feed, digest, path, self._stop)
        self._meter.files[file.name] = f"{DOWNLOADING} {file.name}"
        while have < file.size or not path.exists():
            end = min(have + _LONGEST_ANSWER, file.size)
            last = str(end - 1) if end < file.size else ""
            headers = {"Range": f"bytes={have}-{last}"} if have or last else {}
            async with self._client.response(hub_id, address, **headers) as response:
                if response.status_code != 206:
                    end = file.size
                    if have:
                        # The whole file comes, not the rest that was asked for.
                        self._delete_partial(path)
                        digest, have = new_digest(file), 0
                elif not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
                    raise Damaged(file.name)
                with path.open("ab") as opened:
                    async for block in response.aiter_bytes():
                        have += len(block)
                        if have > end:
                            raise Damaged(file.name)
                        opened.write(block)
                        digest.update(block)
                        self._meter.receive(len(block))
                    opened.flush()
            if have < end:
                raise Busy(200)  # The server closed the connection early.
        if digest.hexdigest() != file.checksum:
            raise Damaged(file.name)
        self._meter.files[file.name] = f"Writing {file.name}"
        await asyncio.to_thread(_to_disk, path)

    def _delete_partial(self, path: Path) -> None:
        if path.exists():
            self._meter.done -= path.stat().st_size
            path.unlink()


def _to_disk(path: Path) -> None:
    """Flushes a file to the disk, so that its final name is not stored before its bytes are."""
    with path.open("rb+") as opened:
        os.fsync(opened.fileno())


def _explained(error: OSError, hub_id: str) -> HubError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HubError(
            translatable(
                "core",
                "The disk is full, so “{name}” is incomplete. Free some space, then resume "
                "the download.",
            ).format(name=hub_id),
            HubNeed.SPACE,
        )
    reason = error.strerror or str(error)
    return HubError(
        translatable(
            "core",
            "“{name}” cannot be written ({reason}). Allow writing there, or choose "
            "another folder for downloads.",
        ).format(name=hub_id, reason=reason)
    )
