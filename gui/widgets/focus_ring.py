"""The ring around what has the focus, for widgets that paint themselves."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFocusEvent, QPainter, QPalette, QPen
from PySide6.QtWidgets import QWidget

_WIDTH = 2.0
_BY_KEY = {
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
}


def is_by_key(event: QFocusEvent) -> bool:
    """Whether the focus came by a key, so that it must be shown; a click shows where it is."""
    return event.reason() in _BY_KEY


def paint_focus(painter: QPainter, widget: QWidget, area: QRectF | None = None) -> None:
    """Paints a ring inside the edges of `area`, or else of the whole widget."""
    painter.save()
    painter.setPen(QPen(widget.palette().color(QPalette.ColorRole.Accent), _WIDTH))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    inset = _WIDTH / 2
    ring = (area or QRectF(widget.rect())).adjusted(inset, inset, -inset, -inset)
    painter.drawRect(ring)
    painter.restore()
