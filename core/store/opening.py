"""Opens the file of conversations: checked, brought up to date, mended if it is damaged.

Whatever happens, there is a database to work with, and sentences say what became of the file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.errors import StoreError
from core.files import keep_copy, make_private, numbered, reason, sync_folder, write_error
from core.store.check import NEWEST_PLAUSIBLE, Damaged, is_damage, require_sound
from core.store.rows import CONVERSATION_COLUMNS, EXCHANGE_COLUMNS, LARGEST_ID, text_from
from core.store.salvage import ENDINGS, UNREADABLE, carry_over
from core.store.schema import VERSION, bring_up_to_date, tables

# The window waits for no other process; what could not be kept is kept with the next answer.
_BUSY_MS = 40
# Opening happens in a thread of its own, which may wait for another window to finish writing.
_BUSY_AT_OPENING_SECONDS = 5
_INSTRUCTIONS_BETWEEN_LOOKS = 100_000

MustStop = Callable[[], bool]


@dataclass(frozen=True)
class Opened:
    """Open connections, and sentences for the person about what became of the file.

    New conversations go to `connection`. `newer` is the file of a newer program, if there is one:
    it is only read.
    """

    connection: sqlite3.Connection
    notes: tuple[str, ...] = ()
    newer: sqlite3.Connection | None = None

    def close(self) -> None:
        """Closes the connections."""
        for connection in filter(None, (self.connection, self.newer)):
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def open_file(path: Path, must_stop: MustStop) -> Opened:
    """Opens the file, or makes it. Takes long for a large one. Never raises an expected error.

    Once `must_stop` returns True, it ends soon and leaves the file as it is.
    """
    try:
        was_empty = _prepare(path)
        opened = _checked(path, must_stop)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return mend_file(path, must_stop)
        return _in_memory(path, sqlite_reason(error))
    except (UnicodeDecodeError, MemoryError):
        # Python cannot decode SQLite's message about a garbled name; a garbled size takes more
        # memory than there is.
        return mend_file(path, must_stop)
    except StoreError as error:
        return Opened(_new_in_memory(), (f"New conversations are not kept: {error}",))
    except OSError as error:
        return _in_memory(path, reason(error))
    if was_empty:
        return Opened(opened.connection, (*opened.notes, _EMPTY), opened.newer)
    return opened


_EMPTY = "The file of earlier conversations was empty, so they are gone. New ones are kept."


def mend_file(path: Path, must_stop: MustStop) -> Opened:
    """Keeps a copy of a damaged file, and puts a new one with all that can be read in its place."""
    stamp = datetime.now().strftime("%Y-%m-%d %H.%M.%S")
    kept = numbered(path.with_name(f"{path.stem} damaged {stamp}{path.suffix}"))
    try:
        for ending in ENDINGS:
            if (source := path.with_name(path.name + ending)).exists():
                keep_copy(source, kept.with_name(kept.name + ending))
        # On the same disk, so that the new file takes the place of the old one in one step.
        with tempfile.TemporaryDirectory(prefix=".onlooker-", dir=path.parent) as scratch:
            new, count = carry_over(kept, Path(scratch), must_stop)
            if must_stop():
                raise sqlite3.OperationalError("interrupted")
            make_private(new)
            # With these the new file would be taken for the old one.
            for ending in (*ENDINGS[1:], "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            new.replace(path)
            sync_folder(path.parent)
        opened = _checked(path, must_stop)
    except sqlite3.Error as error:
        return _in_memory(path, sqlite_reason(error))
    except OSError as error:
        return _in_memory(path, reason(error))
    return Opened(opened.connection, (_mended(count, kept.name), *opened.notes))


def sqlite_reason(error: sqlite3.Error) -> str:
    """Returns in plain words why SQLite could not do something."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return _REASONS.get(code, "it is damaged" if is_damage(error) else f"SQLite error {code}")


_REASONS = {
    sqlite3.SQLITE_BUSY: "it is locked by another program",
    sqlite3.SQLITE_LOCKED: "it is locked by another program",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_READONLY: "it is write-protected",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "opening it is not allowed",
    sqlite3.SQLITE_AUTH: "opening it is not allowed",
    sqlite3.SQLITE_NOMEM: "there is too little memory",
    sqlite3.SQLITE_TOOBIG: "a text is too long",
    sqlite3.SQLITE_INTERRUPT: "Onlooker is closing",
}


