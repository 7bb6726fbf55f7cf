"""The commands for folder runs: a part of the table."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from gui.window.command import Command
from gui.window.commands import CommandRow, Group, Menu, MenuRows, Place

translate = QCoreApplication.translate


def run_menu() -> MenuRows:
    """Returns the menu of what can be done with a folder run and its rows."""
    running: Group = (
        CommandRow(Command.RUN_START, translate("Menu", "&Start"), ("Ctrl+Return",)),
        CommandRow(
            Command.RUN_TRY_FIRST,
            translate("Menu", "&Try first…"),
            ("Ctrl+T",),
            translate("Menu", "Compare two prompts on a few images"),
        ),
        CommandRow(Command.RUN_RESUME, translate("Menu", "&Resume"), key_of=Command.RUN_START),
        CommandRow(
            Command.RUN_PAUSE,
            translate("Menu", "&Pause"),
            ("Ctrl+P",),
            translate("Menu", "Pause when the current captions are written"),
        ),
        CommandRow(
            Command.RUN_STOP_NOW,
            translate("Menu", "Stop n&ow"),
            ("Esc",),
            translate("Menu", "Stop without finishing the current captions"),
            is_fixed=True,
        ),
        CommandRow(
            Command.RUN_STOP_AFTER,
            translate("Menu", "Stop &after the current image"),
            ("Ctrl+Shift+P",),
        ),
        CommandRow(Command.RUN_RETRY, translate("Menu", "Retry &failed"), ("Ctrl+Shift+R",)),
    )
    captions: Group = (
        CommandRow(Command.RUN_FIND, translate("Menu", "Fi&nd in names and captions"), ("Ctrl+F",)),
        CommandRow(Command.RUN_REPLACE, translate("Menu", "R&eplace in captions…"), ("Ctrl+H",)),
        CommandRow(Command.RUN_DOUBT, translate("Menu", "Find &doubtful words"), ("Ctrl+D",)),
    )
    groups = (running, captions, _row_group(), _ending_group())
    return MenuRows(Menu.RUN, translate("Menu", "Folder &run"), groups)


def _row_group() -> Group:
    """What can be done with the chosen row of a folder run."""
    row = (Place.ROW,)
    return (
        CommandRow(
            Command.ROW_SHOW,
            translate("Menu", "Show &image"),
            ("Return",),
            places=row,
            is_fixed=True,
            is_of_list=True,
        ),
        CommandRow(
            Command.ROW_EDIT,
            translate("Menu", "Edit &caption"),
            ("F2",),
            places=row,
            is_fixed=True,
            is_of_list=True,
        ),
        CommandRow(
            Command.ROW_CAPTION,
            translate("Menu", "Caption a&gain"),
            hint=translate("Menu", "Replace this caption with a new one from the model"),
            places=row,
            key_of=Command.REGENERATE,
        ),
        CommandRow(
            Command.ROW_COPY,
            translate("Menu", "Cop&y caption"),
            ("Ctrl+C",),
            places=row,
            is_fixed=True,
            is_of_list=True,
        ),
        CommandRow(
            Command.ROW_REVEAL,
            translate("Menu", "S&how in folder"),
            places=row,
            key_of=Command.REVEAL_PICTURE,
        ),
        CommandRow(
            Command.ROW_SORT,
            translate("Menu", "&Most doubtful first"),
            places=row,
            is_checkable=True,
        ),
    )


def _ending_group() -> Group:
    """What can be done with the run as a whole."""
    return (
        CommandRow(Command.RUN_UNDO, translate("Menu", "&Undo run…"), ("Ctrl+Shift+U",)),
        CommandRow(
            Command.RUN_COPY_COMMAND,
            translate("Menu", "Copy &terminal command"),
            ("Ctrl+Alt+T",),
            translate("Menu", "Copy the command that does the same in a terminal"),
        ),
        CommandRow(
            Command.RUN_NEW,
            translate("Menu", "Ne&w run"),
            ("Ctrl+Shift+N",),
            translate("Menu", "Start over with the same images"),
        ),
        CommandRow(Command.RUN_CLOSE, translate("Menu", "&Hide folder run"), ("Alt+Left",)),
    )
