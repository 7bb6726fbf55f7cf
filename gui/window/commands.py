"""What the table of commands is made of: a command's text, keys and place.

Menus, context menus, the list of keys and their rebinding are made from the table, which is in
`command_table`; `actions` makes them, `availability` says what can be given when.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtGui import QAction

from gui.window.command import Command


class Menu(Enum):
    """The menus of the menu bar, in their order; commands of CONTEXT are in context menus alone."""

    CONTEXT = auto()
    FILE = auto()
    EDIT = auto()
    CONVERSATION = auto()
    IMAGES = auto()
    VIEW = auto()
    RUN = auto()
    MODEL = auto()
    HELP = auto()


class Submenu(Enum):
    """A menu inside a menu; RECENT is filled when it opens."""

    RECENT = auto()
    THEME = auto()
    PRESETS = auto()
    REVIEW = auto()


class Place(Enum):
    """What a context menu is about."""

    IMAGE = auto()
    THUMBNAIL = auto()
    WORD = auto()
    EXCHANGE = auto()
    ROW = auto()
    LIST = auto()
    TAG = auto()
    TEXT = auto()


@dataclass(frozen=True)
class CommandRow:
    """One command. `keys` are all its shortcuts, the first of which is shown.

    `hint` says what it does beyond its text. `places` are the context menus that have it, with
    `clicked_text` where it is about the thing that was clicked. Where `is_fixed`, its keys cannot
    be changed: text fields and lists use the same ones; if `is_of_list`, the list itself handles
    them, and they are only shown. A command with `key_of` has the keys of another one, as never
    both can be given.
    """

    command: Command
    text: str
    keys: tuple[str, ...] = ()
    hint: str = ""
    places: tuple[Place, ...] = ()
    is_checkable: bool = False
    is_fixed: bool = False
    is_of_list: bool = False
    clicked_text: str = ""
    key_of: Command | None = None
    role: QAction.MenuRole | None = None

    @property
    def name(self) -> str:
        """The text as it reads in a list: without the mnemonic and the ellipsis."""
        return self.text.replace("&&", "\0").replace("&", "").replace("\0", "&").rstrip("…")


@dataclass(frozen=True)
class SubmenuRow:
    """A submenu, and the commands in it."""

    submenu: Submenu
    text: str
    rows: tuple[CommandRow, ...] = ()


Group = tuple[CommandRow | SubmenuRow, ...]


def commands_of(group: Group) -> tuple[CommandRow, ...]:
    """Returns the commands of a group, those of its submenus too."""
    found: list[CommandRow] = []
    for row in group:
        found += row.rows if isinstance(row, SubmenuRow) else (row,)
    return tuple(found)


@dataclass(frozen=True)
class MenuRows:
    """One menu of the menu bar; each of its groups is set off by a separator."""

    menu: Menu
    text: str
    groups: tuple[Group, ...]

    @property
    def rows(self) -> tuple[CommandRow, ...]:
        """Its commands, those of its submenus too."""
        return tuple(row for group in self.groups for row in commands_of(group))
