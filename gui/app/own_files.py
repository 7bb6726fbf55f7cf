"""Notices what other programs write into our own files, as `onlooker presets import` does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Slot

from core.locations import Locations
from gui.app.tasks import Begin
from gui.session.preset_store import PresetStore
from gui.session.settings_file import SettingsFile

_SETTLE_MS = 400

_Stamp = tuple[int, int, int] | None


class OwnFiles(QObject):
    """Has the settings and the presets read again once their file is another one. The folders are
    watched, since a file that is replaced is watched no more."""

    def __init__(
        self,
        places: Locations,
        settings_file: SettingsFile,
        presets: PresetStore,
        begin: Begin,
        parent: QObject,
    ):
        super().__init__(parent)
        self._begin = begin
        self._looks = {places.settings: settings_file.look, places.presets: presets.look}
        self._stamps = {path: _stamp_of(path) for path in self._looks}
        self._timer = QTimer(self, interval=_SETTLE_MS, singleShot=True)
        self._timer.timeout.connect(self._on_settled)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self._on_changed)
        self._watcher.addPaths(sorted({str(path.parent) for path in self._looks}))

    def close(self) -> None:
        """Notice nothing more."""
        self._watcher.directoryChanged.disconnect(self._on_changed)
        self._timer.stop()

    @Slot()
    def _on_changed(self) -> None:
        if not self._timer.isActive():  # While other files are written, too.
            self._timer.start()

    @Slot()
    def _on_settled(self) -> None:
        self._begin(self._look())

    async def _look(self) -> None:
        paths = list(self._looks)
        stamps = await asyncio.to_thread(lambda: list(map(_stamp_of, paths)))
        for path, stamp in zip(paths, stamps, strict=True):
            if stamp != self._stamps[path]:
                self._stamps[path] = stamp
                await self._looks[path]()


def _stamp_of(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
