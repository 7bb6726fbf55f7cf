"""Opens the database of a workspace's records, and turns its errors into those for the user."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import StoreError
from core.files import make_private, numbered, sync_folder, write_error
from core.message import Message, translatable
from core.schema_steps import take_steps, use_write_ahead_log
from core.workspace import actions, kept_options, made_tables, records
from core.write_lock import WriteLock, one_at_a_time

FILE_NAME = "workspace.sqlite"
# New files and old ones take the same steps.
_STEPS = (
    records.TABLES + actions.TABLES,
    records.TABLES_OF_FOLDERS,
    kept_options.TABLES,
    kept_options.TABLES_WITH_FORMAT,
    kept_options.TABLES_WITH_SOURCE,
    actions.TABLES_WITH_MARK,
    records.TABLES_WITH_SEEN,
    made_tables.TABLES,
    records.TABLES_OF_VOLUMES,
    records.TABLES_OF_MOVES,
)
VERSION = len(_STEPS)
"""The version of the tables, which stands in the file as SQLite's `user_version`."""

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def open_database(data: Path) -> tuple[sqlite3.Connection, tuple[Message, ...]]:
    """Opens the database in a folder, or makes it; returns it with what to say of it. A damaged one
    is put aside. Raises StoreError."""
    path = data / FILE_NAME
    with failing():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            make_private(path)
            if is_new:
                sync_folder(path.parent.parent)
            try:
                return _connected(path), ()
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
            # One program puts it aside; the others find the new one.
            with one_at_a_time(path.with_suffix(".lock")):
                return _connected_anew(path)
        except OSError as error:
            raise write_error(path, error) from error


def _connected_anew(path: Path) -> tuple[sqlite3.Connection, tuple[Message, ...]]:
    """Opens a file that was damaged a moment ago. Raises sqlite3.Error and OSError."""
    try:
        return _connected(path), ()
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
    kept = _put_aside(path)
    make_private(path)
    text = translatable(
        "core",
        "The file of reviews and edits was damaged, so they start over. It is kept as "
        "“{name}” in Onlooker's data folder.",
    )
    return _connected(path), (text.format(name=kept.name),)


def _is_damage(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


@contextmanager
def failing() -> Generator[None]:
    """Turns errors of the database into those for the user."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            translatable(
                "core",
                "Reviews and edits cannot be kept ({reason}). Free some space and allow writing in "
                "Onlooker's data folder, then try again.",
            ).format(reason=error)
        ) from error


def write_lock(data: Path) -> WriteLock:
    """Returns the lock that folder runs take too, so that none writes a caption between the look at
    its file and the edit."""
    folder = data / "runs"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return WriteLock(folder)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=5)
    try:
        use_write_ahead_log(connection)
        # What an action is about to change is on the disk before its first file is written.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StoreError(
                translatable(
                    "core",
                    "Reviews and edits were kept by a newer Onlooker. Use that one.",
                )
            )
        if version < VERSION:
            take_steps(connection, _STEPS)
    except BaseException:
        connection.close()
        raise
    return connection


def _put_aside(path: Path) -> Path:
    kept = numbered(path.with_name(f"{path.stem} damaged{path.suffix}"))
    for ending in ("-wal", "-shm", ""):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ending))
    return kept
