"""What the program keeps of images and their captions for good, in one SQLite file for all folders:
reviews, who wrote a caption, doubt, drafts, and the actions that can be undone (`actions`).

An image is known by its path. One that was moved or renamed is found again by its fingerprint, once
it is known to be gone from where it was: while its disk is not connected, another image with the
same content is a copy.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from core.file_identity import has_content, is_gone, is_respelled, volume_of
from core.workspace.data import Draft, ReviewState

TABLES = f"""
    CREATE TABLE record (
        folder BLOB NOT NULL,
        name BLOB NOT NULL,
        fingerprint TEXT NOT NULL DEFAULT '',
        review TEXT NOT NULL DEFAULT '{ReviewState.UNREVIEWED}',
        is_edited INTEGER NOT NULL DEFAULT 0,
        doubt REAL,
        answer TEXT,
        draft TEXT,
        PRIMARY KEY (folder, name)
    ) WITHOUT ROWID;
    CREATE INDEX record_fingerprint ON record (fingerprint) WHERE fingerprint != '';
"""
TABLES_OF_FOLDERS = """
    CREATE TABLE note (path BLOB PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
"""

TABLES_WITH_SEEN = """
    ALTER TABLE record ADD COLUMN seen TEXT;
"""

TABLES_OF_VOLUMES = """
    CREATE TABLE volume (folder BLOB PRIMARY KEY, volume BLOB NOT NULL) WITHOUT ROWID;
"""

TABLES_OF_MOVES = """
    CREATE TABLE moved (old BLOB NOT NULL, new BLOB NOT NULL, time REAL NOT NULL);
"""


@dataclass(frozen=True)
class Record:
    """What is kept of an image. `answer` is the last caption that a model wrote, `draft` what a
    person was writing, and `seen` the caption that was there then, None if that is not known."""

    review: ReviewState = ReviewState.UNREVIEWED
    is_edited: bool = False
    doubt: float | None = None
    answer: str | None = None
    draft: str | None = None
    seen: str | None = None


class Records:
    """The records in an open database. Calls raise sqlite3.Error."""

    def __init__(
        self, connection: sqlite3.Connection, fingerprint_of: Callable[[str], str] = lambda _: ""
    ):
        """`fingerprint_of` returns that of an image, "" as long as it is unknown."""
        self._connection, self._fingerprint_of = connection, fingerprint_of
        # The folders whose volumes are kept as they are now.
        self._with_volume: set[bytes] = set()

    def in_folder(self, folder: str) -> dict[str, Record]:
        """Returns the records of the images in a folder, by their names."""
        rows = self._connection.execute(
            "SELECT name, review, is_edited, doubt, answer, draft FROM record WHERE folder = ?",
            (os.fsencode(folder),),
        )
        return {
            os.fsdecode(name): Record(_review(review), bool(edited), doubt, answer, draft)
            for name, review, edited, doubt, answer, draft in rows
        }

    def set(self, column: str, values: Mapping[str, Any]) -> None:
        """Sets one column of the records of these images. Part of a transaction, if one is open."""
        self._connection.executemany(
            f"INSERT INTO record (folder, name, {column}, fingerprint) VALUES (?1, ?2, ?3, ?4)"
            f" ON CONFLICT DO UPDATE SET {column} = ?3,"
            " fingerprint = iif(?4 = '', fingerprint, ?4)",
            ((*_key(path), value, self._fingerprint_of(path)) for path, value in values.items()),
        )
        self._keep_volumes(values)

    def get(self, path: str) -> Record:
        """Returns the record of an image, an empty one if there is none."""
        row = self._connection.execute(
            "SELECT review, is_edited, doubt, answer, draft, seen FROM record"
            " WHERE folder = ? AND name = ?",
            _key(path),
        ).fetchone()
        if row is None:
            return Record()
        review, edited, doubt, answer, draft, seen = row
        return Record(_review(review), bool(edited), doubt, answer, draft, seen)

    def set_draft(self, path: str, draft: Draft | None) -> None:
        """Keeps what a person is writing for an image; None forgets it."""
        with self.transaction():
            self.set("draft", {path: draft and draft.text})
            self.set("seen", {path: draft and draft.seen})

    def drafts(self) -> list[tuple[str, str]]:
        """Returns the paths of images with what was being written for them."""
        rows: list[tuple[bytes, bytes, str]] = self._connection.execute(
            "SELECT folder, name, draft FROM record WHERE draft IS NOT NULL"
        ).fetchall()
        found = ((os.path.join(folder, name), draft) for folder, name, draft in rows)  # noqa: PTH118
        return [(os.fsdecode(path), draft) for path, draft in found]

    def set_answers(self, answers: Mapping[str, tuple[str, float | None]]) -> None:
        """Keeps what a model wrote about images, and how doubtful it is; no person has changed it
        yet."""
        with self.transaction():
            self.set("answer", {image: text for image, (text, _) in answers.items()})
            self.set("doubt", {image: doubt for image, (_, doubt) in answers.items()})
            self.set("is_edited", dict.fromkeys(answers, False))

    def found_again(self, fingerprints: Mapping[str, str]) -> dict[str, Record]:
        """Keeps the fingerprints of images that have a record. Returns the records of the others
        that are known under a path where no image is any more; they move to the new path."""
        found: dict[str, Record] = {}
        with self._connection as connection:
            for path, mark in fingerprints.items():
                known = connection.execute(
                    "UPDATE record SET fingerprint = ? WHERE folder = ? AND name = ?",
                    (mark, *_key(path)),
                )
                if not known.rowcount and self._take_over(mark, path):
                    found[path] = self.get(path)
            self._keep_volumes(fingerprints)
        return found

    def move(self, old: str, new: str) -> None:
        """Lets an image that was moved keep its record and its note. Part of a `transaction`."""
        self._connection.execute(
            "UPDATE OR REPLACE record SET folder = ?, name = ? WHERE folder = ? AND name = ?",
            (*_key(new), *_key(old)),
        )
        self._move_note(os.fsencode(old), os.fsencode(new))
        self._note_move(os.fsencode(old), os.fsencode(new))
        self._keep_volumes((new,))

    def set_fingerprint(self, path: str) -> None:
        """Keeps what an image is recognised by now. Part of a `transaction`."""
        self._connection.execute(
            "UPDATE record SET fingerprint = ? WHERE folder = ? AND name = ?",
            (self._fingerprint_of(path), *_key(path)),
        )

    def moves(self) -> list[tuple[str, str, float]]:
        """Returns where images were and are, and when in seconds that was noticed, in this order:
        for what knows them by their path at the time, as the journals of runs do."""
        rows: list[tuple[bytes, bytes, float]] = self._connection.execute(
            "SELECT old, new, time FROM moved ORDER BY time, rowid"
        ).fetchall()
        return [(os.fsdecode(old), os.fsdecode(new), when) for old, new, when in rows]

    def _note_move(self, old: bytes, new: bytes) -> None:
        self._connection.execute("INSERT INTO moved VALUES (?, ?, ?)", (old, new, time.time()))

    def _move_note(self, old: bytes, new: bytes) -> None:
        self._connection.execute("UPDATE OR REPLACE note SET path = ? WHERE path = ?", (new, old))

    def _take_over(self, mark: str, path: str) -> bool:
        new_folder, new_name = _key(path)
        rows: list[tuple[bytes, bytes]] = self._connection.execute(
            "SELECT folder, name FROM record WHERE fingerprint = ? ORDER BY name != ?",
            (mark, new_name),
        ).fetchall()
        for folder, name in rows:
            old = os.path.join(folder, name)  # noqa: PTH118 (bytes)
            # Of equal images in a folder that was moved, each has its own record.
            namesake = os.path.join(new_folder, name)  # noqa: PTH118
            is_other = name != new_name and not is_respelled(os.fsdecode(namesake), path)
            if is_other and has_content(os.fsdecode(namesake), mark):
                continue
            was = os.fsdecode(old)
            if not is_gone(was, self._volume_of(folder)) and not is_respelled(was, path):
                continue
            self._connection.execute(
                "UPDATE record SET folder = ?, name = ? WHERE folder = ? AND name = ?",
                (new_folder, new_name, folder, name),
            )
            if not self.note(path):
                self._move_note(old, os.fsencode(path))
            self._note_move(old, os.fsencode(path))
            return True
        return False

    def _keep_volumes(self, paths: Iterable[str]) -> None:
        """Keeps which disks images are on, while they are seen there; looks at one of a folder."""
        firsts: dict[bytes, str] = {}
        for path in paths:
            firsts.setdefault(_key(path)[0], path)
        for folder in firsts.keys() - self._with_volume:
            if volume := volume_of(firsts[folder]):
                self._with_volume.add(folder)
                self._connection.execute(
                    "INSERT OR REPLACE INTO volume VALUES (?, ?)", (folder, volume)
                )

    def _volume_of(self, folder: bytes) -> bytes:
        found = self._connection.execute(
            "SELECT volume FROM volume WHERE folder = ?", (folder,)
        ).fetchone()
        return found[0] if found else b""

    def note(self, path: str) -> str:
        """Returns a person's note about an image or a folder; "" without one."""
        found = self._connection.execute(
            "SELECT text FROM note WHERE path = ?", (os.fsencode(path),)
        ).fetchone()
        return found[0] if found else ""

    def notes(self) -> dict[str, str]:
        """Returns all notes by path."""
        rows = self._connection.execute("SELECT path, text FROM note").fetchall()
        return {os.fsdecode(path): text for path, text in rows}

    def set_note(self, path: str, text: str, *, is_image: bool) -> None:
        """Keeps a person's note about an image or a folder; "" removes it. That about an image is
        found again with its record."""
        with self._connection as connection:
            connection.execute("DELETE FROM note WHERE path = ?", (os.fsencode(path),))
            if text:
                connection.execute("INSERT INTO note VALUES (?, ?)", (os.fsencode(path), text))
            if text and is_image:
                connection.execute(
                    "INSERT INTO record (folder, name, fingerprint) VALUES (?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (*_key(path), self._fingerprint_of(path)),
                )
                self._keep_volumes((path,))

    def transaction(self) -> AbstractContextManager[object]:
        """Makes what is set inside one transaction. One that fails is rolled back: left open, as on
        a full disk, it would lock the file for all others."""
        return self._connection


def _key(path: str) -> tuple[bytes, bytes]:
    return os.path.split(os.fsencode(path))


def _review(stored: str) -> ReviewState:
    try:
        return ReviewState(stored)
    except ValueError:
        return ReviewState.UNREVIEWED
