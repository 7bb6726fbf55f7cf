"""Which keys there are, and what Onlooker is."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QLayout,
    QVBoxLayout,
    QWidget,
)

_BEFORE = (("Enter", "Ask"), ("Shift+Enter", "Break the line"), ("Up, Down", "Earlier prompts"))
_AFTER = (("0, 1, +, −, wheel", "Zoom, on the picture"),)
_ICON_SIDE = 64


class KeysDialog(QDialog):
    """The keys of `actions`, and those that no menu has."""

    def __init__(self, actions: Iterable[QAction], parent: QWidget):
        super().__init__(parent)
        self.setObjectName("keys_dialog")
        self.setWindowTitle("Keyboard shortcuts")
        native = QKeySequence.SequenceFormat.NativeText
        known = [
            (action.shortcut().toString(native), action.text().replace("&", "").rstrip("…"))
            for action in actions
            if not action.shortcut().isEmpty()
        ]
        rows = [*_BEFORE, *known, *_AFTER]
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnMinimumWidth(2, 16)
        half = (len(rows) + 1) // 2
        for place, (keys, words) in enumerate(rows):
            key_label = QLabel(keys)
            key_label.setProperty("class", "key")
            row, column = place % half, 3 * (place // half)
            grid.addWidget(key_label, row, column)
            grid.addWidget(QLabel(words), row, column + 1)
        _add_close_button(self, grid)


class AboutDialog(QDialog):
    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("about_dialog")
        self.setWindowTitle("About Onlooker")
        icon = QLabel()
        icon.setPixmap(self.windowIcon().pixmap(_ICON_SIDE, _ICON_SIDE))
        title = QLabel("Onlooker")
        title.setProperty("class", "title")
        words = QLabel(
            "Looks at pictures and tells, word by word, what it sees.\n"
            "Everything happens on this computer; no picture and no word leaves it."
        )
        column = QVBoxLayout()
        column.setSpacing(12)
        for part in (icon, title, words):
            column.addWidget(part)
        _add_close_button(self, column)


def _add_close_button(dialog: QDialog, content: QLayout) -> None:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(24, 24, 24, 16)
    column.setSpacing(24)
    column.addLayout(content)
    column.addWidget(buttons)
