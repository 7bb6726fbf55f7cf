"""From which side a text is read: from the right in scripts such as Hebrew and Arabic."""

from __future__ import annotations

import unicodedata

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QPlainTextEdit, QWidget

_LEFT, _RIGHT = Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft
_BY_CLASS = {"L": _LEFT, "R": _RIGHT, "AL": _RIGHT}
# Only digits, blanks and punctuation come before the first letter.
_LOOKED_AT = 1000


def direction_of(text: str, otherwise: Qt.LayoutDirection = _LEFT) -> Qt.LayoutDirection:
    """Returns the direction of the first letter, as browsers find it; `otherwise` without one."""
    classes = (_BY_CLASS.get(unicodedata.bidirectional(one)) for one in text[:_LOOKED_AT])
    return next((found for found in classes if found is not None), otherwise)


def side_of(text: str, otherwise: Qt.LayoutDirection = _LEFT) -> Qt.AlignmentFlag:
    """Returns the side at which the lines of a text begin."""
    sides = {_LEFT: Qt.AlignmentFlag.AlignLeft, _RIGHT: Qt.AlignmentFlag.AlignRight}
    return sides[direction_of(text, otherwise)]


class PlainTextEdit(QPlainTextEdit):
    """A field whose lines begin at the side where its text does, which Qt's own do not."""

    def __init__(self, text: str = "", parent: QWidget | None = None):
        super().__init__(parent)
        self.textChanged.connect(self._align)
        self._align()
        if text:
            self.setPlainText(text)

    @Slot()
    def _align(self) -> None:
        option = self.document().defaultTextOption()
        side = side_of(self.toPlainText(), self.layoutDirection())
        if option.alignment() != side:
            option.setAlignment(side)
            self.document().setDefaultTextOption(option)
