"""Earlier transcripts, in one SQLite file that can be searched."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from core.errors import StoreError
from core.picture import Picture
from core.transcript import Answer, Ending, Exchange, Transcript

THUMBNAIL_SIDE = 320
_VERSION = 2
# The window waits for no other process; what could not be kept is kept with the next answer.
_BUSY_SECONDS = 0.04

_TABLES = """
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
    output_ids TEXT,
    struck TEXT,
    PRIMARY KEY (conversation, position)
) WITHOUT ROWID;
"""
_FROM_1 = """
ALTER TABLE exchange ADD COLUMN output_ids TEXT;
ALTER TABLE exchange ADD COLUMN struck TEXT;
"""


@dataclass(frozen=True)
class Summary:
    """A kept conversation as a line in a list. `answer` is the first line of the first answer."""

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
    exchanges: tuple[Exchange, ...]
    when: datetime

    def transcript(self, picture: Picture) -> Transcript:
        """To go on with, about the picture opened again."""
        return Transcript(picture, self.exchanges)


class Store:
    """One open file; belongs to the thread that made it. Every call takes a few milliseconds.

    Making one never fails: a damaged file is renamed and a new one begun, and where nothing can
    be written conversations are kept in memory only. `notes` then says so. The other calls
    raise StoreError.
    """

    def __init__(self, path: Path):
        self._path = path
        self._notes: list[str] = []
        self._connection = self._opened()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the person about what became of the file."""
        return tuple(self._notes)

    def save(self, transcript: Transcript, id: int | None = None) -> int:
        """Keep a conversation, or what it has become, and give its id.

        `id` is what the first call gave. One that was deleted meanwhile is kept anew.
        """
        with self._writing("The conversation cannot be kept"):
            try:
                return self._save(transcript, id)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._begin_anew()
                return self._save(transcript, None)

    def recent(self, limit: int = 100, search: str = "") -> list[Summary]:
        """The newest first. `search` finds words, or their beginnings and parts, in any case."""
        words = search.casefold().split()
        found = " AND ".join("instr(words, ?)" for _ in words) or "1"
        query = f"""
            SELECT id, picture_path, picture_name, changed, prompt, answer,
                (SELECT count(*) FROM exchange WHERE conversation = id)
            FROM conversation LEFT JOIN exchange ON conversation = id AND position = 0
            WHERE {found} ORDER BY changed DESC, id DESC LIMIT ?
        """
        with self._reading():
            rows = self._connection.execute(query, (*words, limit)).fetchall()
        return [
            Summary(
                id=id,
                picture_path=Path(os.fsdecode(path)) if path else None,
                picture_name=name,
                prompt=prompt or "",
                answer=(answer or "").strip().partition("\n")[0],
                exchanges=count,
                when=_time(changed),
            )
            for id, path, name, changed, prompt, answer, count in rows
        ]

    def open(self, id: int) -> KeptConversation:
        """All that is kept of one conversation. StoreError if it was deleted."""
        with self._reading():
            row = self._connection.execute(
                "SELECT picture_path, picture_name, width, height, thumbnail, changed"
                " FROM conversation WHERE id = ?",
                (id,),
            ).fetchone()
            exchanges = self._connection.execute(
                "SELECT prompt, model, answer, ending, tokens, seconds, seconds_to_first_token,"
                " input_tokens, left_out, seed, output_ids, struck FROM exchange"
                " WHERE conversation = ?"
                " ORDER BY position",
                (id,),
            ).fetchall()
        if not row:
            raise StoreError("This conversation was deleted; choose another one.")
        path, name, width, height, thumbnail, changed = row
        return KeptConversation(
            id=id,
            picture_path=Path(os.fsdecode(path)) if path else None,
            picture_name=name,
            original_size=(width, height),
            thumbnail=thumbnail,
            exchanges=tuple(_exchange(*row) for row in exchanges),
            when=_time(changed),
        )

    def delete(self, id: int) -> None:
        """Forget a conversation for good."""
        with self._writing("The conversation cannot be deleted"), self._connection:
            self._connection.execute("DELETE FROM conversation WHERE id = ?", (id,))

    def close(self) -> None:
        """May be called more than once."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    # The file

    def _opened(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return _connected(self._path)
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                return self._another()
            return self._in_memory(str(error))
        except OSError as error:
            return self._in_memory(error.strerror or str(error))

    def _begin_anew(self) -> None:
        self._connection.close()
        self._connection = self._another()

    def _another(self) -> sqlite3.Connection:
        """A new file in place of a damaged one, which stays beside it."""
        stamp = datetime.now().strftime("%Y-%m-%d %H.%M.%S")
        kept = self._path.with_name(f"{self._path.stem} damaged {stamp}{self._path.suffix}")
        try:
            self._path.replace(kept)
            # With these a new file would be taken for the old one.
            for ending in ("-wal", "-shm"):
                other = self._path.with_name(self._path.name + ending)
                if other.exists():
                    other.replace(kept.with_name(kept.name + ending))
            connection = _connected(self._path)
        except (sqlite3.Error, OSError) as error:
            return self._in_memory(str(error))
        self._notes.append(
            "The file of earlier conversations was damaged; it is kept as"
            f" “{kept.name}”, and a new one is begun."
        )
        return connection

    def _in_memory(self, reason: str) -> sqlite3.Connection:
        self._notes.append(
            f"Conversations are not kept after closing: {self._path} cannot be used ({reason})."
        )
        return _connected(None)

    def _save(self, transcript: Transcript, id: int | None) -> int:
        picture = transcript.picture
        said = [picture.name]
        for exchange in transcript.exchanges:
            said += [exchange.prompt, exchange.text]
        words = _storable("\n".join(said)).casefold()
        with self._connection as connection:
            changed = connection.execute(
                "UPDATE conversation SET changed = ?, words = ? WHERE id = ?",
                (time.time(), words, id),
            )
            if not changed.rowcount:
                inserted = connection.execute(
                    "INSERT INTO conversation (picture_path, picture_name, width, height,"
                    " thumbnail, changed, words) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        os.fsencode(picture.path.absolute()) if picture.path else None,
                        picture.name,
                        *(
                            picture.original_size
                            if any(picture.original_size)
                            else picture.pixels.size
                        ),
                        _thumbnail(picture.pixels),
                        time.time(),
                        words,
                    ),
                )
                id = inserted.lastrowid
            assert id is not None
            connection.execute("DELETE FROM exchange WHERE conversation = ?", (id,))
            connection.executemany(
                "INSERT INTO exchange VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(id, at, *_row(exchange)) for at, exchange in enumerate(transcript.exchanges)],
            )
        return id

    @contextlib.contextmanager
    def _writing(self, failure: str) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{failure} in {self._path} ({error}).") from error

    @contextlib.contextmanager
    def _reading(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"Earlier conversations cannot be read from {self._path} ({error})."
            ) from error


def _connected(path: Path | None) -> sqlite3.Connection:
    """An open connection with our tables. Raises sqlite3.DatabaseError."""
    connection = sqlite3.connect(path or ":memory:", timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise sqlite3.OperationalError("it was written by a newer Onlooker")
        if version < _VERSION:
            making = _FROM_1 if version else _TABLES
            with connection:
                connection.executescript(f"BEGIN; {making} PRAGMA user_version = {_VERSION};")
        connection.execute("SELECT count(*) FROM conversation").fetchone()
        # So that a reader elsewhere never stops us. Refused by some network file systems.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_ERROR:  # Tables that are not ours, or only in part.
        return "no such" in str(error) or "already exists" in str(error)
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _thumbnail(pixels: Image.Image) -> bytes:
    factor = max(pixels.size) // (2 * THUMBNAIL_SIDE)
    small = pixels.reduce(factor) if factor > 1 else pixels.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _storable(text: str) -> str:
    """Half a surrogate pair, as a clipboard can hold, has no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def _row(exchange: Exchange) -> tuple[object, ...]:
    answer = exchange.answer
    if not answer:
        return (_storable(exchange.prompt), exchange.model, *[None] * 10)
    return (
        _storable(exchange.prompt),
        exchange.model,
        _storable(answer.text),
        answer.ending.value,
        answer.tokens,
        answer.seconds,
        answer.seconds_to_first_token,
        answer.input_tokens,
        answer.left_out,
        answer.seed,
        json.dumps(answer.output_ids),
        json.dumps(exchange.struck),
    )


def _exchange(prompt: str, model: str, text: str | None, ending: str, *rest: Any) -> Exchange:
    if text is None:
        return Exchange(prompt, None, model)
    tokens, seconds, seconds_to_first_token, input_tokens, left_out, seed, ids, struck = rest
    answer = Answer(
        text=text,
        ending=Ending(ending),
        tokens=tokens,
        seconds=seconds,
        seconds_to_first_token=seconds_to_first_token,
        input_tokens=input_tokens,
        left_out=left_out,
        seed=seed,
        output_ids=tuple(json.loads(ids or "[]")),
    )
    spans = tuple((begin, end) for begin, end in json.loads(struck or "[]"))
    return Exchange(prompt, answer, model, spans)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone()
