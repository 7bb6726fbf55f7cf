"""The presets: read at the start, and written whenever they are changed."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.errors import StoreError
from core.workspace import Presets
from gui.widgets.translated import translated, translated_all

log = logging.getLogger(__name__)


class PresetStore(QObject):
    """Those that come with the program, and a person's own.

    `changed()`: `presets` are others. `noticed(str)`: what happened to their file.
    """

    changed = Signal()
    noticed = Signal(str)

    def __init__(self, path: Path, parent: QObject | None = None):
        super().__init__(parent)
        self._path = path
        self._lock = asyncio.Lock()
        self._kept: Presets | None = None
        self.presets = Presets.built_in()

    async def load(self) -> None:
        """Read the person's own."""
        try:
            found = await asyncio.to_thread(Presets.load, self._path)
        except StoreError as error:
            self.noticed.emit(translated(error))
            return
        self.presets = self._kept = found
        if found.notes:
            self.noticed.emit(translated_all(found.notes))
        self.changed.emit()

    async def keep(self, presets: Presets) -> None:
        """Take others, and write them; of several that come quickly, the last."""
        if presets == self.presets:
            return
        self.presets = presets
        self.changed.emit()
        async with self._lock:
            if self._kept == self.presets:
                return
            self._kept = self.presets
            try:
                await asyncio.to_thread(self._kept.save, self._path)
            except StoreError as error:
                self._kept = None
                self.noticed.emit(translated(error))
