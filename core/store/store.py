"""Earlier transcripts, in one SQLite file that can be searched."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from core.captions.folding import findable
from core.errors import StoreError
from core.file_identity import FileIdentity
from core.message import Message, translatable
from core.picture import Picture
from core.store.check import Damaged, is_damage
from core.store.following import KeptImage, KeptPlace, give, kept_images, kept_places
from core.store.opening import MustStop, Opened, file_at, mend_file, open_file
from core.store.reasons import sqlite_reason
from core.store.rows import (
    CONVERSATION_COLUMNS,
    EXCHANGE_COLUMNS,
    NO_PARENT,
    Values,
    conversation_values,
    exchange_values,
    identity_from,
    identity_values,
    path_from,
    searchable,
    size_from,
    text_from,
    time_from,
    tree_from,
)
from core.transcript import Exchange, ExchangeTree, Transcript

_Result = TypeVar("_Result")
# A disk that damages the file again and again gets no further copy of it each time.
_MOST_MENDINGS = 3


class StoreBeingMended(StoreError):
    """The file was found damaged and is being mended: call again once it is open."""


@dataclass(frozen=True)
class Summary:
    """A kept conversation as a line in a list. `answer` is the first line of the first answer;
    `exchanges` counts those of all branches.
    """

    id: int
    picture_path: Path | None
    picture_name: str
    prompt: str
    answer: str
    exchanges: int
    when: datetime


@dataclass(frozen=True)
class KeptConversation:
    """A kept conversation, whole but for the picture: that is its path and a thumbnail (JPEG).

    `picture_path` is where the file was, None for a pasted picture; it may be gone by now.
    """

    id: int
    picture_path: Path | None
    picture_name: str
    original_size: tuple[int, int]
    thumbnail: bytes
    tree: ExchangeTree
    when: datetime
    identity: FileIdentity | None = None

    @property
    def image(self) -> KeptImage:
        """What is known of its image."""
        about = self.original_size, self.thumbnail, self.identity
        return KeptImage(self.id, self.picture_path, *about)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The exchanges that were shown last, oldest first."""
        return tuple(self.tree.nodes[number].exchange for number in self.tree.path)

    def transcript(self, picture: Picture) -> Transcript:
        """To go on with, about the picture opened again."""
        return Transcript(picture, self.tree)


_NOT_SAVED = translatable("core", "The conversation cannot be saved in “{path}” ({reason}).")
_NOT_READ = translatable("core", "Earlier conversations cannot be read from “{path}” ({reason}).")
_NOT_DELETED = translatable("core", "The conversation cannot be deleted from “{path}” ({reason}).")


