"""The folder that is open, as a workspace: its images in the order of the list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.workspace.data import ImageRow, ReviewState


class FolderWorkspace(QObject):
    """The images that were opened together.

    `opened()`: others, or none. `listed(Sequence[int])`: the ids in the order of the list.
    `rows_read(list[ImageRow])`: what `read_rows` asked for.
    """

    opened = Signal()
    listed = Signal(object)
    rows_read = Signal(object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._paths: list[Path] = []
        self._roots: list[Path] = []

    @property
    def is_open(self) -> bool:
        """Whether there are images to list."""
        return bool(self._paths)

    @property
    def roots(self) -> list[Path]:
        """The folders and files that were opened."""
        return self._roots

    @property
    def total(self) -> int:
        """How many images there are."""
        return len(self._paths)

    @property
    def ids(self) -> Sequence[int]:
        """The ids in the order of the list."""
        return range(len(self._paths))

    def open(self, roots: list[Path], paths: list[Path]) -> None:
        """List these images, which were found in `roots`; none closes the workspace."""
        self._roots, self._paths = roots, paths
        self.opened.emit()
        self.listed.emit(self.ids)

    def read_rows(self, ids: Sequence[int]) -> None:
        """Ask for rows; `rows_read` follows."""
        known = range(len(self._paths))
        self.rows_read.emit([_row(id, self._paths[id]) for id in ids if id in known])

    async def path_of(self, id: int) -> Path | None:
        """Return the file of an image; None if it is not in the workspace any more."""
        return self._paths[id] if id in range(len(self._paths)) else None


def _row(id: int, path: Path) -> ImageRow:
    unread = ReviewState.UNREVIEWED
    return ImageRow(id, path, "", True, unread, False, None, 0, 0, 0, 0.0, "")
