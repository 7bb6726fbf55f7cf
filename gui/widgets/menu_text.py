"""What stands in menus: names of any length, headings, and the letter that chooses each entry."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from gui.widgets.text_direction import elided

WIDEST = 420
"""In pixels."""
_FIRST = "first_text"


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


def give_letters(menu: QMenu) -> None:
    """Lets each entry be chosen by a letter of its own: by the one that its text marks with an
    ampersand, unless an entry above has that; else by another one of its text."""
    entries = [
        action
        for action in menu.actions()
        if action.text() and action.isVisible() and not action.isSeparator()
    ]
    taken: set[str] = set()
    others: list[tuple[QAction, str]] = []
    for action in entries:
        plain, marked = _marked(action)
        letter = plain[marked : marked + 1].casefold() if marked >= 0 else ""
        if letter and letter not in taken:
            taken.add(letter)
            action.setText(_with_mark(plain, marked))
        elif letter:
            others.append((action, plain))
    for action, plain in others:
        places = [at for at, sign in enumerate(plain) if sign.isalpha()]
        # The beginnings of words first.
        places.sort(key=lambda at, plain=plain: at > 0 and plain[at - 1].isalnum())
        found = next((at for at in places if plain[at].casefold() not in taken), -1)
        taken.add(plain[found : found + 1].casefold() if found >= 0 else "")
        action.setText(_with_mark(plain, found))


def _marked(action: QAction) -> tuple[str, int]:
    """Returns a text without marks, and the place of the letter that it was marked at first, which
    another menu may have changed; -1 for none."""
    plain, marked = _split(action.text())
    first = action.property(_FIRST)
    if isinstance(first, str) and _split(first)[0] == plain:
        return _split(first)
    action.setProperty(_FIRST, action.text())
    return plain, marked


def _split(text: str) -> tuple[str, int]:
    plain, marked, is_mark = "", -1, False
    for sign in text:
        if sign == "&" and not is_mark:
            is_mark = True
            continue
        if is_mark and sign != "&" and marked < 0:
            marked = len(plain)
        plain, is_mark = plain + sign, False
    return plain, marked


def _with_mark(plain: str, at: int) -> str:
    signs = (sign.replace("&", "&&") for sign in plain)
    return "".join(f"&{sign}" if place == at else sign for place, sign in enumerate(signs))
