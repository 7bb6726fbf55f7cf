"""The index of a workspace: what was read of its images, in an SQLite file, so that the next
opening reads only what has changed.

It is a cache. A damaged one, and one of another version, is thrown away and made anew.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from core.files import make_private
from core.workspace.data import WorkspaceOptions
from core.workspace.images import CaptionState, Images
from core.workspace.messages import text_from, text_of

_VERSION = 3
_TABLES = """
    CREATE TABLE folder (id INTEGER PRIMARY KEY, path BLOB NOT NULL);
    CREATE TABLE image (
        id INTEGER PRIMARY KEY,
        folder INTEGER NOT NULL,
        name BLOB NOT NULL,
        bytes INTEGER NOT NULL,
        modified REAL NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        state INTEGER NOT NULL,
        caption TEXT NOT NULL,
        caption_time INTEGER NOT NULL,
        caption_bytes INTEGER NOT NULL,
        problem TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        target BLOB NOT NULL,
        hash INTEGER
    );
"""
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


class Index:
    """An open index. Used by one thread at a time. Never raises for a broken file or a full disk:
    then what was read is read again next time."""

    def __init__(self, path: Path | None):
        """Without a path nothing is kept."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._folders_saved = 0

    def load(self, images: Images) -> None:
        """Opens the file, and adds what it knows to `images`, which are empty."""
        if self._path is None:
            return
        for _ in range(2):
            try:
                self._connection = _connected(self._path)
                _load(self._connection, images)
                self._folders_saved = len(images.folders)
                return
            except (
                sqlite3.Error,
                OSError,
                ValueError,
                TypeError,
                OverflowError,
                LookupError,
                MemoryError,
            ):
                self.close()
                images.clear()
                _remove(self._path)

    def save(self, images: Images) -> None:
        """Writes the rows that have changed."""
        if self._connection is None:
            return
        new = enumerate(images.folders[self._folders_saved :], self._folders_saved)
        changed = sorted(images.changed)
        with suppress(sqlite3.Error), self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO folder VALUES (?, ?)",
                [(id, os.fsencode(path)) for id, path in new],
            )
            self._connection.executemany(
                f"INSERT OR REPLACE INTO image VALUES ({', '.join('?' * 15)})",
                (_values(images, id) for id in changed),
            )
            self._folders_saved = len(images.folders)
            images.changed.difference_update(changed)

    def close(self) -> None:
        """Closes the file."""
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
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise sqlite3.DatabaseError("an index of another version")
    except BaseException:
        connection.close()
        raise
    return connection


def _load(connection: sqlite3.Connection, images: Images) -> None:
    for id, path in connection.execute("SELECT id, path FROM folder ORDER BY id"):
        if images.folder_id(os.fsdecode(path)) != id:
            raise ValueError("a folder is missing")
    rows = connection.execute("SELECT * FROM image ORDER BY id").fetchall()
    if not rows:
        return
    # By columns, as calls for each of 100,000 images would take longer than reading them.
    ids, *columns = zip(*rows, strict=True)
    if ids != tuple(range(len(rows))):
        raise ValueError("an image is missing")
    folders, names, sizes, modified, widths, heights, states, captions, *others = columns
    times, caption_sizes, problems, marks, targets, hashes = others
    images.restore(folders, list(map(os.fsdecode, names)), states, captions)
    images.bytes, images.modified = array("q", sizes), array("d", modified)
    images.widths, images.heights = array("l", widths), array("l", heights)
    images.caption_stamps = list(zip(times, caption_sizes, strict=True))
    images.fingerprints = list(map(str, marks))
    images.targets = list(map(os.fsdecode, targets))
    images.hashes = list(hashes)
    images.problems = {id: text_from(problem) for id, problem in enumerate(problems) if problem}
    gone = images.states.count(CaptionState.GONE)
    if gone > _MOST_GONE and gone > len(images) / 2:
        raise ValueError("most images are gone")


def _values(images: Images, id: int) -> tuple[object, ...]:
    problem = images.problems.get(id, "")
    return (
        id,
        images.folder_of[id],
        os.fsencode(images.names[id]),
        images.bytes[id],
        images.modified[id],
        images.widths[id],
        images.heights[id],
        images.states[id],
        images.captions[id],
        *images.caption_stamps[id],
        text_of(problem) if problem else "",
        images.fingerprints[id],
        os.fsencode(images.targets[id]),
        images.hashes[id],
    )


def _remove(path: Path) -> None:
    files: Iterable[str] = ("", "-wal", "-shm")
    for ending in files:
        with suppress(OSError):
            path.with_name(path.name + ending).unlink(missing_ok=True)
