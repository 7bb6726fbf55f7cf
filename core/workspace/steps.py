"""Makes the steps of an action that are in no table: caption files are written, images moved."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event

from core.errors import StoreError
from core.files import DiskFull
from core.message import Message
from core.workspace.actions import Step, StepKind
from core.workspace.messages import as_message
from core.workspace.move import FileMove, perform, revert
from core.workspace.writing import ChangedOutside, Recovery, put

# A few files are written so that a power cut loses none, which takes some milliseconds each.
_MOST_DURABLE = 8
# So many files are written between two looks at whether an action is to be stopped.
_PART = 100
# To move an image takes several times as long.
_MOVED_AT_ONCE = 20


@dataclass
class Outcome:
    """Which steps of an action were made, and why the others were not; those in `left` were not
    come to, as it was stopped. `stamps` has those of caption files that were written, as far as
    they are known, by the numbers of the steps."""

    made: list[Step] = field(default_factory=list[Step])
    written: set[int] = field(default_factory=set[int])
    """The numbers of those for which a caption file had to be written."""
    failed: list[tuple[Step, Message]] = field(default_factory=list[tuple[Step, Message]])
    conflicts: list[tuple[Step, bytes | None]] = field(
        default_factory=list[tuple[Step, bytes | None]]
    )
    left: list[Step] = field(default_factory=list[Step])
    stamps: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])

    @property
    def not_made(self) -> list[int]:
        """The numbers of the steps that were not made."""
        steps = (*(step for step, _ in (*self.failed, *self.conflicts)), *self.left)
        return [step.number for step in steps]

    @property
    def count(self) -> int:
        """How many steps were looked at."""
        return len(self.made) + len(self.failed) + len(self.conflicts)

    def add(self, other: Outcome) -> None:
        """Adds what became of further steps; their stamps were noted already."""
        self.made += other.made
        self.written |= other.written
        self.failed += other.failed
        self.conflicts += other.conflicts
        self.left += other.left


def is_durable(steps: Sequence[Step]) -> bool:
    """Returns whether each file is brought to the disk as it is written."""
    return len(steps) <= _MOST_DURABLE


def made_in_parts(
    steps: Sequence[Step], recovery: Recovery, stop: Event | None
) -> Generator[Outcome]:
    """Makes steps that are in no table."""
    durable = is_durable(steps)
    full: Message | None = None
    part = _MOVED_AT_ONCE if any(step.kind is StepKind.MOVE for step in steps) else _PART
    for at in range(0, len(steps), part):
        outcome = Outcome()
        if stop is not None and stop.is_set():
            outcome.left += steps[at:]
            yield outcome
            return
        for step in steps[at : at + part]:
            if full is not None and step.kind is not StepKind.REVIEW:
                outcome.failed.append((step, full))
            else:
                full = _try(step, outcome, recovery, is_durable=durable)
        yield outcome


def _try(step: Step, outcome: Outcome, recovery: Recovery, *, is_durable: bool) -> Message | None:
    """Makes a step, and adds what became of it. Returns why no other can be made either, if so."""
    try:
        _make(step, outcome, recovery, is_durable=is_durable)
    except ChangedOutside as error:
        outcome.conflicts.append((step, error.found))
    except StoreError as error:
        reason = as_message(error.message)
        outcome.failed.append((step, reason))
        return reason if isinstance(error, DiskFull) else None
    else:
        outcome.made.append(step)
    return None


def _make(step: Step, outcome: Outcome, recovery: Recovery, *, is_durable: bool) -> None:
    match step.kind:
        case StepKind.CONTENT:
            # Of those without one the file had the content already.
            stamp = put(step.path, step.before, step.after, recovery, is_durable=is_durable)
            if stamp is not None:
                outcome.written.add(step.number)
                outcome.stamps[step.number] = stamp
        case StepKind.MOVE:
            _move(step, is_recovery=recovery is not Recovery.NONE)
        case StepKind.REVIEW | StepKind.ANSWER:
            pass  # Only the database has it.
        case StepKind.ROW | StepKind.LINE:
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
