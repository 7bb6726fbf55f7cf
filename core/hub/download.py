"""A model comes from the hub to this computer: listed, downloaded, checked, gone on with.

huggingface_hub gives the session (with the system's proxy and certificates), the endpoint, the
cache and the errors. The bytes are moved here, since its own download begins anew after a break
(2.x) and sees a cancel once in ten megabytes. Nothing of this happens without being asked for.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import operator
import os
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from core.errors import Cancelled, HubError, HubNeed
from core.formatting import format_bytes
from core.hub.jobs import Progress
from core.hub.listing import (
    is_settings,
    parameters_of,
    record_of,
    require_loadable,
    require_runnable,
    tower_of,
)
from core.hub.location import (
    CacheLocation,
    FolderLocation,
    HubFile,
    ModelLocation,
    Record,
    free_bytes,
    is_hub_id,
)

TICK_SECONDS = 0.2
STALL_SECONDS = 20.0
_LONGEST_WAIT = 60.0
_RATE_SECONDS = 5.0
_SPARE_BYTES = 200_000_000
_LARGEST_LISTING = 50_000_000
_READ_BYTES = 2**20
# Files that are moved at once: a content network gives each connection only so much.
_CONNECTIONS = 4
# More than 50 GB at a time is not given by plain HTTP, as huggingface_hub's own download says; a
# larger file is asked for in ranges, which it goes on with in the same way.
_LONGEST_ANSWER = 40_000_000_000


@dataclass(frozen=True)
class Hub:
    """Which hub, as whom. `token` is "" for nobody; `waits` are the seconds between tries."""

    endpoint: str
    cache: Path
    token: str = ""
    is_offline: bool = False
    waits: tuple[float, ...] = (1, 2, 4, 8, 8)

    @classmethod
    def here(cls, token: str = "", is_offline: bool = False) -> Hub:
        """As HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE say."""
        from huggingface_hub import constants, get_token

        return cls(
            endpoint=constants.ENDPOINT,
            cache=Path(constants.HF_HUB_CACHE),
            token=token or get_token() or "",
            is_offline=is_offline or constants.is_offline_mode(),
        )

    def page(self, hub_id: str) -> str:
        """Where people read about the model, and accept its licence."""
        return f"{self.endpoint}/{hub_id}"


@dataclass(frozen=True)
class HubModel:
    """What the hub tells of a model before it is downloaded. `size` are bytes, its vision tower's
    too; `config` its settings, {} where they are kept from strangers; `parameters` None where the
    hub does not count them."""

    hub_id: str
    size: int
    licence: str
    is_gated: bool
    parameters: int | None
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


Answered = TypeVar("Answered")
OnProgress = Callable[[Progress], None]
_DOWNLOADING = "Downloading"


def fetch(
    hub: Hub,
    hub_id: str,
    on_progress: OnProgress,
    stop: threading.Event,
    parent: Path | None = None,
    *,
    is_part: bool = False,
) -> Path:
    """Download a model, with the vision tower that it names, and give the folder to load.

    It goes into the hub's cache, or into a folder of its own in `parent`. `is_part` says that it
    is a vision tower, which no question can be asked. Blocks;
    `on_progress` is called from this thread, several times a second. Raises HubError, and
    Cancelled once `stop` is set, within a second. What has come by then stays; the same call
    goes on from there.
    """
    _require_askable(hub, hub_id)
    download = _Download(hub, parent, on_progress, stop)
    return _run(download.run(hub_id, is_part), download.tick, stop)


def look_up(hub: Hub, hub_id: str, stop: threading.Event) -> HubModel:
    """Ask the hub what a model is, and download nothing but its settings, which are not kept.

    Blocks, and raises, as `fetch` does.
    """
    _require_askable(hub, hub_id)
    download = _Download(hub, None, lambda progress: None, stop)
    return _run(download.look_up(hub_id), download.tick, stop)


def _require_askable(hub: Hub, hub_id: str) -> None:
    if not is_hub_id(hub_id):
        raise HubError(f"“{hub_id}” is no name at the hub. Write it as owner/name.")
    if hub.is_offline:
        raise HubError(
            "Onlooker is set to work offline, so nothing is downloaded. Allow the network first "
            "(Work offline, or HF_HUB_OFFLINE).",
            HubNeed.ONLINE,
        )
    if not all(urlsplit(hub.endpoint)[:2]):
        raise HubError(f"HF_ENDPOINT is “{hub.endpoint}”, which is no address. Correct it.")
    if not re.fullmatch(r"[!-~]*", hub.token):
        # Sent as it is, the library would quote it in its complaint.
        raise HubError(
            "The access token holds blanks or letters that no token has. Enter it again.",
            HubNeed.TOKEN,
        )


def with_access_token(
    read_token: Callable[[threading.Event], str],
    hub: Hub,
    stop: threading.Event,
    ask: Callable[[Hub], Answered],
) -> Answered:
    """What `ask` gives; it is called once more with a token where the hub wants to know who asks.

    The keyring, which a person may have to unlock, is asked only then.
    """
    try:
        return ask(hub)
    except HubError as error:
        token = read_token(stop) if error.need in (HubNeed.TOKEN, HubNeed.LICENCE) else ""
        if token in ("", hub.token):
            raise
    return ask(replace(hub, token=token))


def checksum_of(
    file: HubFile, path: Path, stop: threading.Event, on_bytes: Callable[[int], None]
) -> str:
    """The checksum of what is at `path`, of the kind that `file` has; Cancelled by `stop`."""
    digest = _digest(file)
    with path.open("rb") as opened:
        while block := opened.read(_READ_BYTES):
            if stop.is_set():
                raise Cancelled("Checking was ended.")
            digest.update(block)
            on_bytes(len(block))
    return digest.hexdigest()


def _digest(file: HubFile) -> Any:
    if len(file.checksum) == 64:
        return hashlib.sha256()
    # Git's name for a file's content.
    return hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)


# ---- one download ------------------------------------------------------------------------------


class _Busy(Exception):
    """The hub cannot answer now; `seconds` is how long it asks to wait, None for nothing said."""

    def __init__(self, status: int, seconds: float | None):
        super().__init__(f"HTTP {status}")
        self.status = status
        self.seconds = seconds


class _Damaged(Exception):
    """What came is not what the hub named."""


class _Download:
    """The steps of one download, and how far it is."""

    def __init__(
        self, hub: Hub, parent: Path | None, on_progress: OnProgress, stop: threading.Event
    ):
        self._hub = hub
        self._parent = parent
        self._on_progress = on_progress
        self._stop = stop
        self._pace = _Pace()
        self._stage = "Asking the hub"
        self._files: dict[str, str] = {}
        self._total = 0
        self._done = 0
        self._moved = 0
        self._failures = _connection_failures()

    def tick(self) -> None:
        """Tell how far it is."""
        rate = self._pace.rate(self._moved)
        left = (self._total - self._done) / rate if rate > 0 else None
        self._on_progress(Progress(self._told(), self._done, self._total, rate, left))

    def _told(self) -> str:
        """What is done now, of the files under way together."""
        stages = list(self._files.values()) or [self._stage]
        count = sum(stage.startswith(_DOWNLOADING) for stage in stages)
        if count > 1:
            return f"{_DOWNLOADING} {count} files"
        return next((stage for stage in stages if stage.startswith(_DOWNLOADING)), stages[0])

    async def run(self, hub_id: str, is_part: bool) -> Path:
        try:
            async with _session() as self._client:
                place = self._place(self._parent, hub_id)
                folder = await self._fetch(hub_id, place, is_part=is_part)
        except OSError as error:
            raise _explained(error, hub_id) from error
        self._stage = "Ready"
        self.tick()
        return folder

    async def look_up(self, hub_id: str) -> HubModel:
        async with _session() as self._client:
            record, listing = await self._list(hub_id)
            size, config = record.size, {}
            try:
                config = await self._settings_of(record)
            except HubError as error:
                # Its name and size are told to everybody, of a gated model too.
                if error.need not in (HubNeed.TOKEN, HubNeed.LICENCE):
                    raise
            if tower := tower_of(config):
                size += (await self._list(tower))[0].size
        return HubModel(
            hub_id,
            size,
            record.licence,
            listing.get("gated") not in (None, False),
            parameters_of(listing),
            config,
        )

    async def _settings_of(self, record: Record) -> Mapping[str, Any]:
        address = f"{self._hub.endpoint}/{record.hub_id}/resolve/{record.revision}/config.json"
        text = await self._patiently("", lambda: self._read(record.hub_id, address), lambda: 0)
        try:
            config = json.loads(text)
        except (ValueError, RecursionError):
            config = None
        if not isinstance(config, dict):
            raise HubError(f"“{record.hub_id}” has no config.json to read. Choose another model.")
        # Errors name the folder, which is the last part of the id.
        require_loadable(record.hub_id, Path(record.hub_id), config, is_part=False)
        return config

    def _place(self, parent: Path | None, hub_id: str) -> ModelLocation:
        if parent is None:
            return CacheLocation(self._hub.cache, hub_id)
        return FolderLocation(parent / hub_id.rpartition("/")[2], hub_id)

    async def _fetch(self, hub_id: str, place: ModelLocation, *, is_part: bool = False) -> Path:
        """The model, and before its weights the tower that its settings name."""
        record, _ = await self._list(hub_id)
        with place.lock():
            place.begin(record)
            try:
                await self._fetch_files(place, record, is_part)
            finally:
                if not place.downloaded_bytes(record):
                    place.discard()
        return place.folder(record.revision)

    async def _fetch_files(self, place: ModelLocation, record: Record, is_part: bool) -> None:
        self._total += record.size
        self._done += place.downloaded_bytes(record)
        settings = [file for file in record.files if is_settings(file)]
        weights = [file for file in record.files if not is_settings(file)]
        await self._get_all(place, record, settings)
        try:
            config = require_runnable(record.hub_id, place.folder(record.revision), is_part)
        except HubError:
            place.discard()
            raise
        if tower := tower_of(config):
            inside = place.root if self._parent else None
            await self._fetch(tower, self._place(inside, tower), is_part=True)
        self._require_space(place)
        await self._get_all(place, record, weights)
        place.finish(record)

    def _require_space(self, place: ModelLocation) -> None:
        needed, free = self._total - self._done, free_bytes(place.root)
        if needed and needed + _SPARE_BYTES > free:
            raise HubError(
                f"This model needs {format_bytes(needed)} more on the disk, and "
                f"{format_bytes(_SPARE_BYTES)} to spare; {format_bytes(free)} are free. Free "
                "some space, or choose another folder for downloads.",
                HubNeed.SPACE,
            )

    # What is there

    async def _list(self, hub_id: str) -> tuple[Record, Mapping[str, Any]]:
        """What is wanted of the model, and all that the hub says of it."""
        self._stage = "Asking the hub"
        address = f"{self._hub.endpoint}/api/models/{hub_id}/revision/main?blobs=true"
        text = await self._patiently("", lambda: self._read(hub_id, address), lambda: 0)
        try:
            listing = json.loads(text)
            record = record_of(hub_id, listing)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise HubError(
                f"{self._hub.endpoint} does not answer as a hub does. Check HF_ENDPOINT and the "
                "proxy."
            ) from error
        names = {file.name for file in record.files}
        if "config.json" not in names or not any(not is_settings(file) for file in record.files):
            raise HubError(
                f"“{hub_id}” holds no model that Onlooker can read (config.json with weights in "
                "safetensors or .bin). Choose another one."
            )
        return record, listing

    async def _read(self, hub_id: str, address: str) -> bytes:
        async with self._response(hub_id, address) as response:
            read = bytearray()
            async for block in response.aiter_bytes():
                read += block
                if len(read) > _LARGEST_LISTING:
                    raise HubError(f"The hub's list of “{hub_id}” is too long. Choose another.")
            return bytes(read)

    # The files

    async def _get_all(self, place: ModelLocation, record: Record, files: list[HubFile]) -> None:
        """Several at once; the first failure ends the others, whose bytes are kept."""
        gate, failure = asyncio.Semaphore(_CONNECTIONS), None

        async def get(file: HubFile) -> None:
            async with gate:
                if not place.is_complete(record, file):
                    await self._get(place, record, file)
                place.commit(record, file)

        try:
            async with asyncio.TaskGroup() as group:
                for file in files:
                    group.create_task(get(file))
        except ExceptionGroup as failures:
            failure = failures.exceptions[0]
        if failure:
            raise failure

    async def _get(self, place: ModelLocation, record: Record, file: HubFile) -> None:
        path = place.partial_path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        address = (
            f"{self._hub.endpoint}/{record.hub_id}/resolve/{record.revision}/{quote(file.name)}"
        )
        try:
            await self._patiently(
                file.name,
                lambda: self._get_rest(record.hub_id, address, file, path),
                lambda: path.stat().st_size if path.exists() else 0,
            )
        except _Damaged as error:
            self._forget(path)
            raise HubError(
                f"“{file.name}” arrived damaged: its checksum is not the one that the hub names. "
                "Try again; it is downloaded anew."
            ) from error
        finally:
            self._files.pop(file.name, None)

    async def _get_rest(self, hub_id: str, address: str, file: HubFile, path: Path) -> None:
        """From where the half file ends, to its end; then compare the checksum."""
        if path.is_symlink() and path.is_file():
            self._forget(path)  # Whoever gave the folder away would have us write elsewhere.
        digest = _digest(file)
        have = path.stat().st_size if path.exists() else 0
        if have > file.size:
            self._forget(path)
            have = 0
        if have:
            self._files[file.name] = "Reading what is here"
            await asyncio.to_thread(_feed, digest, path, self._stop)
        self._files[file.name] = f"{_DOWNLOADING} {file.name}"
        while have < file.size or not path.exists():
            end = min(have + _LONGEST_ANSWER, file.size)
            last = str(end - 1) if end < file.size else ""
            headers = {"Range": f"bytes={have}-{last}"} if have or last else {}
            async with self._response(hub_id, address, **headers) as response:
                if response.status_code != 206:
                    end = file.size
                    if have:
                        # The whole file comes, not the rest that was asked for.
                        self._forget(path)
                        digest, have = _digest(file), 0
                elif not response.headers.get("content-range", "").startswith(f"bytes {have}-"):
                    raise _Damaged(file.name)
                with path.open("ab") as opened:
                    async for block in response.aiter_bytes():
                        have += len(block)
                        if have > end:
                            raise _Damaged(file.name)
                        opened.write(block)
                        digest.update(block)
                        self._done += len(block)
                        self._moved += len(block)
                    opened.flush()
            if have < end:
                raise _Busy(200, None)  # The server let go early.
        if digest.hexdigest() != file.checksum:
            raise _Damaged(file.name)
        self._files[file.name] = f"Writing {file.name}"
        await asyncio.to_thread(_to_disk, path)

    def _forget(self, path: Path) -> None:
        if path.exists():
            self._done -= path.stat().st_size
            path.unlink()

    # The network

    async def _patiently(
        self, name: str, attempt: Callable[[], Coroutine[Any, Any, Any]], here: Callable[[], int]
    ) -> Any:
        """Try until it succeeds; give up after several failures without a byte between them.

        `here` gives how many bytes of the file of this `name` are here.
        """
        waits = iter(self._hub.waits)
        while True:
            before = here()
            try:
                return await attempt()
            except _Busy as busy:
                error, asked = busy, busy.seconds
            except self._failures as failure:
                error, asked = failure, None
                if not self._moved and len(self._hub.waits) - operator.length_hint(waits) >= 2:
                    # Nothing has ever come: there is no network, rather than a broken one.
                    waits = iter(())
            if here() > before:
                waits = iter(self._hub.waits)
            wait = next(waits, None)
            if wait is None or (asked or 0) > _LONGEST_WAIT:
                raise self._unreachable(error, asked) from error
            seconds = wait if asked is None else asked
            if seconds >= 1:
                self._files[name] = f"Waiting {seconds:.0f} s for the hub"
            await asyncio.sleep(seconds)
            self._files.pop(name, None)

    def _unreachable(self, error: Exception, asked: float | None) -> HubError:
        host = urlsplit(self._hub.endpoint).hostname
        if isinstance(error, _Busy) and error.status == 429:
            minutes = f"{max(1, round((asked or 60) / 60))} min"
            return HubError(
                f"{host} has been asked too often from here. Try again in {minutes}.",
                HubNeed.NETWORK,
            )
        if isinstance(error, _Busy) and error.status != 200:
            return HubError(
                f"{host} cannot answer now (HTTP {error.status}). Try again later.", HubNeed.NETWORK
            )
        if self._done:
            return HubError(
                f"The connection to {host} was lost. Check the network, then go on; what has come "
                "is kept.",
                HubNeed.NETWORK,
            )
        reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).strip(" .") or type(error).__name__
        return HubError(
            f"{host} cannot be reached ({reason}). Check the network and the proxy, then try "
            "again.",
            HubNeed.NETWORK,
        )

    @asynccontextmanager
    async def _response(self, hub_id: str, address: str, **headers: str) -> AsyncIterator[Any]:
        headers |= {"Accept-Encoding": "identity", "User-Agent": "onlooker"}
        if self._hub.token and _is_safe(address):
            headers["Authorization"] = f"Bearer {self._hub.token}"
        async with self._client.stream(
            "GET", address, headers=headers, timeout=STALL_SECONDS
        ) as response:
            status = response.status_code
            is_hub = (
                response.url.host == urlsplit(self._hub.endpoint).hostname
                or "x-error-code" in response.headers
            )
            if status == 416:
                raise _Damaged("The half file is longer than the whole one.")
            if status in (408, 429) or status >= 500 or (status >= 400 and not is_hub):
                # Of a content network: an address that has grown old, for instance.
                raise _Busy(status, _seconds(response.headers.get("retry-after")))
            if status >= 400:
                raise self._refusal(hub_id, response)
            yield response

    def _refusal(self, hub_id: str, response: Any) -> HubError:
        status, code = response.status_code, response.headers.get("x-error-code")
        page = self._hub.page(hub_id)
        if code == "GatedRepo" or status == 403:
            if self._hub.token:
                return HubError(
                    f"“{hub_id}” is given only to those who accepted its licence. Accept it at "
                    f"{page}, then try again.",
                    HubNeed.LICENCE,
                )
            return HubError(
                f"“{hub_id}” is given only to those who accepted its licence. Accept it at "
                f"{page}, then enter your access token.",
                HubNeed.TOKEN,
            )
        if status == 401 and self._hub.token and code != "RepoNotFound":
            return HubError(
                "The hub does not accept the access token. Enter another one.", HubNeed.TOKEN
            )
        if status == 401 or (status == 404 and code in (None, "RepoNotFound")):
            return HubError(
                f"The hub has no model “{hub_id}”, or it is a private one. Check the name, or "
                "enter an access token that may read it.",
                HubNeed.TOKEN,
            )
        if status == 404:
            return HubError(f"“{hub_id}” has changed at the hub while it was read. Try again.")
        return HubError(f"The hub refuses “{hub_id}” (HTTP {status}). Choose another one.")


def _seconds(retry_after: str | None) -> float | None:
    """Of a Retry-After header; a date in it is not read."""
    text = (retry_after or "").strip()
    return float(text) if text.isdecimal() and len(text) < 7 else None


def _is_safe(address: str) -> bool:
    """A token is not sent where others can read it."""
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")


# ---- the disk, the clock and the thread --------------------------------------------------------


def _feed(digest: Any, path: Path, stop: threading.Event) -> None:
    with path.open("rb") as opened:
        while (block := opened.read(_READ_BYTES)) and not stop.is_set():
            digest.update(block)


def _to_disk(path: Path) -> None:
    """A name that says “whole” must not be kept by the disk before the bytes are."""
    with path.open("rb+") as opened:
        os.fsync(opened.fileno())


def _explained(error: OSError, hub_id: str) -> HubError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HubError(
            f"The disk is full, and “{hub_id}” is not here yet. Free some space, then go on; "
            "what has come is kept.",
            HubNeed.SPACE,
        )
    reason = error.strerror or str(error)
    return HubError(
        f"“{hub_id}” cannot be written ({reason}). Allow writing there, or choose another folder "
        "for downloads."
    )


def _session() -> Any:
    """huggingface_hub's; HubError where the system names a proxy that is none."""
    from huggingface_hub import get_async_session

    try:
        return get_async_session()
    except Exception as error:
        # ValueError for an unknown beginning, ImportError for SOCKS, and one of the library's own.
        raise HubError(
            "The proxy that this system names (HTTPS_PROXY, ALL_PROXY) cannot be used. Correct it; "
            "it begins with http://.",
            HubNeed.NETWORK,
        ) from error


