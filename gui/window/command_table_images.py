"""The commands for the images of a folder: a part of the table."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from gui.window.command import Command
from gui.window.commands import CommandRow, Group, Menu, MenuRows, Place, Submenu, SubmenuRow

translate = QCoreApplication.translate


PRESET_COMMANDS = (
    *(Command.PRESET_1, Command.PRESET_2, Command.PRESET_3, Command.PRESET_4, Command.PRESET_5),
    *(Command.PRESET_6, Command.PRESET_7, Command.PRESET_8, Command.PRESET_9),
)


def images_menu() -> MenuRows:
    """Returns the menu of what can be done with the images of a folder."""
    groups = (
        *(_finding(), _captioning(), _editing()),
        *(_reviewing_and_selecting(), _files()),
    )
    return MenuRows(Menu.IMAGES, translate("Menu", "&Images"), groups)


def _finding() -> Group:
    return (
        CommandRow(Command.FIND_IMAGES, translate("Menu", "&Search images"), ("Ctrl+F",)),
        CommandRow(Command.FIND_DUPLICATES, translate("Menu", "Find &duplicates…")),
    )


def _editing() -> Group:
    listed = (Place.LIST,)
    return (
        CommandRow(
            Command.EDIT_CAPTION, translate("Menu", "&Edit caption"), ("F4",), places=listed
        ),
        CommandRow(Command.ALT_TEXT, translate("Menu", "Alt te&xt…"), ("Shift+F4",)),
        CommandRow(
            Command.BULK_REPLACE, translate("Menu", "Find and re&place in captions…"), ("Ctrl+H",)
        ),
        CommandRow(
            Command.BULK_EDIT,
            translate("Menu", "Edit &many captions…"),
            ("Ctrl+Shift+H",),
            translate("Menu", "Add text, edit tags or clear captions, with a preview"),
            places=listed,
        ),
        CommandRow(
            Command.REPEAT_EDIT,
            translate("Menu", "Repeat &last edit"),
            (".",),
            places=listed,
            is_fixed=True,
        ),
        CommandRow(
            Command.COPY_CAPTION,
            translate("Menu", "C&opy caption"),
            ("Ctrl+C",),
            places=listed,
            is_fixed=True,
        ),
        CommandRow(
            Command.PASTE_CAPTION,
            translate("Menu", "Paste captio&n"),
            ("Ctrl+Shift+V",),
            translate("Menu", "Set the captions to the copied text, or add the copied tags"),
            places=listed,
        ),
    )


def _reviewing_and_selecting() -> Group:
    listed = (Place.LIST,)
    reviewing = (
        CommandRow(
            Command.ACCEPT, translate("Menu", "&Accept"), ("A",), places=listed, is_fixed=True
        ),
        CommandRow(
            Command.REJECT, translate("Menu", "&Reject"), ("R",), places=listed, is_fixed=True
        ),
        CommandRow(
            Command.NEEDS_WORK,
            translate("Menu", "Needs &work"),
            ("N",),
            places=listed,
            is_fixed=True,
        ),
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
        CommandRow(
            Command.NEXT_DOUBTFUL,
            translate("Menu", "Next dou&btful image"),
            ("D",),
            is_fixed=True,
        ),
    )
    return (
        # A submenu of its own: with all that is in it, the menu did not fit on a laptop's screen.
        SubmenuRow(Submenu.REVIEW, translate("Menu", "Re&view"), reviewing),
        CommandRow(
            Command.INVERT_SELECTION, translate("Menu", "&Invert selection"), ("Ctrl+Shift+I",)
        ),
        CommandRow(
            Command.RESTORE_SELECTION, translate("Menu", "Restore &selection"), ("Ctrl+Alt+Z",)
        ),
    )


def _captioning() -> Group:
    numbered = tuple(
        CommandRow(
            command,
            translate("Menu", "Preset {number}").format(number=number),
            (str(number),),
            translate("Menu", "Caption the selected images, or all that are listed"),
            is_fixed=True,
        )
        for number, command in enumerate(PRESET_COMMANDS, 1)
    )
    return (
        CommandRow(
            Command.GENERATE,
            translate("Menu", "&Generate captions…"),
            ("Ctrl+Shift+G",),
            translate("Menu", "Caption the selected images, or all that are listed"),
            places=(Place.LIST,),
        ),
        CommandRow(
            Command.CAPTION_AGAIN,
            translate("Menu", "Caption a&gain…"),
            ("Ctrl+Alt+G",),
            translate("Menu", "Replace the captions of the selected images with new ones"),
            places=(Place.LIST,),
        ),
        SubmenuRow(Submenu.PRESETS, translate("Menu", "&Caption with preset"), numbered),
        CommandRow(Command.COMPARE_ANSWERS, translate("Menu", "Compare answe&rs…"), ("F8",)),
        CommandRow(Command.NOTES, translate("Menu", "Prompt and n&otes…"), ("F7",)),
        CommandRow(Command.PRESETS, translate("Menu", "Edit &presets…")),
    )


def exchange_group() -> Group:
    """Returns what hands captions over to other programs, and takes theirs."""
    return (
        CommandRow(
            Command.EXPORT_CAPTIONS, translate("Menu", "E&xport captions…"), ("Ctrl+Shift+X",)
        ),
        CommandRow(Command.IMPORT_CAPTIONS, translate("Menu", "I&mport captions…")),
    )


def _files() -> Group:
    listed = (Place.LIST,)
    return (
        CommandRow(
            Command.MOVE_IMAGES,
            translate("Menu", "Mo&ve to folder…"),
            ("F6",),
            translate("Menu", "Caption files and other files of the images go with them"),
            places=listed,
        ),
        CommandRow(
            Command.TRASH_IMAGES,
            translate("Menu", "Move to &trash…"),
            ("Del",),
            places=listed,
            is_fixed=True,
        ),
    )
