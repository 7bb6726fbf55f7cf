"""Edits of many captions at once: previewed while they are chosen, done, and repeated."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.workspace import Conflict, EditReport, Operation, PatternError, Preview, Workspace
from gui.session.workspace import FolderWorkspace

# Between two slices other work of the workspace's thread is done.
_SLICE = 2000
_MOST_SHOWN = 40


class BulkEditing(QObject):
    """What is done to the images that are selected in a workspace.

    `previewed(Preview, bool)`: what is known of an edit's outcome so far, and whether that is all.
    `refused(PatternError)`: why it cannot be done. `last_changed()`: `last` is another edit.
    """

    previewed = Signal(object, bool)
    refused = Signal(object)
    last_changed = Signal()

    def __init__(self, workspace: FolderWorkspace, parent: QObject | None = None):
        super().__init__(parent)
        self._workspace = workspace
        self._newest = 0
        self.last: Operation | None = None

    def preview(self, ids: Sequence[int], operation: Operation | None) -> Coroutine[Any, Any, None]:
        """Return what finds out what an edit would do. Another call takes the place of one whose
        work is under way or has not begun yet, and so does `leave`."""
        self._newest += 1
        self._workspace.activity.note()
        return self._preview(self._newest, ids, operation)

    async def _preview(self, mine: int, ids: Sequence[int], operation: Operation | None) -> None:
        known = Preview()
        if mine != self._newest:
            return
        if operation is None:
            self.previewed.emit(known, True)
            return
        for begin in range(0, max(1, len(ids)), _SLICE):
            most = _MOST_SHOWN - len(known.first)
            part = ids[begin : begin + _SLICE]
            find = partial(_previewed, ids=part, operation=operation, most=most)
            found = await self._workspace.read(find)
            if mine != self._newest or found is None:
                return
            if isinstance(found, PatternError):
                self.refused.emit(found)
                return
            known = known.with_more(found)
            self.previewed.emit(known, begin + _SLICE >= len(ids))

    def leave(self) -> None:
        """What is being previewed is not wanted any more."""
        self._newest += 1

    def apply(self, ids: Sequence[int], operation: Operation) -> None:
        """Change the captions of these images; the workspace reports what became of it."""
        self.last = operation
        self.last_changed.emit()
        wanted = list(ids)
        self._workspace.edit_many(lambda workspace: workspace.begin_apply(wanted, operation))

    def repeat(self, ids: Sequence[int]) -> None:
        """Do the last edit to these images."""
        if self.last is not None:
            self.apply(ids, self.last)

    def overwrite(self, report: EditReport, ids: set[int]) -> None:
        """Write captions that an edit has left, as another program had changed them meanwhile."""
        wanted = {one.id: one for one in report.conflicts if one.id in ids}
        captions = {id: one.ours for id, one in wanted.items()}
        seen = {id: one.found for id, one in wanted.items()}
        self._workspace.edit_many(
            lambda workspace: workspace.begin_set_captions(captions, report.name, seen=seen)
        )

    def drop_drafts(self, conflicts: Sequence[Conflict]) -> None:
        """Forget what a person wrote where they want what another program has written."""
        self._workspace.change(partial(_without_drafts, conflicts=conflicts))

    def move(self, ids: Sequence[int], folder: Path) -> None:
        """Move images, with the files beside them, to another folder."""
        wanted = list(ids)
        self._workspace.edit_many(lambda workspace: workspace.begin_move_to(wanted, folder))

    def trash(self, ids: Sequence[int]) -> None:
        """Move images, with the files beside them, to the system's trash."""
        wanted = list(ids)
        self._workspace.edit_many(lambda workspace: workspace.begin_trash(wanted))


def _previewed(
    workspace: Workspace, *, ids: Sequence[int], operation: Operation, most: int
) -> Preview | PatternError:
    try:
        return workspace.preview(ids, operation, most)
    except PatternError as error:
        return error


def _without_drafts(workspace: Workspace, *, conflicts: Sequence[Conflict]) -> None:
    for one in conflicts:
        draft = workspace.drafts.of(one.id)
        if draft is not None and draft.text == one.ours:
            workspace.drafts.keep(one.id, None)
