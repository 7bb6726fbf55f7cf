"""The commands for the images of a folder: a part of the table."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from gui.window.command import Command
from gui.window.commands import CommandRow, Group, Menu, MenuRows

translate = QCoreApplication.translate


def images_menu() -> MenuRows:
    """Returns the menu of what can be done with the images of a folder."""
    finding: Group = (
        CommandRow(Command.FIND_IMAGES, translate("Menu", "&Search images"), ("Ctrl+F",)),
        CommandRow(
            Command.NEXT_UNREVIEWED,
            translate("Menu", "Next &unreviewed image"),
            ("U",),
            is_fixed=True,
        ),
        CommandRow(
            Command.NEXT_UNCAPTIONED,
            translate("Menu", "Next image without &caption"),
            ("C",),
            is_fixed=True,
        ),
    )
    editing: Group = (
        CommandRow(Command.EDIT_CAPTION, translate("Menu", "&Edit caption"), ("F4",)),
    )
    reviewing: Group = (
        CommandRow(Command.ACCEPT, translate("Menu", "&Accept"), ("A",), is_fixed=True),
        CommandRow(Command.REJECT, translate("Menu", "&Reject"), ("R",), is_fixed=True),
        CommandRow(Command.NEEDS_WORK, translate("Menu", "&Needs work"), ("N",), is_fixed=True),
    )
    selecting: Group = (
        CommandRow(
            Command.INVERT_SELECTION, translate("Menu", "&Invert selection"), ("Ctrl+Shift+I",)
        ),
    )
    groups = (finding, editing, reviewing, selecting)
    return MenuRows(Menu.IMAGES, translate("Menu", "&Images"), groups)


def exchange_group() -> Group:
    """Returns what hands captions over to other programs, and takes theirs."""
    return (
        CommandRow(
            Command.EXPORT_CAPTIONS, translate("Menu", "E&xport captions…"), ("Ctrl+Shift+X",)
        ),
        CommandRow(Command.IMPORT_CAPTIONS, translate("Menu", "I&mport captions…")),
    )
