"""The menus of the window as data: every command, its text, its keys and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

translate = QCoreApplication.translate


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
    THEME = auto()


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


def build_menus(
    bar: QMenuBar, runs: Mapping[Command, Callable[[], object]]
) -> tuple[dict[Command, QAction], dict[Submenu, QMenu]]:
    """Fill the menu bar. `runs` says what each command does."""
    actions: dict[Command, QAction] = {}
    submenus: dict[Submenu, QMenu] = {}
    menus = (_file_menu(), _conversation_menu(), _view_menu(), _model_menu(), _help_menu())
    for rows in menus:
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


def _file_menu() -> MenuRows:
    return MenuRows(
        translate("Menu", "&File"),
        (
            (
                CommandRow(Command.OPEN, translate("Menu", "&Open images…"), ("Ctrl+O",)),
                CommandRow(
                    Command.OPEN_FOLDER,
                    translate("Menu", "Open &folder…"),
                    ("Ctrl+Shift+O",),
                ),
                CommandRow(
                    Command.CAPTION_FOLDER,
                    translate("Menu", "&Caption folder…"),
                    ("Ctrl+B",),
                ),
                CommandRow(
                    Command.LAST_RUN,
                    translate("Menu", "&Last folder run"),
                    ("Ctrl+Shift+B",),
                ),
            ),
            (CommandRow(Command.PASTE, translate("Menu", "&Paste image"), ("Ctrl+V",)),),
            (
                CommandRow(Command.SAVE, translate("Menu", "&Save conversation…"), ("Ctrl+S",)),
                SubmenuRow(Submenu.RECENT, translate("Menu", "&Recent conversations")),
            ),
            (
                CommandRow(
                    Command.SETTINGS,
                    translate("Menu", "S&ettings…"),
                    ("Ctrl+,",),
                    role=QAction.MenuRole.PreferencesRole,
                ),
                CommandRow(
                    Command.QUIT,
                    translate("Menu", "&Quit"),
                    ("Ctrl+Q",),
                    role=QAction.MenuRole.QuitRole,
                ),
            ),
        ),
    )


def _conversation_menu() -> MenuRows:
    return MenuRows(
        translate("Menu", "&Conversation"),
        (
            (
                CommandRow(Command.NEW, translate("Menu", "&New conversation"), ("Ctrl+N",)),
                CommandRow(Command.WRITE, translate("Menu", "&Go to the prompt"), ("Ctrl+L",)),
                CommandRow(
                    Command.ASK_TOGETHER,
                    translate("Menu", "Ask a&bout all images"),
                    is_checkable=True,
                ),
                CommandRow(
                    Command.REGENERATE, translate("Menu", "&Regenerate answer"), ("Ctrl+R",)
                ),
                CommandRow(Command.STOP, translate("Menu", "&Stop answering"), ("Esc",)),
            ),
            (
                CommandRow(Command.WORDS, translate("Menu", "Step through &words"), ("F2",)),
                CommandRow(Command.UNDO_STRIKE, translate("Menu", "&Undo strike-out"), ("Ctrl+Z",)),
                CommandRow(Command.INSPECT, translate("Menu", "&Inspect last answer"), ("Ctrl+I",)),
            ),
            (
                CommandRow(Command.COPY, translate("Menu", "&Copy last answer"), ("Ctrl+Shift+C",)),
                CommandRow(
                    Command.COPY_ALL,
                    translate("Menu", "Copy c&onversation"),
                    ("Ctrl+Shift+A",),
                ),
            ),
        ),
        shows_tooltips=True,
    )


def _view_menu() -> MenuRows:
    return MenuRows(
        translate("Menu", "&View"),
        (
            (
                CommandRow(Command.FIT, translate("Menu", "&Fit image"), ("Ctrl+0",)),
                CommandRow(Command.ACTUAL_SIZE, translate("Menu", "&Actual size"), ("Ctrl+1",)),
                CommandRow(Command.ZOOM_IN, translate("Menu", "Zoom &in"), ("Ctrl++", "Ctrl+=")),
                CommandRow(Command.ZOOM_OUT, translate("Menu", "Zoom &out"), ("Ctrl+-",)),
            ),
            (
                CommandRow(
                    Command.MODEL_VIEW,
                    translate("Menu", "What the &model sees"),
                    ("Ctrl+E",),
                ),
                CommandRow(
                    Command.RESIZING_LOSS,
                    translate("Menu", "&Lost detail"),
                    ("Ctrl+Shift+E",),
                ),
            ),
            (
                CommandRow(
                    Command.PREVIOUS_PICTURE,
                    translate("Menu", "&Previous image"),
                    ("PgUp",),
                ),
                CommandRow(Command.NEXT_PICTURE, translate("Menu", "&Next image"), ("PgDown",)),
            ),
            (
                CommandRow(
                    Command.UNDERLINE_DOUBT,
                    translate("Menu", "Underline &doubtful words"),
                    ("Ctrl+U",),
                    is_checkable=True,
                    is_checked=True,
                ),
            ),
            (SubmenuRow(Submenu.THEME, translate("Menu", "&Theme")),),
        ),
        shows_tooltips=True,
    )


def _model_menu() -> MenuRows:
    return MenuRows(
        translate("Menu", "&Model"),
        (
            (CommandRow(Command.MODELS, translate("Menu", "&Models…"), ("Ctrl+M",)),),
            (
                CommandRow(Command.BUILT_IN_MODEL, translate("Menu", "Load &built-in model")),
                CommandRow(
                    Command.MODEL_FOLDER,
                    translate("Menu", "Open model &folder…"),
                    ("Ctrl+Shift+M",),
                ),
            ),
            (CommandRow(Command.UNLOAD, translate("Menu", "&Unload model")),),
        ),
    )


def _help_menu() -> MenuRows:
    return MenuRows(
        translate("Menu", "&Help"),
        (
            (
                CommandRow(Command.KEYS, translate("Menu", "&Keyboard shortcuts"), ("F1",)),
                CommandRow(Command.LOG_FOLDER, translate("Menu", "Open &log folder")),
                CommandRow(Command.UPDATES, translate("Menu", "Check for &updates")),
            ),
            (
                CommandRow(
                    Command.ABOUT,
                    translate("Menu", "&About Onlooker"),
                    role=QAction.MenuRole.AboutRole,
                ),
            ),
        ),
    )
