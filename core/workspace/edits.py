"""Changes to the captions of many images as one action: made, undone, redone, and finished after
the program was killed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import StoreError
from core.files import DiskFull
from core.message import Message
from core.workspace.actions import Action, Actions, ActionState, Step, StepKind
from core.workspace.messages import as_message
from core.workspace.writing import ChangedOutside, put

# A few files are written so that a power cut loses none, which takes some milliseconds each.
_MOST_DURABLE = 8


@dataclass
class Outcome:
    """Which steps of an action were made, and why the others were not."""

    made: list[Step] = field(default_factory=list[Step])
    failed: list[tuple[Step, Message]] = field(default_factory=list[tuple[Step, Message]])
    conflicts: list[tuple[Step, bytes | None]] = field(
        default_factory=list[tuple[Step, bytes | None]]
    )

    @property
    def not_made(self) -> list[int]:
        """The numbers of the steps that were not made."""
        return [step.number for step, _ in (*self.failed, *self.conflicts)]


class Edits:
    """Makes and undoes actions that `actions` keeps. Calls raise sqlite3.Error; files that cannot
    be written are part of the outcome."""

    def __init__(self, connection: sqlite3.Connection, roots: Sequence[Path]):
        self.actions = Actions(connection)
        self._roots = tuple(roots)

    def make(self, name: Message, steps: Sequence[Step], folders: Iterable[Path]) -> Outcome:
        """Makes an action of these steps, which are numbered from 0."""
        action = self.actions.begin(name, steps, folders)
        outcome = _written(steps, is_recovery=False)
        self._finish(action, outcome, ActionState.MADE)
        return outcome

    @property
    def last_made(self) -> Action | None:
        """The action that an undo would undo."""
        return self._last(ActionState.MADE)

    @property
    def last_undone(self) -> Action | None:
        """The action that a redo would make again."""
        recent = self.actions.recent(self._roots)
        undone = [action for action in recent if action.state is ActionState.UNDONE]
        return undone[-1] if undone else None

    def undo(self, action: Action) -> Outcome:
        """Undoes an action, but for files that somebody has changed since."""
        self.actions.set_state(action, ActionState.UNDOING)
        return self._carry_out(action, ActionState.UNDONE)

    def redo(self, action: Action) -> Outcome:
        """Makes an action again that was undone."""
        self.actions.set_state(action, ActionState.MAKING)
        return self._carry_out(action, ActionState.MADE)

    def recover(self) -> list[tuple[Action, Outcome]]:
        """Finishes what was under way when a program was killed, in all folders."""
        found: list[tuple[Action, Outcome]] = []
        for action in self.actions.under_way():
            is_undo = action.state is ActionState.UNDOING
            end = ActionState.UNDONE if is_undo else ActionState.MADE
            found.append((action, self._carry_out(action, end, is_recovery=True)))
        return found

    def _carry_out(self, action: Action, end: ActionState, *, is_recovery: bool = False) -> Outcome:
        steps = self.actions.steps(action)
        if end is ActionState.UNDONE:
            steps = [step.reversed() for step in reversed(steps)]
        outcome = _written(steps, is_recovery=is_recovery)
        self._finish(action, outcome, end)
        return outcome

    def _finish(self, action: Action, outcome: Outcome, state: ActionState) -> None:
        self.actions.set_state(action, state)
        if outcome.not_made:
            self.actions.drop(action, outcome.not_made)

    def _last(self, state: ActionState) -> Action | None:
        recent = self.actions.recent(self._roots)
        return next((action for action in recent if action.state is state), None)


def _written(steps: Sequence[Step], *, is_recovery: bool) -> Outcome:
    outcome = Outcome()
    is_durable = len(steps) <= _MOST_DURABLE
    full: Message | None = None
    for step in steps:
        if step.kind is not StepKind.CONTENT:
            outcome.made.append(step)
            continue
        if full is not None:
            outcome.failed.append((step, full))
            continue
        try:
            put(
                *(step.path, step.before, step.after),
                is_durable=is_durable,
                is_recovery=is_recovery,
            )
        except ChangedOutside as error:
            outcome.conflicts.append((step, error.found))
        except DiskFull as error:
            full = as_message(error.message)
            outcome.failed.append((step, full))
        except StoreError as error:
            outcome.failed.append((step, as_message(error.message)))
        else:
            outcome.made.append(step)
    return outcome