class Store:
    """One open file, used by one thread at a time. A call takes a few milliseconds.

    Making one never fails: a damaged file is kept and all that can be read of it carried over, and
    where nothing can be written conversations are kept in memory only. `notes` says so. The other
    calls raise StoreError.
    """

    def __init__(self, path: Path, *, waits: bool = True):
        """A thread opens the file and checks it, which takes long for a large one.

        Without `waits` that goes on after the return, and the other calls wait for it unless
        `is_open`. It begins again when a call finds the file damaged; that call raises
        StoreBeingMended.
        """
        self._path = path
        self._waits = waits
        self._is_closing = threading.Event()
        self._opening = self._in_thread(open_file)
        self._mendings = 0
        self._reported = 0
        self._earlier_notes: tuple[str, ...] = ()
        if waits:
            self._opening.result()

    @property
    def opening(self) -> Future[Opened]:
        """What is done once the file is open, to wait for it without blocking."""
        return self._opening

    @property
    def is_open(self) -> bool:
        """Whether the other calls return at once, and it is not closed."""
        return self._opening.done() and not self._is_closing.is_set()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the person about what became of the file."""
        return (*self._earlier_notes, *self._opened.notes)

    def take_notes(self) -> tuple[str, ...]:
        """Returns the notes that no earlier call has returned."""
        notes = self.notes
        new, self._reported = notes[self._reported :], len(notes)
        return new

    def save(self, transcript: Transcript, id: int | None = None) -> int:
        """Keep a conversation, or what it has become, and give its id.

        `id` is what the first call gave. One that was deleted meanwhile is kept anew.
        """

        def save(opened: Opened) -> int:
            return _save(opened.connection, transcript, id)

        return self._mending(save, _NOT_SAVED)

    def recent(self, limit: int = 100, search: str = "") -> list[Summary]:
        """The newest first. `search` finds words, or their beginnings and parts, in any case and
        however their letters are encoded, as in captions."""
        words = findable(search).split()

        def recent(opened: Opened) -> list[Summary]:
            found = [
                summary
                for connection in (opened.connection, opened.newer)
                if connection
                for summary in _recent(connection, limit, words)
            ]
            found.sort(key=lambda summary: (summary.when, summary.id), reverse=True)
            return found[:limit]

        return self._mending(recent, _NOT_READ)

    def open(self, id: int) -> KeptConversation:
        """All that is kept of one conversation. StoreError if it was deleted."""

        def kept(opened: Opened) -> KeptConversation | None:
            found = _open(opened.connection, id)
            return _open(opened.newer, id) if not found and opened.newer else found

        if found := self._mending(kept, _NOT_READ):
            return found
        raise StoreError(
            translatable(
                "core",
                "This conversation was deleted. Choose another one.",
            )
        )

    def latest(self, picture: Picture) -> KeptConversation | None:
        """The conversation about this file with this content that was changed last; None if there
        is none, or the file is not known. Those of a file that was moved are found after `follow`.
        """
        if picture.path is None or picture.identity is None:
            return None
        stored = os.fsencode(picture.path.absolute()), picture.identity.fingerprint

        def latest(opened: Opened) -> KeptConversation | None:
            found = [
                kept
                for connection in (opened.connection, opened.newer)
                if connection and (kept := _latest(connection, *stored))
            ]
            return max(found, key=lambda kept: kept.when, default=None)

        return self._mending(latest, _NOT_READ)

    def images(self, picture: Picture) -> list[KeptImage]:
        """The images of the conversations that may be about this one, for `followed`, which says
        whether they are."""
        return self._mending(lambda opened: kept_images(opened.connection, picture), _NOT_READ)

    def places(self, shape: float) -> list[KeptPlace]:
        """Where the images of the newest conversations were, if nearly of this shape."""
        return self._mending(lambda opened: kept_places(opened.connection, shape), _NOT_READ)

    def follow(self, ids: Sequence[int], picture: Picture) -> None:
        """Makes these conversations those about a picture's file and content."""
        self._mending(lambda opened: give(opened.connection, ids, picture), _NOT_SAVED)

    def delete(self, id: int) -> None:
        """Forget a conversation for good."""

        def delete(opened: Opened) -> None:
            if opened.newer and _open(opened.newer, id):
                raise StoreError(
                    translatable(
                        "core",
                        "This conversation was saved by a newer Onlooker. Delete it there.",
                    )
                )
            with opened.connection as connection:
                connection.execute("DELETE FROM conversation WHERE id = ?", (id,))

        self._mending(delete, _NOT_DELETED)

    def close(self) -> None:
        """Ends a check that is under way. May be called more than once."""
        self._is_closing.set()
        self._opened.close()

    # The file

    @property
    def _opened(self) -> Opened:
        return self._opening.result()

    def _in_thread(self, open: Callable[[Path, MustStop], Opened]) -> Future[Opened]:
        opener = ThreadPoolExecutor(1, thread_name_prefix="store")
        opening = opener.submit(open, self._path, self._is_closing.is_set)
        opener.shutdown(wait=False)
        return opening

    def _mending(self, act: Callable[[Opened], _Result], failure: Message) -> _Result:
        """Does something with the file. If it turns out to be damaged, has it mended.

        Only with `waits` is that waited for, and `act` called once more.
        """
        opened = self._opened
        try:
            if opened.file is not None and file_at(self._path) not in (None, opened.file):
                # Another program has mended it, and what is kept in the old one is lost.
                self._open_again(opened, open_file)
                return act(self._opened)
            try:
                return act(opened)
            except sqlite3.DatabaseError as error:
                if not is_damage(error) or opened.newer or self._mendings == _MOST_MENDINGS:
                    raise
            except UnicodeDecodeError as error:  # In SQLite's message, not in a text.
                if opened.newer:
                    raise Damaged(str(error)) from error
            self._mendings += 1
            self._open_again(opened, mend_file)
            return act(self._opened)
        except sqlite3.Error as error:
            raise StoreError(
                failure.format(path=self._path, reason=sqlite_reason(error))
            ) from error

    def _open_again(self, opened: Opened, open: Callable[[Path, MustStop], Opened]) -> None:
        """Opens the file anew. Without `waits` that goes on, and StoreBeingMended is raised."""
        self._earlier_notes = self.notes
        opened.close()
        self._opening = self._in_thread(open)
        if not self._waits:
            raise StoreBeingMended(
                translatable(
                    "core",
                    "Earlier conversations are being repaired. Try again soon.",
                )
            )


