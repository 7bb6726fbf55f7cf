"""The dialogs in which files and folders are chosen. None of them waits for the user."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from core.picture import PICTURE_SUFFIXES
from gui.widgets.screen_fit import ScreenFit

translate = QCoreApplication.translate


def pictures_dialog(parent: QWidget, folder: str) -> QFileDialog:
    """Return a dialog for one or several picture files, which begins in `folder`."""
    # The dialogs of some systems are case-sensitive.
    suffixes = (f"*{suffix} *{suffix.upper()}" for suffix in PICTURE_SUFFIXES)
    images, every = translate("FileDialogs", "Images"), translate("FileDialogs", "All files")
    filters = f"{images} ({' '.join(suffixes)});;{every} (*)"
    dialog = QFileDialog(parent, translate("FileDialogs", "Open images"), folder, filters)
    dialog.setOption(QFileDialog.Option.HideNameFilterDetails)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    return dialog


def folder_dialog(parent: QWidget, title: str, folder: str = "") -> QFileDialog:
    """Return a dialog for a folder, which begins in `folder`."""
    dialog = QFileDialog(parent, title, folder)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    return dialog


def transcript_dialog(parent: QWidget) -> QFileDialog:
    """Return a dialog for the text file that a transcript is written to."""
    title, text = translate("FileDialogs", "Save conversation"), translate("FileDialogs", "Text")
    dialog = QFileDialog(parent, title, "", f"{text} (*.txt)")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix("txt")
    return dialog


def open_without_waiting(dialog: QDialog) -> None:
    """Show a dialog that deletes itself; a nested event loop would run beside the program's own."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    ScreenFit(dialog)
    dialog.open()
