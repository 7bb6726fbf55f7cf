"""The menus of the window as data: every command, its text, its keys and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar


class Command(Enum):
    """Everything that the menus can do, the submenus' entries apart."""

    OPEN = auto()
    OPEN_FOLDER = auto()
    CAPTION_FOLDER = auto()
    LAST_RUN = auto()
    PASTE = auto()
    SAVE = auto()
    SETTINGS = auto()
    QUIT = auto()
    NEW = auto()
    WRITE = auto()
    ASK_TOGETHER = auto()
    REGENERATE = auto()
    STOP = auto()
    WORDS = auto()
    UNDO_STRIKE = auto()
    INSPECT = auto()
    COPY = auto()
    COPY_ALL = auto()
    FIT = auto()
    ACTUAL_SIZE = auto()
    ZOOM_IN = auto()
    ZOOM_OUT = auto()
    MODEL_VIEW = auto()
    RESIZING_LOSS = auto()
    PREVIOUS_PICTURE = auto()
    NEXT_PICTURE = auto()
    UNDERLINE_DOUBT = auto()
    MODELS = auto()
    BUILT_IN_MODEL = auto()
    MODEL_FOLDER = auto()
    UNLOAD = auto()
    KEYS = auto()
    LOG_FOLDER = auto()
    UPDATES = auto()
    ABOUT = auto()


class Submenu(Enum):
    """The submenus, which the window fills itself."""

    RECENT = auto()
    COLOURS = auto()


@dataclass(frozen=True)
class CommandRow:
    """One command in a menu: `keys` are all its shortcuts, the first of which is shown."""

    command: Command
    text: str
    keys: tuple[str, ...] = ()
    is_checkable: bool = False
    is_checked: bool = False
    role: QAction.MenuRole | None = None


@dataclass(frozen=True)
class SubmenuRow:
    """Where a submenu stands."""

    submenu: Submenu
    text: str


@dataclass(frozen=True)
class MenuRows:
    """One menu of the menu bar; each of its groups is set off by a separator."""

    text: str
    groups: tuple[tuple[CommandRow | SubmenuRow, ...], ...]
    shows_tooltips: bool = False


ZOOM = (Command.FIT, Command.ACTUAL_SIZE, Command.ZOOM_IN, Command.ZOOM_OUT)
STEP = (Command.PREVIOUS_PICTURE, Command.NEXT_PICTURE)

