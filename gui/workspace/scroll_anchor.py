"""What is at the top of a list, so that it is there again when the cells have other places."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize

from gui.workspace.cell_layout import CellLayout


class ScrollAnchor:
    """The cell at the top of what is in view, and how far it is scrolled out of it."""

    def __init__(self) -> None:
        self._row = 0
        self._above = 0

    def note(self, layout: CellLayout, value: int) -> None:
        """Takes note of what is at the top with the scroll bar at this value."""
        self._row = next(iter(layout.rows_between(value, value)), 0)
        self._above = value - layout.rect(self._row).top()

    def value(self, layout: CellLayout) -> int:
        """Returns the scroll bar's value with the same cell at the top."""
        return layout.rect(self._row).top() + self._above


def is_in_view(layout: CellLayout, row: int, value: int, size: QSize) -> bool:
    """Whether a part of a cell is in view with the scroll bar at this value."""
    rect = layout.rect(row).translated(QPoint(0, -value))
    return rect.bottom() >= 0 and rect.top() < size.height()
