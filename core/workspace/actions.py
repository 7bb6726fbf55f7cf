"""What was done to captions, in SQLite: each action with what its files held before and after.

An action is on the disk before its first file is written. One that was under way when the program
ended is found at the next start, and can be finished from here alone.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from core.message import Message
from core.workspace.images import is_inside
from core.workspace.messages import text_from, text_of

MOST_KEPT = 200
"""Older actions can no longer be undone."""
_MOST_BYTES = 500_000_000
# So many steps are kept, or read, at a time.
_PART = 2_000
# Others that write meanwhile wait as long as one part takes, some milliseconds.
_FORGOTTEN_AT_ONCE = 500


class ActionState(StrEnum):
    """How far an action is; stored. One that is `KEEPING` is not whole in the database: its steps
    are still coming, or are being removed. None of them counts."""

    KEEPING = "keeping"
    MAKING = "making"
    MADE = "made"
    UNDOING = "undoing"
    UNDONE = "undone"


class StepKind(StrEnum):
    """What a step changes; stored."""

    CONTENT = "content"
    REVIEW = "review"
    MOVE = "move"
    ROW = "row"
    ANSWER = "answer"
    LINE = "line"


class Step(NamedTuple):
    """One change to an image: to the content of its caption file at `path`, None for no file; to
    its row in the table at `path`, where `before` and `after` are the caption as it is written,
    None for no row; to its review, whose value is in `before` and `after`; to what a model wrote
    about it; to the whole row of the table at `path`, whose text and place are in `before` and
    `after`; or to its place, where
    `path` is the new one, and the moves of all its files are in `after`, or in `before` if they are
    taken back.
    `was_edited` and `is_edited` say whether a person wrote the caption before it and after it. A
    tuple with texts for paths, as an action has up to 100,000."""

    image: str
    path: str
    before: bytes | None
    after: bytes | None
    was_edited: bool = False
    is_edited: bool = True
    kind: StepKind = StepKind.CONTENT
    number: int = 0

    def reversed(self) -> Step:
        """Returns the step that undoes this one."""
        return Step(
            *(self.image, self.path, self.after, self.before, self.is_edited, self.was_edited),
            *(self.kind, self.number),
        )


@dataclass(frozen=True)
class Action:
    """An action without its steps. `folders` are those that contain all its images. `mark` stands
    until its files are known to be on the disk (`syncing`); empty where each is at once."""

    id: int
    name: Message
    state: ActionState
    folders: tuple[Path, ...]
    mark: str = ""

    @property
    def is_under_way(self) -> bool:
        """Returns whether some of its steps may not be made."""
        return self.state in (ActionState.MAKING, ActionState.UNDOING)


TABLES = """
    CREATE TABLE action (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        folders TEXT NOT NULL,
        state TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        at REAL NOT NULL
    );
    CREATE TABLE step (
        action INTEGER NOT NULL REFERENCES action (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        kind TEXT NOT NULL,
        image BLOB NOT NULL,
        path BLOB NOT NULL,
        before BLOB,
        after BLOB,
        was_edited INTEGER NOT NULL,
        is_edited INTEGER NOT NULL,
        PRIMARY KEY (action, number)
    );
"""
TABLES_WITH_MARK = """
    ALTER TABLE action ADD COLUMN mark TEXT NOT NULL DEFAULT '';
"""


class Actions:
    """The actions in an open database. Calls raise sqlite3.Error."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        forget: Callable[[Sequence[int]], None] = lambda actions: None,
    ):
        """`forget` is given the ids of actions that do not count any more, to remove them in a
        moment (`forget_in_parts`); those that stay are found by `not_whole`."""
        self._connection, self._forget = connection, forget

    def begin(
        self,
        name: Message,
        steps: Sequence[Step],
        folders: Iterable[Path],
        mark: str,
        state: ActionState = ActionState.MAKING,
    ) -> Action:
        """Keeps an action that is to be made, or is already; what was undone can no longer be
        redone. It is on the disk on return."""
        folders = tuple(folders)
        undone = self._undone(folders) if state is not ActionState.KEEPING else []
        with self._connection as connection:
            self._retire(undone)
            id = connection.execute(
                "INSERT INTO action (name, folders, state, bytes, at, mark)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*(text_of(name), _folders_text(folders), state), _size(steps), time.time(), mark),
            ).lastrowid
            assert id is not None
            self._add(id, steps, 0)
        self._forget(undone)
        return Action(id, name, state, folders, mark)

    def begin_in_parts(
        self, name: Message, steps: Sequence[Step], folders: Iterable[Path], mark: str
    ) -> Generator[int, None, Action]:
        """As `begin`, some thousand steps at a time; yields how many are kept. If it is left before
        the end, or the program is killed (`not_whole`), it is as if there had been no action."""
        first, state = steps[:_PART], ActionState.MAKING
        if len(first) == len(steps):
            return self.begin(name, steps, folders, mark, state)
        action = self.begin(name, first, folders, mark, ActionState.KEEPING)
        try:
            for at in range(_PART, len(steps), _PART):
                yield at
                part = steps[at : at + _PART]
                with self._connection as connection:
                    connection.execute(
                        "UPDATE action SET bytes = bytes + ? WHERE id = ?",
                        (_size(part), action.id),
                    )
                    self._add(action.id, part, at)
            undone = self._undone(action.folders)
            with self._connection as connection:
                self._retire(undone)
                connection.execute("UPDATE action SET state = ? WHERE id = ?", (state, action.id))
        except BaseException:
            self._forget([action.id])
            raise
        self._forget(undone)
        return replace(action, state=state)

    def not_whole(self) -> list[int]:
        """Returns the ids of the actions that do not count, to be forgotten: unless another one
        keeps an action just now."""
        rows = self._connection.execute(
            "SELECT id FROM action WHERE state = ?", (ActionState.KEEPING,)
        )
        return [id for (id,) in rows]

    def forget_in_parts(self, action: int) -> Generator[None]:
        """Removes an action that does not count. Yields between some hundred steps."""
        is_left = True
        while is_left:
            with self._connection as connection:
                removed = connection.execute(
                    "DELETE FROM step WHERE action = ?1 AND number IN"
                    " (SELECT number FROM step WHERE action = ?1 LIMIT ?2)",
                    (action, _FORGOTTEN_AT_ONCE),
                )
                is_left = removed.rowcount == _FORGOTTEN_AT_ONCE
                if not is_left:
                    connection.execute("DELETE FROM action WHERE id = ?", (action,))
            yield

    def _add(self, action: int, steps: Sequence[Step], first: int) -> None:
        self._connection.executemany(
            "INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_values(action, number, step) for number, step in enumerate(steps, first)),
        )

    def _undone(self, folders: Sequence[Path]) -> list[int]:
        found = self.recent(folders)
        return [action.id for action in found if action.state is ActionState.UNDONE]

    def _retire(self, actions: Iterable[int]) -> None:
        """Lets actions count no longer, so that they can be forgotten."""
        self._connection.executemany(
            "UPDATE action SET state = ?, mark = '' WHERE id = ?",
            [(ActionState.KEEPING, id) for id in actions],
        )

    def set_state(self, action: Action, state: ActionState, mark: str) -> None:
        """Notes how far an action is, and whether its files are on the disk."""
        with self._connection as connection:
            connection.execute(
                "UPDATE action SET state = ?, mark = ? WHERE id = ?", (state, mark, action.id)
            )

    def drop(self, action: Action, numbers: Sequence[int]) -> None:
        """Forgets steps that were not made; an action without any is forgotten too."""
        for _ in self.drop_in_parts(action, numbers):
            pass

    def drop_in_parts(self, action: Action, numbers: Sequence[int]) -> Generator[None]:
        """As `drop`; yields between some thousand steps."""
        for at in range(0, len(numbers), _PART):
            with self._connection as connection:
                connection.executemany(
                    "DELETE FROM step WHERE action = ? AND number = ?",
                    [(action.id, number) for number in numbers[at : at + _PART]],
                )
            yield
        with self._connection as connection:
            connection.execute(
                "DELETE FROM action WHERE id = ?1 AND NOT EXISTS"
                " (SELECT 1 FROM step WHERE action = ?1)",
                (action.id,),
            )

    def split_in_parts(
        self, action: Action, numbers: Sequence[int], state: ActionState
    ) -> Generator[None]:
        """Makes an action of their own of some steps, which is the newest one. Yields between some
        thousand; if the program is killed then, the others are still in the first action."""
        new: int | None = None
        for at in range(0, len(numbers), _PART):
            with self._connection as connection:
                if new is None:
                    new = connection.execute(
                        "INSERT INTO action (name, folders, state, bytes, at, mark)"
                        " SELECT name, folders, ?, bytes, at, mark FROM action WHERE id = ?",
                        (state, action.id),
                    ).lastrowid
                connection.executemany(
                    "UPDATE step SET action = ? WHERE action = ? AND number = ?",
                    [(new, action.id, number) for number in numbers[at : at + _PART]],
                )
            yield
        self.drop(action, ())

    def has_step(self, image: str, path: str, after: bytes | None, since: float) -> bool:
        """Returns whether an action since then gave the caption file of an image this content."""
        found = self._connection.execute(
            "SELECT 1 FROM step JOIN action ON action.id = step.action WHERE step.image = ?"
            " AND step.path = ? AND step.after IS ? AND action.at >= ? AND action.state != ?",
            (os.fsencode(image), os.fsencode(path), after, since, ActionState.KEEPING),
        )
        return found.fetchone() is not None

    def steps(self, action: Action) -> list[Step]:
        """Returns the steps of an action in their order."""
        return [step for part in self.steps_in_parts(action) for step in part]

    def steps_in_parts(self, action: Action) -> Generator[list[Step]]:
        """Yields the steps of an action in their order, some thousand at a time."""
        last = -1
        while True:
            rows = self._connection.execute(
                "SELECT number, kind, image, path, before, after, was_edited, is_edited"
                " FROM step WHERE action = ? AND number > ? ORDER BY number LIMIT ?",
                (action.id, last, _PART),
            ).fetchall()
            if not rows:
                return
            yield [
                Step(
                    *(os.fsdecode(image), os.fsdecode(path), before, after),
                    *(bool(was_edited), bool(is_edited), StepKind(kind), number),
                )
                for number, kind, image, path, before, after, was_edited, is_edited in rows
            ]
            last = rows[-1][0]

    def count(self, action: Action) -> int:
        """Returns how many steps an action has."""
        (count,) = self._connection.execute(
            "SELECT count(*) FROM step WHERE action = ?", (action.id,)
        ).fetchone()
        return count

    def recent(self, roots: Sequence[Path]) -> list[Action]:
        """Returns the actions on images inside these folders, the newest first."""
        found = self._selected("ORDER BY id DESC")
        return [action for action in found if _are_inside(action.folders, roots)]

    def under_way(self) -> list[Action]:
        """Returns the actions of all folders that may be made in part, the oldest first."""
        states = (ActionState.MAKING, ActionState.UNDOING)
        return self._selected("WHERE state IN (?, ?) ORDER BY id", *states)

    def marked(self) -> list[Action]:
        """Returns the actions of all folders that are made or undone, and perhaps not on the disk,
        the oldest first."""
        states = (ActionState.MADE, ActionState.UNDONE)
        return self._selected("WHERE mark != '' AND state IN (?, ?) ORDER BY id", *states)

    def paths(self, action: Action) -> list[str]:
        """Returns the files that an action writes."""
        rows = self._connection.execute("SELECT path FROM step WHERE action = ?", (action.id,))
        return [os.fsdecode(path) for (path,) in rows]

    def changed_after(self, action: Action) -> set[tuple[str, str]]:
        """Returns the images, and their files, that later actions change."""
        rows = self._connection.execute(
            "SELECT DISTINCT image, path FROM step JOIN action ON action.id = action"
            " WHERE action > ? AND state != ?",
            (action.id, ActionState.KEEPING),
        )
        return {(os.fsdecode(image), os.fsdecode(path)) for image, path in rows}

    def _selected(self, clause: str, *values: str) -> list[Action]:
        rows = self._connection.execute(
            f"SELECT id, name, state, folders, mark FROM action {clause}", values
        )
        return [
            Action(id, text_from(name), ActionState(state), _folders_from(folders), mark)
            for id, name, state, folders, mark in rows
        ]

    def forget_old(self) -> None:
        """Forgets the oldest actions beyond `MOST_KEPT`, and those that take too much room."""
        kept = 0
        old: list[int] = []
        rows = self._connection.execute(
            "SELECT id, bytes, state FROM action WHERE mark = '' AND state != ? ORDER BY id DESC",
            (ActionState.KEEPING,),
        )
        for number, (id, size, state) in enumerate(rows.fetchall()):
            kept += size
            is_over = number >= MOST_KEPT or (kept > _MOST_BYTES and number)
            if is_over and state in (ActionState.MADE, ActionState.UNDONE):
                old.append(id)
        with self._connection:
            self._retire(old)
        self._forget(old)


def _are_inside(folders: Iterable[Path], roots: Sequence[Path]) -> bool:
    places = list(map(str, roots))
    return all(any(is_inside(str(folder), place) for place in places) for folder in folders)


def _values(action: int, number: int, step: Step) -> tuple[object, ...]:
    return (
        *(action, number, step.kind, os.fsencode(step.image), os.fsencode(step.path)),
        *(step.before, step.after, step.was_edited, step.is_edited),
    )


def _size(steps: Sequence[Step]) -> int:
    return sum(len(step.before or b"") + len(step.after or b"") for step in steps)


def _folders_text(folders: Iterable[Path]) -> str:
    return json.dumps([str(folder) for folder in folders])


def _folders_from(text: str) -> tuple[Path, ...]:
    return tuple(map(Path, json.loads(text)))
