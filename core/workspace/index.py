"""The index of a workspace: what was read of its images, in an SQLite file, so that the next
opening reads only what has changed.

It is a cache. A damaged one, and one of another version, is thrown away and made anew. Images are
kept by parts of some thousand, and of each part a column in one value (`packing`): to make objects
of 100,000 rows would take most of the time that opening takes.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import zlib
from array import array
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

from core.files import make_private
from core.schema_steps import take_steps, use_write_ahead_log
from core.workspace import packing
from core.workspace.data import GiveWay, WorkspaceOptions
from core.workspace.images import CaptionState, Images

_VERSION = 4
_PART = 2_000
_TABLES = f"""
    CREATE TABLE folder (id INTEGER PRIMARY KEY, path BLOB NOT NULL);
    CREATE TABLE part (
        number INTEGER PRIMARY KEY,
        checksum INTEGER NOT NULL,
        {", ".join(f"{name} BLOB NOT NULL" for name in packing.COLUMNS)}
    );
    CREATE TABLE name_order (ids BLOB NOT NULL, names INTEGER NOT NULL);
"""
# A file of an earlier version takes no steps: it is made anew.
_STEPS = (*[""] * (_VERSION - 1), _TABLES)
# Room of images that are gone; beyond it the index is made anew.
_MOST_GONE = 10_000


def index_path(folder: Path, roots: Sequence[Path], options: WorkspaceOptions) -> Path:
    """Returns where the index of these images is: one file for each choice of images."""
    parts = [*map(str, roots), str(options.is_recursive), options.format.value, options.pattern]
    if options.table:
        parts.append(options.table)
    if options.are_keywords:
        parts.append("keywords")
    digest = hashlib.sha256(b"\0".join(map(os.fsencode, parts))).hexdigest()[:20]
    return folder / f"{digest}.sqlite"


class _Written(NamedTuple):
    """What the file has: how many folders, of each part a checksum of what its images are called,
    and the order of the names. Its `version` is another one once another program has written to
    it."""

    folders: int = 0
    names: Sequence[int] = ()
    order: list[int] | None = None
    version: int = 0


class Index:
    """An open index. Never raises for a broken file or a full disk: then what was read is read
    again next time. Once it is loaded any thread may save."""

    def __init__(self, path: Path | None):
        """Without a path nothing is kept."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._saving = threading.Lock()
        self._written = _Written()

    def load(self, images: Images) -> None:
        """Opens the file, and adds what it knows to `images`, which are empty."""
        if self._path is None:
            return
        for _ in range(2):
            try:
                self._connection = _connected(self._path)
                names = _load(self._connection, images)
                version = _data_version(self._connection)
                order = images.orders.by_name
                self._written = _Written(len(images.folders), names, order, version)
                return
            except (
                sqlite3.Error,
                OSError,
                ValueError,
                TypeError,
                OverflowError,
                LookupError,
                MemoryError,
            ) as error:
                self.close()
                images.clear()
                if _is_busy(error):
                    return  # It is not damaged, but another program's for now.
                _remove(self._path)

    def save(
        self,
        images: Images,
        guard: AbstractContextManager[object] | None = None,
        give_way: GiveWay | None = None,
    ) -> None:
        """Writes the parts in which rows have changed. Takes the `guard` of the columns for each of
        them alone, and calls `give_way` before it. What is edited meanwhile is saved the next
        time."""
        guard = guard or nullcontext()
        with self._saving:
            with guard:
                is_saved = not images.changed and images.orders.by_name is self._written.order
                if self._connection is None or is_saved:
                    return
                changed, images.changed = images.changed, set()
            try:
                with self._connection as connection:
                    connection.execute("BEGIN IMMEDIATE")
                    parts = {id // _PART for id in changed}
                    written = self._write(connection, images, parts, guard, give_way)
            except BaseException as error:
                with guard:
                    images.changed |= changed
                if not isinstance(error, sqlite3.Error):
                    raise
            else:
                self._written = written

    def _write(
        self,
        connection: sqlite3.Connection,
        images: Images,
        parts: Iterable[int],
        guard: AbstractContextManager[object],
        give_way: GiveWay | None,
    ) -> _Written:
        with guard:
            count, places = len(images), images.place_version
        first_folder, version = self._written.folders, _data_version(connection)
        names = [*self._written.names, *[0] * (-(-count // _PART) - len(self._written.names))]
        if version != self._written.version:
            # Its images have other numbers. This program knows all of them too.
            connection.execute("DELETE FROM folder")
            connection.execute("DELETE FROM part")
            first_folder, parts = 0, range(len(names))
        for number in sorted(parts):
            if give_way is not None:
                give_way()
            with guard:
                packed = packing.packed(images, number * _PART, (number + 1) * _PART)
            names[number] = _sum_of_names(packed)
            connection.execute(
                f"INSERT OR REPLACE INTO part VALUES (?, ?{', ?' * len(packed)})",
                (number, _sum(packed), *packed),
            )
        with guard:
            folders = images.folders[first_folder:]
            # The parts may have been written before and after an image was moved.
            is_same = (len(images), images.place_version) == (count, places)
            order = images.orders.by_name if is_same else None
        connection.executemany(
            "INSERT OR REPLACE INTO folder VALUES (?, ?)",
            [(id, os.fsencode(path)) for id, path in enumerate(folders, first_folder)],
        )
        _save_order(connection, order, names)
        return _Written(first_folder + len(folders), names, order, version)

    def close(self) -> None:
        """Closes the file."""
        with self._saving:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None


def _connected(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    make_private(path)
    connection = sqlite3.connect(path, check_same_thread=False, timeout=1)
    try:
        # A crash costs the cache at worst.
        use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous = OFF")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            take_steps(connection, _STEPS)
        elif version != _VERSION:
            raise sqlite3.DatabaseError("an index of another version")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_busy(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _data_version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return version


def _load(connection: sqlite3.Connection, images: Images) -> list[int]:
    """Returns the checksums of the names in each part."""
    for id, path in connection.execute("SELECT id, path FROM folder ORDER BY id"):
        if images.folder_id(os.fsdecode(path)) != id:
            raise ValueError("a folder is missing")
    names: list[int] = []
    count = 0
    for number, checksum, *packed in connection.execute("SELECT * FROM part ORDER BY number"):
        if number * _PART != count or _sum(packed) != checksum:
            raise ValueError("some images are missing, or damaged")
        count += packing.unpack(packed, images)
        names.append(_sum_of_names(packed))
    images.finish_restoring()
    gone = images.states.count(CaptionState.GONE)
    if gone > _MOST_GONE and gone > len(images) / 2:
        raise ValueError("most images are gone")
    _load_order(connection, images, names)
    return names


def _save_order(
    connection: sqlite3.Connection, by_name: list[int] | None, names: Sequence[int]
) -> None:
    """Keeps the order by names, which would take a third of the time of opening to find out."""
    connection.execute("DELETE FROM name_order")
    if by_name is not None:
        order = packing.integers(by_name)
        connection.execute("INSERT INTO name_order VALUES (?, ?)", (order, _sum_of_sums(names)))


def _load_order(connection: sqlite3.Connection, images: Images, names: Sequence[int]) -> None:
    """Takes the order by names, unless another program has written other ones since."""
    row = connection.execute("SELECT ids, names FROM name_order").fetchone()
    if row is not None and row[1] == _sum_of_sums(names):
        order = packing.integers_from(row[0]).tolist()
        if len(order) == len(images.names) - images.states.count(CaptionState.GONE) and (
            set(order) == set(images.ids)
        ):
            images.orders.restore(order)


def _sum(packed: Iterable[bytes]) -> int:
    found = 0
    for data in packed:
        found = zlib.crc32(data, found)
    return found


def _sum_of_names(packed: Sequence[bytes]) -> int:
    return _sum(packed[: packing.NAMING])


def _sum_of_sums(sums: Sequence[int]) -> int:
    return zlib.crc32(array("Q", sums).tobytes())


def _remove(path: Path) -> None:
    files: Iterable[str] = ("", "-wal", "-shm")
    for ending in files:
        with suppress(OSError):
            path.with_name(path.name + ending).unlink(missing_ok=True)
