"""Looks for a newer version when it is asked for, or at the start if the settings say so."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, Slot

from core.settings import Settings
from gui.app.updates import Updates, UpdatesDialog
from gui.window.commands import Command
from gui.window.main_window import MainWindow

log = logging.getLogger(__name__)


class UpdatesWiring(QObject):
    """Shows the answer in a dialog, and why there is none in a notice."""

    def __init__(self, window: MainWindow, settings: Settings, parent: QObject | None = None):
        super().__init__(parent)
        self._window, self._settings = window, settings
        self._updates: Updates | None = None
        self._reports_all = False
        window.command_actions.bind(Command.UPDATES, self._on_updates_asked)

    def look(self, *, is_asked: bool) -> None:
        """Look for a newer version. If nobody asked for it, only a newer version is shown."""
        if self._settings.works_offline:
            if is_asked:
                self._window.show_notice(
                    self.tr("Onlooker is offline. Go online in the Models dialog first.")
                )
            return
        self._reports_all = is_asked
        if not self._updates:
            self._updates = Updates(self._settings.updates_address, self)
            self._updates.answered.connect(self._on_answered)
            self._updates.failed.connect(self._on_failed)
        self._updates.check()

    def _on_updates_asked(self) -> None:
        self.look(is_asked=True)

    @Slot(str)
    def _on_answered(self, changes: str) -> None:
        if changes or self._reports_all:
            UpdatesDialog(changes, self._window).open()

    @Slot(str)
    def _on_failed(self, sentence: str) -> None:
        log.info("Updates: %s", sentence)
        if self._reports_all:
            self._window.show_notice(sentence)
