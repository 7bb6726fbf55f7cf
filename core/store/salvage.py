"""Reads what can be read of a damaged file of conversations.

Each conversation is looked up by its number, so that a page that cannot be read costs only what it
holds. Where the description of the tables is gone, that of a new file takes its place: every file
has the same tables at the same pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from core.files import keep_copy
from core.store.rows import (
    CONVERSATION_COLUMNS,
    EXCHANGE_COLUMNS,
    LARGEST_ID,
    Values,
    exchange_values,
    sound_conversation,
    text_from,
    tree_from,
)
from core.store.schema import VERSION, bring_up_to_date, has_tables_of

ENDINGS = ("", "-wal", "-journal")
"""What the names of a database's files end with; another, `-shm`, SQLite can make again."""

# Python cannot decode SQLite's message about a name that is not UTF-8; a damaged size may exceed
# the memory.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError, MemoryError)

# A look-up takes some 5 µs. Numbers far beyond what the file has room for are made by the damage.
_LOOKED_UP_PER_PAGE = 3
_SMALLEST_PAGE = 512
_LEAST_LOOKED_UP = 10_000
_MOST_EXCHANGES = 1_000_000
_INSERT_CONVERSATION = (
    f"INSERT INTO conversation (id, {', '.join(CONVERSATION_COLUMNS)})"
    f" VALUES (?{', ?' * len(CONVERSATION_COLUMNS)})"
)
_INSERT_EXCHANGE = (
    f"INSERT INTO exchange (conversation, position, {', '.join(EXCHANGE_COLUMNS)})"
    f" VALUES (?, ?{', ?' * len(EXCHANGE_COLUMNS)})"
)
_LAST = f"SELECT seq FROM sqlite_sequence WHERE name = 'conversation' AND seq < {LARGEST_ID}"


def carry_over(damaged: Path, scratch: Path, must_stop: Callable[[], bool]) -> tuple[Path, int]:
    """Writes a new file in the folder `scratch` with all that can be read from `damaged`.

    Returns the new file and the number of its conversations. Raises sqlite3.Error and OSError if
    it cannot be written. Ends early, with what it has, once `must_stop` returns True.
    """
    best: tuple[_Written, Path] | None = None
    for has_new_first_page in (False, True):
        folder = scratch / f"attempt {has_new_first_page}"
        folder.mkdir()
        new, copy = folder / "new.sqlite", folder / "damaged.sqlite"
        with closing(sqlite3.connect(new)) as target:
            bring_up_to_date(target)
        for ending in ENDINGS:
            if (source := damaged.with_name(damaged.name + ending)).exists():
                keep_copy(source, copy.with_name(copy.name + ending))
        if has_new_first_page and not _lay_first_page(new, copy):
            break
        written = _attempt(copy, new, must_stop, is_strict=has_new_first_page)
        if best is None or written > best[0]:
            best = written, new
    assert best
    return best[1], best[0].conversations


class _Written(NamedTuple):
    """How much was carried over; more is better, and of the same amount that with all columns."""

    exchanges: int
    conversations: int
    has_all_columns: bool


