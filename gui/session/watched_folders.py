"""Notices when folders change: some are watched by the system, all others looked at now and then.

The system's watches are few and shared by all programs (8,192 for each person on many Linux
systems), and each folder takes one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal, Slot

_MOST_WATCHED = 300
# Watches are added in slices, as each takes a look at the disk in the GUI thread.
_ADDED_AT_ONCE = 20
_SETTLE_MS = 400
# A program that never pauses for that long is reported on nevertheless.
_LATEST_MS = 2_000
_LOOK_MS = 30_000
# Times of files are those of the last tick of the system's clock.
_CLOCK_NS = 10_000_000

_Times = dict[str, int]


class WatchedFolders(QObject):
    """`changed(list[Path])`: files were added to these folders, removed or renamed, a folder is
    gone, or a file was written that is watched itself. What is written into any other file that was
    there stays unseen."""

    changed = Signal(object)
    _looked = Signal(int, object)
    _looked_back = Signal(int, object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="watch")
        self._serial = 0
        self._to_add: list[str] = []
        self._known: set[str] = set()
        self._others: list[str] = []
        self._times: _Times = {}
        self._is_looking = False
        self._changed: set[str] = set()
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._on_changed)
        self._watcher.fileChanged.connect(self._on_file_changed)
        self._settle_timer = QTimer(self, interval=_SETTLE_MS, singleShot=True)
        self._settle_timer.timeout.connect(self._report)
        self._latest_timer = QTimer(self, interval=_LATEST_MS, singleShot=True)
        self._latest_timer.timeout.connect(self._report)
        # Folders that nobody watched while they were read, and when that began.
        self._unwatched: list[str] = []
        self._since = 0
        self._add_timer = QTimer(self, interval=0)
        self._add_timer.timeout.connect(self._add_some)
        self._look_timer = QTimer(self, interval=_LOOK_MS)
        self._look_timer.timeout.connect(self.look)
        self._looked.connect(self._on_looked)
        self._looked_back.connect(self._on_looked_back)

    @property
    def by_system(self) -> list[Path]:
        """The folders that the system watches."""
        return sorted(map(Path, self._watcher.directories()))

    def watch(self, folders: Sequence[Path], since: int | None = None) -> None:
        """Watch these folders too; the first ones of all by the system. Those that have changed
        after `since`, in nanoseconds, are reported at once."""
        new = [folder for folder in map(str, folders) if folder not in self._known]
        for folder in new:
            self._known.add(folder)
            if len(self._known) <= _MOST_WATCHED:
                self._to_add.append(folder)
            else:
                self._others.append(folder)
        if self._to_add:
            self._add_timer.start()
        if self._others:
            self._look_timer.start()
            self.look()
        if since is not None:
            self._since = since
            self._unwatched += new
            if not self._to_add:
                self._look_back()

    def watch_files(self, files: Mapping[Path, int]) -> None:
        """Watch these files, which should be few, for what is written into them since they were
        read, when they had been changed last at these times in nanoseconds."""
        known = set(self._watcher.files())
        for file, time in files.items():
            path = str(file)
            if path not in known and self._watcher.addPath(path) and _time_of(path) != time:
                self._on_file_changed(path)  # Meanwhile.

    def clear(self) -> None:
        """Watch nothing."""
        self._serial += 1
        for timer in (self._settle_timer, self._latest_timer, self._add_timer, self._look_timer):
            timer.stop()
        self._to_add, self._others, self._unwatched = [], [], []
        self._times, self._is_looking = {}, False
        self._known.clear()
        self._changed.clear()
        if watched := self._watcher.directories() + self._watcher.files():
            self._watcher.removePaths(watched)

    @Slot()
    def look(self) -> None:
        """Look at the folders that the system does not watch, in a thread."""
        if self._others and not self._is_looking:
            self._is_looking = True
            self._thread.submit(self._look, self._serial, tuple(self._others))

    def close(self) -> None:
        """End the thread; a folder that does not answer is not waited for."""
        self.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _look_back(self) -> None:
        folders, self._unwatched = self._unwatched, []
        if folders:
            self._thread.submit(self._look_for_newer, self._serial, folders, self._since)

    def _look_for_newer(self, serial: int, folders: Sequence[str], since: int) -> None:
        self._looked_back.emit(
            serial, [one for one in folders if _time_of(one) >= since - _CLOCK_NS]
        )

    @Slot(int, object)
    def _on_looked_back(self, serial: int, folders: Sequence[str]) -> None:
        if serial == self._serial:
            for folder in folders:
                self._on_changed(folder)

    def _look(self, serial: int, folders: Sequence[str]) -> None:
        self._looked.emit(serial, {folder: _time_of(folder) for folder in folders})

    @Slot(int, object)
    def _on_looked(self, serial: int, times: _Times) -> None:
        if serial != self._serial:
            return
        self._is_looking = False
        known, self._times = self._times, times
        for folder, time in times.items():
            if known.get(folder, time) != time:
                self._on_changed(folder)

    @Slot()
    def _add_some(self) -> None:
        some, self._to_add = self._to_add[:_ADDED_AT_ONCE], self._to_add[_ADDED_AT_ONCE:]
        # Those for which the system has no watch left are looked at.
        if refused := self._watcher.addPaths(some):
            self._others += refused
            self._look_timer.start()
        if not self._to_add:
            self._add_timer.stop()
            self._look_back()

    @Slot(str)
    def _on_file_changed(self, file: str) -> None:
        """A file that is replaced is watched no more until it is asked for again."""
        self._on_changed(os.path.dirname(file))  # noqa: PTH120 (as the folders are kept)

    @Slot(str)
    def _on_changed(self, folder: str) -> None:
        self._changed.add(folder)
        self._settle_timer.start()
        if not self._latest_timer.isActive():
            self._latest_timer.start()
        if not Path(folder).exists() and folder not in self._others:
            self._others.append(folder)  # The system watches it no more, should it come again.
            self._look_timer.start()

    @Slot()
    def _report(self) -> None:
        self._settle_timer.stop()
        self._latest_timer.stop()
        changed, self._changed = sorted(map(Path, self._changed)), set()
        if changed:
            self.changed.emit(changed)


def _time_of(folder: str) -> int:
    """Returns when the entries of a folder changed last; -1 if there is none."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 (without a Path for each of thousands)
    except (OSError, ValueError):
        return -1
