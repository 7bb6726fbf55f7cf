"""What a screen reader is given of widgets: roles of our own, and what is scrolled out of view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from PySide6.QtCore import QObject, QRect
from PySide6.QtGui import QAccessible, QAccessibleInterface, QColor, QWindow
from PySide6.QtWidgets import QAccessibleWidget, QMenu, QMenuBar, QWidget
from shiboken6 import Shiboken

_Relations = list[tuple[QAccessibleInterface, QAccessible.RelationFlag]]


def install_accessible(roles: Mapping[type[QWidget], QAccessible.Role]) -> None:
    """Gives widgets of these classes a role, and says of every widget whether it is out of view."""
    by_name = {kind.__name__: role for kind, role in roles.items()}
    asked: list[QObject] = []

    def interface_of(class_name: str, thing: QObject) -> QAccessibleInterface | None:
        # What is in menus cannot be scrolled out of view.
        if not isinstance(thing, QWidget) or isinstance(thing, QMenu | QMenuBar):
            return None
        if asked and asked[-1] is thing:
            role = by_name.get(class_name)
            return None if role is None else QAccessibleWidget(thing, role)
        # Qt asks this function again, for each class that the widget inherits from, then makes
        # its own.
        asked.append(thing)
        try:
            known = QAccessible.queryAccessibleInterface(thing)
        finally:
            asked.pop()
        return None if known is None else _ScrolledWidget(known)

    QAccessible.installFactory(interface_of)


def is_out_of_view(widget: QWidget) -> bool:
    """Whether nothing of a widget is inside of all that it is in, as it is scrolled away."""
    rect = widget.rect()
    if rect.isEmpty():
        return False
    while not widget.isWindow() and (parent := widget.parentWidget()) is not None:
        rect = rect.translated(widget.pos()).intersected(parent.rect())
        if rect.isEmpty():
            return True
        widget = parent
    return False


class _ScrolledWidget(QAccessibleInterface):
    """Says what another interface says, but for the state: Qt has what is out of view as showing.

    PySide cannot make Qt's interfaces of buttons, labels and text fields, so that none can be
    inherited from.
    """

    def __init__(self, known: QAccessibleInterface) -> None:
        super().__init__()
        # Neither the other interface nor the widget is kept. PySide would not notice that Qt
        # deletes the one, and Qt asks for the other while it is still being made.
        self._known_id = QAccessible.uniqueId(known)
        self._is_asked_for_focus = False

    @property
    def _known(self) -> QAccessibleInterface:
        return QAccessible.accessibleInterface(self._known_id)

    def state(self) -> QAccessible.State:
        state = self._known.state()
        widget = self._known.object()
        if isinstance(widget, QWidget) and not state.invisible and is_out_of_view(widget):
            state.offscreen = 1
        return state

    def isValid(self) -> bool:
        known = self._known
        return known is not None and known.isValid()

    def object(self) -> QObject:
        return self._known.object()

    def interface_cast(self, kind: QAccessible.InterfaceType) -> int:
        address = self._known.interface_cast(kind)
        # PySide would take None for an address, and calls addresses int.
        return cast(int, Shiboken.VoidPtr(0)) if address is None else address

    def role(self) -> QAccessible.Role:
        return self._known.role()

    def text(self, kind: QAccessible.Text) -> str:
        return self._known.text(kind)

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        self._known.setText(kind, text)

    def rect(self) -> QRect:
        return self._known.rect()

    def window(self) -> QWindow:
        return self._known.window()

    def parent(self) -> QAccessibleInterface:
        return self._known.parent()

    def child(self, index: int) -> QAccessibleInterface:
        return self._known.child(index)

    def childAt(self, x: int, y: int) -> QAccessibleInterface:
        return self._known.childAt(x, y)

    def childCount(self) -> int:
        return self._known.childCount()

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return self._known.indexOfChild(child)

    def focusChild(self) -> QAccessibleInterface:
        # The other one asks on until it comes to itself, and it finds this one in its place.
        if self._is_asked_for_focus:
            return self
        self._is_asked_for_focus = True
        try:
            return self._known.focusChild()
        finally:
            self._is_asked_for_focus = False

    def relations(
        self, match: QAccessible.RelationFlag = QAccessible.RelationFlag.AllRelations
    ) -> _Relations:
        return self._known.relations(match)

    def foregroundColor(self) -> QColor:
        return self._known.foregroundColor()

    def backgroundColor(self) -> QColor:
        return self._known.backgroundColor()
