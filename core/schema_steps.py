"""The tables of a SQLite file, by the steps that made them, where several programs may open it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence

_PATIENCE_SECONDS, _RETRY_SECONDS = 5.0, 0.01


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Lets others read the file while it is written, where its file system can do that.

    SQLite's own timeout does not count here: while another program does the same it fails at once.
    Raises sqlite3.Error.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not is_busy or time.monotonic() > until:
                raise
        time.sleep(_RETRY_SECONDS)


def take_steps(connection: sqlite3.Connection, steps: Sequence[str]) -> None:
    """Takes the steps, each some SQL statements, that the file has not taken yet, all or none.

    SQLite's `user_version` counts them. It is read again under the lock of a writer, since two
    programs, or two threads of one, may open a new file at the same time. Raises sqlite3.Error.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in steps[version:]:
            for statement in _statements(step):
                connection.execute(statement)
        if version < len(steps):
            connection.execute(f"PRAGMA user_version = {len(steps)}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _statements(step: str) -> Iterator[str]:
    # `executescript` would commit, and so give up the lock.
    statement = ""
    for part in step.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
