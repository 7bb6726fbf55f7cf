"""Opens the file of conversations: checked, brought up to date, mended if it is damaged.

Whatever happens, there is a database to work with, and sentences say what became of the file. One
program at a time opens it: what another one is making or mending looks like damage.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from core.captions.folding import findable
from core.errors import StoreError
from core.files import keep_copy, make_private, numbered, reason, sync_folder, write_error
from core.message import joined, translatable
from core.partial_file import take_place
from core.schema_steps import use_write_ahead_log
from core.store.check import NEWEST_PLAUSIBLE, Damaged, is_damage, require_sound
from core.store.reasons import sqlite_reason
from core.store.rows import CONVERSATION_COLUMNS, EXCHANGE_COLUMNS, LARGEST_ID, text_from
from core.store.salvage import ENDINGS, UNREADABLE, carry_over
from core.store.schema import VERSION, bring_up_to_date, tables
from core.write_lock import one_at_a_time

# The window waits for no other process; what could not be kept is kept with the next answer.
_BUSY_MS = 40
# Opening happens in a thread of its own, which may wait for another window to finish writing.
_BUSY_AT_OPENING_SECONDS = 5
_INSTRUCTIONS_BETWEEN_LOOKS = 100_000
_SCRATCH = ".onlooker-conversations-"
_MENDED = "-mended"

MustStop = Callable[[], bool]


@dataclass(frozen=True)
class Opened:
    """Open connections, and sentences for the person about what became of the file.

    New conversations go to `connection`. `newer` is the file of a newer program, if there is one:
    it is only read.
    """

    connection: sqlite3.Connection
    notes: tuple[str, ...] = ()
    newer: sqlite3.Connection | None = None
    file: tuple[int, int] | None = None
    """What identifies the file, whatever its name; None in memory."""

    def close(self) -> None:
        """Closes the connections."""
        for connection in filter(None, (self.connection, self.newer)):
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def open_file(path: Path, must_stop: MustStop) -> Opened:
    """Opens the file, or makes it. Takes long for a large one. Never raises an expected error.

    Once `must_stop` returns True, it ends soon and leaves the file as it is.
    """
    return _alone(path, must_stop, _open_file)


def mend_file(path: Path, must_stop: MustStop) -> Opened:
    """Keeps a copy of a damaged file, and puts a new one with all that can be read in its place."""
    return _alone(path, must_stop, _mend_file)


def file_at(path: Path) -> tuple[int, int] | None:
    """Returns what identifies the file that is there now; None for no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _alone(path: Path, must_stop: MustStop, open: Callable[[Path, MustStop], Opened]) -> Opened:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(path.with_suffix(".lock"), must_stop):
            return open(path, must_stop)
    except OSError as error:
        return _in_memory(path, reason(error))


def _open_file(path: Path, must_stop: MustStop) -> Opened:
    notes: tuple[str, ...] = ()
    try:
        notes = _prepare(path)
        opened = _checked(path, must_stop)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return _mend_file(path, must_stop)
        return _in_memory(path, sqlite_reason(error))
    except (UnicodeDecodeError, MemoryError):
        # Python cannot decode SQLite's message about a garbled name; a garbled size takes more
        # memory than there is.
        return _mend_file(path, must_stop)
    except StoreError as error:
        return Opened(_new_in_memory(), (joined(_NOT_KEPT, error.message),))
    except OSError as error:
        return _in_memory(path, reason(error))
    return replace(opened, notes=(*notes, *opened.notes))


_NOT_KEPT = translatable("core", "New conversations are not saved.")
_EMPTY = translatable(
    "core",
    "The file of earlier conversations was empty, so they are lost. New ones are saved.",
)
_FINISHED = translatable(
    "core",
    "The file of earlier conversations was damaged and has been repaired as "
    "far as possible. The damaged file is kept beside it.",
)


