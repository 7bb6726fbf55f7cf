"""A question in a box of its own, with the margins of all dialogs."""

from __future__ import annotations

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QGridLayout, QMessageBox, QWidget

_MARGINS = 24, 20, 24, 16
_GAP = 8


class MessageBox(QMessageBox):
    """Its text begins where its buttons may: Qt's own keeps a place for an icon, also without
    one, and almost no margins."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._is_placed = False

    def showEvent(self, event: QShowEvent) -> None:
        grid = self.layout()
        if isinstance(grid, QGridLayout) and not self._is_placed:
            self._is_placed = True
            grid.setContentsMargins(*_MARGINS)
            grid.setHorizontalSpacing(0)
            grid.setVerticalSpacing(_GAP)
            grid.setColumnStretch(1, 1)
            indent = grid.itemAtPosition(0, 0)
            if indent is not None and (spacer := indent.spacerItem()) is not None:
                spacer.changeSize(0, 0)
            grid.invalidate()
        super().showEvent(event)
