"""Asks before a folder run is undone."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QMessageBox, QWidget

from gui.widgets.message_box import MessageBox
from gui.widgets.screen_fit import ScreenFit


class UndoDialog(MessageBox):
    """Offers, if captions were edited by hand, to undo these edits too.

    `confirmed(bool)`: the run is to be undone; whether edits by hand are to be kept.
    """

    confirmed = Signal(bool)

    def __init__(self, has_edits: bool, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("undo_dialog")
        self.setWindowTitle(self.tr("Undo run"))
        self.setText(self.tr("Restore all files to their state before this run?"))
        self.setInformativeText(self.tr("Captions that you edited by hand are kept."))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        ScreenFit(self)
        self.edits_box = QCheckBox(self.tr("Also undo edits by hand"))
        if has_edits:
            self.setCheckBox(self.edits_box)
        undo = self.addButton(self.tr("Undo"), QMessageBox.ButtonRole.AcceptRole)
        self.setDefaultButton(self.addButton(QMessageBox.StandardButton.Cancel))
        undo.clicked.connect(self._on_undo_clicked)

    @Slot()
    def _on_undo_clicked(self) -> None:
        self.confirmed.emit(not self.edits_box.isChecked())
