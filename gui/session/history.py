"""What can be undone in a conversation, and done again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum, auto

from PySide6.QtCore import QCoreApplication

from core.transcript import Span

translate = QCoreApplication.translate


class Change(Enum):
    """What a person changed in a conversation."""

    STRUCK = auto()
    RESTORED = auto()
    REGENERATED = auto()
    EDITED = auto()
    ANOTHER_CHOSEN = auto()


@dataclass(frozen=True)
class Struck:
    """What was struck out of an answer before and after; `number` is its exchange in the tree."""

    change: Change
    number: int
    before: tuple[Span, ...]
    after: tuple[Span, ...]

    def reversed(self) -> Struck:
        """Returns the step back."""
        return Struck(self.change, self.number, self.after, self.before)


@dataclass(frozen=True)
class Chosen:
    """Which of the exchanges in one place was shown before and after, by its number in the tree."""

    change: Change
    before: int
    after: int

    def reversed(self) -> Chosen:
        """Returns the step back."""
        return Chosen(self.change, self.after, self.before)


Step = Struck | Chosen


@dataclass
class History:
    """The steps that a person took, oldest first; and those taken back, the last one at the end.

    `done_at` and `undone_at` say when, in seconds of the monotonic clock, for each of them.
    """

    done: list[Step] = field(default_factory=list)
    undone: list[Step] = field(default_factory=list)
    done_at: list[float] = field(default_factory=list)
    undone_at: list[float] = field(default_factory=list)

    @property
    def undo_text(self) -> str:
        """What `undo` would do, as a menu entry; "" for nothing."""
        return _undo_text(self.done[-1].change) if self.done else ""

    @property
    def redo_text(self) -> str:
        """What `redo` would do, as a menu entry; "" for nothing."""
        return _redo_text(self.undone[-1].change) if self.undone else ""

    @property
    def undo_at(self) -> float:
        """When what `undo` would take back was done; 0 for nothing."""
        return self.done_at[-1] if self.done_at else 0.0

    @property
    def redo_at(self) -> float:
        """When what `redo` would do again was taken back; 0 for nothing."""
        return self.undone_at[-1] if self.undone_at else 0.0

    def add(self, step: Step) -> None:
        """Notes a new step; what was taken back cannot be done again any more."""
        self.done.append(step)
        self.done_at.append(time.monotonic())
        self.undone.clear()
        self.undone_at.clear()

    def undo(self) -> Step:
        """Returns the step that takes the last one back."""
        step = self.done.pop()
        self.done_at.pop()
        self.undone.append(step)
        self.undone_at.append(time.monotonic())
        return step.reversed()

    def redo(self) -> Step:
        """Returns the step that was taken back last, to be taken again."""
        step = self.undone.pop()
        self.undone_at.pop()
        self.done.append(step)
        self.done_at.append(time.monotonic())
        return step


def _undo_text(change: Change) -> str:
    match change:
        case Change.STRUCK:
            return translate("History", "Undo strike-out")
        case Change.RESTORED:
            return translate("History", "Undo restoring words")
        case Change.REGENERATED:
            return translate("History", "Undo regenerating")
        case Change.EDITED:
            return translate("History", "Undo editing question")
        case Change.ANOTHER_CHOSEN:
            return translate("History", "Undo switching version")


def _redo_text(change: Change) -> str:
    match change:
        case Change.STRUCK:
            return translate("History", "Redo strike-out")
        case Change.RESTORED:
            return translate("History", "Redo restoring words")
        case Change.REGENERATED:
            return translate("History", "Redo regenerating")
        case Change.EDITED:
            return translate("History", "Redo editing question")
        case Change.ANOTHER_CHOSEN:
            return translate("History", "Redo switching version")
