"""The folders that were left while an edit of them goes on: others are opened meanwhile, but not
those whose images the edit may change, as what is read of them would soon be wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Event

from core.workspace import Workspace, WorkspaceOptions

_OPTIONS = WorkspaceOptions(takes_kept_format=True)


class LeftFolders:
    """Used in the GUI thread; what it returns is called in others."""

    def __init__(self, data: Path):
        """`data` is the folder of the program's own files."""
        self._data = data
        self._left: list[tuple[tuple[Path, ...], Event]] = []

    def closing(self, workspace: Workspace, *, goes_on: bool) -> Callable[[], None]:
        """Return what closes a workspace that is left, once its edits have ended. Where one
        `goes_on`, others are opened in another thread, and look here."""
        if not goes_on:
            return workspace.close
        is_closed = Event()
        self._left.append((workspace.reach, is_closed))
        return partial(_close, workspace, is_closed)

    def opening(self, roots: Sequence[Path]) -> Callable[[], Workspace]:
        """Return what opens a workspace, once those are closed that it has images in common with.
        What a killed edit has left is finished unless another one still goes on."""
        self._left = [one for one in self._left if not one[1].is_set()]
        waits = [closed for others, closed in self._left if _have_common(roots, others)]
        goes_on = len(waits) < len(self._left)
        return partial(_open, waits, roots, self._data, recovers=not goes_on)


def _close(workspace: Workspace, is_closed: Event) -> None:
    try:
        workspace.close()
    finally:
        is_closed.set()


def _open(
    waits: Sequence[Event], roots: Sequence[Path], data: Path, *, recovers: bool
) -> Workspace:
    for closed in waits:
        closed.wait()
    return Workspace.open(roots, data, _OPTIONS, recovers=recovers)


def _have_common(some: Sequence[Path], others: Sequence[Path]) -> bool:
    """Return whether one of these files and folders is one of the others, or inside it."""
    places = [Path(os.path.realpath(one)) for one in others]
    return any(
        one.is_relative_to(other) or other.is_relative_to(one)
        for one in (Path(os.path.realpath(one)) for one in some)
        for other in places
    )
