"""The settings and their file, written one at a time and not on the GUI thread."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.errors import StoreError
from core.settings import Settings, read_again
from core.settings import save as save_settings
from gui.widgets.translated import translated

# What is in view here; another window's is its own. The last one to write it is found at a start.
_OF_THIS_WINDOW = frozenset(
    {
        *("window", "last_folder", "last_prompt", "prompt_draft", "underlines_doubt"),
        *("folds_images", "shows_grid", "thumbnail_side", "shows_caption"),
        *("folds_statistics", "statistics", "tag_vocabulary"),
    }
)

log = logging.getLogger(__name__)


class SettingsFile(QObject):
    """The settings of this run, changed in place by whoever owns a field, and their file, of which
    only what was changed here is written.

    `changed(frozenset[str])`: another program has changed these fields of the file; `settings` have
    its values. `noticed(str)`: why they could not be written, as a sentence to show.
    """

    changed = Signal(object)
    noticed = Signal(str)

    def __init__(self, settings: Settings, folder: Path, parent: QObject | None = None):
        """`folder` is the one that `settings` were loaded from."""
        super().__init__(parent)
        self.settings = settings
        # What was read or written here last.
        self._known = settings.model_copy(deep=True)
        self._folder = folder
        self._lock = asyncio.Lock()
        self._is_closed = False

    async def save(self) -> None:
        """Write what was changed in a helper thread, since the disk may be slow.

        Raises nothing: a failure is a notice. After `close` it does nothing.
        """
        async with self._lock:
            if self._is_closed:
                return
            settings = self.settings.model_copy(deep=True)
            known = self._known
            try:
                found = await asyncio.to_thread(save_settings, settings, self._folder, known)
            except StoreError as error:
                self.noticed.emit(translated(error))
                return
            self._take(settings, found, is_written=True)

    async def look(self) -> None:
        """Take over what another program has written. Raises nothing."""
        async with self._lock:
            if not self._is_closed:
                settings = self.settings.model_copy(deep=True)
                known = self._known
                found = await asyncio.to_thread(read_again, settings, self._folder, known)
                self._take(settings, found, is_written=False)

    async def close(self) -> None:
        """Write the settings once more, after any write under way; the last one."""
        self._is_closed = True
        async with self._lock:
            try:
                save_settings(self.settings, self._folder, self._known)
            except StoreError as error:
                log.warning("The settings are not kept", exc_info=error)

    def _take(self, settings: Settings, found: Settings, *, is_written: bool) -> None:
        """Take over what the file has, where `settings`, which were given to be put together with
        it, have not been changed since."""
        known = settings.model_copy(deep=True) if is_written else self._known
        changed: set[str] = set()
        for name in Settings.model_fields.keys() - _OF_THIS_WINDOW:
            now, ours = getattr(found, name), getattr(settings, name)
            is_changed_here = getattr(self.settings, name) != ours or getattr(known, name) != ours
            if now != ours and not is_changed_here:
                setattr(self.settings, name, now)
                setattr(known, name, now)
                changed.add(name)
        self._known = known
        if changed:
            self.changed.emit(frozenset(changed))
