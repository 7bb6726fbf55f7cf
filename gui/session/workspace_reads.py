"""What is read of an open workspace in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
