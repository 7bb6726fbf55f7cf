"""The dialogs in which files and folders are chosen. None of them waits for the user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QFileDialog

from core.picture import PICTURE_SUFFIXES
from gui.widgets.screen_fit import ScreenFit

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow


class FileDialogs(QObject):
    """Opens the dialogs over a window, each beside what is open there, or was chosen last.

    `pictures_chosen(list[Path])`: files or a folder to look at. `run_chosen(list[Path])`: folders
    to caption. `model_folder_chosen(Path)`. `transcript_path_chosen(Path)` and
    `picture_path_chosen(Path)`: where the conversation or the picture is to be saved.
    """

    pictures_chosen = Signal(list)
    run_chosen = Signal(list)
    model_folder_chosen = Signal(Path)
    transcript_path_chosen = Signal(Path)
    picture_path_chosen = Signal(Path)

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window = window
        self._last: Path | None = None

    def open_pictures(self) -> None:
        """Lets the user choose picture files."""
        # The dialogs of some systems are case-sensitive.
        suffixes = (f"*{suffix} *{suffix.upper()}" for suffix in PICTURE_SUFFIXES)
        images, every = self.tr("Images"), self.tr("All files")
        filters = f"{images} ({' '.join(suffixes)});;{every} (*)"
        folder = _text(self._folder_in_view)
        dialog = QFileDialog(self._window, self.tr("Open images"), folder, filters)
        dialog.setOption(QFileDialog.Option.HideNameFilterDetails)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._on_pictures_selected)
        open_without_waiting(dialog)

    def open_folder(self) -> None:
        """Lets the user choose a folder of pictures."""
        dialog = self._folder_dialog(self.tr("Open folder"), self._open_folder)
        dialog.filesSelected.connect(self._on_pictures_selected)
        open_without_waiting(dialog)

    def open_run(self) -> None:
        """Lets the user choose a folder whose pictures are all captioned; the one that is open is
        suggested."""
        dialog = self._folder_dialog(self.tr("Caption folder"), self._open_folder)
        dialog.filesSelected.connect(self._on_run_selected)
        open_without_waiting(dialog)

    def open_model(self) -> None:
        """Lets the user choose the folder of a model."""
        dialog = self._folder_dialog(self.tr("Open model folder"), None)
        dialog.fileSelected.connect(self._on_model_selected)
        open_without_waiting(dialog)

    def save_transcript(self) -> None:
        """Lets the user choose where the transcript is saved."""
        text = self.tr("Text")
        folder = _text(self._folder_in_view)
        dialog = QFileDialog(self._window, self.tr("Save conversation"), folder, f"{text} (*.txt)")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("txt")
        dialog.fileSelected.connect(self._on_transcript_selected)
        open_without_waiting(dialog)

    def save_picture(self, name: str) -> None:
        """Lets the user choose where the picture is saved; `name` is suggested."""
        dialog = QFileDialog(self._window, self.tr("Save image"), _text(self._folder_in_view))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(name)
        dialog.setDefaultSuffix(Path(name).suffix or ".png")
        dialog.fileSelected.connect(self._on_picture_path_selected)
        open_without_waiting(dialog)

    @property
    def _folder_in_view(self) -> Path | None:
        """The folder of the image in view."""
        path = self._window.state.picture.path
        return path.parent if path else self._last

    @property
    def _open_folder(self) -> Path | None:
        """The folder that is open, which the image in view may be deep in."""
        picture = self._window.state.picture
        parents = picture.path.parents if picture.path else ()
        return next((root for root in picture.roots if root in parents), self._folder_in_view)

    def _folder_dialog(self, title: str, folder: Path | None) -> QFileDialog:
        """With the `folder` chosen among those beside it."""
        dialog = QFileDialog(self._window, title, _text(folder and folder.parent))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        if folder is not None:
            dialog.selectFile(str(folder))
        return dialog

    @Slot(list)
    def _on_pictures_selected(self, names: list[str]) -> None:
        paths = [Path(name) for name in names]
        if paths:
            self._last = paths[0].parent
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


def _text(folder: Path | None) -> str:
    return str(folder) if folder else ""


def open_without_waiting(dialog: QDialog) -> None:
    """Shows a dialog that deletes itself; a nested event loop would run beside ours."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    ScreenFit(dialog)
    dialog.open()
