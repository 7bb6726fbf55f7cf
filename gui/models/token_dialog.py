"""Asks for the access token with which gated models are given out."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget


class TokenDialog(QDialog):
    """`token_given(str)`: "" forgets the one that is kept. It never shows a token."""

    token_given = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("token_dialog")
        self.setWindowTitle("Access token")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        words = QLabel(
            "Some models are given only to those who accepted their licence. The hub knows you by "
            "an access token; make one in your settings there, with leave to read."
        )
        words.setWordWrap(True)
        self.token_edit = QLineEdit()
        self.token_edit.setObjectName("token_edit")
        self.token_edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.token_edit.setPlaceholderText("hf_…")
        self.token_edit.setAccessibleName("Access token")
        kept = QLabel(
            "It is kept in this system's keyring and sent to the hub alone. Left empty, a token "
            "that is kept is forgotten."
        )
        kept.setProperty("class", "explanation")
        kept.setWordWrap(True)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Cancel | QDialogButtonBox.StandardButton.Save
        )
        buttons.accepted.connect(self._on_accepted)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(12)
        for part in (words, self.token_edit, kept, buttons):
            column.addWidget(part)
        self.setMinimumWidth(420)

    @Slot()
    def _on_accepted(self) -> None:
        self.token_given.emit(self.token_edit.text().strip())
        self.accept()
