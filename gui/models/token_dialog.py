"""Asks for the access token that gated models need."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from gui.widgets.screen_fit import ScreenFit


class TokenDialog(QDialog):
    """`token_given(str)`: "" removes the stored one. The dialog never shows a token."""

    token_given = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("token_dialog")
        self.setWindowTitle(self.tr("Access token"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        words = QLabel(
            self.tr(
                "Some models can be downloaded only after you accept their licence on the hub. "
                "Create an access token with read permission in your Hugging Face settings."
            )
        )
        words.setWordWrap(True)
        self.token_edit = QLineEdit()
        self.token_edit.setObjectName("token_edit")
        self.token_edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.token_edit.setPlaceholderText("hf_…")
        self.token_edit.setAccessibleName(self.tr("Access token"))
        kept = QLabel(
            self.tr(
                "The token is stored in this system's keyring and sent only to the hub. Save an "
                "empty field to remove a stored token."
            )
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
        ScreenFit(self)

    @Slot()
    def _on_accepted(self) -> None:
        self.token_given.emit(self.token_edit.text().strip())
        self.accept()
