"""Asks before a folder run is undone."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QMessageBox, QWidget


class UndoDialog(QMessageBox):
    """Offers, if captions were edited by hand, to undo these edits too.

    `confirmed(bool)`: the run is to be undone; whether edits by hand are to be kept.
    """

    confirmed = Signal(bool)

    def __init__(self, has_edits: bool, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("undo_dialog")
        self.setWindowTitle("Undo the run")
        self.setText("Give every file back what it held before this run?")
        self.setInformativeText("Captions that you have changed by hand stay as they are.")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.edits_box = QCheckBox("Undo hand edits too")
        if has_edits:
            self.setCheckBox(self.edits_box)
        undo = self.addButton("Undo", QMessageBox.ButtonRole.DestructiveRole)
        self.setDefaultButton(self.addButton(QMessageBox.StandardButton.Cancel))
        undo.clicked.connect(self._on_undo_clicked)

    @Slot()
    def _on_undo_clicked(self) -> None:
        self.confirmed.emit(not self.edits_box.isChecked())