def _connection_failures() -> type[Exception]:
    """What the session raises when the network fails: huggingface_hub 1.x comes with httpx, 2.x
    with httpx2, and its own error is the first child of either."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]


class _Pace:
    """Bytes a second, over the last few seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def rate(self, moved: int) -> float:
        now = time.monotonic()
        self._samples.append((now, moved))
        while now - self._samples[0][0] > _RATE_SECONDS and len(self._samples) > 2:
            self._samples.popleft()
        then, before = self._samples[0]
        return (moved - before) / (now - then) if now - then >= TICK_SECONDS / 2 else 0.0


class _Executor(ThreadPoolExecutor):
    """Is not waited for: a name server that does not answer would hold up a cancel."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


def _run(
    work: Coroutine[Any, Any, Answered], tick: Callable[[], None], stop: threading.Event
) -> Answered:
    """Run `work` in a loop of its own; tell how far it is, and end it soon after `stop` is set."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_Executor(2, thread_name_prefix="hub"))
        return runner.run(_watched(work, tick, stop))


async def _watched(
    work: Coroutine[Any, Any, Answered], tick: Callable[[], None], stop: threading.Event
) -> Answered:
    task = asyncio.create_task(work)
    while not task.done():
        tick()
        if stop.is_set():
            task.cancel()
        await asyncio.wait([task], timeout=TICK_SECONDS)
    if task.cancelled():
        raise Cancelled("The download was ended.")
    return task.result()
