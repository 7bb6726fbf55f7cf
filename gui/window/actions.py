"""Menus, context menus and keys, made from the table of commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QKeyCombination, QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QMenu, QMenuBar, QWidget

from gui.widgets.menu_text import give_letters, menu_text
from gui.window.availability import is_checked, is_offered, obstacle, text_now
from gui.window.command_table import command_table
from gui.window.commands import (
    Command,
    CommandRow,
    Menu,
    MenuRows,
    Place,
    Submenu,
    SubmenuRow,
    commands_of,
)
from gui.window.key_bindings import Bindings, keys_of, rows_of, users_of
from gui.window.view_state import ViewState

Run = Callable[[], object]
# Why it cannot be given, what it does now, and whether it is marked.
_Shown = tuple[str | None, str, bool]


@dataclass(frozen=True)
class Entry:
    """What a command does with the thing that was clicked, and why it cannot, "" where that is
    plain; None if it can. `text` is what it would do, if not what the table says."""

    run: Run
    obstacle: str | None = None
    text: str = ""


class Actions(QObject):
    """The commands as Qt actions. What each does is given by `bind`.

    `edit_opened()`: the Edit menu is about to show.
    """

    edit_opened = Signal()

    def __init__(self, bar: QMenuBar, window: QWidget):
        super().__init__(window)
        self.table = command_table()
        self.rows = rows_of(self.table)
        self.by_command: dict[Command, QAction] = {}
        self.submenus: dict[Submenu, QMenu] = {}
        self._window = window
        self._runs: dict[Command, Run] = {}
        self._buttons: dict[Command, QAbstractButton] = {}
        self._bindings: Bindings = {}
        self._shown: dict[Command, _Shown] = {}
        for rows in self.table:
            if rows.menu is not Menu.CONTEXT:
                self._add_menu(bar, rows)
        self.set_bindings({})

    def bind(self, command: Command, run: Run) -> None:
        """Says what a command does, in the GUI thread."""
        self._runs[command] = run

    def attach(self, command: Command, button: QAbstractButton) -> None:
        """Lets a command have the key of a button that does the same; its tool tip names it."""
        button.setShortcut(QKeySequence())
        self._buttons[command] = button
        self._name_key(command)

    @property
    def bindings(self) -> Bindings:
        """The keys that a person has changed."""
        return self._bindings

    def set_bindings(self, bindings: Mapping[str, list[str]]) -> None:
        """Gives the commands their keys. Names that are no command's are passed over."""
        self._bindings = {name: list(keys) for name, keys in bindings.items()}
        for command, action in self.by_command.items():
            keys = keys_of(self.rows, self._bindings, command)
            action.setShortcuts([QKeySequence(key) for key in keys])
        for command in self._buttons:
            self._name_key(command)

    def has_key(self, event: QKeyEvent) -> bool:
        """Returns whether any command has the key, also one that cannot be given now."""
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        pressed = QKeySequence(QKeyCombination(shift, Qt.Key(event.key())))
        return bool(users_of(self.rows, self._bindings, pressed.toString()))

    def key_text(self, command: Command) -> str:
        """Returns the first key of a command as the system writes it; "" if it has none."""
        native = QKeySequence.SequenceFormat.NativeText
        return self.by_command[command].shortcut().toString(native)

    def render(self, state: ViewState) -> None:
        """Enables what can be done now, and says why the rest cannot. What stays the same, which is
        nearly all, is left alone: the state changes with every key."""
        for command, action in self.by_command.items():
            row = self.rows[command]
            is_marked = row.is_checkable and is_checked(state, command)
            shown = obstacle(state, command), text_now(state, command), is_marked
            if self._shown.get(command) == shown:
                continue
            self._shown[command] = shown
            reason, text, _ = shown
            action.setEnabled(reason is None)
            action.setVisible(is_offered(state, command))
            menu = action.parent()
            shown_text = menu_text(menu, text) if isinstance(menu, QMenu) else text
            action.setText(f"&{shown_text}" if text else row.text)
            # Qt would show the text again, with its ampersand; a blank tool tip shows nothing.
            action.setToolTip(reason or row.hint or " ")
            if row.is_checkable:
                action.setChecked(is_marked)

    def context_menu(
        self, *places: Place, clicked: Mapping[Command, Entry | None] | None = None
    ) -> QMenu:
        """Returns a new menu of the commands for these places, which deletes itself once closed.

        Commands that are about the thing that was `clicked` are given there, None for one that
        means nothing to it; the others do what they do in the menu bar.
        """
        menu = QMenu(self._window)
        menu.setObjectName(f"{places[0].name.lower()}_menu")
        menu.setToolTipsVisible(True)
        clicked = clicked or {}
        for rows in self.table:
            for group in rows.groups:
                actions = [
                    self._in_context(menu, row, clicked)
                    for row in commands_of(group)
                    if not set(places).isdisjoint(row.places)
                ]
                if any(actions) and not menu.isEmpty():
                    menu.addSeparator()
                menu.addActions([action for action in actions if action])
        menu.aboutToShow.connect(partial(give_letters, menu))
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def _in_context(
        self, menu: QMenu, row: CommandRow, clicked: Mapping[Command, Entry | None]
    ) -> QAction | None:
        if row.command not in clicked:
            return self.by_command[row.command]
        entry = clicked[row.command]
        if entry is None:
            return None
        action = QAction(entry.text or row.clicked_text or row.text, menu)
        action.setObjectName(row.command.value)
        action.setEnabled(entry.obstacle is None)
        action.setToolTip(entry.obstacle or row.hint or " ")
        action.triggered.connect(partial(_run, entry.run))
        return action

    def _add_menu(self, bar: QMenuBar, rows: MenuRows) -> None:
        menu = bar.addMenu(rows.text)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(partial(give_letters, menu))
        if rows.menu is Menu.EDIT:
            menu.aboutToShow.connect(self.edit_opened)
        for number, group in enumerate(rows.groups):
            if number:
                menu.addSeparator()
            for row in group:
                if isinstance(row, SubmenuRow):
                    submenu = self.submenus[row.submenu] = menu.addMenu(row.text)
                    submenu.aboutToShow.connect(partial(give_letters, submenu))
                    submenu.addActions([self._add_action(submenu, one) for one in row.rows])
                else:
                    menu.addAction(self._add_action(menu, row))

    def _add_action(self, menu: QMenu, row: CommandRow) -> QAction:
        action = QAction(row.text, menu)
        action.setObjectName(row.command.value)
        action.setCheckable(row.is_checkable)
        if row.is_of_list:  # Not while a caption is edited, nor where a button has the focus.
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.setShortcutVisibleInContextMenu(True)
        if row.role is not None:
            action.setMenuRole(row.role)
        action.triggered.connect(partial(self._on_triggered, row.command))
        self.by_command[row.command] = action
        return action

    def _on_triggered(self, command: Command, checked: bool = False) -> None:
        # Qt has changed the mark already; only the state decides about it.
        if self.rows[command].is_checkable:
            self.by_command[command].setChecked(not checked)
        if run := self._runs.get(command):
            run()

    def _name_key(self, command: Command) -> None:
        button, tip = self._buttons[command], self.rows[command].hint
        key = self.key_text(command)
        button.setToolTip(f"{tip} ({key})" if tip and key else tip or key)


def _run(run: Run, checked: bool = False) -> None:
    run()
