"""What stands in menus besides commands: names of any length, and headings."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from gui.widgets.text_direction import elided

WIDEST = 420
"""In pixels."""


def menu_text(menu: QMenu, name: str, widest: int = WIDEST) -> str:
    """Returns a name as the text of an entry: elided in its middle, as its ends tell names apart.
    An ampersand would underline a letter."""
    middle = Qt.TextElideMode.ElideMiddle
    return elided(menu.fontMetrics(), name, middle, widest).replace("&", "&&")


def add_named(menu: QMenu, name: str) -> QAction:
    """Adds an entry for a name, whose tool tip has the whole name if it is elided."""
    action = menu.addAction(menu_text(menu, name))
    if action.text() != name.replace("&", "&&"):
        menu.setToolTipsVisible(True)
        action.setToolTip(name)
    return action


def add_heading(menu: QMenu, text: str) -> None:
    """Begins a section of a menu; the text of Qt's own is not shown with a stylesheet."""
    if not menu.isEmpty():
        menu.addSeparator()
    menu.addAction(menu_text(menu, text)).setEnabled(False)
