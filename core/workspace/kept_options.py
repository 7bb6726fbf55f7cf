"""What a person has chosen for folders: what their captions are, and where they are."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from core.captions.formats import CaptionFormat
from core.captions.sidecar import STEM
from core.workspace.data import CaptionMode, CaptionSource

TABLES = """
    CREATE TABLE folder_options (folders BLOB PRIMARY KEY, mode TEXT) WITHOUT ROWID;
"""
TABLES_WITH_FORMAT = """
    ALTER TABLE folder_options ADD COLUMN format TEXT;
"""

TABLES_WITH_SOURCE = """
    ALTER TABLE folder_options ADD COLUMN pattern TEXT;
    ALTER TABLE folder_options ADD COLUMN caption_table TEXT;
"""


class KeptOptions:
    """The choices for the folders that are opened together. Calls raise sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection, folders: Iterable[Path]):
        self._connection = connection
        self._key = os.fsencode("\n".join(map(str, sorted(set(folders)))))

    @property
    def mode(self) -> CaptionMode | None:
        """What a person has said that the captions are; None for nothing."""
        found = self._value("mode")
        return CaptionMode(found) if found in [*CaptionMode] else None

    @mode.setter
    def mode(self, mode: CaptionMode) -> None:
        self._keep("mode", mode)

    @property
    def source(self) -> CaptionSource | None:
        """Where a person has said that the captions are; None for nothing."""
        found, table = self._value("format"), self._value("caption_table")
        if table:
            return CaptionSource.of_table(table)
        if found in [*CaptionFormat]:
            return CaptionSource(CaptionFormat(found), self._value("pattern") or STEM)
        return None

    @source.setter
    def source(self, source: CaptionSource) -> None:
        self._keep("format", source.format)
        self._keep("pattern", source.pattern)
        self._keep("caption_table", source.table)

    def _value(self, column: str) -> str | None:
        row = self._connection.execute(
            f"SELECT {column} FROM folder_options WHERE folders = ?", (self._key,)
        ).fetchone()
        return row[0] if row else None

    def _keep(self, column: str, value: str) -> None:
        with self._connection as connection:
            connection.execute(
                f"INSERT INTO folder_options (folders, {column}) VALUES (?1, ?2)"
                f" ON CONFLICT DO UPDATE SET {column} = ?2",
                (self._key, str(value)),
            )
