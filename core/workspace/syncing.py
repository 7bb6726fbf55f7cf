"""What an action wrote into many files is brought to the disk while the program goes on.

Until that is done, a power cut may lose what was written, so that the database remembers which
actions are not on the disk yet, and by which boot of the computer they were made.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from core.syncing import sync_files

log = logging.getLogger(__name__)

_REST_SECONDS = 1.0


def new_mark() -> str:
    """Returns what an action has in the database until it is on the disk; another one each time."""
    return f"{_boot()} {time.time_ns()}"


def is_of_this_boot(mark: str) -> bool:
    """Returns whether the computer has been on since. Where that is not known it may not have."""
    boot = _boot()
    return bool(boot) and mark.startswith(f"{boot} ")


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class Syncing:
    """Brings actions to the disk in a thread of its own, one after the other, and takes their marks
    from the database. An action that fails keeps its mark, and is looked at when the program
    starts again."""

    def __init__(self, database: Path):
        self._database = database
        self._guard = threading.Lock()
        self._waiting: dict[int, tuple[str, Collection[str]]] = {}
        self._under_way: int | None = None
        self._is_wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, action: int, mark: str, paths: Collection[str]) -> None:
        """Brings the files of an action to the disk, in a moment."""
        with self._guard:
            self._waiting[action] = mark, paths
            if self._thread is None:
                self._is_wanted.clear()
                self._thread = threading.Thread(target=self._work, name="sync", daemon=True)
                self._thread.start()

    def wait(self, seconds: float | None = None, *, besides: int | None = None) -> bool:
        """Returns True once nothing is left to do, or only for the action `besides`; False if it is
        not so after so many seconds."""
        with self._guard:
            thread, left = self._thread, {self._under_way, *self._waiting} - {None, besides}
        if thread is None or not left:
            return True
        self._is_wanted.set()
        thread.join(seconds)
        return not thread.is_alive()

    def _work(self) -> None:
        # What follows the action is quicker while the disk rests.
        self._is_wanted.wait(_REST_SECONDS)
        while True:
            with self._guard:
                self._under_way = next(iter(self._waiting), None)
                if self._under_way is None:
                    self._thread = None
                    return
                action, (mark, paths) = self._under_way, self._waiting.pop(self._under_way)
            try:
                sync_files(paths)
                self._take_mark(action, mark)
            except (OSError, sqlite3.Error) as error:
                log.warning("An edit is not known to be on the disk: %s", error)

    def _take_mark(self, action: int, mark: str) -> None:
        with closing(sqlite3.connect(self._database, timeout=5)) as connection, connection:
            connection.execute(
                "UPDATE action SET mark = '' WHERE id = ? AND mark = ?", (action, mark)
            )
