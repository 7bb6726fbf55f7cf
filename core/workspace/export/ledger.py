"""Which files an export wrote: only these, and only as it wrote them, are written again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from core.files import make_private
from core.schema_steps import use_write_ahead_log

_TABLE = """
CREATE TABLE IF NOT EXISTS written (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL
) WITHOUT ROWID
"""


class Ledger:
    """Remembers in a database file what was written; without one, or if it is damaged, nothing.

    Forgetting is safe: a file that is not known is not replaced. Use it from one thread.
    """

    def __init__(self, path: Path | None):
        self._database: sqlite3.Connection | None = None
        if path is not None:
            with suppress(OSError, sqlite3.Error):
                path.parent.mkdir(parents=True, exist_ok=True)
                make_private(path)
                self._database = _opened(path)

    def wrote(self, files: Iterable[tuple[Path, os.stat_result]]) -> None:
        """Remembers files as they are once they have been written."""
        if self._database is None:
            return
        rows = [(_key(path), status.st_size, status.st_mtime_ns) for path, status in files]
        with suppress(sqlite3.Error), self._database:
            self._database.executemany("INSERT OR REPLACE INTO written VALUES (?, ?, ?)", rows)

    def knows(self, path: Path) -> bool:
        """Returns whether there is a file that was written here, and nobody has changed it."""
        if self._database is None:
            return False
        try:
            status = path.lstat()
            row = self._database.execute(
                "SELECT size, modified FROM written WHERE path = ?", (_key(path),)
            ).fetchone()
        except (OSError, sqlite3.Error):
            return False
        return row == (status.st_size, status.st_mtime_ns)

    def close(self) -> None:
        """Closes the file."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    try:
        # Nothing is lost that a power cut would lose: what is unknown is only not replaced.
        use_write_ahead_log(database)
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(_TABLE)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _key(path: Path) -> bytes:
    return os.fsencode(os.path.realpath(path.parent) + os.sep + path.name)
