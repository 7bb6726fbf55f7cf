"""Finds text that is hard to read on what it stands on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPalette
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from gui.widgets.theme import contrast

# WCAG AA; disabled text is exempt there, and yet is to be read.
_ENABLED, _DISABLED = 4.5, 3.0
_MOST_ROWS = 200


def hard_to_read(window: QWidget) -> list[str]:
    """Returns the widgets whose text has too little contrast, example texts of fields included."""
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    faults = _faults_of_rows(image, window)
    for part in window.findChildren(QWidget):
        seen = part.visibleRegion().boundingRect()
        if part.isVisible() and part.window() is window and not seen.isEmpty():
            colours = _colours(image, QRect(part.mapTo(window, seen.topLeft()), seen.size()))
            ground = QColor.fromRgb(colours.most_common(1)[0][0])
            for what, ink in _inks(part, ground, colours):
                least = _ENABLED if part.isEnabled() else _DISABLED
                ratio = contrast(ink.name(), ground.name())
                if ratio < least:
                    name = f"{type(part).__name__} {part.objectName()}"
                    faults.append(
                        f"{name}: {what}, {ink.name()} on {ground.name()}, is {ratio:.1f} : 1"
                    )
    return faults


def _faults_of_rows(image: QImage, window: QWidget) -> list[str]:
    """Returns the entries of menus and the rows of lists whose text stands out too little."""
    faults = []
    for text, is_enabled, place in _rows(window):
        colours = _colours(image, place)
        if not colours:
            continue
        ground = QColor.fromRgb(colours.most_common(1)[0][0])
        ink = _farthest(ground, colours)
        ratio = contrast(ink.name(), ground.name())
        if ratio < (_ENABLED if is_enabled else _DISABLED):
            faults.append(f"{text}: {ink.name()} on {ground.name()} is {ratio:.1f} : 1")
    return faults


def _rows(window: QWidget) -> Iterator[tuple[str, bool, QRect]]:
    """Yields the text of each row that is seen, whether it can be chosen, and its place."""
    if isinstance(window, QMenu):
        for action in window.actions():
            place = window.actionGeometry(action).intersected(window.rect())
            if action.text() and not action.isSeparator() and not place.isEmpty():
                yield f"entry “{action.text()}”", action.isEnabled(), place
    views = [*window.findChildren(QAbstractItemView)]
    for view in [*views, window] if isinstance(window, QAbstractItemView) else views:
        model, at = view.model(), view.viewport().mapTo(window, QPoint())
        seen = view.viewport().visibleRegion().boundingRect()
        if model is None or not view.isVisible() or view.window() is not window:
            continue
        for row in range(min(model.rowCount(), _MOST_ROWS)):
            index = model.index(row, 0)
            place = view.visualRect(index).intersected(seen)
            text, can_be_chosen = index.data(), bool(index.flags() & Qt.ItemFlag.ItemIsEnabled)
            # Of a row that is half out of view, no line may be seen whole.
            if isinstance(text, str) and text and place.height() == view.visualRect(index).height():
                yield f"row “{text[:40]}”", can_be_chosen, place.translated(at)


def _inks(part: QWidget, ground: QColor, colours: Counter[int]) -> list[tuple[str, QColor]]:
    """Returns the text that a widget shows, with its colour."""
    palette, role = part.palette(), QPalette.ColorRole
    inks: list[tuple[str, QColor]] = []
    match part:
        case QLabel() if part.text() and not part.pixmap():
            inks = [(part.text(), palette.color(part.foregroundRole()))]
        case QAbstractButton() if part.text():
            # The palette does not know the colours of a default button.
            inks = [(part.text(), _farthest(ground, colours))]
        case QComboBox() | QAbstractSpinBox():
            inks = [("its value", palette.color(role.Text))]
        case QLineEdit() | QPlainTextEdit() | QTextEdit():
            inks = [("its text", palette.color(role.Text))]
            if shown := part.placeholderText():
                inks.append((shown, palette.color(role.PlaceholderText)))
    return [(text, _over(ground, ink)) for text, ink in inks]


def _farthest(ground: QColor, colours: Counter[int]) -> QColor:
    """Returns the colour that stands out most from the ground."""
    return max(map(QColor.fromRgb, colours), key=lambda one: contrast(one.name(), ground.name()))


def _over(ground: QColor, ink: QColor) -> QColor:
    """Returns what a translucent colour looks like on a ground."""
    share = ink.alphaF()
    channels = [
        (ink.red(), ground.red()),
        (ink.green(), ground.green()),
        (ink.blue(), ground.blue()),
    ]
    return QColor(*(round(share * one + (1 - share) * other) for one, other in channels))


def _colours(image: QImage, place: QRect) -> Counter[int]:
    """Returns how often each colour is at a place, its edges left out."""
    ratio = image.devicePixelRatio()
    inner = place.adjusted(4, 4, -4, -4) if min(place.width(), place.height()) > 16 else place
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1)
    rows = slice(round(inner.top() * ratio), round((inner.bottom() + 1) * ratio))
    columns = slice(round(inner.left() * ratio), round((inner.right() + 1) * ratio))
    colours, counts = np.unique(pixels[rows, columns], return_counts=True)
    return Counter(dict(zip(map(int, colours), map(int, counts), strict=True)))