def _prepare(path: Path) -> bool:
    """Makes the folder and the file. Returns whether the file was there, and empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    was_empty = False
    if path.exists():
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a file")
        was_empty = not status.st_size and not path.with_name(path.name + "-wal").exists()
        if not os.access(path, os.W_OK):
            return was_empty
    make_private(path)
    for ending in ("-wal", "-shm"):  # New ones get the file's permissions.
        if (beside := path.with_name(path.name + ending)).exists():
            make_private(beside)
    return was_empty


def _checked(path: Path, must_stop: MustStop) -> Opened:
    # Opened in one thread and used in another, by one at a time.
    connection = sqlite3.connect(path, timeout=_BUSY_AT_OPENING_SECONDS, check_same_thread=False)
    try:
        connection.set_progress_handler(must_stop, _INSTRUCTIONS_BETWEEN_LOOKS)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if VERSION < version <= NEWEST_PLAUSIBLE:
            return _only_read(path, connection)
        if version or tables(connection):
            if not 0 < version <= VERSION:
                raise Damaged("the file does not say which version it has")
            require_sound(connection, version)
        notes = _up_to_date(path, connection, version)
        # So that a reader elsewhere never stops us. Refused by some network file systems.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _make_ready(connection)
    except BaseException:
        connection.close()
        raise
    return Opened(connection, notes)


def _up_to_date(path: Path, connection: sqlite3.Connection, version: int) -> tuple[str, ...]:
    """Brings the tables up to date. Of a file that is not new, a copy is kept before."""
    if not 0 < version < VERSION:
        if not version:
            bring_up_to_date(connection, 0)
        return ()
    kept = numbered(path.with_name(f"{path.stem} version {version}{path.suffix}"))
    try:
        make_private(kept)
        with contextlib.closing(sqlite3.connect(kept)) as copy:
            connection.backup(copy)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            kept.unlink(missing_ok=True)
        # Without a copy the file stays as it is.
        if isinstance(error, OSError):
            raise write_error(kept, error) from error
        raise StoreError(
            f"“{kept.name}” cannot be written ({sqlite_reason(error)}). Free some space, then "
            "start Onlooker again."
        ) from error
    bring_up_to_date(connection, version)
    return ()


def _only_read(path: Path, connection: sqlite3.Connection) -> Opened:
    """The file of a newer program is read as far as its tables are still the same."""
    connection.execute("PRAGMA query_only = ON")
    _make_ready(connection)
    note = f"“{path.name}” was written by a newer Onlooker. "
    try:
        for columns, table in (
            (("id", *CONVERSATION_COLUMNS), "conversation"),
            (("conversation", "position", *EXCHANGE_COLUMNS), "exchange"),
        ):
            connection.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 1").fetchone()
    except UNREADABLE:
        connection.close()
        note += "Earlier conversations cannot be read and new ones are not kept; update Onlooker."
        return Opened(_new_in_memory(), (note,))
    note += "Earlier conversations can be read, but new ones are not kept; update Onlooker."
    memory = _new_in_memory()
    with memory:  # No number of a new one is that of an earlier one.
        memory.execute("INSERT INTO sqlite_sequence VALUES ('conversation', ?)", (LARGEST_ID // 2,))
    return Opened(memory, (note,), connection)


def _make_ready(connection: sqlite3.Connection) -> None:
    connection.set_progress_handler(None, 0)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    connection.text_factory = text_from


def _in_memory(path: Path, why: str) -> Opened:
    note = f"Conversations are not kept after closing: “{path}” cannot be used ({why})."
    return Opened(_new_in_memory(), (note,))


def _new_in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    bring_up_to_date(connection, 0)
    _make_ready(connection)
    return connection


def _mended(count: int, kept: str) -> str:
    if not count:
        return (
            "The file of earlier conversations was damaged, and nothing in it can be read. It is "
            f"kept as “{kept}”, and a new one is begun."
        )
    carried = "1 conversation was" if count == 1 else f"{count:,} conversations were"
    return (
        f"The file of earlier conversations was damaged. {carried} carried over to a new file; "
        f"parts may be missing. The damaged one is kept as “{kept}”."
    )
