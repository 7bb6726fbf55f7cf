"""Finds what takes the focus without showing it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

# Around a widget: some show the focus on the frame that holds them.
_AROUND = 12
# Of a ring: WCAG asks for 3 to 1 between both states. Fewer pixels are a text cursor.
_LEAST_CONTRAST, _LEAST_PIXELS = 3.0, 40


def hidden_focus(window: QWidget) -> list[str]:
    """Gives each widget the focus as Tab does; returns those that look the same with it."""
    if window.windowType() == Qt.WindowType.Popup:
        return []  # It has the keys as long as it is open, and shows its current row.
    before = QApplication.focusWidget()
    stops = [part for part in window.findChildren(QWidget) if _is_stop(part, window)]
    faults = []
    for stop in stops:
        _scroll_to(stop)
        if not _is_seen(stop, window):
            continue
        other = next(each for each in (*stops, window) if each is not stop)
        other.setFocus(Qt.FocusReason.TabFocusReason)
        without = _pixels(window, stop)
        stop.setFocus(Qt.FocusReason.TabFocusReason)
        if not stop.hasFocus():
            continue
        ratios = _contrasts(without, _pixels(window, stop))
        if (ratios >= _LEAST_CONTRAST).sum() < _LEAST_PIXELS:
            name = stop.accessibleName() or getattr(stop, "text", str)()
            faults.append(f"{type(stop).__name__} {stop.objectName()} “{name}” hides its focus")
    if before is not None:
        before.setFocus(Qt.FocusReason.OtherFocusReason)
    return faults


def _is_stop(part: QWidget, window: QWidget) -> bool:
    takes_tab = bool(part.focusPolicy() & Qt.FocusPolicy.TabFocus)
    is_own = part.focusProxy() is None and part.window() is window
    return takes_tab and is_own and part.isVisible() and part.isEnabled()


def _scroll_to(part: QWidget) -> None:
    around = part.parentWidget()
    while around is not None and not around.isWindow():
        if isinstance(around, QScrollArea):
            around.ensureWidgetVisible(part)
        around = around.parentWidget()


def _is_seen(part: QWidget, window: QWidget) -> bool:
    """Whether its middle is in the window, and nothing floats above it."""
    above = window.childAt(part.mapTo(window, part.rect().center()))
    return above is not None and (above is part or part.isAncestorOf(above))


def _pixels(window: QWidget, part: QWidget) -> np.ndarray:
    place = QRect(part.mapTo(window, QPoint()), part.size())
    place.adjust(-_AROUND, -_AROUND, _AROUND, _AROUND)
    image = window.grab(place.intersected(window.rect())).toImage()
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return lines[:, : 3 * image.width()].reshape(-1, 3).astype(np.float64) / 255


def _contrasts(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if one.shape != other.shape:
        return np.full(_LEAST_PIXELS, np.inf)
    first, second = _luminance(one) + 0.05, _luminance(other) + 0.05
    return np.maximum(first, second) / np.minimum(first, second)


def _luminance(pixels: np.ndarray) -> np.ndarray:
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])
