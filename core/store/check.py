"""Whether a file of conversations can be relied on."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from core.store.rows import LARGEST_ID, LARGEST_SIDE, LATEST
from core.store.schema import has_tables_of
from core.transcript import Ending

NEWEST_PLAUSIBLE = 999
"""A version beyond this one is a damaged number, not a newer program's."""

_ENDINGS = ", ".join(f"'{ending}'" for ending in Ending)
# Each finds rows that no version has written.
_ODD_ROWS = (
    f"""
    SELECT 1 FROM conversation WHERE
        id NOT BETWEEN 1 AND {LARGEST_ID}
        OR typeof(picture_path) NOT IN ('blob', 'null')
        OR typeof(picture_name) != 'text' OR typeof(words) != 'text'
        OR typeof(width) != 'integer' OR width NOT BETWEEN 0 AND {LARGEST_SIDE}
        OR typeof(height) != 'integer' OR height NOT BETWEEN 0 AND {LARGEST_SIDE}
        OR typeof(thumbnail) != 'blob'
        OR typeof(changed) != 'real' OR changed NOT BETWEEN 0 AND {LATEST}
    """,
    f"""
    SELECT 1 FROM exchange WHERE
        typeof(position) != 'integer' OR position < 0
        OR typeof(prompt) != 'text' OR typeof(model) != 'text'
        OR typeof(answer) NOT IN ('text', 'null')
        OR answer NOT NULL AND (
            ending NOT IN ({_ENDINGS}) OR ending IS NULL
            OR typeof(tokens) != 'integer' OR typeof(seconds) != 'real'
            OR typeof(seconds_to_first_token) != 'real' OR typeof(input_tokens) != 'integer'
            OR typeof(left_out) != 'integer' OR typeof(seed) NOT IN ('integer', 'null')
        )
    """,
    "SELECT 1 FROM exchange WHERE conversation NOT IN (SELECT id FROM conversation)",
    f"""
    SELECT 1 FROM sqlite_sequence WHERE name != 'conversation' OR typeof(seq) != 'integer'
        OR seq NOT BETWEEN 0 AND {LARGEST_ID}
        OR seq < (SELECT max(id) FROM conversation)
    """,
    """
    SELECT 1 FROM conversation
        WHERE (SELECT count(*) FROM sqlite_sequence) != 1
    """,
)
# In columns that files have from this version on.
_TREE_VERSION = 3
_ODD_PLACES = (
    """
    SELECT 1 FROM exchange WHERE
        typeof(parent) NOT IN ('integer', 'null') OR parent NOT BETWEEN -1 AND position - 1
        OR typeof(chosen) NOT IN ('integer', 'null') OR chosen < 0
    """,
)
_ODD_IDENTITIES = (
    """
    SELECT 1 FROM conversation WHERE
        typeof(fingerprint) NOT IN ('text', 'null') OR typeof(volume) NOT IN ('blob', 'null')
    """,
)
_IDENTITY_VERSION = 7
_PART_VERSION = 5
_SCORES_VERSION = 6


def _no_list(column: str) -> str:
    return (
        f"SELECT 1 FROM exchange WHERE {column} NOT NULL"
        f" AND CASE WHEN json_valid({column}) THEN json_type({column}) != 'array' ELSE 1 END"
    )


_ODD_LISTS = tuple(map(_no_list, ("output_ids", "struck", "unknown")))
_TEXTS = (
    "SELECT picture_name, words FROM conversation",
    "SELECT prompt, model, answer FROM exchange",
)


class Damaged(sqlite3.DatabaseError):
    """The file is no file of conversations, or one that something has changed."""


def require_sound(connection: sqlite3.Connection, version: int) -> None:
    """Raises Damaged, or another sqlite3.DatabaseError, unless all that is kept can be read.

    `integrity_check` costs a quarter more than `quick_check`, which would miss an index that hides
    rows. A large file takes a while: 0.5 s for 170 MB.
    """
    if not has_tables_of(connection, version):
        raise Damaged("the tables are not those of this version")
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise Damaged(found)
    queries = list(_ODD_ROWS)
    if version >= _TREE_VERSION:
        queries += _ODD_PLACES
    if version >= _IDENTITY_VERSION:
        queries += _ODD_IDENTITIES
    if version >= _TREE_VERSION and _knows_json(connection):
        queries += _ODD_LISTS
        queries += [_no_list("part")] if version >= _PART_VERSION else []
        queries += [_no_list("scores")] if version >= _SCORES_VERSION else []
    for query in queries:
        if connection.execute(f"{query} LIMIT 1").fetchone():
            raise Damaged("a row has values that it cannot have")
    _require_text(connection)


def is_damage(error: sqlite3.Error) -> bool:
    """Returns whether the error comes from what the file holds, not from the disk or a lock."""
    if isinstance(error, Damaged):
        return True
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    # SQLITE_ERROR: tables that are not ours, or only in part.
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _knows_json(connection: sqlite3.Connection) -> bool:
    with suppress(sqlite3.OperationalError):
        return bool(connection.execute("SELECT json_valid('[]')").fetchone())
    return False


def _require_text(connection: sqlite3.Connection) -> None:
    factory = connection.text_factory
    connection.text_factory = bytes
    try:
        for query in _TEXTS:
            for row in connection.execute(query):
                for value in row:
                    if value is not None:
                        value.decode()
    except UnicodeDecodeError as error:
        raise Damaged("a text is not UTF-8") from error
    finally:
        connection.text_factory = factory
