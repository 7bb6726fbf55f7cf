"""From which side a text is read: from the right in scripts such as Hebrew and Arabic.

In a window that is laid out from the right, a name such as “00-cat.png” would be shown as
“cat.png-00”, and an ellipsis on the wrong side, if it were not laid out on its own.
"""

from __future__ import annotations

import unicodedata

from PySide6.QtCore import QRect, Qt, Slot
from PySide6.QtGui import QDropEvent, QFontMetrics, QGuiApplication, QPainter
from PySide6.QtWidgets import QPlainTextEdit, QStyle, QWidget

_LEFT, _RIGHT = Qt.LayoutDirection.LeftToRight, Qt.LayoutDirection.RightToLeft
_BY_CLASS = {"L": _LEFT, "R": _RIGHT, "AL": _RIGHT}
# Unicode's marks around a text that is laid out in its own direction.
_BEGINS, _END = {_LEFT: "\u2066", _RIGHT: "\u2067"}, "\u2069"
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


def isolated(text: str) -> str:
    """Returns a text as it is to be shown: with marks around it if it is read from another side
    than the window."""
    return _marked(text, direction_of(text, QGuiApplication.layoutDirection()))


def in_own_order(text: str) -> str:
    """Returns numbers with units, or a name or sentence that begins with one, as it is to be shown:
    from left to right unless a letter says otherwise."""
    return _marked(text, direction_of(text))


def _marked(text: str, direction: Qt.LayoutDirection) -> str:
    if not text or direction == QGuiApplication.layoutDirection():
        return text
    return f"{_BEGINS[direction]}{text}{_END}"


def elided(metrics: QFontMetrics, text: str, mode: Qt.TextElideMode, width: int) -> str:
    """Returns a text as it is to be shown in one line of a width, with an ellipsis if it is
    longer."""
    return isolated(metrics.elidedText(text, mode, width))


def mirrored(part: QRect, whole: QRect, painter: QPainter) -> QRect:
    """Returns where a part of something is painted whose place is that from left to right."""
    return QStyle.visualRect(painter.layoutDirection(), whole, part)


class PlainTextEdit(QPlainTextEdit):
    """A field whose lines begin at the side where its text does, which Qt's own do not. Text that
    is dragged here from another program stays there, too."""

    def __init__(self, text: str = "", parent: QWidget | None = None):
        super().__init__(parent)
        self.textChanged.connect(self._align)
        self._align()
        if text:
            self.setPlainText(text)

    def dropEvent(self, event: QDropEvent) -> None:
        super().dropEvent(event)
        if event.isAccepted() and event.source() is None:
            # A move would make the other program delete it.
            event.setDropAction(Qt.DropAction.CopyAction)

    @Slot()
    def _align(self) -> None:
        option = self.document().defaultTextOption()
        side = side_of(self.toPlainText(), self.layoutDirection())
        if option.alignment() != side:
            option.setAlignment(side)
            self.document().setDefaultTextOption(option)
