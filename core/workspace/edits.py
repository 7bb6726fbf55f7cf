"""Changes to the captions of many images as one action: made, undone, redone, and finished after
the program was killed or the computer went off.

The files of a large action are brought to the disk after it (`syncing`). Until then it has a mark,
and if the computer has gone off meanwhile, what its files lost is written again at the next start.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Event
from typing import TypeVar

from core.captions.open_tables import OpenTables, RowChange, changed_outside
from core.captions.table import TableLine
from core.errors import StoreError
from core.files import why_away
from core.message import Message
from core.syncing import sync_files
from core.workspace.actions import Action, Actions, ActionState, Step, StepKind
from core.workspace.forgetting import Forgetting
from core.workspace.images import is_inside
from core.workspace.messages import as_message
from core.workspace.ongoing import beside
from core.workspace.removal import wait_for_removal
from core.workspace.steps import Outcome, is_durable, made_in_parts
from core.workspace.syncing import Syncing, is_of_this_boot, new_mark
from core.workspace.writing import Recovery

_MOMENT_SECONDS = 0.02
_NOTED_AT_ONCE = 200
_LOOKED_AT_ONCE = 5_000

_Left = TypeVar("_Left")


@dataclass(frozen=True)
class Doing:
    """An action that is in the database as under way: its steps are to be `written`, and then it is
    to be finished. It is `done` then; what of it is left to be tried again is `not_done`, None
    where it is forgotten."""

    action: Action
    steps: Sequence[Step]
    mark: str
    done: ActionState
    not_done: ActionState | None = None


class Edits:
    """Makes and undoes actions that `actions` keeps. Calls raise sqlite3.Error; files that cannot
    be written are part of the outcome."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        database: Path,
        roots: Sequence[Path],
        tables: OpenTables,
    ):
        """`connection` is one to the file `database`."""
        self._forgetting = Forgetting(database)
        self.actions = Actions(connection, self._forgetting.begin)
        self._roots = tuple(roots)
        self._tables, self._syncing = tables, Syncing(database)

    def close(self, seconds: float) -> None:
        """Waits so long until what was written is on the disk. What is not by then is looked at
        when the database is opened again. What is of no use any more is removed as long, or the
        next time."""
        self._syncing.wait(seconds)
        wait_for_removal(seconds)
        self._forgetting.close()

    def begin(
        self, name: Message, steps: Sequence[Step], folders: Iterable[Path]
    ) -> Generator[int, None, Doing]:
        """Keeps an action of these steps, which are numbered from 0, in the database. Yields now
        and then how many are kept; one that is left until then is forgotten."""
        # What is written over, moved or forgotten has to be on the disk.
        if _needs_rest(steps) or self.last_undone is not None:
            yield from self._rested()
        mark = _mark_of(steps)
        action = yield from self.actions.begin_in_parts(name, steps, folders, mark)
        return Doing(action, steps, mark, ActionState.MADE)

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

    def begin_undo(self, action: Action) -> Generator[int, None, Doing]:
        """Notes that an action is being undone, but for files that somebody has changed since.
        Those that cannot be written now can be undone later. Yields as `begin`."""
        return self._begun(action, ActionState.UNDOING, ActionState.UNDONE, ActionState.MADE)

    def begin_redo(self, action: Action) -> Generator[int, None, Doing]:
        """Notes that an action that was undone is being made again; as `begin_undo`."""
        return self._begun(action, ActionState.MAKING, ActionState.MADE, ActionState.UNDONE)

    def _begun(
        self, action: Action, begun: ActionState, done: ActionState, not_done: ActionState
    ) -> Generator[int, None, Doing]:
        parts: list[list[Step]] = []
        for part in self.actions.steps_in_parts(action):
            if begun is ActionState.UNDOING:
                parts.insert(0, [step.reversed() for step in reversed(part)])
            else:
                parts.append(part)
            yield sum(map(len, parts))
        steps = list(chain.from_iterable(parts))
        if _needs_rest(steps):
            yield from self._rested(besides=action.id)
        mark = _mark_of(steps)
        self.actions.set_state(action, begun, mark)
        return Doing(action, steps, mark, done, not_done)

    def _rested(self, besides: int | None = None) -> Generator[int]:
        while not self._syncing.wait(_MOMENT_SECONDS, besides=besides):
            yield 0

    def written(self, doing: Doing, stop: Event | None = None) -> Generator[Outcome]:
        """Makes the steps of an action, and yields what became of some after the other. Once `stop`
        is set it leaves the others; the rows of images that have moved by then follow them."""
        return self._parts(doing.steps, stop=stop)

    def finish(self, doing: Doing, outcome: Outcome) -> Generator[None]:
        """Notes that an action is made or undone. What was not made is forgotten, or can be tried
        again. Yields now and then while its files are brought to the disk."""
        action = doing.action
        yield from _synced_moves(doing.steps)
        yield  # Each goes through all steps.
        if doing.not_done is None:
            self._finish(action, doing.done, doing.mark, doing.steps)
            yield
            yield from self.actions.drop_in_parts(action, outcome.not_made)
            return
        again = [step.number for step, _ in outcome.failed]
        again += [step.number for step in outcome.left]
        if again:
            yield from self.actions.split_in_parts(action, again, doing.not_done)
        self._finish(action, doing.done, doing.mark, doing.steps)
        yield
        conflicts = [step.number for step, _ in outcome.conflicts]
        yield from self.actions.drop_in_parts(action, conflicts)

    def recover(self) -> list[tuple[Action, Outcome]]:
        """Writes again what was lost when the computer went off, and finishes what was under way
        when a program was killed, in all folders. What cannot be written now, as on a disk that is
        away, is left for the next time."""
        self._forgetting.begin(self.actions.not_whole())
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
                for _ in _synced_moves(steps):
                    pass
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
        """Makes steps, all in one go."""
        outcome = Outcome()
        for part in self._parts(steps, recovery):
            outcome.add(part)
        return outcome

    def _parts(
        self,
        steps: Sequence[Step],
        recovery: Recovery = Recovery.NONE,
        stop: Event | None = None,
    ) -> Generator[Outcome]:
        """Makes steps: the rows of each table at once. Those of an image that stayed stay too."""
        tables = (StepKind.ROW, StepKind.LINE)
        away = yield from self._away(steps)
        if away:
            steps = [step for step in steps if step.number not in away]
            yield Outcome(failed=[*away.values()])
        # Why, None for those that were not come to.
        stayed: dict[str, Message | None] = {}
        for part in made_in_parts(
            [step for step in steps if step.kind not in tables], recovery, stop
        ):
            moves = [(step, why) for step, why in part.failed if step.kind is StepKind.MOVE]
            moves += [(step, None) for step in part.left if step.kind is StepKind.MOVE]
            stayed |= {image: why for step, why in moves for image in (step.image, step.path)}
            yield part
        outcome = Outcome()
        rows: dict[tuple[StepKind, str], list[Step]] = {}
        for number, step in enumerate(steps):
            if number % _LOOKED_AT_ONCE == 0:
                yield Outcome()
            if step.kind is StepKind.LINE and step.image in stayed:
                if (reason := stayed[step.image]) is None:
                    outcome.left.append(step)
                else:
                    outcome.failed.append((step, reason))
            elif step.kind in tables:
                rows.setdefault((step.kind, step.path), []).append(step)
        for (kind, path), changed in rows.items():
            if kind is StepKind.LINE:
                yield from self._put_lines(path, changed)
            else:
                is_recovery = recovery is not Recovery.NONE
                yield from self._put_rows(path, changed, stop, is_recovery=is_recovery)
        yield outcome

    def _away(
        self, steps: Sequence[Step]
    ) -> Generator[Outcome, None, dict[int, tuple[Step, Message]]]:
        """Returns the captions in folders that are not there, by the numbers of their steps:
        nothing is known of what their files hold. An image whose place changes is looked for.
        Yields now and then, with nothing made yet."""
        reasons: dict[str, Message | None] = {}
        found: dict[int, tuple[Step, Message]] = {}
        for number, step in enumerate(steps):
            if number % _LOOKED_AT_ONCE == 0:
                yield Outcome()
            if step.kind not in (StepKind.CONTENT, StepKind.ROW):
                continue
            folder = os.path.dirname(step.image)  # noqa: PTH120 (quick)
            if folder not in reasons:
                inside = (root for root in self._roots if is_inside(folder, str(root)))
                reasons[folder] = why_away(next(inside, Path(folder)))
            if (reason := reasons[folder]) is not None:
                found[step.number] = step, reason
        return found

    def _put_lines(self, path: str, steps: list[Step]) -> Generator[Outcome]:
        """Changes whole rows of a table."""
        changes: list[tuple[TableLine | None, TableLine | None]] = []
        for number, step in enumerate(steps):
            if number % _LOOKED_AT_ONCE == 0:
                yield Outcome()
            changes.append((line_from(step.before), line_from(step.after)))
        left = yield from _put(self._tables.put_lines_in_parts(path, changes), steps)
        if left is None:
            return
        yield Outcome(failed=[(steps[number], changed_outside(path)) for number in sorted(left)])
        yield from _made([step for number, step in enumerate(steps) if number not in left])

    def _put_rows(
        self, path: str, steps: list[Step], stop: Event | None, *, is_recovery: bool
    ) -> Generator[Outcome]:
        """Changes captions in a table, all or none of those that are as before."""
        changes = [RowChange(step.image, step.before, step.after) for step in steps]
        putting = self._tables.put_in_parts(path, changes, is_recovery=is_recovery)
        others = yield from _put(putting, steps, stop)
        if others is None:
            return
        yield Outcome(conflicts=[(steps[number], found) for number, found in others.items()])
        yield from _made([step for number, step in enumerate(steps) if number not in others])

    def _finish(self, action: Action, state: ActionState, mark: str, steps: Sequence[Step]) -> None:
        """Notes that an action is made or undone, and brings caption files to the disk in a
        moment. Moved ones have to be there."""
        self.actions.set_state(action, state, mark)
        if mark:
            self._syncing.begin(action.id, mark, [step.path for step in steps])

    def _last(self, state: ActionState) -> Action | None:
        recent = self.actions.recent(self._roots)
        return next((action for action in recent if action.state is state), None)


