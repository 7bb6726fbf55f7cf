"""Where a widget paints its text: at its left or at its right side. For the light theme."""

from __future__ import annotations

import numpy as np
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
    bits = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    rows = bits[:, : image.width()].astype(int)
    ground = np.bincount(rows[0]).argmax()
    inked = np.flatnonzero((abs(rows - ground) > _DIFFERENT).any(axis=0))
    assert inked.size, f"nothing is painted on {widget}"
    return int(inked[0]), image.width() - 1 - int(inked[-1])


def is_at_right(widget: QWidget, rect: QRect | None = None) -> bool:
    """Whether what is painted is nearer to the right side than to the left one."""
    left, right = ink(widget, rect)
    return right < left
