"""The tables of a SQLite file, by the steps that made them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence


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
