"""Where a widget paints its text: at its left or at its right side. For the light theme."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage, QRegion
from PySide6.QtWidgets import QWidget

_DIFFERENT = 60


def ink(widget: QWidget, rect: QRect | None = None) -> tuple[int, int]:
    """Returns how far the ink in `rect` is from its left and from its right side, in pixels."""
    rect = rect or widget.rect()
    image = QImage(rect.size(), QImage.Format.Format_RGB32)
    image.fill("white")
    widget.render(image, QPoint(), QRegion(rect))
    image = image.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = [list(image.constScanLine(y)[: image.width()]) for y in range(image.height())]
    ground = max(set(rows[0]), key=rows[0].count)
    inked = [x for row in rows for x, one in enumerate(row) if abs(one - ground) > _DIFFERENT]
    assert inked, f"nothing is painted on {widget}"
    return min(inked), image.width() - 1 - max(inked)


def is_at_right(widget: QWidget, rect: QRect | None = None) -> bool:
    """Whether what is painted is nearer to the right side than to the left one."""
    left, right = ink(widget, rect)
    return right < left
