"""Changes to the captions of many images as one action: made, undone, redone, and finished after
the program was killed or the computer went off.

The files of a large action are brought to the disk after it (`syncing`). Until then it has a mark,
and if the computer has gone off meanwhile, what its files lost is written again at the next start.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.captions.open_tables import OpenTables, RowChange, changed_outside
from core.captions.table import TableLine
from core.errors import StoreError
from core.files import DiskFull
from core.message import Message
from core.syncing import sync_files
from core.workspace.actions import Action, Actions, ActionState, Step, StepKind
from core.workspace.messages import as_message
from core.workspace.move import FileMove, perform, revert
from core.workspace.syncing import Syncing, is_of_this_boot, new_mark
from core.workspace.writing import ChangedOutside, Recovery, put

# A few files are written so that a power cut loses none, which takes some milliseconds each.
_MOST_DURABLE = 8


@dataclass
class Outcome:
    """Which steps of an action were made, and why the others were not."""

    made: list[Step] = field(default_factory=list[Step])
    written: set[int] = field(default_factory=set[int])
    """The numbers of those for which a caption file had to be written."""
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

    def __init__(
        self,
        connection: sqlite3.Connection,
        roots: Sequence[Path],
        tables: OpenTables,
        syncing: Syncing,
    ):
        self.actions = Actions(connection)
        self._roots = tuple(roots)
        self._tables, self._syncing = tables, syncing

    def make(self, name: Message, steps: Sequence[Step], folders: Iterable[Path]) -> Outcome:
        """Makes an action of these steps, which are numbered from 0."""
        # What is written over, moved or forgotten has to be on the disk.
        if _needs_rest(steps) or self.last_undone is not None:
            self._syncing.wait()
        mark = _mark_of(steps)
        action = self.actions.begin(name, steps, folders, mark)
        outcome = self._written(steps)
        self._finish(action, ActionState.MADE, mark, steps)
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
        return self._carry_out(action, ActionState.UNDOING, ActionState.UNDONE, ActionState.MADE)

    def redo(self, action: Action) -> Outcome:
        """Makes an action again that was undone; as `undo`."""
        return self._carry_out(action, ActionState.MAKING, ActionState.MADE, ActionState.UNDONE)

    def _carry_out(
        self, action: Action, begun: ActionState, done: ActionState, not_done: ActionState
    ) -> Outcome:
        steps = self._steps(action, is_undo=begun is ActionState.UNDOING)
        if _needs_rest(steps):
            self._syncing.wait(besides=action.id)
        mark = _mark_of(steps)
        self.actions.set_state(action, begun, mark)
        outcome = self._written(steps)
        if outcome.failed:
            failed = [step.number for step, _ in outcome.failed]
            self.actions.split(action, failed, not_done)
        self._finish(action, done, mark, steps)
        self.actions.drop(action, [step.number for step, _ in outcome.conflicts])
        return outcome

    def recover(self) -> list[tuple[Action, Outcome]]:
        """Writes again what was lost when the computer went off, and finishes what was under way
        when a program was killed, in all folders. What cannot be written now, as on a disk that is
        away, is left for the next time."""
        found = [(action, self._restored(action)) for action in self.actions.marked()]
        for action in self.actions.under_way():
            is_undo = action.state is ActionState.UNDOING
            # One whose end could not be kept, as on a full disk, is older than what came after it.
            later = self.actions.changed_after(action)
            steps = self._steps(action, is_undo=is_undo)
            over = [step.number for step in steps if (step.image, step.path) in later]
            self.actions.drop(action, over)
            steps = [step for step in steps if step.number not in over] if over else steps
            outcome = self._written(steps, _recovery_of(action))
            if not outcome.failed:
                mark = _mark_of(steps)
                state = ActionState.UNDONE if is_undo else ActionState.MADE
                self._finish(action, state, mark, steps)
            self.actions.drop(action, [step.number for step, _ in outcome.conflicts])
            found.append((action, outcome))
        return [(action, outcome) for action, outcome in found if outcome.made or outcome.not_made]

    def _restored(self, action: Action) -> Outcome:
        """Returns what of an action was lost, and is written again. Files that hold something else
        by now were changed since, and stay."""
        if is_of_this_boot(action.mark):
            self._syncing.begin(action.id, action.mark, self.actions.paths(action))
            return Outcome()
        steps = self._steps(action, is_undo=action.state is ActionState.UNDONE)
        outcome = self._written(steps, Recovery.OF_POWER_CUT)
        if not outcome.failed:
            self._syncing.begin(action.id, action.mark, self.actions.paths(action))
        return Outcome([step for step in outcome.made if step.number in outcome.written])

    def _steps(self, action: Action, *, is_undo: bool) -> list[Step]:
        steps = self.actions.steps(action)
        return [step.reversed() for step in reversed(steps)] if is_undo else steps

    def _written(self, steps: Sequence[Step], recovery: Recovery = Recovery.NONE) -> Outcome:
        """Makes steps: the rows of each table at once. Those of an image that stayed stay too."""
        tables = (StepKind.ROW, StepKind.LINE)
        outcome = _written([step for step in steps if step.kind not in tables], recovery)
        moves = [(step, why) for step, why in outcome.failed if step.kind is StepKind.MOVE]
        stayed = {image: why for step, why in moves for image in (step.image, step.path)}
        rows: dict[tuple[StepKind, str], list[Step]] = {}
        for step in steps:
            if step.kind is StepKind.LINE and step.image in stayed:
                outcome.failed.append((step, stayed[step.image]))
            elif step.kind in tables:
                rows.setdefault((step.kind, step.path), []).append(step)
        for (kind, path), changed in rows.items():
            if kind is StepKind.LINE:
                self._put_lines(path, changed, outcome)
            else:
                is_recovery = recovery is not Recovery.NONE
                self._put_rows(path, changed, outcome, is_recovery=is_recovery)
        return outcome

    def _put_lines(self, path: str, steps: list[Step], outcome: Outcome) -> None:
        changes = [(line_from(step.before), line_from(step.after)) for step in steps]
        try:
            left = set(self._tables.put_lines(path, changes))
        except StoreError as error:
            reason = as_message(error.message)
            outcome.failed += [(step, reason) for step in steps]
            return
        for number, step in enumerate(steps):
            if number in left:
                outcome.failed.append((step, changed_outside(path)))
            else:
                outcome.made.append(step)

    def _put_rows(
        self, path: str, steps: list[Step], outcome: Outcome, *, is_recovery: bool
    ) -> None:
        try:
            changes = [RowChange(step.image, step.before, step.after) for step in steps]
            others = self._tables.put(path, changes, is_recovery=is_recovery)
        except StoreError as error:
            reason = as_message(error.message)
            outcome.failed += [(step, reason) for step in steps]
            return
        outcome.made += [step for number, step in enumerate(steps) if number not in others]
        outcome.conflicts += [(steps[number], found) for number, found in others.items()]

    def _finish(self, action: Action, state: ActionState, mark: str, steps: Sequence[Step]) -> None:
        """Notes that an action is made or undone, and brings its files to the disk."""
        moved = [step for step in steps if step.kind is StepKind.MOVE]
        if moved:
            with suppress(OSError):
                sync_files([path for step in moved for path in (step.image, step.path)])
        self.actions.set_state(action, state, mark)
        if mark:
            self._syncing.begin(action.id, mark, [step.path for step in steps])

    def _last(self, state: ActionState) -> Action | None:
        recent = self.actions.recent(self._roots)
        return next((action for action in recent if action.state is state), None)


def _is_durable(steps: Sequence[Step]) -> bool:
    """Returns whether each file is brought to the disk as it is written."""
    return len(steps) <= _MOST_DURABLE


def _needs_rest(steps: Sequence[Step]) -> bool:
    """Returns whether an action has to wait until the one before is on the disk. A few captions
    need not: each is whole at any moment, and what it replaces is known."""
    kinds = {step.kind for step in steps}
    return StepKind.MOVE in kinds or (StepKind.CONTENT in kinds and not _is_durable(steps))


def _mark_of(steps: Sequence[Step]) -> str:
    has_files = any(step.kind is StepKind.CONTENT for step in steps)
    return new_mark() if has_files and not _is_durable(steps) else ""


def _recovery_of(action: Action) -> Recovery:
    has_stayed_on = not action.mark or is_of_this_boot(action.mark)
    return Recovery.OF_KILL if has_stayed_on else Recovery.OF_POWER_CUT


def _written(steps: Sequence[Step], recovery: Recovery = Recovery.NONE) -> Outcome:
    outcome = Outcome()
    is_durable = _is_durable(steps)
    full: Message | None = None
    for step in steps:
        if full is not None and step.kind is not StepKind.REVIEW:
            outcome.failed.append((step, full))
            continue
        try:
            if _make(step, recovery, is_durable=is_durable):
                outcome.written.add(step.number)
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


def _make(step: Step, recovery: Recovery, *, is_durable: bool) -> bool:
    """Returns whether a caption file was written, rather than had the content already."""
    match step.kind:
        case StepKind.CONTENT:
            return put(step.path, step.before, step.after, recovery, is_durable=is_durable)
        case StepKind.MOVE:
            _move(step, is_recovery=recovery is not Recovery.NONE)
        case StepKind.REVIEW | StepKind.ANSWER:
            pass  # Only the database has it.
        case StepKind.ROW | StepKind.LINE:
            raise AssertionError("a table is written as a whole")
    return False


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


def line_bytes(line: TableLine | None) -> bytes | None:
    """Returns the row of a table as a step keeps it."""
    return None if line is None else json.dumps(line).encode("utf-8", "surrogatepass")


def line_from(stored: bytes | None) -> TableLine | None:
    """Returns the row of a table that a step keeps."""
    return None if stored is None else TableLine(*json.loads(stored))
