"""Checksums of files as the hub names them: SHA-256 of large files, git's SHA-1 of small ones."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from core.errors import Cancelled
from core.hub.location import HubFile

_READ_BYTES = 2**20


class Digest(Protocol):
    """What hashlib's objects can do."""

    def update(self, data: bytes, /) -> None:
        """Adds bytes."""
        ...

    def hexdigest(self) -> str:
        """The checksum of all bytes so far, in hexadecimal."""
        ...


def new_digest(file: HubFile) -> Digest:
    """A digest of the kind that `file.checksum` is of: SHA-256, or git's SHA-1 of a blob."""
    if len(file.checksum) == 64:
        return hashlib.sha256()
    return hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)


def feed(digest: Digest, path: Path, stop: threading.Event) -> None:
    """Adds the content of a file to a digest; ends early once `stop` is set."""
    with path.open("rb") as opened:
        while (block := opened.read(_READ_BYTES)) and not stop.is_set():
            digest.update(block)


def checksum_of(
    file: HubFile, path: Path, stop: threading.Event, on_bytes: Callable[[int], None]
) -> str:
    """The checksum of what is at `path`, of the kind that `file` has; Cancelled by `stop`."""
    digest = new_digest(file)
    with path.open("rb") as opened:
        while block := opened.read(_READ_BYTES):
            if stop.is_set():
                raise Cancelled("Checking was ended.")
            digest.update(block)
            on_bytes(len(block))
    return digest.hexdigest()