def _attempt(
    damaged: Path, new: Path, must_stop: Callable[[], bool], *, is_strict: bool
) -> _Written:
    exchanges = conversations = 0
    with (
        closing(sqlite3.connect(new)) as target,
        closing(sqlite3.connect(damaged)) as connection,
        target,
    ):
        reader = _Reader(connection, damaged.stat().st_size // _SMALLEST_PAGE, is_strict=is_strict)
        for number in reader.numbers():
            if must_stop():
                break
            if (written := _carry(reader, number, target)) is not None:
                exchanges += written
                conversations += 1
        if conversations:
            # A deleted conversation's number is not used again.
            target.execute(
                "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'conversation'",
                (reader.last_number(),),
            )
    return _Written(exchanges, conversations, reader.has_all_columns)


def _carry(reader: _Reader, number: int, target: sqlite3.Connection) -> int | None:
    """Returns how many exchanges were written; None if there is no such conversation."""
    values, rows = reader.conversation(number), reader.exchanges(number)
    if values is None and not rows:
        return None
    tree = tree_from(rows)
    sound = sound_conversation(values or (None,) * len(CONVERSATION_COLUMNS), tree)
    target.execute(_INSERT_CONVERSATION, (number, *sound))
    target.executemany(
        _INSERT_EXCHANGE,
        [(number, at, *exchange_values(node)) for at, node in enumerate(tree.nodes)],
    )
    return len(tree.nodes)


class _Reader:
    """Queries of which each may fail; then it returns less."""

    def __init__(self, connection: sqlite3.Connection, page_count: int, *, is_strict: bool):
        self._connection = connection
        self._page_count = page_count
        self._is_strict = is_strict
        connection.text_factory = bytes
        with suppress(*UNREADABLE):
            # Allows reading a file that has fewer pages than it says.
            connection.execute("PRAGMA writable_schema = ON")
        self.has_all_columns = self._has_tables_of_a_version()
        self._columns = self._known_columns("conversation", CONVERSATION_COLUMNS)
        self._exchange_columns = ", ".join(self._known_columns("exchange", EXCHANGE_COLUMNS))
        self._changed = self._times_in_index()

    def numbers(self) -> Iterator[int]:
        """Yields the numbers that a conversation may have, in order."""
        seen = {
            number
            for number in (
                *self._changed,
                *self._column("SELECT id FROM conversation NOT INDEXED ORDER BY id"),
                *self._column("SELECT id FROM conversation NOT INDEXED ORDER BY id DESC"),
                *self._column("SELECT conversation FROM exchange ORDER BY 1"),
                *self._column("SELECT conversation FROM exchange ORDER BY 1 DESC"),
            )
            if isinstance(number, int) and 0 < number < LARGEST_ID
        }
        most = max(_LEAST_LOOKED_UP, _LOOKED_UP_PER_PAGE * self._page_count)
        between = range(1, min(max((self.last_number(), *seen)), most) + 1)
        yield from between
        yield from sorted(number for number in seen if number not in between)

    def last_number(self) -> int:
        """Returns the highest number that was given to a conversation; 0 if it is not known."""
        numbers = [number for number in self._column(_LAST) if isinstance(number, int)]
        return max(numbers, default=0)

    def conversation(self, number: int) -> Values | None:
        """Returns the values of CONVERSATION_COLUMNS, None in place of what cannot be read."""
        query = "SELECT {} FROM conversation WHERE id = ?"
        try:
            values = self._row(query.format(", ".join(self._columns)), number)
        except UNREADABLE:
            values = self._values_one_by_one(query, number)
        if values is None or (self._is_strict and not _is_ours(values)):
            return None
        return values

    def exchanges(self, number: int) -> dict[int, Values]:
        """Returns the values of EXCHANGE_COLUMNS by position, of those that can be read."""
        found: dict[int, Values] = {}
        for direction in ("ASC", "DESC"):
            with suppress(*UNREADABLE):
                rows = self._connection.execute(
                    f"SELECT position, {self._exchange_columns} FROM exchange"
                    f" WHERE conversation = ? ORDER BY position {direction}",
                    (number,),
                )
                for position, *values in rows:
                    if isinstance(position, int) and 0 <= position < _MOST_EXCHANGES:
                        found[position] = tuple(values)
                break  # All were read.
        return found

    def _values_one_by_one(self, query: str, number: int) -> Values | None:
        values: list[object] = []
        for column in self._columns:
            row = None
            with suppress(*UNREADABLE):
                row = self._row(query.format(column), number)
            values.append(row[0] if row else None)
        if all(value is None for value in values):
            return None
        at = CONVERSATION_COLUMNS.index("changed")
        if values[at] is None:
            values[at] = self._changed.get(number)
        return tuple(values)

    def _known_columns(self, table: str, columns: Sequence[str]) -> list[str]:
        """Returns the columns, with NULL in place of those that an earlier version had not."""
        names = self._column(f"SELECT name FROM pragma_table_info('{table}')")
        known = {text_from(name) for name in names}
        return [name if name in known or not known else "NULL" for name in columns]

    def _has_tables_of_a_version(self) -> bool:
        with suppress(*UNREADABLE):
            return any(has_tables_of(self._connection, n + 1) for n in range(VERSION))
        return False

    def _row(self, query: str, number: int) -> Values | None:
        return self._connection.execute(query, (number,)).fetchone()

    def _column(self, query: str) -> list[object]:
        """Returns the first column up to the first row that cannot be read."""
        found: list[object] = []
        with suppress(*UNREADABLE):
            for row in self._connection.execute(query):
                found.append(row[0])
        return found

    def _times_in_index(self) -> dict[int, object]:
        times: dict[int, object] = {}
        for direction in ("ASC", "DESC"):
            with suppress(*UNREADABLE):
                rows = self._connection.execute(
                    "SELECT id, changed FROM conversation INDEXED BY conversation_changed"
                    f" ORDER BY changed {direction}"
                )
                for number, changed in rows:
                    times[number] = changed
        return times


def _is_ours(values: Values) -> bool:
    """Returns whether a row can be a conversation: the file may have another program's tables."""
    _, name, width, height, image, *_ = values
    is_size = isinstance(width, int) and isinstance(height, int)
    return isinstance(name, bytes) and is_size and isinstance(image, bytes)


def _lay_first_page(new: Path, damaged: Path) -> bool:
    """Gives the damaged file the first page of `new`, which describes the tables.

    Returns False if the file cannot have pages of that size.
    """
    with new.open("rb") as file:
        size = int.from_bytes(file.read(18)[16:])
        file.seek(0)
        page = bytearray(file.read(size))
    pages = damaged.stat().st_size // size
    if pages < 2:
        return False
    is_wal = damaged.with_name(damaged.name + "-wal").exists()
    page[18:20] = b"\2\2" if is_wal else b"\1\1"
    page[28:32] = pages.to_bytes(4)  # The number of pages,
    page[32:40] = bytes(8)  # and none of them unused.
    with damaged.open("r+b") as file:
        file.write(page)
        file.truncate(pages * size)
    return True
