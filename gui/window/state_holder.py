"""Holds the window's state, and says when it has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from gui.widgets.notice import Notice
from gui.window.shown import standing_notices
from gui.window.view_state import ViewState

_MOST_NOTICES = 20


class StateHolder(QObject):
    """The one copy of the window's state. Notices that are no longer true are dropped from it.

    `changed(ViewState)`: once for each call that changed something.
    """

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._state = ViewState()

    @property
    def state(self) -> ViewState:
        """The state now."""
        return self._state

    def update(self, **parts: Any) -> None:
        """Replaces parts of the state, by the names of the fields of ViewState."""
        state = replace(self._state, **parts)
        state = replace(state, notices=standing_notices(state)[:_MOST_NOTICES])
        if state != self._state:
            self._state = state
            self.changed.emit(state)

    def add_notice(self, notice: Notice) -> None:
        """Shows a notice in front of the others; one that says the same is not kept twice, unless
        its button is about something else, as a text of a person."""
        others = (one for one in self._state.notices if not _says_the_same(one, notice))
        self.update(notices=(notice, *others))

    def dismiss(self, notice: Notice) -> None:
        """Drops a notice."""
        self.update(notices=tuple(one for one in self._state.notices if one is not notice))


def _says_the_same(one: Notice, other: Notice) -> bool:
    is_about_it = one.action is None or other.action is None or one.action == other.action
    return one.text == other.text and is_about_it
