"""The journal of a run: one JSON object per line, added at the end and never changed.

A run is resumed and undone from its journal, so a line is on the disk before what it says is done.
A line that a crash has torn is removed when the file is opened again. Each line has a checksum, so
that one that was damaged later is noticed; see `checksum`.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO

from core.batch.checksum import is_whole, line_of, values_in
from core.batch.damage import Damaged
from core.batch.events import Event, Unknown, event_from
from core.batch.kinds import DAMAGE
from core.batch.stored import JsonObject
from core.errors import StoreError
from core.files import open_regular, private, reason, sync_folder, write_error
from core.message import translatable
from core.write_lock import lock_file

SUFFIX = ".jsonl"

# Each read releases the GIL for a moment too short for other threads to get it, and makes them
# wait anew: read in small pieces, 100,000 lines would block the window for half a second.
_READ_BYTES = 2**20
_TAIL_BYTES = 2**17
_MOST_BYTES = 2**50
# A line holds what an image's files held before and after; the first one may hold whole tables.
_LONGEST_LINE = 2**26
# No other place of a line looks so: quotation marks inside texts are escaped.
_LINE_BEGINS = re.compile(rb'(?!\A)(?=\{"kind": ")')


class Journal:
    """An open journal, which no other process can have open at the same time.

    `append` may be called from any thread. It raises StoreError, DiskFull among them, and then
    has written nothing. `has_grown` once it has written something.
    """

    def __init__(self, path: Path):
        """Opens the journal, or begins it. Raises StoreError."""
        self.path = path
        self.has_grown = False
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            self._file = FileIO(path, "a+", opener=private)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            lock_file(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise StoreError(
                translatable(
                    "core",
                    "This run is under way in another window or terminal. Stop it there first.",
                )
            ) from error
        self._size = _with_end(self._file)
        if is_new:
            sync_folder(path.parent)

    def append(self, *events: Event, is_durable: bool = True) -> None:
        """Adds a line for each event. With `is_durable` they are on the disk on return."""
        data = b"".join(line_of(event.to_json()) for event in events)
        with self._lock:
            try:
                written = 0
                while written < len(data):
                    written += self._file.write(data[written:]) or 0
                if is_durable:
                    os.fsync(self._file.fileno())
            except OSError as error:
                # Half a line would spoil the next one.
                self._file.truncate(self._size)
                raise write_error(self.path, error) from error
            self._size += len(data)
            self.has_grown = True

    @property
    def is_closed(self) -> bool:
        """Returns whether nothing can be added any more."""
        return self._file.closed

    def close(self) -> None:
        """Closes the file, so that another process may open the journal."""
        self._file.close()


def is_in_use(path: Path) -> bool:
    """Returns whether the journal is open, in this process or in another one. Raises OSError."""
    with path.open("rb") as file:
        try:
            lock_file(file.fileno())
        except OSError:
            return True
    return False


def read_events(path: Path) -> Iterator[Event | Unknown | Damaged]:
    """Yields what a journal says, without a torn line at its end. Raises StoreError."""
    for number, line in enumerate(_whole_lines_of(path), 1):
        try:
            yield event_from(values_in(line))
        except DAMAGE:
            yield from _read_damaged(line, number)


def read_lines(path: Path) -> Iterator[JsonObject]:
    """Yields the objects of a journal's lines, without damaged ones and a torn one at the end.
    Raises StoreError."""
    for line in _whole_lines_of(path):
        try:
            yield values_in(line)
        except DAMAGE:
            continue


def read_first_line(path: Path) -> JsonObject:
    """Returns the object of a journal's first line. Raises StoreError, and one of `DAMAGE`."""
    try:
        with open_regular(path, most=_MOST_BYTES) as file:
            line = file.readline(_LONGEST_LINE)
    except OSError as error:
        raise _unreadable(error) from error
    if not line.endswith(b"\n"):
        raise ValueError("the first line of a journal has no end")
    return values_in(line)


def read_kinds_backwards(path: Path) -> Iterator[str]:
    """Yields the kinds of a journal's lines from the last to the first; reads no more than is
    asked for."""
    with suppress(OSError):  # What cannot be read now could be a moment ago.
        for line in _lines_backwards(path):
            with suppress(*DAMAGE):
                yield str(values_in(line + b"\n")["kind"])


def _whole_lines_of(path: Path) -> Iterator[bytes]:
    """Yields the lines of a journal, without a torn one at the end. Raises StoreError."""
    try:
        with open_regular(path, most=_MOST_BYTES, buffer_bytes=_READ_BYTES) as file:
            while line := file.readline(_LONGEST_LINE):
                if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                    line = line[:_READ_BYTES] + _end_of_line(file)
                if line.endswith(b"\n") or has_damaged_end(line):
                    yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> StoreError:
    return StoreError(
        translatable(
            "core", "The run's journal cannot be read ({reason}). Check the disk it is on."
        ).format(reason=reason(error))
    )


def _end_of_line(file: BufferedReader) -> bytes:
    """Reads on behind a line that is too long to be one of ours; returns its line end, if any."""
    while rest := file.readline(_READ_BYTES):
        if rest.endswith(b"\n"):
            return b"\n"
    return b""


def _lines_backwards(path: Path) -> Iterator[bytes]:
    with open_regular(path, most=_MOST_BYTES) as file:
        left, torn = file.seek(0, os.SEEK_END), b""
        while left and len(torn) < _LONGEST_LINE:
            # As much again as was read in vain, so that a long line is not joined too often.
            begin = max(0, left - max(_TAIL_BYTES, len(torn)))
            file.seek(begin)
            torn, *lines = (file.read(left - begin) + torn).split(b"\n")
            yield from reversed(lines)
            left = begin
        if not left:
            yield torn


def _read_damaged(line: bytes, number: int) -> Iterator[Event | Unknown | Damaged]:
    """Yields what is known of a damaged line. One whose end is damaged takes the next line along,
    which is whole."""
    for part in _LINE_BEGINS.split(line):
        try:
            if not is_whole(part):
                raise ValueError("this part of the line is damaged")
            yield event_from(values_in(part))
        except DAMAGE:
            yield Damaged.of(part, number)


def has_damaged_end(rest: bytes) -> bool:
    """Returns whether the bytes behind the last line end of a journal are a whole line with another
    character in the place of its line end. A crash, which tears a line, leaves no such thing."""
    return rest[-1:] not in (b"", b"\0") and is_whole(rest[:-1] + b"\n")


def _with_end(file: FileIO) -> int:
    """Removes a torn line from the end of a journal, and ends one whose line end is damaged.
    Returns how many bytes there are then."""
    size = _whole_lines(file)
    file.seek(size)
    if has_damaged_end(file.read(_LONGEST_LINE)):
        file.write(b"\n")
        return file.tell()
    file.truncate(size)
    return size


def _whole_lines(file: BinaryIO) -> int:
    """Returns how many bytes of the file are whole lines. A crash tears the last one, and after a
    power cut it may be zeros. A whole line that cannot be read stays: it was not torn."""
    end = file.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - _TAIL_BYTES)
        file.seek(begin)
        if (last := file.read(end - begin).rfind(b"\n")) >= 0:
            return begin + last + 1
        end = begin
    return 0