def _save(connection: sqlite3.Connection, transcript: Transcript, id: int | None) -> int:
    picture, tree = transcript.picture, transcript.tree
    with connection:
        changed = connection.execute(
            "UPDATE conversation SET changed = ?, words = ?,"
            " fingerprint = coalesce(?, fingerprint), volume = coalesce(?, volume) WHERE id = ?",
            (time.time(), searchable(picture.name, tree), *identity_values(picture), id),
        )
        if not changed.rowcount:
            id = connection.execute(
                f"INSERT INTO conversation ({', '.join(CONVERSATION_COLUMNS)})"
                f" VALUES ({_places(CONVERSATION_COLUMNS)})",
                conversation_values(picture, tree),
            ).lastrowid
        assert id is not None
        connection.execute("DELETE FROM exchange WHERE conversation = ?", (id,))
        connection.executemany(
            f"INSERT INTO exchange (conversation, position, {', '.join(EXCHANGE_COLUMNS)})"
            f" VALUES (?, ?, {_places(EXCHANGE_COLUMNS)})",
            [(id, at, *exchange_values(node)) for at, node in enumerate(tree.nodes)],
        )
    return id


def _recent(connection: sqlite3.Connection, limit: int, words: list[str]) -> list[Summary]:
    found = " AND ".join("instr(words, ?)" for _ in words) or "1"
    query = f"""
        SELECT id, picture_path, picture_name, changed, prompt, answer,
            (SELECT count(*) FROM exchange WHERE conversation = id)
        FROM conversation LEFT JOIN exchange ON conversation = id AND position = (
            SELECT position FROM exchange WHERE conversation = id
                AND (parent = {NO_PARENT} OR parent IS NULL AND position = 0)
            ORDER BY coalesce(chosen, 0) DESC, position DESC LIMIT 1
        )
        WHERE {found} ORDER BY changed DESC, id DESC LIMIT ?
    """
    return [
        Summary(
            id=id,
            picture_path=path_from(path),
            picture_name=text_from(name),
            prompt=text_from(prompt),
            answer=text_from(answer).strip().partition("\n")[0],
            exchanges=count,
            when=time_from(changed),
        )
        for id, path, name, changed, prompt, answer, count in connection.execute(
            query, (*words, limit)
        )
    ]


def _latest(
    connection: sqlite3.Connection, picture_path: bytes, fingerprint: str
) -> KeptConversation | None:
    row: Values | None = connection.execute(
        "SELECT id FROM conversation WHERE picture_path = ? AND fingerprint = ?"
        " ORDER BY changed DESC, id DESC LIMIT 1",
        (picture_path, fingerprint),
    ).fetchone()
    return _open(connection, row[0]) if row and isinstance(row[0], int) else None


def _open(connection: sqlite3.Connection, id: int) -> KeptConversation | None:
    row: Values | None = connection.execute(
        f"SELECT {', '.join(CONVERSATION_COLUMNS)} FROM conversation WHERE id = ?", (id,)
    ).fetchone()
    if not row:
        return None
    rows = connection.execute(
        f"SELECT position, {', '.join(EXCHANGE_COLUMNS)} FROM exchange WHERE conversation = ?",
        (id,),
    )
    path, name, width, height, thumbnail, changed, _, *identity = row
    return KeptConversation(
        id=id,
        picture_path=path_from(path),
        picture_name=text_from(name),
        original_size=(size_from(width), size_from(height)),
        thumbnail=thumbnail if isinstance(thumbnail, bytes) else b"",
        tree=tree_from({at: tuple(values) for at, *values in rows if isinstance(at, int)}),
        when=time_from(changed),
        identity=identity_from(*identity),
    )


def _places(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))
