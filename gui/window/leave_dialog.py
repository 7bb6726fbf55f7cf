"""Asks before the window is closed during a folder run."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMessageBox, QWidget


class LeaveRunDialog(QMessageBox):
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
