"""What is read of an open workspace, and noted in it, in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.batch import captions_written
from core.workspace import Counts, ImageRow, Workspace

_AT_ONCE = 500


def first_wanted(
    workspace: Workspace, ids: Sequence[int], is_wanted: Callable[[ImageRow], bool]
) -> int | None:
    """Return the first of these images that is wanted; None if none is."""
    for begin in range(0, len(ids), _AT_ONCE):
        for row in workspace.rows(ids[begin : begin + _AT_ONCE]):
            if is_wanted(row):
                return row.id
    return None


def state_of(workspace: Workspace) -> tuple[Counts, str, str]:
    """Return its counts, and what undo and redo would do, "" for nothing."""
    return workspace.counts, workspace.undo_name or "", workspace.redo_name or ""


def note_answers(
    workspace: Workspace,
    answers: Mapping[Path, str],
    doubts: Mapping[Path, float],
    again: Path | None,
) -> None:
    """Keep what a model wrote, in a run that wrote it anew if `again` is its journal."""
    if again is None:
        workspace.answers.note(answers, doubts)
    else:
        workspace.answers.note_again(captions_written(again, answers), answers, doubts)
