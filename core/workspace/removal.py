"""Files that are of no use any more: taken out of their folder at once, and removed in a moment.

A disk that erases what is freed takes up to a millisecond for each file that is removed, a folder
of another computer several. To rename one takes a fiftieth of that.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path


def remove_soon(path: Path, away: Path) -> None:
    """Takes a file out of its folder, if there is one. `away` is a folder on the same disk for what
    is being removed, which need not exist; what an earlier program has left there is removed too.
    Raises OSError."""
    target = away / path.name
    try:
        path.replace(target)
    except OSError:
        if not os.path.lexists(path):
            return
        try:
            away.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.replace(target)
        except OSError:
            path.unlink(missing_ok=True)
            return
    _removal.begin(away)


def wait_for_removal(seconds: float | None = None) -> None:
    """Returns once all is removed, or after so many seconds."""
    _removal.wait(seconds)


class _Removal:
    """Empties folders in a thread of its own; once that is waited for, they go too."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._filled: set[Path] = set()
        self._emptied: set[Path] = set()
        self._thread: threading.Thread | None = None

    def begin(self, folder: Path) -> None:
        with self._guard:
            self._filled.add(folder)
            if self._thread is None:
                # The program may end meanwhile.
                self._thread = threading.Thread(target=self._work, name="removal", daemon=True)
                self._thread.start()

    def wait(self, seconds: float | None) -> None:
        with self._guard:
            thread = self._thread
        if thread is not None:
            thread.join(seconds)
        with self._guard:
            emptied, self._emptied = self._emptied, set()
        for folder in emptied:
            with suppress(OSError):  # Somebody else has something there.
                folder.rmdir()
                folder.parent.rmdir()

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._filled:
                    self._thread = None
                    return
                folder = self._filled.pop()
            with suppress(OSError):
                _empty(folder)
            with self._guard:
                self._emptied.add(folder)


def _empty(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        for name in os.listdir(place):  # noqa: PTH208 (it is an open folder)
            with suppress(OSError):
                os.unlink(name, dir_fd=place)
    finally:
        os.close(place)


_removal = _Removal()