MENUS = (
    MenuRows(
        "&File",
        (
            (
                CommandRow(Command.OPEN, "&Open pictures…", ("Ctrl+O",)),
                CommandRow(Command.OPEN_FOLDER, "Open &folder…", ("Ctrl+Shift+O",)),
                CommandRow(Command.CAPTION_FOLDER, "&Caption folder…", ("Ctrl+B",)),
                CommandRow(Command.LAST_RUN, "&Last folder run", ("Ctrl+Shift+B",)),
            ),
            (CommandRow(Command.PASTE, "&Paste picture", ("Ctrl+V",)),),
            (
                CommandRow(Command.SAVE, "&Save transcript…", ("Ctrl+S",)),
                SubmenuRow(Submenu.RECENT, "&Recent conversations"),
            ),
            (
                CommandRow(
                    Command.SETTINGS,
                    "S&ettings…",
                    ("Ctrl+,",),
                    role=QAction.MenuRole.PreferencesRole,
                ),
                CommandRow(Command.QUIT, "&Quit", ("Ctrl+Q",), role=QAction.MenuRole.QuitRole),
            ),
        ),
    ),
    MenuRows(
        "&Conversation",
        (
            (
                CommandRow(Command.NEW, "&New conversation", ("Ctrl+N",)),
                CommandRow(Command.WRITE, "&Write a question", ("Ctrl+L",)),
                CommandRow(Command.ASK_TOGETHER, "Ask a&bout all images", is_checkable=True),
                CommandRow(Command.REGENERATE, "Answer &once more, in other words", ("Ctrl+R",)),
                CommandRow(Command.STOP, "&Stop answering", ("Esc",)),
            ),
            (
                CommandRow(Command.WORDS, "&Go through the words", ("F2",)),
                CommandRow(Command.UNDO_STRIKE, "&Undo striking out", ("Ctrl+Z",)),
                CommandRow(Command.INSPECT, "&Inspect last answer", ("Ctrl+I",)),
            ),
            (
                CommandRow(Command.COPY, "&Copy last answer", ("Ctrl+Shift+C",)),
                CommandRow(Command.COPY_ALL, "Copy &all", ("Ctrl+Shift+A",)),
            ),
        ),
        shows_tooltips=True,
    ),
    MenuRows(
        "&View",
        (
            (
                CommandRow(Command.FIT, "&Fit the picture", ("Ctrl+0",)),
                CommandRow(Command.ACTUAL_SIZE, "&Actual size", ("Ctrl+1",)),
                CommandRow(Command.ZOOM_IN, "Zoom &in", ("Ctrl++", "Ctrl+=")),
                CommandRow(Command.ZOOM_OUT, "Zoom &out", ("Ctrl+-",)),
            ),
            (
                CommandRow(Command.MODEL_VIEW, "&Model's-eye view", ("Ctrl+E",)),
                CommandRow(Command.RESIZING_LOSS, "What &resizing lost", ("Ctrl+Shift+E",)),
            ),
            (
                CommandRow(Command.PREVIOUS_PICTURE, "&Previous picture", ("PgUp",)),
                CommandRow(Command.NEXT_PICTURE, "&Next picture", ("PgDown",)),
            ),
            (
                CommandRow(
                    Command.UNDERLINE_DOUBT,
                    "Underline &doubtful words",
                    ("Ctrl+U",),
                    is_checkable=True,
                    is_checked=True,
                ),
            ),
            (SubmenuRow(Submenu.COLOURS, "&Colours"),),
        ),
        shows_tooltips=True,
    ),
    MenuRows(
        "&Model",
        (
            (CommandRow(Command.MODELS, "&Models…", ("Ctrl+M",)),),
            (
                CommandRow(Command.BUILT_IN_MODEL, "&Built-in model"),
                CommandRow(Command.MODEL_FOLDER, "Open model &folder…", ("Ctrl+Shift+M",)),
            ),
            (CommandRow(Command.UNLOAD, "&Unload"),),
        ),
    ),
    MenuRows(
        "&Help",
        (
            (
                CommandRow(Command.KEYS, "&Keyboard shortcuts", ("F1",)),
                CommandRow(Command.LOG_FOLDER, "Open &log folder"),
                CommandRow(Command.UPDATES, "Check for &updates"),
            ),
            (CommandRow(Command.ABOUT, "&About Onlooker", role=QAction.MenuRole.AboutRole),),
        ),
    ),
)


def build_menus(
    bar: QMenuBar, runs: Mapping[Command, Callable[[], object]]
) -> tuple[dict[Command, QAction], dict[Submenu, QMenu]]:
    """Fill the menu bar from `MENUS`. `runs` says what each command does."""
    actions: dict[Command, QAction] = {}
    submenus: dict[Submenu, QMenu] = {}
    for rows in MENUS:
        menu = bar.addMenu(rows.text)
        menu.setToolTipsVisible(rows.shows_tooltips)
        for number, group in enumerate(rows.groups):
            if number:
                menu.addSeparator()
            for row in group:
                match row:
                    case CommandRow():
                        actions[row.command] = _action(menu, row, runs[row.command])
                    case SubmenuRow():
                        submenus[row.submenu] = menu.addMenu(row.text)
    return actions, submenus


def _action(menu: QMenu, row: CommandRow, run: Callable[[], object]) -> QAction:
    action = QAction(row.text, menu)
    action.setShortcuts([QKeySequence(key) for key in row.keys])
    action.setCheckable(row.is_checkable)
    action.setChecked(row.is_checked)
    if row.role is not None:
        action.setMenuRole(row.role)
    action.triggered.connect(lambda checked=False: run())
    menu.addAction(action)
    return action
