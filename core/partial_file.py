"""A file that is written before it takes the place of another one: by one thread of one program at
a time, whatever others do at the same moment."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from core.message import translatable

# A large table on a slow disk takes some seconds.
_PATIENCE_SECONDS, _RETRY_SECONDS = 30.0, 0.002
# Access denied, sharing violation, lock violation. A folder that may not be written is the first.
_IN_USE = (5, 32, 33)
_PAUSES_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def new_partial(path: Path, opener: Callable[[str, int], int]) -> BinaryIO:
    """Returns a new, empty file at `path`, which nobody else writes or removes before it is closed,
    where the file system knows locks. What a killed program left there is removed, also a link.

    Raises OSError, TimeoutError among them if another writer does not get done.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            file = open(path, "xb", opener=opener)  # noqa: SIM115 (the caller closes it)
        except FileExistsError:
            if not remove_left(path):
                if time.monotonic() > until:
                    why = translatable("core", "another program is writing it")
                    raise TimeoutError(errno.ETIMEDOUT, why) from None
                time.sleep(_RETRY_SECONDS)
            continue
        if _is_ours(file.fileno(), path):
            return file
        file.close()


def take_place(source: Path, target: Path) -> None:
    """Puts a file in the place of another one, in one step. Raises OSError.

    Windows refuses that while any program has one of the two open, as for the moment in which a
    virus scanner, an indexer or a thread of ours reads it: then it is tried again.
    """
    for pause in _PAUSES_SECONDS:
        try:
            source.replace(target)
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
        time.sleep(pause)
    source.replace(target)


def remove_left(path: Path) -> bool:
    """Removes what a killed program left at `path`. Returns False if somebody is writing it. Raises
    OSError."""
    if fcntl is None:
        path.unlink(missing_ok=True)
        return True
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    except OSError:  # A link, or a file that may not be written.
        path.unlink(missing_ok=True)
        return True
    try:
        is_free = _locked(descriptor)
        if is_free and _is_at(path, descriptor):
            path.unlink(missing_ok=True)
        return is_free
    finally:
        os.close(descriptor)


def _is_ours(descriptor: int, path: Path) -> bool:
    """Returns whether the file that was just made is locked, and still there: between the two
    somebody may have taken it for one that was left."""
    return fcntl is None or (_locked(descriptor) and _is_at(path, descriptor))


def _locked(descriptor: int) -> bool:
    """Locks a file. Returns False if somebody has locked it, and True where there are no locks."""
    assert fcntl is not None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if os.name == "nt":
    # It replaces no file that is open, and removes none.
    fcntl = None
else:
    import fcntl
