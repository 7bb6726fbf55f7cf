"""The presets: read at the start, and written whenever they are changed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
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
        # What was read or written here last.
        self._known = self.presets

    async def load(self) -> None:
        """Read the person's own, and put those into them that are kept meanwhile."""
        async with self._lock:
            before = self.presets
            try:
                found = await asyncio.to_thread(Presets.load, self._path)
            except StoreError as error:
                self.noticed.emit(translated(error))
                return
            self._known = self._kept = found
            is_changed = self.presets != before
            self.presets = self.presets.merged(before, found) if is_changed else found
        if found.notes:
            self.noticed.emit(translated_all(found.notes))
        self.changed.emit()

    async def keep(self, presets: Presets, before: Presets | None = None) -> None:
        """Take others, and write what is changed; of several that come quickly, the last. `before`
        are those that a person has changed, which another program may have changed since."""
        if before is not None:
            presets = presets.merged(before, self.presets)
        if presets == self.presets:
            return
        self.presets = presets
        self.changed.emit()
        async with self._lock:
            if self._kept == self.presets:
                return
            self._kept = wanted = self.presets
            try:
                found = await asyncio.to_thread(wanted.save_changes, self._known, self._path)
            except StoreError as error:
                self._kept = None
                self.noticed.emit(translated(error))
                return
            self._known = wanted
            self._take(found)

    async def look(self) -> None:
        """Take over what another program has written, as `onlooker presets import` does. What
        cannot be read is left for the next time that something is kept."""
        async with self._lock:
            if self.presets != self._known:
                return  # It is put together with what is about to be written.
            try:
                found = await asyncio.to_thread(Presets.read_again, self._path)
            except StoreError as error:
                log.warning("The presets are not read again: %s", error)
                return
            if found is not None and not found.notes:  # A damaged one has lost none.
                self._take(found)

    def _take(self, found: Presets) -> None:
        """Take over what the file has, unless more was changed here meanwhile."""
        if found.notes:
            self.noticed.emit(translated_all(found.notes))
        found = replace(found, notes=())
        if self.presets == self._known != found:
            self.presets = self._known = self._kept = found
            self.changed.emit()
