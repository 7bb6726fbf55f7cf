"""The thumbnails of the images in view: made when first painted, dropped when there are many."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage, QPixmap

from gui.widgets.preview import PreviewMaker
from gui.workspace.thumbnail_cache import ThumbnailCache

# Device pixels; the smallest that fills the cell is made, so that a slider makes few anew.
SIDES = (128, 256, 512)
_MOST_BYTES = 48_000_000
_UNDER_WAY = 2
# Requests that wait: images that have left the view by then need no thumbnail.
_WAITING = 150

_Key = tuple[Path, int]


class Thumbnails(QObject):
    """Makes them in a thread of its own, so that the image in the middle never waits for them.

    `made()`: another one can be painted.
    """

    made = Signal()

    def __init__(self, cache: ThumbnailCache, parent: QObject | None = None):
        super().__init__(parent)
        self._cache = cache
        self._maker = PreviewMaker(self)
        self._pixmaps: dict[_Key, QPixmap] = {}
        self._bytes = 0
        self._waiting: dict[_Key, None] = {}
        self._under_way: set[_Key] = set()
        self._maker.made.connect(self._on_made)

    def get(self, path: Path, pixels: int) -> QPixmap | None:
        """Returns the thumbnail for a cell of so many device pixels, or one of another size
        meanwhile; None, and a request for it, if there is none. One that cannot be made is null.
        """
        side = next((side for side in SIDES if side >= pixels), SIDES[-1])
        key = (path, side)
        if (found := self._pixmaps.pop(key, None)) is not None:
            self._pixmaps[key] = found  # It was used last.
            return found
        if key not in self._under_way:
            self._waiting.pop(key, None)
            self._waiting[key] = None
            while len(self._waiting) > _WAITING:
                del self._waiting[next(iter(self._waiting))]
            self._request()
        others = (self._pixmaps.get((path, other)) for other in reversed(SIDES) if other != side)
        return next((one for one in others if one is not None), None)

    def forget(self, path: Path) -> None:
        """Makes those of a file anew that has changed."""
        for side in SIDES:
            if (pixmap := self._pixmaps.pop((path, side), None)) is not None:
                self._bytes -= _bytes_of(pixmap)

    def close(self) -> None:
        """Ends the thread."""
        self._waiting.clear()
        self._maker.ask("trim", self._cache.trim)
        self._maker.close()

    def _request(self) -> None:
        """What was painted last is in view: it comes first."""
        while self._waiting and len(self._under_way) < _UNDER_WAY:
            key, _ = self._waiting.popitem()
            self._under_way.add(key)
            self._maker.ask(key, partial(self._cache.thumbnail, *key))

    @Slot(object, object)
    def _on_made(self, key: object, image: object) -> None:
        match key:
            case (Path() as path, int() as side) if isinstance(image, QImage):
                self._under_way.discard((path, side))
                pixmap = QPixmap.fromImage(image)
                self._pixmaps[path, side] = pixmap
                self._bytes += _bytes_of(pixmap)
                while self._bytes > _MOST_BYTES and len(self._pixmaps) > 1:
                    oldest = self._pixmaps.pop(next(iter(self._pixmaps)))
                    self._bytes -= _bytes_of(oldest)
                self._request()
                self.made.emit()


def _bytes_of(pixmap: QPixmap) -> int:
    return 4 * pixmap.width() * pixmap.height()
