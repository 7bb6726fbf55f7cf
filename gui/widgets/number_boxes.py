"""Fields for numbers, whose text stands off the border as in other fields: the stylesheet's padding
does not reach it."""

from __future__ import annotations

from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

_LEFT = 6


class WholeNumberBox(QSpinBox):
    """A field for a whole number."""

    def __init__(self) -> None:
        super().__init__()
        self.lineEdit().setTextMargins(_LEFT, 0, 0, 0)


class DecimalBox(QDoubleSpinBox):
    """A field for a number with decimals."""

    def __init__(self) -> None:
        super().__init__()
        self.lineEdit().setTextMargins(_LEFT, 0, 0, 0)
