"""What a run has done, one JSON object a line, added at the end and never changed.

The journal is what a run is resumed and undone from, so its lines are on the disk before what
they tell of is done. A line that a crash has torn is taken away when the file is opened again.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import StoreError
from core.files import reason, sync_folder, write_error

SUFFIX = ".jsonl"

Record = dict[str, Any]

# At a time. Each read lets other threads in for a moment too short for them to come, and makes
# them wait anew: read in small pieces, 100,000 lines would hold the window for half a second.
_READ_BYTES = 2**20


class Journal:
    """One open file, which no other process may have open at once.

    `append` raises StoreError, DiskFull among them, and then has written nothing.
    """

    def __init__(self, path: Path):
        """Open it, or begin it. Raises StoreError."""
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            _lock(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise StoreError(
                "This run is under way in another window or terminal. Stop it there first."
            ) from error
        self._size = _whole_lines(path)
        self._file.truncate(self._size)
        if is_new:
            sync_folder(path.parent)

    def append(self, *records: Record, is_durable: bool = True) -> None:
        """Add lines; when `is_durable` they are on the disk once this returns."""
        data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        with self._lock:
            try:
                written = 0
                while written < len(data):
                    written += self._file.write(data[written:]) or 0
                if is_durable:
                    os.fsync(self._file.fileno())
            except OSError as error:
                # Half a line would spoil the one after it.
                self._file.truncate(self._size)
                raise write_error(self.path, error) from error
            self._size += len(data)

    @property
    def is_closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        self._file.close()


class WriteLock:
    """Held by one thread of one process, of all whose journals lie in the folder; whoever holds
    it may take it again. Two runs over the same pictures else undid each other's writing."""

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
            self._file = self._path.open("ab")
            _lock(self._file.fileno(), waits=True)
        except OSError:
            # Some network file systems know no locks; then there is none but that of threads.
            return

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._file is not None:
            self._file.close()
            self._file = None
        self._threads.release()


def records(path: Path) -> Iterator[Record]:
    """The lines of a journal, without a torn one at the end. Raises StoreError."""
    try:
        with path.open("rb", buffering=_READ_BYTES) as file:
            for line in file:
                if (record := _parsed(line)) is not None:
                    yield record
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"The run's journal cannot be read ({reason(error)}).") from error


def _parsed(line: bytes) -> Record | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _whole_lines(path: Path) -> int:
    """How many bytes of the file end in a whole line. After a power cut the last may be zeros."""
    data = path.read_bytes()
    end = len(data)
    while end and _parsed(data[data.rfind(b"\n", 0, end - 1) + 1 : end]) is None:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end


if os.name == "nt":
    import msvcrt

    def _lock(descriptor: int, *, waits: bool = False) -> None:
        # Far behind the end: Windows refuses to read what is locked. It waits for ten seconds.
        os.lseek(descriptor, 2**40, os.SEEK_SET)
        how = msvcrt.LK_LOCK if waits else msvcrt.LK_NBLCK  # type: ignore[attr-defined]
        msvcrt.locking(descriptor, how, 1)  # type: ignore[attr-defined]

else:
    import fcntl

    def _lock(descriptor: int, *, waits: bool = False) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