def _mend_file(path: Path, must_stop: MustStop) -> Opened:
    stamp = datetime.now().strftime("%Y-%m-%d %H.%M.%S")
    kept = numbered(path.with_name(f"{path.stem} damaged {stamp}{path.suffix}"))
    try:
        with _scratch(path) as folder:
            copy = folder / "copy"
            endings = [ending for ending in ENDINGS if _beside(path, ending).exists()]
            for ending in endings:
                keep_copy(_beside(path, ending), _beside(copy, ending))
            new, count = carry_over(copy, folder, must_stop)
            if must_stop():
                raise sqlite3.OperationalError("interrupted")
            make_private(new)
            for ending in endings:
                _beside(copy, ending).rename(_beside(kept, ending))
            new.replace(_beside(path, _MENDED))
            _put_in_place(path)
        opened = _checked(path, must_stop)
    except sqlite3.Error as error:
        return _in_memory(path, sqlite_reason(error))
    except OSError as error:
        return _in_memory(path, reason(error))
    return replace(opened, notes=(_mended(count, kept.name), *opened.notes))


def _put_in_place(path: Path) -> None:
    """Lets the mended file take the damaged one's place. A next start goes on after a crash."""
    sync_folder(path.parent)
    # With these the new file would be taken for the old one.
    for ending in (*ENDINGS[1:], "-shm"):
        _beside(path, ending).unlink(missing_ok=True)
    sync_folder(path.parent)
    take_place(_beside(path, _MENDED), path)
    sync_folder(path.parent)


