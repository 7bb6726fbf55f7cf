"""A lock that lets one thread of one process at a time write captions."""

from __future__ import annotations

import os
import threading
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from core.files import private


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


if os.name == "nt":
    import msvcrt

    def lock_file(descriptor: int, *, waits: bool = False) -> None:
        """Locks an open file for this process. Raises OSError if another one has it."""
        # Far behind the end: Windows refuses to read what is locked. It waits for ten seconds.
        os.lseek(descriptor, 2**40, os.SEEK_SET)
        how = msvcrt.LK_LOCK if waits else msvcrt.LK_NBLCK
        msvcrt.locking(descriptor, how, 1)

else:
    import fcntl

    def lock_file(descriptor: int, *, waits: bool = False) -> None:
        """Locks an open file for this process. Raises OSError if another one has it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
