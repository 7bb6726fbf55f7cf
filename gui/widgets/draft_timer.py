"""When to keep what is being typed: some times a second, also while one types on."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

_DRAFT_MS = 400


class DraftTimer(QTimer):
    """`timeout()`: keep what is typed by now. `begin` when something is typed."""

    def __init__(self, parent: QObject):
        super().__init__(parent, interval=_DRAFT_MS, singleShot=True)

    @Slot()
    def begin(self) -> None:
        """Something was typed. What is typed next does not put it off."""
        if not self.isActive():
            self.start()
