"""Looks the wheels of a library up in package indexes, and reads of them only what is asked for."""

from __future__ import annotations

import asyncio
import io
import ssl
import sys
import zipfile
from dataclasses import dataclass, replace
from email.parser import Parser
from typing import Any

from bundle import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

sys.path.insert(0, str(ROOT))

from core.engine_packs.fetching import Fetcher
from core.engine_packs.index import IndexFile, normalized
from core.engine_packs.sources import Sources, folder_of, project_page
from core.engine_packs.unpacking import wanted_files
from core.transfer.network import http_library

# The public default; pip's own settings replace it.
PYPI = "https://pypi.org/simple"

_READ_BYTES = 2**18


@dataclass(frozen=True)
class Target:
    """What a pack is for."""

    torch: str
    platform: str
    python: str

    @property
    def system(self) -> str:
        """linux or win."""
        return self.platform.partition("_")[0]

    def environment(self, extra: str = "") -> dict[str, str]:
        """The values of environment markers there."""
        version = f"{self.python[2]}.{self.python[3:]}"
        is_windows = self.system == "win"
        return {
            "extra": extra,
            "implementation_name": "cpython",
            "os_name": "nt" if is_windows else "posix",
            "platform_machine": "AMD64" if is_windows else self.platform.partition("_")[2],
            "platform_python_implementation": "CPython",
            "platform_system": "Windows" if is_windows else "Linux",
            "python_full_version": f"{version}.0",
            "python_version": version,
            "sys_platform": "win32" if is_windows else "linux",
        }

    def fits(self, filename: str) -> bool:
        """Whether a wheel is for this platform and Python."""
        machine = self.platform.partition("_")[2]
        for tag in parse_wheel_filename(filename)[3]:
            suits_python = tag.interpreter in (self.python, "py3", "py2.py3")
            is_manylinux = tag.platform.startswith("manylinux") and tag.platform.endswith(machine)
            suits_platform = tag.platform in ("any", self.platform)
            if self.system == "linux":
                suits_platform |= is_manylinux
            if suits_python and tag.abi in ("none", "abi3", self.python) and suits_platform:
                return True
        return False


@dataclass(frozen=True)
class Found:
    """A wheel of an index, with what its own files say."""

    file: IndexFile
    index: str
    name: str
    version: str
    licence: str
    requirements: tuple[Requirement, ...]
    unpacked: int
    has_content: bool

    def entry(self) -> dict[str, Any]:
        """What stands in the file of pins."""
        return {
            "name": self.name,
            "version": self.version,
            "sha256": self.file.sha256,
            "size": self.file.size,
            "unpacked": self.unpacked,
            "licence": self.licence,
            "index": self.index,
        }


class Lookup:
    """Looks wheels up in indexes; each is read once."""

    def __init__(self, sources: Sources, fetcher: Fetcher, leave_out: list[str]):
        self._sources, self._fetcher, self._leave_out = sources, fetcher, leave_out
        self._known: dict[str, Found] = {}

    async def find(self, requirement: Requirement, target: Target, index: str = "") -> Found | None:
        """The newest wheel that fits, in `index` or in pip's; None where there is none."""
        best: tuple[Version, IndexFile, str] | None = None
        for source in [index] if index else self._sources.indexes:
            files = await self._page(project_page(source, normalized(requirement.name)))
            for name, file in files.items():
                if not name.endswith(".whl") or not target.fits(name):
                    continue
                version = parse_wheel_filename(name)[1]
                if version.local and not index:
                    continue  # PyTorch for the processor alone, which a build's own index may have.
                if requirement.specifier.contains(version, prereleases=True) and (
                    best is None or version > best[0]
                ):
                    best = (version, file, source)
        if best is None:
            return None
        _, file, source = best
        if file.filename not in self._known:
            public = PYPI if source in self._sources.indexes else source
            self._known[file.filename] = await asyncio.to_thread(self._read, file, public)
        return self._known[file.filename]

    async def _page(self, address: str) -> dict[str, IndexFile]:
        folder = folder_of(address)
        if folder is None:
            return await self._fetcher.read_page(address)
        from core.engine_packs.index import files_on_page

        page = folder / "index.html"
        if not page.is_file():
            return {}
        return files_on_page(page.read_bytes(), "text/html", page.absolute().as_uri())

    def _read(self, file: IndexFile, index: str) -> Found:
        with open_wheel(self._sources, file) as (archive, size):
            name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            metadata = Parser().parsestr(archive.read(name).decode("utf-8", "replace"))
            wanted = wanted_files(archive.infolist(), self._leave_out)
        if not file.sha256:
            raise SystemExit(f"The index gives no checksum of {file.filename}.")
        return Found(
            replace(file, size=size),
            index,
            canonicalize_name(metadata["Name"]),
            metadata["Version"],
            licence_of(metadata),
            tuple(Requirement(text) for text in metadata.get_all("Requires-Dist") or ()),
            sum(entry.file_size for entry, _ in wanted),
            any(".dist-info/" not in place for _, place in wanted),
        )


def licence_of(metadata: Any) -> str:
    """The licence in a few words, "" where the wheel does not say."""
    text = metadata["License-Expression"] or metadata["License"] or ""
    return next((line.strip()[:100] for line in text.splitlines() if line.strip()), "")


class open_wheel:  # noqa: N801 (used like the function open)
    """A wheel of an index as a zip file and its size, of which only what is asked for is read."""

    def __init__(self, sources: Sources, file: IndexFile):
        self._sources, self._file = sources, file

    def __enter__(self) -> tuple[zipfile.ZipFile, int]:
        """Opens the wheel."""
        local = folder_of(self._file.address)
        raw: io.RawIOBase
        if local is not None:
            raw = io.FileIO(local)
            size = local.stat().st_size
        else:
            raw = RangeReader(self._sources, self._file)
            size = raw.size
        self._archive = zipfile.ZipFile(io.BufferedReader(raw, _READ_BYTES))
        return self._archive, size

    def __exit__(self, *failure: object) -> None:
        """Closes it."""
        self._archive.close()


class RangeReader(io.RawIOBase):
    """A file at an address, read by HTTP ranges."""

    def __init__(self, sources: Sources, file: IndexFile):
        super().__init__()
        verify: Any = ssl.create_default_context(cafile=sources.cert) if sources.cert else True
        self._client = http_library().Client(
            verify=verify, proxy=sources.proxy or None, timeout=60, follow_redirects=True
        )
        self._address, self._at = file.address, 0
        _, self.size = self._range(0, 0)

    def _range(self, first: int, last: int) -> tuple[bytes, int]:
        headers = {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}
        with self._client.stream("GET", self._address, headers=headers) as response:
            if response.status_code != 206:
                raise SystemExit(f"{self._address}: no ranges (HTTP {response.status_code}).")
            total = int(response.headers["content-range"].rpartition("/")[2])
            return response.read(), total

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves the position."""
        self._at = {0: 0, 1: self._at, 2: self.size}[whence] + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Reads what fits into the buffer."""
        last = min(self._at + len(buffer), self.size) - 1
        if last < self._at:
            return 0
        data, _ = self._range(self._at, last)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
