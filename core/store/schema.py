"""The tables of the file of conversations, in this version and in each before it.

A change of the tables is one more step. New files and old ones take the same steps, so that they
end up with the same tables, and tests/data keeps a file of each version.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from core.schema_steps import take_steps
from core.store.rows import text_from

_STEPS = (
    """
    CREATE TABLE conversation (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        picture_path BLOB,
        picture_name TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        thumbnail BLOB NOT NULL,
        changed REAL NOT NULL,
        words TEXT NOT NULL
    );
    CREATE INDEX conversation_changed ON conversation (changed);
    CREATE TABLE exchange (
        conversation INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        prompt TEXT NOT NULL,
        model TEXT NOT NULL,
        answer TEXT,
        ending TEXT,
        tokens INTEGER,
        seconds REAL,
        seconds_to_first_token REAL,
        input_tokens INTEGER,
        left_out INTEGER,
        seed INTEGER,
        PRIMARY KEY (conversation, position)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE exchange ADD COLUMN output_ids TEXT;
    ALTER TABLE exchange ADD COLUMN struck TEXT;
    """,
    # Rows of before are in no branch: without a value, each follows the one at the position before.
    """
    ALTER TABLE exchange ADD COLUMN parent INTEGER;
    ALTER TABLE exchange ADD COLUMN chosen INTEGER;
    ALTER TABLE exchange ADD COLUMN unknown TEXT;
    """,
    """
    CREATE INDEX conversation_picture ON conversation (picture_path, changed);
    """,
    # Left, top, width and height of the part that a question is about.
    """
    ALTER TABLE exchange ADD COLUMN part TEXT;
    """,
    # How probable a server said that each token was.
    """
    ALTER TABLE exchange ADD COLUMN scores TEXT;
    """,
    # What the image is recognised by where it was moved, and the disk that it was on.
    """
    ALTER TABLE conversation ADD COLUMN fingerprint TEXT;
    ALTER TABLE conversation ADD COLUMN volume BLOB;
    CREATE INDEX conversation_fingerprint ON conversation (fingerprint);
    """,
)
VERSION = len(_STEPS)
"""The version of the tables, which stands in the file as SQLite's `user_version`."""


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Takes the steps after the file's version (0: an empty file) in one transaction."""
    take_steps(connection, _STEPS)


def has_tables_of(connection: sqlite3.Connection, version: int) -> bool:
    """Returns whether the file has exactly the tables of `version`."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript("".join(_STEPS[:version]))
        return tables(connection) == tables(made)


def tables(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Returns kind, name and definition of all tables, indexes and the like."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite^_%' ESCAPE '^'"
    )
    # Steps and a definition in one piece differ in blanks.
    return {tuple("".join(text_from(part).split()) for part in row) for row in rows}
