"""Removes actions that cannot be undone any more from the database, while the program goes on.

To remove one of 100,000 captions takes some tenths of a second, in which no row could be read.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from core.workspace.actions import Actions

log = logging.getLogger(__name__)

# Between two parts others can write to the database.
_PAUSE_SECONDS = 0.005


class Forgetting:
    """A thread while there is something to forget. What is left at the end, or after an error, is
    forgotten after the next opening."""

    def __init__(self, database: Path):
        self._database = database
        self._guard = threading.Lock()
        self._waiting: deque[int] = deque()
        self._thread: threading.Thread | None = None
        self._is_closed = threading.Event()

    def begin(self, actions: Sequence[int]) -> None:
        """Forgets these actions, which nothing reads any more, by their ids. Any thread may call
        it."""
        with self._guard:
            self._waiting.extend(actions)
            if self._thread is None and self._waiting:
                self._thread = threading.Thread(target=self._work, name="forget", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Ends after the part under way, some milliseconds."""
        self._is_closed.set()
        with self._guard:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        try:
            with closing(sqlite3.connect(self._database, timeout=5)) as connection:
                # A power cut may bring a part back, which is forgotten later.
                connection.execute("PRAGMA synchronous = NORMAL")
                while (action := self._next()) is not None:
                    for _ in Actions(connection).forget_in_parts(action):
                        if self._is_closed.wait(_PAUSE_SECONDS):
                            return
        except sqlite3.Error as error:
            log.warning("An edit that cannot be undone any more is not removed: %s", error)
            with self._guard:
                self._thread = None

    def _next(self) -> int | None:
        with self._guard:
            if self._waiting:
                return self._waiting.popleft()
            self._thread = None
            return None