@contextlib.contextmanager
def _scratch(path: Path) -> Generator[Path]:
    """A folder of our own on the same disk: what is made there takes its place in one step."""
    with tempfile.TemporaryDirectory(
        prefix=_SCRATCH, dir=path.parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _prepare(path: Path) -> tuple[str, ...]:
    """Makes the folder and the file, and ends what a crash has cut off. Returns notes on that."""
    for left in path.parent.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    notes: list[str] = []
    if _beside(path, _MENDED).exists():
        _put_in_place(path)
        notes.append(_FINISHED)
    if not path.exists():
        _make(path)
    else:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a file")
        if not status.st_size and not _beside(path, "-wal").exists():
            notes.append(_EMPTY)
        if not os.access(path, os.W_OK):
            return tuple(notes)
    make_private(path)
    for ending in ("-wal", "-shm"):  # New ones get the file's permissions.
        if (other := _beside(path, ending)).exists():
            make_private(other)
    return tuple(notes)


def _make(path: Path) -> None:
    """Makes a new file in one step, so that an empty one is one that has lost what it held."""
    with _scratch(path) as folder:
        new = folder / "new"
        make_private(new)
        with contextlib.closing(sqlite3.connect(new)) as connection:
            bring_up_to_date(connection)
        new.rename(path)
        sync_folder(path.parent)


def _checked(path: Path, must_stop: MustStop) -> Opened:
    address = without_host(path.absolute().as_uri())
    # A connection that may write would change a damaged file when it is closed.
    with contextlib.closing(_connected(f"{address}?mode=ro", must_stop)) as reader:
        try:
            version = _version_of_sound(reader)
        except sqlite3.OperationalError as error:
            if is_damage(error) or error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise
            version = None  # After a crash, or on some network disks, reading needs to write.
    connection = _connected(address, must_stop)
    try:
        if version is None:
            version = _version_of_sound(connection)
        if version > VERSION:
            return _only_read(path, connection)
        _up_to_date(path, connection, version)
        # So that a reader elsewhere never stops us. Refused by some network file systems.
        use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        # What cannot be written now, as on a full disk, is folded the next time.
        with contextlib.suppress(sqlite3.OperationalError):
            _fold_words(connection)
        _make_ready(connection)
    except BaseException:
        connection.close()
        raise
    return Opened(connection, file=file_at(path))


def without_host(uri: str) -> str:
    """Returns the URI of a file as SQLite takes it: that of one on a network share of Windows has a
    host, which belongs to the path there."""
    is_share = not uri.startswith("file:///")
    return uri.replace("file://", "file:////", 1) if is_share else uri


def _connected(address: str, must_stop: MustStop) -> sqlite3.Connection:
    # Opened in one thread and used in another, by one at a time.
    connection = sqlite3.connect(
        address, timeout=_BUSY_AT_OPENING_SECONDS, check_same_thread=False, uri=True
    )
    connection.set_progress_handler(must_stop, _INSTRUCTIONS_BETWEEN_LOOKS)
    return connection


def _version_of_sound(connection: sqlite3.Connection) -> int:
    """Returns the version of the tables, 0 for none. Raises a damaged file's error.

    The tables of a newer version are not known, and not checked.
    """
    # All as it was at one moment, while others may write.
    connection.execute("BEGIN")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if VERSION < version <= NEWEST_PLAUSIBLE:
            return version
        if version or tables(connection):
            if not 0 < version <= VERSION:
                raise Damaged("the file does not say which version it has")
            require_sound(connection, version)
        return version
    finally:
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()


def _up_to_date(path: Path, connection: sqlite3.Connection, version: int) -> None:
    """Brings the tables up to date. Of a file that is not new, a copy is kept before."""
    if version in (0, VERSION):
        if not version:
            bring_up_to_date(connection)
        return
    kept = numbered(path.with_name(f"{path.stem} version {version}{path.suffix}"))
    try:
        with _scratch(path) as folder:
            made = folder / "copy"
            make_private(made)
            with contextlib.closing(sqlite3.connect(made)) as copy:
                connection.backup(copy)
            made.rename(kept)
            sync_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        # Without a copy the file stays as it is.
        if isinstance(error, OSError):
            raise write_error(kept, error) from error
        raise StoreError(
            translatable(
                "core",
                "“{name}” cannot be written ({reason}). Free some space, then start "
                "Onlooker again.",
            ).format(name=kept.name, reason=sqlite_reason(error))
        ) from error
    bring_up_to_date(connection)


def _fold_words(connection: sqlite3.Connection) -> None:
    """Folds what is searched as `findable` does, where an earlier program did it by case alone.
    ASCII, which is as many bytes as characters, was always folded so."""
    rows = connection.execute(
        "SELECT id, words FROM conversation WHERE length(words) != length(CAST(words AS BLOB))"
    )
    others = [
        (folded, id)
        for id, words in rows
        if isinstance(words, str) and (folded := findable(words)) != words
    ]
    if others:
        with connection:
            connection.executemany("UPDATE conversation SET words = ? WHERE id = ?", others)


def _only_read(path: Path, connection: sqlite3.Connection) -> Opened:
    """The file of a newer program is read as far as its tables are still the same."""
    connection.execute("PRAGMA query_only = ON")
    _make_ready(connection)
    try:
        for columns, table in (
            (("id", *CONVERSATION_COLUMNS), "conversation"),
            (("conversation", "position", *EXCHANGE_COLUMNS), "exchange"),
        ):
            connection.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 1").fetchone()
    except UNREADABLE:
        connection.close()
        text = translatable(
            "core",
            "“{name}” comes from a newer Onlooker: it cannot be read, and new "
            "conversations are not saved. Update Onlooker.",
        )
        return Opened(_new_in_memory(), (text.format(name=path.name),))
    text = translatable(
        "core",
        "“{name}” comes from a newer Onlooker: it can be read, but new conversations "
        "are not saved. Update Onlooker.",
    )
    note = text.format(name=path.name)
    memory = _new_in_memory()
    with memory:  # No number of a new one is that of an earlier one.
        memory.execute("INSERT INTO sqlite_sequence VALUES ('conversation', ?)", (LARGEST_ID // 2,))
    return Opened(memory, (note,), connection)


def _make_ready(connection: sqlite3.Connection) -> None:
    connection.set_progress_handler(None, 0)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    connection.text_factory = text_from


def _in_memory(path: Path, why: str) -> Opened:
    note = translatable(
        "core",
        "Conversations are lost when Onlooker closes, since “{path}” cannot be used ({reason}).",
    ).format(path=path, reason=why)
    return Opened(_new_in_memory(), (note,))


def _new_in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    bring_up_to_date(connection)
    _make_ready(connection)
    return connection


def _mended(count: int, kept: str) -> str:
    if not count:
        return translatable(
            "core",
            "The file of earlier conversations was damaged and cannot be repaired. It "
            "is kept as “{name}”.",
        ).format(name=kept)
    text = translatable(
        "core",
        "The file of earlier conversations was damaged: {count} conversations were "
        "saved, possibly incomplete. The damaged file is kept as “{name}”.",
    )
    if count == 1:
        text = translatable(
            "core",
            "The file of earlier conversations was damaged: 1 conversation was saved, "
            "possibly incomplete. The damaged file is kept as “{name}”.",
        )
        return text.format(name=kept)
    return text.format(count=f"{count:,}", name=kept)
