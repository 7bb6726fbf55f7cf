"""The menu of the dialog's options: folders of models, downloads, the network."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QMenu, QWidget

from core.hub import DownloadOptions
from gui.models.follow_ups import FollowUps
from gui.models.requests import ModelRequests


class OptionsMenu(QMenu):
    """Shows the options that are set, and asks for others."""

    def __init__(self, requests: ModelRequests, follow_ups: FollowUps, parent: QWidget):
        super().__init__(parent)
        self._requests, self._follow_ups = requests, follow_ups
        self._options = DownloadOptions(None, False)
        self.add_folder_action = self.addAction(self.tr("&Add model folder…"))
        self.addSeparator()
        self.cache_action = self.addAction(self.tr("Download to the hub's &cache"))
        self.into_action = self.addAction(self.tr("Download to a &folder…"))
        self.addSeparator()
        self.token_action = self.addAction(self.tr("Access &token…"))
        self.offline_action = self.addAction(self.tr("Work &offline"))
        for action in (self.cache_action, self.into_action, self.offline_action):
            action.setCheckable(True)
        self.add_folder_action.triggered.connect(follow_ups.ask_folder_to_add)
        self.cache_action.triggered.connect(self._on_cache_chosen)
        self.into_action.triggered.connect(self._on_into_asked)
        self.token_action.triggered.connect(follow_ups.ask_token)
        self.offline_action.triggered.connect(requests.offline_chosen)

    def show_options(self, options: DownloadOptions) -> None:
        """Check what is set."""
        self._options = options
        self.offline_action.setChecked(options.is_offline)
        self.offline_action.setEnabled(not options.is_bound)
        self.cache_action.setChecked(options.downloads is None)
        self.into_action.setChecked(options.downloads is not None)

    @Slot()
    def _on_cache_chosen(self) -> None:
        self.cache_action.setChecked(True)
        self._requests.downloads_chosen.emit(None)

    @Slot()
    def _on_into_asked(self) -> None:
        # The click has toggled it; it changes once a folder is chosen.
        self.into_action.setChecked(self._options.downloads is not None)
        self._follow_ups.ask_downloads()
