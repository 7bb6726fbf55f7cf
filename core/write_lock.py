"""Locks that let one thread of one process at a time write captions, make a file, or change it."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from core.files import private
from core.message import translatable


class WriteLock:
    """Lets one thread of one process at a time write captions, among all that lock the same folder:
    that of the journals of runs. The thread that holds it may acquire it again.

    Without it two runs over the same images would overwrite each other's captions.
    """

    def __init__(self, folder: Path):
        self._path = folder / ".writing"
        self._threads = threading.RLock()
        self._depth = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> None:
        self._threads.acquire()
        self._depth += 1
        if self._depth > 1:
            return
        try:
            self._file = FileIO(self._path, "a", opener=private)
            lock_file(self._file.fileno(), waits=True)
        except OSError:
            # Some network file systems have no locks. Threads still exclude each other.
            return

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._file is not None:
            self._file.close()
            self._file = None
        self._threads.release()


# A large table on a slow disk takes some seconds.
_PATIENCE_SECONDS, _RETRY_SECONDS = 30.0, 0.01


@contextmanager
def one_at_a_time(path: Path, must_stop: Callable[[], bool] = lambda: False) -> Generator[None]:
    """Lets one thread of one program at a time into the block, among all that lock the file at
    `path`, which is made for that and stays. Where nothing can be locked, as in a folder that
    cannot be written, all are let in.

    Raises TimeoutError if another one does not get done, or once `must_stop` returns True.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    file: BinaryIO | None = None
    with suppress(OSError):
        file = FileIO(path, "a", opener=private)
    try:
        while file is not None:
            try:
                lock_file(file.fileno())
                break
            except (BlockingIOError, PermissionError):  # The second is Windows'.
                if must_stop() or time.monotonic() > until:
                    why = translatable("core", "another program is using it")
                    raise TimeoutError(errno.ETIMEDOUT, why) from None
                time.sleep(_RETRY_SECONDS)
            except OSError:
                break
        yield
    finally:
        if file is not None:
            file.close()


@contextmanager
def replacing(path: Path) -> Generator[None]:
    """Lets one program at a time read a file and put another one in its place within the block,
    also those of other users and, where the file system knows locks, of other computers. Raises
    TimeoutError if one does not get done."""
    # Windows replaces no file that is open.
    descriptor = None if os.name == "nt" else _locked(path, time.monotonic() + _PATIENCE_SECONDS)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(path: Path, until: float) -> int | None:
    """Returns the descriptor that has the lock: of the file, or of its folder as long as there is
    none. None where nothing can be locked."""
    while True:
        is_locked = False
        try:
            descriptor = _opened(path)
        except OSError:
            return None
        try:
            lock_file(descriptor)
            is_locked = _is_at(path, descriptor)
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError from None
            time.sleep(_RETRY_SECONDS)
        except OSError:
            return None
        finally:
            if not is_locked:
                os.close(descriptor)
        if is_locked:
            return descriptor


def _opened(path: Path) -> int:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return os.open(path.parent, os.O_RDONLY)


def _is_at(path: Path, descriptor: int) -> bool:
    """Returns whether this is still the file, or its folder if there is none: another program may
    have put a new file in its place before it released the lock."""
    try:
        now = path.lstat()
    except FileNotFoundError:
        now = path.parent.stat()
    return os.path.samestat(now, os.fstat(descriptor))


if os.name == "nt":
    import msvcrt

    def lock_file(descriptor: int, *, waits: bool = False) -> None:
        """Locks an open file for this process. Raises OSError if another one has it."""
        # Far behind the end: Windows refuses to read what is locked.
        while True:
            os.lseek(descriptor, 2**40, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK if waits else msvcrt.LK_NBLCK, 1)
                return
            except OSError as error:
                # It gives up after ten seconds.
                if not waits or error.errno != errno.EDEADLK:
                    raise

else:
    import fcntl

    def lock_file(descriptor: int, *, waits: bool = False) -> None:
        """Locks an open file for this process. Raises OSError if another one has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
