"""Downloading wheels: found in package indexes, side by side, resumed where they stopped, verified.

A wheel in a folder of this computer is verified and used where it is. Which address a wheel comes
from does not matter: it must have the pinned checksum.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from core.engine_packs.index import ACCEPT, IndexFile, files_on_page, normalized
from core.engine_packs.pins import WheelPin
from core.engine_packs.refusals import (
    Refused,
    not_found,
    other_file,
    refusal_of,
    unreachable_error,
)
from core.engine_packs.sources import (
    Sources,
    folder_of,
    host_of,
    project_page,
    with_credentials,
)
from core.errors import HubNeed, PackError
from core.files import size_of
from core.message import translatable
from core.partial_file import take_place
from core.transfer.meter import DownloadMeter
from core.transfer.network import http_library
from core.transfer.retrying import Busy, Damaged, GaveUp, retrying, seconds_to_wait
from core.transfer.together import together

PARTIAL = ".part"
_CONNECTIONS = 4
_LARGEST_PAGE = 50_000_000
_READ_BYTES = 2**20


class Fetcher:
    """Downloads wheels into `folder`; used with `async with`.

    `waits` are the seconds between tries. `meter` counts the bytes of verified local wheels too.
    """

    def __init__(
        self,
        sources: Sources,
        folder: Path,
        meter: DownloadMeter,
        stop: threading.Event,
        waits: Sequence[float] = (1, 2, 4, 8, 8),
    ):
        self._sources, self._folder = sources, folder
        self._meter, self._stop, self._waits = meter, stop, waits

    async def __aenter__(self) -> Fetcher:
        """Opens the connection pool. Raises PackError for a proxy or certificates of no use."""
        self._http = _new_client(self._sources)
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *failure: Any) -> None:
        """Closes the connections."""
        await self._http.__aexit__(*failure)

    async def fetch_all(self, wheels: Sequence[WheelPin]) -> dict[str, Path]:
        """Returns where each wheel is, by file name; the first failure ends the other downloads.

        Raises PackError. The bytes that came stay, and the next call resumes from them.
        """
        gate = asyncio.Semaphore(_CONNECTIONS)
        found: dict[str, Path] = {}

        async def fetch(wheel: WheelPin) -> None:
            async with gate:
                try:
                    found[wheel.filename] = await self._fetch(wheel)
                finally:
                    self._meter.files.pop(wheel.filename, None)

        await together(map(fetch, wheels))
        return found

    async def read_page(self, address: str) -> dict[str, IndexFile]:
        """The files of a page of an index, {} if there is no page. Raises PackError and Refused."""
        return await self._retrying("", address, lambda: self._read_page(address), Path())

    # ---- one wheel ------------------------------------------------------------------------------

    async def _fetch(self, wheel: WheelPin) -> Path:
        path = self._folder / wheel.filename
        if path.is_file() and path.stat().st_size == wheel.size:
            self._meter.done += wheel.size
            return path
        partial = path.with_name(path.name + PARTIAL)
        have = size_of(partial)
        self._meter.done += have
        looking = translatable("core", "Looking for {name}").format(name=wheel.name)
        self._meter.files[wheel.filename] = looking
        reasons: dict[str, str] = {}
        unreachable: list[PackError] = []
        async for source, file in self._candidates(wheel, reasons, unreachable):
            try:
                if (local := folder_of(file.address)) is not None:
                    return await self._verify_local(wheel, local)
                await self._download(wheel, with_credentials(file.address, source), partial)
            except Refused as refusal:
                reasons[host_of(source)] = refusal.reason
            except Damaged:
                reasons[host_of(source)] = other_file()
            else:
                await asyncio.to_thread(_to_disk, partial)
                take_place(partial, path)
                return path
        # Another place may have it, but if none has, this is the reason that can be mended.
        raise unreachable[0] if unreachable else not_found(wheel, reasons)

    async def _candidates(
        self, wheel: WheelPin, reasons: dict[str, str], unreachable: list[PackError]
    ) -> AsyncGenerator[tuple[str, IndexFile]]:
        """Where the wheel may be, each with the index or page that lists it."""
        for source in self._places(wheel):
            file = None
            try:
                file = await self._find(wheel.filename, source)
            except Refused as refusal:
                reasons[host_of(source)] = refusal.reason
            except PackError as error:
                unreachable.append(error)
            if file is None:
                reasons.setdefault(host_of(source), translatable("core", "does not have it"))
            elif file.sha256 not in ("", wheel.sha256):
                reasons[host_of(source)] = other_file()
            else:
                yield source, file

    def _places(self, wheel: WheelPin) -> list[str]:
        """Folders and pages to look at: pip's, then the index that the pin names."""
        places = list(self._sources.find_links)
        if self._sources.is_offline:
            return places
        indexes = [*self._sources.indexes, wheel.index]
        project = normalized(wheel.name)
        pages = [project_page(index, project) for index in indexes if index]
        # What is on this computer need not be downloaded, also where pip would.
        return sorted(dict.fromkeys([*places, *pages]), key=lambda place: folder_of(place) is None)

    async def _find(self, filename: str, source: str) -> IndexFile | None:
        folder = folder_of(source)
        if folder is None:
            return (await self.read_page(source)).get(filename)
        if (folder / filename).is_file():
            return IndexFile(filename, str(folder / filename))
        page = folder / "index.html" if folder.is_dir() else folder
        if page.suffix not in (".html", ".htm") or not page.is_file():
            return None
        body = await asyncio.to_thread(page.read_bytes)
        try:
            return files_on_page(body, "text/html", page.absolute().as_uri()).get(filename)
        except ValueError as error:
            raise Refused(translatable("core", "is not a page of a package index")) from error

    async def _verify_local(self, wheel: WheelPin, path: Path) -> Path:
        if size_of(path) != wheel.size:
            raise Damaged(wheel.filename)
        reading = translatable("core", "Reading {name}").format(name=wheel.name)
        self._meter.files[wheel.filename] = reading
        digest = hashlib.sha256()
        await asyncio.to_thread(self._feed, digest, path)
        if digest.hexdigest() != wheel.sha256:
            raise Damaged(wheel.filename)
        self._meter.done += wheel.size
        return path

    async def _download(self, wheel: WheelPin, address: str, partial: Path) -> None:
        """Downloads the rest of a wheel; once more from its beginning if the rest did not fit."""
        for _ in range(2):
            resumed = size_of(partial) > 0
            try:
                await self._retrying(
                    wheel.filename,
                    address,
                    lambda: self._download_rest(wheel, address, partial),
                    partial,
                )
            except Damaged:
                self._delete(partial)
                if not resumed:
                    raise
            else:
                return
        raise Damaged(wheel.filename)

    async def _download_rest(self, wheel: WheelPin, address: str, partial: Path) -> None:
        digest, have = hashlib.sha256(), size_of(partial)
        if partial.is_symlink() or have > wheel.size:
            self._delete(partial)
            have = 0
        if have:
            self._meter.files[wheel.filename] = translatable("core", "Checking what is here")
            await asyncio.to_thread(self._feed, digest, partial)
        downloading = translatable("core", "Downloading {name}").format(name=wheel.name)
        self._meter.files[wheel.filename] = downloading
        if have < wheel.size:
            headers = {"Range": f"bytes={have}-"} if have else {}
            async with self._response(address, **headers) as response:
                if response.status_code != 206 and have:
                    # The whole file comes, not the rest that was asked for.
                    self._delete(partial)
                    digest, have = hashlib.sha256(), 0
                elif have and not response.headers.get("content-range", "").startswith(
                    f"bytes {have}-"
                ):
                    raise Damaged(wheel.filename)
                with partial.open("ab") as opened:
                    async for block in response.aiter_raw():
                        have += len(block)
                        if have > wheel.size:
                            raise Damaged(wheel.filename)
                        opened.write(block)
                        digest.update(block)
                        self._meter.receive(len(block))
        if have < wheel.size:
            raise Busy(200)  # The server closed the connection early.
        if digest.hexdigest() != wheel.sha256:
            raise Damaged(wheel.filename)

    def _feed(self, digest: Any, path: Path) -> None:
        with path.open("rb") as opened:
            while (block := opened.read(_READ_BYTES)) and not self._stop.is_set():
                digest.update(block)

    def _delete(self, partial: Path) -> None:
        self._meter.done -= size_of(partial)
        partial.unlink(missing_ok=True)

    # ---- requests -------------------------------------------------------------------------------

    async def _read_page(self, address: str) -> dict[str, IndexFile]:
        try:
            async with self._response(address, Accept=ACCEPT) as response:
                body = bytearray()
                async for block in response.aiter_bytes():
                    body += block
                    if len(body) > _LARGEST_PAGE:
                        raise Refused(translatable("core", "sends a page that is too long"))
                # Links are relative to where the page was found after redirects.
                found_at = urljoin(address, str(response.url))
                kind = response.headers.get("content-type", "")
            return files_on_page(bytes(body), kind, found_at)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise Refused(
                translatable("core", "does not answer as a package index does")
            ) from error

    @asynccontextmanager
    async def _response(self, address: str, **headers: str) -> AsyncGenerator[Any]:
        """Streams the answer to a GET request.

        Raises Busy if it is worth another attempt, FileNotFoundError for 404, Damaged for a wrong
        range, Refused for what else the server says.
        """
        headers |= {"Accept-Encoding": "identity", "User-Agent": "onlooker"}
        async with self._http.stream("GET", address, headers=headers) as response:
            status = response.status_code
            if status == 416:
                raise Damaged("The half file is longer than the whole one.")
            if status in (408, 429) or status >= 500:
                raise Busy(status, seconds_to_wait(response.headers.get("retry-after")))
            if status in (404, 410) and "Accept" in headers:
                raise FileNotFoundError(address)
            if status >= 400:
                raise Refused(refusal_of(status))
            yield response

    async def _retrying(self, name: str, address: str, attempt: Any, partial: Path) -> Any:
        host = host_of(address)

        def on_wait(seconds: float) -> None:
            if seconds:
                waiting = translatable("core", "Waiting {seconds} s for {host}")
                self._meter.files[name] = waiting.format(seconds=round(seconds), host=host)
            else:
                self._meter.files.pop(name, None)

        try:
            return await retrying(
                attempt,
                self._waits,
                bytes_here=lambda: size_of(partial) if name else 0,
                has_received=lambda: bool(self._meter.received),
                on_wait=on_wait,
            )
        except GaveUp as gave_up:
            raise unreachable_error(host, gave_up, self._meter.received) from gave_up.error
        except http_library().InvalidURL as error:
            raise Refused(translatable("core", "is not an address")) from error


