"""The dialogs in which files and folders are chosen. None of them waits for the user."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from core.picture import PICTURE_SUFFIXES
from gui.widgets.screen_fit import ScreenFit


class FileDialogs(QObject):
    """Opens the dialogs over a window, each where the last one was left.

    `pictures_chosen(list[Path])`: files or a folder to look at. `run_chosen(list[Path])`: folders
    to caption. `model_folder_chosen(Path)`. `transcript_path_chosen(Path)` and
    `picture_path_chosen(Path)`: where the conversation or the picture is to be saved.
    """

    pictures_chosen = Signal(list)
    run_chosen = Signal(list)
    model_folder_chosen = Signal(Path)
    transcript_path_chosen = Signal(Path)
    picture_path_chosen = Signal(Path)

    def __init__(self, window: QWidget):
        super().__init__(window)
        self._window = window
        self._folder = ""

    def open_pictures(self) -> None:
        """Lets the user choose picture files."""
        # The dialogs of some systems are case-sensitive.
        suffixes = (f"*{suffix} *{suffix.upper()}" for suffix in PICTURE_SUFFIXES)
        images, every = self.tr("Images"), self.tr("All files")
        filters = f"{images} ({' '.join(suffixes)});;{every} (*)"
        dialog = QFileDialog(self._window, self.tr("Open images"), self._folder, filters)
        dialog.setOption(QFileDialog.Option.HideNameFilterDetails)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._on_pictures_selected)
        open_without_waiting(dialog)

    def open_folder(self) -> None:
        """Lets the user choose a folder of pictures."""
        dialog = self._folder_dialog(self.tr("Open folder"))
        dialog.filesSelected.connect(self._on_pictures_selected)
        open_without_waiting(dialog)

    def open_run(self) -> None:
        """Lets the user choose a folder whose pictures are all captioned."""
        dialog = self._folder_dialog(self.tr("Caption folder"))
        dialog.filesSelected.connect(self._on_run_selected)
        open_without_waiting(dialog)

    def open_model(self) -> None:
        """Lets the user choose the folder of a model."""
        dialog = self._folder_dialog(self.tr("Open model folder"), "")
        dialog.fileSelected.connect(self._on_model_selected)
        open_without_waiting(dialog)

    def save_transcript(self) -> None:
        """Lets the user choose where the transcript is saved."""
        text = self.tr("Text")
        dialog = QFileDialog(
            self._window, self.tr("Save conversation"), self._folder, f"{text} (*.txt)"
        )
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("txt")
        dialog.fileSelected.connect(self._on_transcript_selected)
        open_without_waiting(dialog)

    def save_picture(self, name: str) -> None:
        """Lets the user choose where the picture is saved; `name` is suggested."""
        dialog = QFileDialog(self._window, self.tr("Save image"), self._folder)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(name)
        dialog.setDefaultSuffix(Path(name).suffix or ".png")
        dialog.fileSelected.connect(self._on_picture_path_selected)
        open_without_waiting(dialog)

    def _folder_dialog(self, title: str, folder: str | None = None) -> QFileDialog:
        dialog = QFileDialog(self._window, title, self._folder if folder is None else folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        return dialog

    @Slot(list)
    def _on_pictures_selected(self, names: list[str]) -> None:
        paths = [Path(name) for name in names]
        if paths:
            self._folder = str(paths[0].parent)
            self.pictures_chosen.emit(paths)

    @Slot(list)
    def _on_run_selected(self, names: list[str]) -> None:
        self.run_chosen.emit([Path(name) for name in names])

    @Slot(str)
    def _on_model_selected(self, name: str) -> None:
        self.model_folder_chosen.emit(Path(name))

    @Slot(str)
    def _on_transcript_selected(self, name: str) -> None:
        self.transcript_path_chosen.emit(Path(name))

    @Slot(str)
    def _on_picture_path_selected(self, name: str) -> None:
        self.picture_path_chosen.emit(Path(name))


def open_without_waiting(dialog: QDialog) -> None:
    """Shows a dialog that deletes itself; a nested event loop would run beside ours."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    ScreenFit(dialog)
    dialog.open()
