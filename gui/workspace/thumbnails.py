"""The thumbnails of the images in view: made when first painted, dropped when there are many."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage, QPixmap

from core.workspace import ImageRow
from gui.widgets.preview import PreviewMaker
from gui.workspace.thumbnail_cache import ThumbnailCache

# Device pixels; the smallest that fills the cell is made, so that a slider makes few anew.
SIDES = (128, 256, 512)
_MOST_BYTES = 48_000_000
_UNDER_WAY = 2
# Requests that wait: of a viewer that does not say what it has left.
_WAITING = 150

_Key = tuple[Path, int]


@dataclass
class _Wanted:
    """A thumbnail that waits to be made, for a viewer that may leave it again."""

    row: ImageRow
    viewer: object


@dataclass
class _Made:
    """A thumbnail, what its image's file was like then, and whether it is kept by content."""

    pixmap: QPixmap
    version: tuple[int, float]
    is_settled: bool

    @property
    def bytes(self) -> int:
        return 4 * self.pixmap.width() * self.pixmap.height()


class Thumbnails(QObject):
    """Makes them in a thread of its own, so that the image in the middle never waits for them.

    `made(ImageRow)`: another one can be painted.
    """

    made = Signal(object)

    def __init__(self, cache: ThumbnailCache, parent: QObject | None = None):
        super().__init__(parent)
        self._cache = cache
        self._maker = PreviewMaker(self)
        self._found: dict[_Key, _Made] = {}
        self._bytes = 0
        self._waiting: dict[_Key, _Wanted] = {}
        self._under_way: set[_Key] = set()
        self._maker.made.connect(self._on_made)

    def get(self, row: ImageRow, pixels: int, viewer: object = None) -> QPixmap | None:
        """Returns the thumbnail for a cell of so many device pixels, or meanwhile one of another
        size or from before its file was changed; None, and a request for it, if there is none. One
        that cannot be made is null. A `viewer` can leave it again."""
        side = next((side for side in SIDES if side >= pixels), SIDES[-1])
        key = (row.path, side)
        if (found := self._found.pop(key, None)) is not None:
            self._found[key] = found  # It was used last.
            if found.version == _version(row):
                if row.fingerprint and not found.is_settled:
                    found.is_settled = True
                    self._maker.ask(None, partial(self._cache.settle, row, side))
                return found.pixmap
        if key not in self._under_way:
            self._waiting.pop(key, None)
            self._waiting[key] = _Wanted(row, viewer)
            while len(self._waiting) > _WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._request()
        sides = (side, *(other for other in reversed(SIDES) if other != side))
        others = (self._found.get((row.path, other)) for other in sides)
        return next((one.pixmap for one in others if one is not None), None)

    def keep(self, viewer: object, ids: Collection[int]) -> None:
        """Makes none for this viewer any more but of the images with these ids: the others have
        left the view before they could be made."""
        left = [
            key
            for key, wanted in self._waiting.items()
            if wanted.viewer is viewer and wanted.row.id not in ids
        ]
        for key in left:
            del self._waiting[key]

    def close(self) -> None:
        """Ends the thread."""
        self._waiting.clear()
        self._maker.ask("trim", self._cache.trim)
        self._maker.close()

    def _request(self) -> None:
        """What was painted last is in view: it comes first."""
        while self._waiting and len(self._under_way) < _UNDER_WAY:
            key, wanted = self._waiting.popitem()
            row = wanted.row
            self._under_way.add(key)
            self._maker.ask((row, key[1]), partial(self._cache.thumbnail, row, key[1]))

    @Slot(object, object)
    def _on_made(self, key: object, image: object) -> None:
        match key:
            case (ImageRow() as row, int() as side) if isinstance(image, QImage):
                self._under_way.discard((row.path, side))
                self._take((row.path, side), row, QPixmap.fromImage(image))
                self._request()
                self.made.emit(row)

    def _take(self, key: _Key, row: ImageRow, pixmap: QPixmap) -> None:
        before = self._found.pop(key, None)
        made = _Made(pixmap, _version(row), is_settled=bool(row.fingerprint))
        self._found[key] = made
        self._bytes += made.bytes - (before.bytes if before else 0)
        while self._bytes > _MOST_BYTES and len(self._found) > 1:
            self._bytes -= self._found.pop(next(iter(self._found))).bytes


def _version(row: ImageRow) -> tuple[int, float]:
    return row.bytes, row.modified