def _new_client(sources: Sources) -> Any:
    library = http_library()
    try:
        verify: Any = ssl.create_default_context(cafile=sources.cert) if sources.cert else True
        mounts = {
            f"https://{host}": library.AsyncHTTPTransport(verify=False)
            for host in sources.trusted_hosts
        }
        return library.AsyncClient(
            verify=verify,
            proxy=sources.proxy or None,
            mounts=mounts or None,
            timeout=sources.timeout,
            follow_redirects=True,
        )
    except OSError as error:
        raise PackError(
            translatable(
                "core",
                "pip's certificates “{name}” cannot be read ({reason}). Correct PIP_CERT or pip's "
                "configuration.",
            ).format(name=sources.cert, reason=error.strerror or error),
            HubNeed.NETWORK,
        ) from error
    except Exception as error:
        # ValueError for an unknown beginning, ImportError for SOCKS, and one of the library's own.
        raise PackError(
            translatable(
                "core",
                "The proxy that pip or this system names cannot be used. Correct it; it begins "
                "with http://.",
            ),
            HubNeed.NETWORK,
        ) from error


def _to_disk(path: Path) -> None:
    """Flushes a file to the disk, so that its final name is not stored before its bytes are."""
    with path.open("rb+") as opened:
        os.fsync(opened.fileno())
