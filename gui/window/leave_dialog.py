"""Asks before the window is closed during a folder run, or while something is not saved."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QAbstractButton, QMessageBox, QWidget

from gui.widgets.line_break import breakable
from gui.widgets.message_box import MessageBox


class LeaveRunDialog(MessageBox):
    """`confirmed()`: stop the run and close."""

    confirmed = Signal()

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("leave_run_dialog")
        self.setWindowTitle(self.tr("Folder run in progress"))
        self.setText(self.tr("Stop the folder run and close?"))
        self.setInformativeText(self.tr("You can resume it any time."))
        leave = self.addButton(self.tr("Stop and close"), QMessageBox.ButtonRole.AcceptRole)
        self.setDefaultButton(leave)
        self.addButton(self.tr("Keep running"), QMessageBox.ButtonRole.RejectRole)
        leave.clicked.connect(self.confirmed)


class UnsavedDialog(MessageBox):
    """`again_asked()`: try to save once more, then close. `confirmed()`: close."""

    again_asked = Signal()
    confirmed = Signal()

    def __init__(self, names: Sequence[str], reason: str, *, are_kept: bool, parent: QWidget):
        """`names` are those of the images, `reason` is why the first caption could not be saved.
        What a person wrote is lost unless all `are_kept`."""
        super().__init__(parent)
        self.setObjectName("unsaved_dialog")
        self.setWindowTitle(self.tr("Captions not saved"))
        text = self.tr("The caption of “{name}” could not be saved.").format(name=names[0])
        if (count := len(names)) > 1:
            text = self.tr("{count} captions could not be saved.").format(count=f"{count:,}")
        kept = self.tr("What you wrote is kept, and comes back when you open the image.")
        lost = self.tr("What you wrote will be lost if you close Onlooker now.")
        self.setText(breakable(text))
        self.setInformativeText(breakable(f"{reason} {kept if are_kept else lost}"))
        self._again = self.addButton(self.tr("Try again"), QMessageBox.ButtonRole.AcceptRole)
        self._leave = self.addButton(
            self.tr("Close anyway"), QMessageBox.ButtonRole.DestructiveRole
        )
        self.addButton(QMessageBox.StandardButton.Cancel)
        self.setDefaultButton(self._again)
        self.buttonClicked.connect(self._on_clicked)

    @Slot(QAbstractButton)
    def _on_clicked(self, button: QAbstractButton) -> None:
        if button is self._again:
            self.again_asked.emit()
        elif button is self._leave:
            self.confirmed.emit()
