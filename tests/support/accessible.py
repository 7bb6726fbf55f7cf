"""What a screen reader finds in a window, and what it would not understand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QObject, QRect
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

Role = QAccessible.Role
_BUTTONS = {Role.Button, Role.CheckBox, Role.RadioButton, Role.ButtonMenu, Role.ButtonDropDown}
_LISTS = {Role.List, Role.Table, Role.Tree}
_ITEMS = {Role.ListItem, Role.Cell, Role.Row, Role.TreeItem}
# What is inside them is Qt's own.
_CLOSED = {Role.ScrollBar, Role.SpinBox, Role.ComboBox, Role.TitleBar}


@dataclass(frozen=True)
class Node:
    """An object as a screen reader sees it."""

    role: QAccessible.Role
    name: str
    description: str
    is_focusable: bool
    is_showing: bool
    rect: QRect
    widget: QObject | None

    def __str__(self) -> str:
        kind = f" {type(self.widget).__name__}" if self.widget else ""
        named = f" {self.widget.objectName()}" if self.widget else ""
        return f"{self.role.name}{kind}{named} “{self.name}”"


def nodes_of(window: QWidget) -> list[Node]:
    """Returns everything that is reported below a window, from the top down."""
    return list(_below(QAccessible.queryAccessibleInterface(window)))


def misunderstandings(window: QWidget) -> list[str]:
    """Returns what has no name, is named as another button is, or is not where it is said to be."""
    faults, names = [], set[str]()
    seen = _global_rect(window)
    for node in nodes_of(window):
        if isinstance(node.widget, QWidget) and node.widget.isVisible():
            is_in_view = all(area.intersects(node.rect) for area in _areas_around(node.widget))
            if node.is_showing and not is_in_view:
                faults.append(f"{node} is reported as showing, and scrolled out of view")
            if not node.is_showing and is_in_view and node.rect.intersects(seen):
                faults.append(f"{node} is in view, and not reported as showing")
        elif not node.is_showing:
            continue
        if (node.is_focusable or node.role in _LISTS) and not node.name:
            faults.append(f"{node} has no name")
        if node.role in _BUTTONS:
            if node.name in names:
                faults.append(f"{node} is named as another button is")
            names.add(node.name)
        if node.role in _ITEMS and not seen.intersects(node.rect):
            faults.append(f"{node} is reported as showing at {node.rect}, outside of {seen}")
    return faults


def _areas_around(widget: QWidget) -> list[QRect]:
    """Returns, for each area that scrolls this widget, what is seen of it on the screen."""
    areas, around = [], widget
    while not around.isWindow() and (parent := around.parentWidget()) is not None:
        is_scrolled = isinstance(parent, QAbstractScrollArea) and parent.viewport() is around
        if is_scrolled and widget is not around:
            areas.append(_global_rect(around))
        around = parent
    return areas


def _global_rect(widget: QWidget) -> QRect:
    return QRect(widget.mapToGlobal(widget.rect().topLeft()), widget.size())


def _below(interface: QAccessibleInterface) -> Iterator[Node]:
    state = interface.state()
    is_showing = not state.invisible and not state.offscreen
    yield Node(
        interface.role(),
        interface.text(QAccessible.Text.Name),
        interface.text(QAccessible.Text.Description),
        bool(state.focusable) and not state.disabled,
        is_showing,
        interface.rect(),
        interface.object(),
    )
    if state.invisible or interface.role() in _CLOSED:
        return
    for number in range(interface.childCount()):
        child = interface.child(number)
        if child is not None and child.isValid():
            yield from _below(child)
