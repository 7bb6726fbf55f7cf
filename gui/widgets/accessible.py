"""Accessibility of our own widgets: roles, names and states that Qt cannot know."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget, QWidget


def install_accessible(roles: Mapping[type[QWidget], QAccessible.Role]) -> None:
    """Gives widgets of these classes a role, and tells when they are out of sight."""
    by_name = {kind.__name__: role for kind, role in roles.items()}

    def interface_of(class_name: str, thing: QObject) -> QAccessibleInterface | None:
        role = by_name.get(class_name)
        if role is None or not isinstance(thing, QWidget):
            return None
        return _OurWidget(thing, role)

    QAccessible.installFactory(interface_of)


class _OurWidget(QAccessibleWidget):
    def state(self) -> QAccessible.State:
        """Qt takes what is scrolled out of sight for showing."""
        state = super().state()
        widget = self.object()
        if isinstance(widget, QWidget) and widget.isVisible():
            state.offscreen = int(widget.visibleRegion().isEmpty())
        return state
