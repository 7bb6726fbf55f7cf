"""Asks for what a request still needs: a folder, an access token, a confirmation."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from core.formatting import format_bytes
from core.hub import DownloadOptions, Entry, Where
from gui.models.requests import ModelRequests
from gui.models.token_dialog import TokenDialog


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
        dialog = self._folder_dialog("Add a folder of models", "")
        dialog.fileSelected.connect(self._on_folder_to_add_chosen)
        dialog.open()

    @Slot()
    def ask_downloads(self) -> None:
        """Ask for the folder to download into."""
        before = str(self._options.downloads or "")
        dialog = self._folder_dialog("Download models into", before)
        dialog.fileSelected.connect(self._on_downloads_chosen)
        dialog.open()

    def ask_where_to_move(self, key: str) -> None:
        """Ask for the folder to move a model to."""
        self._key = key
        dialog = self._folder_dialog("Move the model into", "")
        dialog.fileSelected.connect(self._on_target_chosen)
        dialog.open()

    def confirm_removal(self, entry: Entry) -> None:
        """Ask whether to delete the files of a model."""
        if entry.local is None:
            return
        self._key = entry.key
        box = QMessageBox(self._window)
        box.setObjectName("remove_dialog")
        box.setWindowTitle("Remove a model")
        box.setText(f"Remove “{entry.name}” from this computer?")
        shared = entry.local.where is Where.CACHE
        others = " Other programs that use the hub's cache lose it too." if shared else ""
        box.setInformativeText(f"{format_bytes(entry.local.size)} are freed.{others}")
        remove = box.addButton("Remove", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Keep", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        remove.clicked.connect(self._on_removal_confirmed)
        box.open()

    def _folder_dialog(self, title: str, folder: str) -> QFileDialog:
        dialog = QFileDialog(self._window, title, folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
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
