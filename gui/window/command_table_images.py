"""The commands for the images of a folder: a part of the table."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from gui.window.command import Command
from gui.window.commands import CommandRow, Group, Menu, MenuRows, Submenu, SubmenuRow

translate = QCoreApplication.translate


PRESET_COMMANDS = (
    *(Command.PRESET_1, Command.PRESET_2, Command.PRESET_3, Command.PRESET_4, Command.PRESET_5),
    *(Command.PRESET_6, Command.PRESET_7, Command.PRESET_8, Command.PRESET_9),
)


def images_menu() -> MenuRows:
    """Returns the menu of what can be done with the images of a folder."""
    finding: Group = (
        CommandRow(Command.FIND_IMAGES, translate("Menu", "&Search images"), ("Ctrl+F",)),
        CommandRow(Command.FIND_DUPLICATES, translate("Menu", "Find &duplicates…")),
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
        CommandRow(Command.ALT_TEXT, translate("Menu", "Alt te&xt…"), ("Shift+F4",)),
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
        CommandRow(
            Command.RESTORE_SELECTION, translate("Menu", "&Selection before"), ("Ctrl+Alt+Z",)
        ),
    )
    numbered = tuple(
        CommandRow(
            command,
            translate("Menu", "Preset {number}").format(number=number),
            (str(number),),
            translate("Menu", "Choose a run over the selected images, or all that are listed"),
            is_fixed=True,
        )
        for number, command in enumerate(PRESET_COMMANDS, 1)
    )
    captioning: Group = (
        SubmenuRow(Submenu.PRESETS, translate("Menu", "&Caption with preset"), numbered),
        CommandRow(Command.COMPARE_ANSWERS, translate("Menu", "Compare answe&rs…"), ("F8",)),
        CommandRow(Command.NOTES, translate("Menu", "Prompt and n&otes…"), ("F7",)),
        CommandRow(Command.PRESETS, translate("Menu", "Edit &presets…")),
    )
    groups = (finding, editing, reviewing, selecting, captioning)
    return MenuRows(Menu.IMAGES, translate("Menu", "&Images"), groups)


def exchange_group() -> Group:
    """Returns what hands captions over to other programs, and takes theirs."""
    return (
        CommandRow(
            Command.EXPORT_CAPTIONS, translate("Menu", "E&xport captions…"), ("Ctrl+Shift+X",)
        ),
        CommandRow(Command.IMPORT_CAPTIONS, translate("Menu", "I&mport captions…")),
    )
