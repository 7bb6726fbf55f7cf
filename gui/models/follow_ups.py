"""Asks for what a request still needs: a folder, an access token, a confirmation."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from core.hub import DownloadOptions, Entry, Where
from gui.models.requests import ModelRequests
from gui.models.token_dialog import TokenDialog
from gui.widgets.measures import bytes_text
from gui.widgets.removal_box import ask_to_remove
from gui.widgets.screen_fit import ScreenFit


class FollowUps(QObject):
    """Opens one dialog at a time over `window`, and makes the request once it is answered."""

    def __init__(self, requests: ModelRequests, window: QWidget):
        super().__init__(window)
        self._requests = requests
        self._window = window
        self._options = DownloadOptions(None, False)
        self._key = ""

    def show_options(self, options: DownloadOptions) -> None:
        """Where downloads go now."""
        self._options = options

    @Slot()
    def ask_token(self) -> None:
        """Ask for the access token."""
        dialog = TokenDialog(self._window)
        dialog.token_given.connect(self._requests.token_given)
        dialog.open()

    @Slot()
    def ask_folder_to_add(self) -> None:
        """Ask for a folder that holds models."""
        dialog = self._folder_dialog(self.tr("Add model folder"), "")
        dialog.fileSelected.connect(self._on_folder_to_add_chosen)
        dialog.open()

    @Slot()
    def ask_downloads(self) -> None:
        """Ask for the folder to download into."""
        before = str(self._options.downloads or "")
        dialog = self._folder_dialog(self.tr("Choose download folder"), before)
        dialog.fileSelected.connect(self._on_downloads_chosen)
        dialog.open()

    def ask_where_to_move(self, key: str) -> None:
        """Ask for the folder to move a model to."""
        self._key = key
        dialog = self._folder_dialog(self.tr("Move model to"), "")
        dialog.fileSelected.connect(self._on_target_chosen)
        dialog.open()

    def confirm_removal(self, entry: Entry) -> None:
        """Ask whether to delete the files of a model."""
        if entry.local is None:
            return
        self._key = entry.key
        effect = self.tr("Frees {size}.")
        if entry.local.where is Where.CACHE:
            effect = self.tr("Frees {size}. Other programs that share the hub's cache lose it too.")
        texts = (
            self.tr("Remove model"),
            self.tr("Remove “{name}” from this computer?").format(name=entry.name),
            effect.format(size=bytes_text(entry.local.size)),
        )
        ask_to_remove(self._window, "remove_dialog", texts, self._on_removal_confirmed)

    def _folder_dialog(self, title: str, folder: str) -> QFileDialog:
        dialog = QFileDialog(self._window, title, folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        ScreenFit(dialog)
        return dialog

    @Slot(str)
    def _on_folder_to_add_chosen(self, name: str) -> None:
        self._requests.folder_added.emit(Path(name))

    @Slot(str)
    def _on_downloads_chosen(self, name: str) -> None:
        self._requests.downloads_chosen.emit(Path(name))

    @Slot(str)
    def _on_target_chosen(self, name: str) -> None:
        self._requests.move_asked.emit(self._key, Path(name))

    @Slot()
    def _on_removal_confirmed(self) -> None:
        self._requests.remove_asked.emit(self._key)
