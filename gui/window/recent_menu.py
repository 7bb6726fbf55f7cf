"""Earlier conversations in a menu, which asks for them when it opens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMenu

from gui.widgets.menu_text import WIDEST, menu_text


class RecentMenu(QObject):
    """Fills a menu. `opened()`: answer with `show`. `chosen(int)`: a conversation, by its id."""

    opened = Signal()
    chosen = Signal(int)

    def __init__(self, menu: QMenu):
        super().__init__(menu)
        self.menu = menu
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self.opened)
        self.show([])

    def show(self, conversations: Sequence[tuple[int, str, str]]) -> None:
        """Shows conversations as (id, picture's name, what follows it), latest first.

        A long name is elided in its middle, whose ends tell files apart; the tool tip has it whole.
        """
        self.menu.clear()
        for id_, name, rest in conversations:
            short = menu_text(self.menu, name, WIDEST // 2)
            action = self.menu.addAction(f"{short} – {menu_text(self.menu, rest)}")
            action.setToolTip(f"{name} – {rest}")
            action.triggered.connect(partial(self._on_triggered, id_))
        if not conversations:
            self.menu.addAction(self.tr("No conversations yet")).setEnabled(False)

    def _on_triggered(self, id_: int, checked: bool = False) -> None:
        self.chosen.emit(id_)
