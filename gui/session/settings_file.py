"""Writes the settings to their file, one write at a time and not on the GUI thread."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.errors import StoreError
from core.settings import Settings
from core.settings import save as save_settings
from gui.widgets.translated import translated

log = logging.getLogger(__name__)


class SettingsFile(QObject):
    """The settings of this run, changed in place by whoever owns a field, and their file.

    `noticed(str)`: why they could not be written, as a sentence to show.
    """

    noticed = Signal(str)

    def __init__(self, settings: Settings, folder: Path, parent: QObject | None = None):
        """`folder` is the one that `settings` were loaded from."""
        super().__init__(parent)
        self.settings = settings
        self._folder = folder
        self._lock = asyncio.Lock()
        self._is_closed = False

    async def save(self) -> None:
        """Write the settings in a helper thread, since the disk may be slow.

        Raises nothing: a failure is a notice. After `close` it does nothing.
        """
        async with self._lock:
            if self._is_closed:
                return
            settings = self.settings.model_copy(deep=True)
            try:
                await asyncio.to_thread(save_settings, settings, self._folder)
            except StoreError as error:
                self.noticed.emit(translated(error))

    async def close(self) -> None:
        """Write the settings once more, after any write under way; the last one."""
        self._is_closed = True
        async with self._lock:
            try:
                save_settings(self.settings, self._folder)
            except StoreError as error:
                log.warning("The settings are not kept", exc_info=error)
