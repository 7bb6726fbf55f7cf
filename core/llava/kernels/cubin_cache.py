"""Compiled kernels kept on disk, so that the next start on the same GPU compiles nothing.

A file is a SHA-256 digest followed by the CUBIN that it belongs to, and is named after the source
and a key of everything that the machine code depends on. The cache never fails: a file that cannot
be read or whose digest does not match is a miss, and one that cannot be written is skipped.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

# A model needs up to seven files, 230 kB in all.
_MOST_FILES = 64
_DIGEST_BYTES = 32


class CubinCache:
    """CUBINs by key in `folder`, which need not exist. The least recently used are removed."""

    def __init__(self, folder: Path):
        self._folder = folder

    def read(self, key: str) -> bytes | None:
        """Returns the CUBIN kept under `key`, or None. Marks it as used."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.info("A compiled kernel cannot be read: %s.", error)
            return None
        digest, cubin = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(cubin).digest() != digest:
            log.info("A compiled kernel in the cache is damaged and will be rebuilt: %s.", path)
            return None
        # Marking fails in a folder that may only be read, which is still good for reading.
        with suppress(OSError):
            os.utime(path)
        return cubin

    def write(self, key: str, cubin: bytes) -> None:
        """Keeps `cubin` under `key`. Another process sees the whole file or none."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # In the same folder: a file is replaced in one step only within one file system.
            handle, name = tempfile.mkstemp(prefix=key, suffix=".part", dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(cubin).digest() + cubin)
                Path(name).replace(self._path(key))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            log.info("A compiled kernel cannot be kept: %s.", error)

    def remove_old(self) -> None:
        """Removes the least recently used files beyond the limit, unfinished ones among them."""
        try:
            files = sorted(self._folder.iterdir(), key=lambda path: -path.stat().st_mtime_ns)
            for path in files[_MOST_FILES:]:
                path.unlink()
        except OSError as error:
            # Another process may be removing the same files.
            log.info("Old compiled kernels cannot be removed: %s.", error)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.cubin"


def cubin_key(name: str, parts: Iterable[bytes]) -> str:
    """The key of the source `name`, of all that its machine code depends on."""
    digest = hashlib.sha256()
    for part in parts:
        # With the length, so that no two lists of parts give the same bytes.
        digest.update(len(part).to_bytes(8, "little") + part)
    return f"{Path(name).stem}-{digest.hexdigest()[:40]}"


def default_cache() -> CubinCache | None:
    """The cache in the program's cache folder; None for a user without one."""
    # Imported here, since the terminal needs no platformdirs otherwise.
    from core.locations import locations

    try:
        folder = locations().kernels
    except RuntimeError:
        # platformdirs and Path.home raise it for a user whom the system does not know.
        return None
    return CubinCache(folder) if folder.is_absolute() else None