def _put(
    putting: Generator[None, None, _Left], steps: list[Step], stop: Event | None = None
) -> Generator[Outcome, None, _Left | None]:
    """Changes a table in parts. Returns those of `steps` that could not be made, by their numbers;
    None where it was stopped or failed, and none is made."""
    while True:
        if stop is not None and stop.is_set():
            putting.close()
            yield Outcome(left=steps)
            return None
        try:
            next(putting)
        except StopIteration as end:
            return end.value
        except StoreError as error:
            reason = as_message(error.message)
            yield Outcome(failed=[(step, reason) for step in steps])
            return None
        yield Outcome()


def _made(steps: Sequence[Step]) -> Generator[Outcome]:
    """Yields some steps after the other as made: each is to be noted."""
    for at in range(0, len(steps), _NOTED_AT_ONCE):
        yield Outcome([*steps[at : at + _NOTED_AT_ONCE]])


def _needs_rest(steps: Sequence[Step]) -> bool:
    """Returns whether an action has to wait until the one before is on the disk. A few captions
    need not: each is whole at any moment, and what it replaces is known."""
    kinds = {step.kind for step in steps}
    return StepKind.MOVE in kinds or (StepKind.CONTENT in kinds and not is_durable(steps))


def _synced_moves(steps: Sequence[Step]) -> Generator[None]:
    """Brings the new places of images to the disk; yields while that takes long."""
    moved = [
        path for step in steps if step.kind is StepKind.MOVE for path in (step.image, step.path)
    ]
    if not moved:
        return

    def sync() -> None:
        with suppress(OSError):
            sync_files(moved)

    yield from beside(sync)


def _mark_of(steps: Sequence[Step]) -> str:
    has_files = any(step.kind is StepKind.CONTENT for step in steps)
    return new_mark() if has_files and not is_durable(steps) else ""


def _recovery_of(action: Action) -> Recovery:
    has_stayed_on = not action.mark or is_of_this_boot(action.mark)
    return Recovery.OF_KILL if has_stayed_on else Recovery.OF_POWER_CUT


def line_bytes(line: TableLine | None) -> bytes | None:
    """Returns the row of a table as a step keeps it."""
    return None if line is None else json.dumps(line).encode("utf-8", "surrogatepass")


def line_from(stored: bytes | None) -> TableLine | None:
    """Returns the row of a table that a step keeps."""
    return None if stored is None else TableLine(*json.loads(stored))
