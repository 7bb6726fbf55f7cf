"""What a file's content is recognised by: its size and a hash of all of it.

An image that was moved or renamed is found again by it, and equal images have the same.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from threading import Event

from core.files import open_regular

_CHUNK = 2**20


def fingerprint_of(path: Path, stop: Event | None = None) -> str | None:
    """Returns the fingerprint of a file: short text without blanks. None if `stop` was set before
    all was read. Raises OSError, also for what is no regular file. Lets other threads run."""
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            if stop is not None and stop.is_set():
                return None
            digest.update(chunk)
            size += len(chunk)
    return f"{size:x}-{digest.hexdigest()}"
