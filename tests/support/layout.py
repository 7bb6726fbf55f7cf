"""Finds what of a window cannot be seen or reached, since the layout has no room for it."""

from __future__ import annotations

from itertools import combinations

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLayout,
    QScrollArea,
    QStackedLayout,
    QStyle,
    QStyleOptionComboBox,
    QToolButton,
    QWidget,
)

from gui.widgets.elided_button import ElidedButton
from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.labels import RoomyLabel

# What a layout may round away, and what a focus frame adds.
_TOLERANCE = 2
_INSIDE = (1, 1, -1, -1)
# So much of what scrolls must be seen at once.
_LEAST_SCROLLED = 56


def cut_off(window: QWidget) -> list[str]:
    """Returns the parts that are visible, but squeezed or partly outside of what shows them.

    Parts that can be scrolled into view are in order.
    """
    faults, siblings = [], dict[QWidget, list[QWidget]]()
    for part in window.findChildren(QWidget):
        if part.isVisible() and part.window() is window and _matters(part):
            faults += _faults_of_part(part)
            if (parent := part.parentWidget()) is not None:
                siblings.setdefault(parent, []).append(part)
    return faults + [fault for parts in siblings.values() for fault in _overlaps(parts)]


def _overlaps(siblings: list[QWidget]) -> list[str]:
    """Says which of the parts that a layout has placed beside each other lie over each other."""
    placed = [one for one in siblings if _is_in_layout(one)]
    inside = {one: one.geometry().adjusted(*_INSIDE) for one in placed}
    return [
        f"{_named(a)} {described_rect(a.geometry())} overlaps "
        f"{_named(b)} {described_rect(b.geometry())}"
        for a, b in combinations(placed, 2)
        if inside[a].intersects(inside[b])
    ]


def _is_in_layout(part: QWidget) -> bool:
    """Whether a layout has placed it; what floats over others is placed by hand."""
    parent = part.parentWidget()
    return parent is not None and _has(parent.layout(), part)


def _has(layout: QLayout | None, part: QWidget) -> bool:
    if layout is None or isinstance(layout, QStackedLayout):
        return False
    items = [layout.itemAt(number) for number in range(layout.count())]
    return any(item.widget() is part or _has(item.layout(), part) for item in items if item)


def _matters(part: QWidget) -> bool:
    if isinstance(part.parentWidget(), QComboBox | QAbstractSpinBox):
        return False
    takes_focus = part.focusPolicy() != Qt.FocusPolicy.NoFocus
    is_read = isinstance(part, QLabel) and bool(part.text())
    return takes_focus or is_read or isinstance(part, QScrollArea)


def _faults_of_part(part: QWidget) -> list[str]:
    text = getattr(part, "text", "")
    name = f"{_named(part)} {text() if callable(text) else text!r}"
    faults = []
    for around in _parents(part):
        if isinstance(around.parentWidget(), QScrollArea):
            # It scrolls; the area itself is looked at as another part.
            break
        inside = around.rect().adjusted(-_TOLERANCE, -_TOLERANCE, _TOLERANCE, _TOLERANCE)
        place = QRect(part.mapTo(around, QPoint()), part.size())
        if not inside.contains(place):
            where = f"{_named(around)} {described_rect(around.rect())}"
            faults.append(f"{name} at {described_rect(place)} is cut off by {where}")
            break
    needed = part.minimumSizeHint().height()
    if isinstance(part, QLabel) and part.wordWrap():
        # Where it has no room, a RoomyLabel shows nothing.
        needed = 0 if isinstance(part, RoomyLabel) else part.heightForWidth(part.width())
    most = part.maximumHeight()
    if isinstance(part, QAbstractScrollArea):
        # The list of a box to choose from is as high as its choices.
        is_popup = part.window().windowType() == Qt.WindowType.Popup
        needed = 0 if is_popup else min(_LEAST_SCROLLED, part.sizeHint().height())
    if part.height() + _TOLERANCE < min(needed, most):
        faults.append(f"{name} is {part.height()} high and needs {needed}")
    wanted, room = _line_of(part)
    if wanted > room + _TOLERANCE:
        faults.append(f"{name} has a line that is {wanted} wide in {room}")
    return faults


def _line_of(part: QWidget) -> tuple[int, int]:
    """Returns how wide a line is that the part cuts off without an ellipsis, and its room."""
    match part:
        case ElidedComboBox() | ElidedButton() | ElidedLabel() | QToolButton():
            return 0, 0
        case QComboBox() if not part.isEditable():
            option = QStyleOptionComboBox()
            part.initStyleOption(option)
            field = QStyle.SubControl.SC_ComboBoxEditField
            control = QStyle.ComplexControl.CC_ComboBox
            room = part.style().subControlRect(control, option, field, part).width()
            return part.fontMetrics().horizontalAdvance(part.currentText()), room
        case QLabel() if part.text() and not part.wordWrap():
            return part.minimumSizeHint().width(), part.width()
        case QAbstractButton() if part.text():
            return part.minimumSizeHint().width(), part.width()
    return 0, 0


def _parents(part: QWidget) -> list[QWidget]:
    parents = []
    while not part.isWindow() and (parent := part.parentWidget()) is not None:
        parents.append(parent)
        part = parent
    return parents


def _named(part: QWidget) -> str:
    return f"{type(part).__name__} {part.objectName()}"


def described_rect(rect: QRect) -> str:
    return f"{rect.x()},{rect.y()} {rect.width()}×{rect.height()}"
