"""Changes to the captions of many images as one action: made, undone, redone, and finished after
the program was killed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import StoreError
from core.files import DiskFull
from core.message import Message
from core.workspace.actions import Action, Actions, ActionState, Step, StepKind
from core.workspace.messages import as_message
from core.workspace.move import FileMove, perform, revert
from core.workspace.table_reader import OpenTables
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

    def __init__(self, connection: sqlite3.Connection, roots: Sequence[Path], tables: OpenTables):
        self.actions = Actions(connection)
        self._roots = tuple(roots)
        self._tables = tables

    def make(self, name: Message, steps: Sequence[Step], folders: Iterable[Path]) -> Outcome:
        """Makes an action of these steps, which are numbered from 0."""
        action = self.actions.begin(name, steps, folders)
        outcome = self._written(steps, is_recovery=False)
        self.actions.set_state(action, ActionState.MADE)
        self.actions.drop(action, outcome.not_made)
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
        """Undoes an action, but for files that somebody has changed since. Those that cannot be
        written now can be undone later."""
        self.actions.set_state(action, ActionState.UNDOING)
        outcome = self._carried_out(action, is_undo=True)
        self._settle(action, outcome, ActionState.UNDONE, ActionState.MADE)
        return outcome

    def redo(self, action: Action) -> Outcome:
        """Makes an action again that was undone; as `undo`."""
        self.actions.set_state(action, ActionState.MAKING)
        outcome = self._carried_out(action, is_undo=False)
        self._settle(action, outcome, ActionState.MADE, ActionState.UNDONE)
        return outcome

    def recover(self) -> list[tuple[Action, Outcome]]:
        """Finishes what was under way when a program was killed, in all folders. What cannot be
        written now, as on a disk that is away, is left for the next time."""
        found: list[tuple[Action, Outcome]] = []
        for action in self.actions.under_way():
            is_undo = action.state is ActionState.UNDOING
            outcome = self._carried_out(action, is_undo=is_undo, is_recovery=True)
            if outcome.failed:
                self.actions.drop(action, [step.number for step, _ in outcome.conflicts])
            else:
                self._settle(action, outcome, ActionState.UNDONE if is_undo else ActionState.MADE)
            found.append((action, outcome))
        return found

    def _carried_out(self, action: Action, *, is_undo: bool, is_recovery: bool = False) -> Outcome:
        steps = self.actions.steps(action)
        if is_undo:
            steps = [step.reversed() for step in reversed(steps)]
        return self._written(steps, is_recovery=is_recovery)

    def _written(self, steps: Sequence[Step], *, is_recovery: bool) -> Outcome:
        """Makes steps: the rows of each table at once."""
        outcome = _written(
            [step for step in steps if step.kind is not StepKind.ROW], is_recovery=is_recovery
        )
        rows: dict[str, list[Step]] = {}
        for step in steps:
            if step.kind is StepKind.ROW:
                rows.setdefault(step.path, []).append(step)
        for path, changed in rows.items():
            self._put_rows(path, changed, outcome, is_recovery=is_recovery)
        return outcome

    def _put_rows(
        self, path: str, steps: list[Step], outcome: Outcome, *, is_recovery: bool
    ) -> None:
        try:
            others = self._tables.put(path, steps, is_recovery=is_recovery)
        except StoreError as error:
            reason = as_message(error.message)
            outcome.failed += [(step, reason) for step in steps]
            return
        found = {step.number: step.before for step in others}
        outcome.made += [step for step in steps if step.number not in found]
        outcome.conflicts += [(step, found[step.number]) for step in steps if step.number in found]

    def _settle(
        self,
        action: Action,
        outcome: Outcome,
        state: ActionState,
        state_of_failed: ActionState | None = None,
    ) -> None:
        if outcome.failed and state_of_failed is not None:
            failed = [step.number for step, _ in outcome.failed]
            self.actions.split(action, failed, state_of_failed)
        self.actions.set_state(action, state)
        self.actions.drop(action, [step.number for step, _ in outcome.conflicts])

    def _last(self, state: ActionState) -> Action | None:
        recent = self.actions.recent(self._roots)
        return next((action for action in recent if action.state is state), None)


def _written(steps: Sequence[Step], *, is_recovery: bool) -> Outcome:
    outcome = Outcome()
    is_durable = len(steps) <= _MOST_DURABLE
    full: Message | None = None
    for step in steps:
        if full is not None and step.kind is not StepKind.REVIEW:
            outcome.failed.append((step, full))
            continue
        try:
            _make(step, is_durable=is_durable, is_recovery=is_recovery)
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


def _make(step: Step, *, is_durable: bool, is_recovery: bool) -> None:
    match step.kind:
        case StepKind.CONTENT:
            put(step.path, step.before, step.after, is_durable=is_durable, is_recovery=is_recovery)
        case StepKind.MOVE:
            _move(step, is_recovery=is_recovery)
        case StepKind.REVIEW:
            pass  # Only the database has it.
        case StepKind.ROW:
            raise AssertionError("a table is written as a whole")


def _move(step: Step, *, is_recovery: bool) -> None:
    """Moves all files of an image, or none."""
    is_back = step.after is None
    moves = moves_from(step.before if is_back else step.after)
    done: list[FileMove] = []
    try:
        for move in reversed(moves) if is_back else moves:
            if is_back:
                revert(move)
            else:
                perform(move, is_resumed=is_recovery)
            done.append(move)
    except StoreError:
        for move in reversed(done):
            with suppress(StoreError):
                perform(move, is_resumed=True) if is_back else revert(move)
        raise


def moves_text(moves: Sequence[FileMove]) -> bytes:
    """Returns the moves of an image's files as a step keeps them."""
    return json.dumps([move.to_json() for move in moves]).encode()


def moves_from(stored: bytes | None) -> list[FileMove]:
    """Returns the moves that a step keeps."""
    return [FileMove.from_json(values) for values in json.loads(stored or b"[]")]
