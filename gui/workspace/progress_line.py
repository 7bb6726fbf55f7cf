"""A line that says how far something is that takes long, and a button beside it."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QToolButton, QVBoxLayout, QWidget

from gui.widgets.elided_label import ElidedLabel

# What takes less time needs no progress.
_SHOWN_AFTER_MS = 700


class ProgressLine(QWidget):
    """Figures come first in its texts, so that they stay where a narrow pane cuts them."""

    def __init__(self, name: str, parent: QWidget | None = None):
        """`name` is what its parts are called in tests, as `name_button`."""
        super().__init__(parent)
        self.setObjectName(f"{name}_line")
        self.label = ElidedLabel()
        self.button = QToolButton()
        self.button.setObjectName(f"{name}_button")
        self.bar = QProgressBar()
        self.bar.setObjectName(f"{name}_bar")
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(3)
        row = QHBoxLayout()
        row.setContentsMargins(12, 2, 6, 2)
        row.addWidget(self.label, 1)
        row.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 2)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.bar)
        self._timer = QTimer(self, interval=_SHOWN_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self.show)
        self.hide()

    def show_soon(self, text: str, done: int, total: int) -> None:
        """Says how far it is, once it takes longer than a moment."""
        self.label.setText(text)
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.bar.show()
        if self.isHidden() and not self._timer.isActive():
            self._timer.start()

    def end(self) -> None:
        """Nothing goes on any more."""
        self._timer.stop()
        self.hide()
