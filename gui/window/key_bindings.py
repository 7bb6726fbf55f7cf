"""Which keys each command has, after what a person has changed; and which commands want the same
keys."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeySequence

from gui.window.command import Command
from gui.window.commands import CommandRow, MenuRows

Bindings = Mapping[str, Sequence[str]]
"""The keys of the commands whose keys a person has changed, by the command's stored name."""

# Keys that lists, dialogs and text fields need for themselves, with or without Shift.
_RESERVED = {
    *(Qt.Key.Key_Escape, Qt.Key.Key_Tab, Qt.Key.Key_Backtab, Qt.Key.Key_Return, Qt.Key.Key_Enter),
    *(Qt.Key.Key_Backspace, Qt.Key.Key_Delete, Qt.Key.Key_Left, Qt.Key.Key_Right),
    *(Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Menu),
}
# With Ctrl, and with or without Shift, text fields move, delete and copy by them.
_OF_TEXT = {
    *(Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End),
    *(Qt.Key.Key_Backspace, Qt.Key.Key_Delete, Qt.Key.Key_Insert),
}
_CONTEXT_MENU = QKeySequence("Shift+F10")
_FUNCTION_KEYS = range(Qt.Key.Key_F1, Qt.Key.Key_F35 + 1)
_PAGE_KEYS = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


def rows_of(table: Iterable[MenuRows]) -> dict[Command, CommandRow]:
    """Returns the rows of all commands, in the order of the menus."""
    return {row.command: row for menu in table for row in menu.rows}


def keys_of(
    rows: Mapping[Command, CommandRow], bindings: Bindings, command: Command
) -> tuple[str, ...]:
    """Returns the keys of a command, portable, the one to show first."""
    row = rows[command]
    if row.key_of is not None:
        return keys_of(rows, bindings, row.key_of)
    if row.is_fixed or command.value not in bindings:
        return row.keys
    return tuple(bindings[command.value])


def users_of(
    rows: Mapping[Command, CommandRow], bindings: Bindings, key: str
) -> tuple[Command, ...]:
    """Returns the commands that have a key; one that shares another's keys is left out."""
    wanted = QKeySequence(key)
    return tuple(
        command
        for command, row in rows.items()
        if row.key_of is None
        and any(QKeySequence(one) == wanted for one in keys_of(rows, bindings, command))
    )


def keys_of_menus(table: Iterable[MenuRows]) -> dict[str, str]:
    """Returns the keys that open the menus of the bar, portable, and the names of these menus.

    Where a command had one too, neither would work. A Mac has no such keys.
    """
    if sys.platform == "darwin":
        return {}
    keys = {QKeySequence.mnemonic(menu.text).toString(): menu.text for menu in table}
    return {key: text.replace("&", "") for key, text in keys.items() if key}


def is_reserved(key: str) -> bool:
    """Whether a key is for typing and moving, so that no command may have it."""
    sequence = QKeySequence(key)
    if sequence.isEmpty() or sequence.count() > 1 or sequence == _CONTEXT_MENU:
        return True
    pressed: QKeyCombination = sequence[0]  # type: ignore[index] (missing in PySide6's stubs)
    modifiers = pressed.keyboardModifiers()
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    others = modifiers & ~(shift | Qt.KeyboardModifier.KeypadModifier)
    if others == control and pressed.key() in _OF_TEXT:
        return True
    if others:
        return False
    return pressed.key() in _RESERVED or pressed.key() not in (*_FUNCTION_KEYS, *_PAGE_KEYS)
