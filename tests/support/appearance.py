"""Takes down how every widget of a screen looks, to compare with another time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage, QPixmap, QRegion
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QWidget,
)

# Of 255, and of all pixels: a focus frame that fades, a pixel that is rounded otherwise.
_SAME_LEVEL, _DIFFERING_SHARE = 12, 0.005


@dataclass(frozen=True)
class Look:
    """One widget without its children: its text, its font's size in pixels, and its own pixels as
    (height, width, 3)."""

    text: str
    font_size: int
    pixels: np.ndarray

    def differs_from(self, other: Look) -> str:
        """Returns how it looks otherwise, "" if it looks the same.

        Texts with times in them differ by chance, and so may the size of what is beside them; then
        only the main colours are compared.
        """
        if self.font_size != other.font_size:
            return f"has a font of {self.font_size} and not {other.font_size} pixels"
        if self.text == other.text and self.pixels.shape == other.pixels.shape:
            distance = np.abs(self.pixels - other.pixels).max(axis=2)
            share = float((distance > _SAME_LEVEL).mean()) if distance.size else 0.0
            return f"has {share:.1%} other pixels" if share > _DIFFERING_SHARE else ""
        one, two = self._colours(), other._colours()
        far = max(abs(a - b) for a, b in zip(one, two, strict=True))
        return f"has the colours {one} and not {two}" if far > 4 * _SAME_LEVEL else ""

    def _colours(self) -> list[int]:
        """The ground, and what stands out most from it."""
        flat = self.pixels.reshape(-1, 3)
        colours, counts = np.unique(flat, axis=0, return_counts=True)
        ground = colours[counts.argmax()]
        ink = flat[np.abs(flat - ground).sum(axis=1).argmax()]
        return [*map(int, ground), *map(int, ink)]


def looks_of(window: QWidget) -> dict[str, Look]:
    """Returns the look of each visible widget by its path in the window."""
    return {path: _look(widget) for path, widget in _visible(window, "")}


def _visible(widget: QWidget, path: str) -> list[tuple[str, QWidget]]:
    found = [(f"{path}/{type(widget).__name__} {widget.objectName()}", widget)]
    numbers: dict[str, int] = {}
    for child in widget.children():
        # A label without text may have no width.
        if not isinstance(child, QWidget) or child.isWindow() or child.size().isEmpty():
            continue
        if child.isVisible():
            name = type(child).__name__
            numbers[name] = numbers.get(name, 0) + 1
            found += _visible(child, f"{found[0][0]}[{numbers[name]}]")
    return found


def _look(widget: QWidget) -> Look:
    pixmap = QPixmap(widget.size())
    pixmap.fill(Qt.GlobalColor.gray)
    flags = QWidget.RenderFlag.DrawWindowBackground
    widget.render(pixmap, QPoint(), QRegion(), flags)
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    pixels = lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    # A viewport's own font is not the one that its text is painted in.
    is_viewport = isinstance(widget.parentWidget(), QAbstractScrollArea)
    font_size = 0 if is_viewport else widget.fontInfo().pixelSize()
    return Look(_text_of(widget), font_size, pixels.astype(np.int16))


def _text_of(widget: QWidget) -> str:
    match widget:
        case QLabel() | QLineEdit() | QAbstractSpinBox():
            return widget.text()
        case QComboBox():
            return widget.currentText()
    return ""
