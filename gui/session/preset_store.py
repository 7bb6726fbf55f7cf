"""The presets: read at the start, and written whenever they are changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.errors import StoreError
from core.message import Message
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
        # What the file had, apart from what other programs have written since.
        self._known = self.presets

    async def load(self) -> None:
        """Read the person's own."""
        try:
            found = await asyncio.to_thread(Presets.load, self._path)
        except StoreError as error:
            self.noticed.emit(translated(error))
            return
        self.presets = self._known = self._kept = found
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
            self._kept = wanted = self.presets
            try:
                notes = await asyncio.to_thread(_save, wanted, self._known, self._path)
            except StoreError as error:
                self._kept = None
                self.noticed.emit(translated(error))
                return
            self._known = wanted
            if notes:
                self.noticed.emit(translated_all(notes))


def _save(presets: Presets, known: Presets, path: Path) -> Sequence[Message]:
    """Write presets with what another program has added since they were `known`, as `onlooker
    presets import` does. A file that cannot be read is left. Return what to say of it."""
    found = Presets.load(path)
    presets.merged(known, found).save(path)
    return found.notes
