"""Which tables of captions the program has made: only these go once they have no row."""

from __future__ import annotations

import os
import sqlite3

TABLES = """
    CREATE TABLE made_table (path BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class MadeTables:
    """As `core.captions.open_tables.Origins`, in an open database. Calls raise sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    def is_made_here(self, path: str) -> bool:
        """See `Origins`."""
        found = self._connection.execute(
            "SELECT 1 FROM made_table WHERE path = ?", (os.fsencode(path),)
        )
        return found.fetchone() is not None

    def note(self, path: str, *, is_made_here: bool) -> None:
        """See `Origins`."""
        change = "INSERT OR IGNORE INTO made_table VALUES (?)"
        if not is_made_here:
            change = "DELETE FROM made_table WHERE path = ?"
        with self._connection as connection:
            connection.execute(change, (os.fsencode(path),))
