"""The thumbnails of a folder run: made when first painted, dropped when there are many."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage, QPixmap

from gui.widgets.preview import PreviewMaker, thumbnail

THUMBNAIL_SIDE = 44
_KEPT = 400
# Requests under way at a time, and requests that wait: rows that have left the view by then need
# no thumbnail.
_UNDER_WAY = 2
_WAITING = 40


class Thumbnails(QObject):
    """A cache of at most 400 thumbnails by path; the preview thread makes them.

    `made()`: another thumbnail can be painted.
    """

    made = Signal()

    def __init__(self, previews: PreviewMaker, pixel_ratio: float, parent: QObject):
        super().__init__(parent)
        self._previews = previews
        self._side = round(THUMBNAIL_SIDE * max(2.0, pixel_ratio))
        self._pixmaps: dict[Path, QPixmap] = {}
        self._waiting: list[Path] = []
        self._under_way: set[Path] = set()
        previews.made.connect(self._on_made)

    def __len__(self) -> int:
        return len(self._pixmaps)

    def get(self, path: Path) -> QPixmap | None:
        """Returns the thumbnail of this picture; None, and a request for it, if there is none."""
        if path not in self._pixmaps and path not in self._under_way:
            if path in self._waiting:
                self._waiting.remove(path)
            self._waiting.append(path)
            del self._waiting[:-_WAITING]
            self._request()
        return self._pixmaps.get(path)

    def is_broken(self, path: Path) -> bool:
        """Whether this picture is known to be one that cannot be opened."""
        pixmap = self._pixmaps.get(path)
        return pixmap is not None and pixmap.isNull()

    def _request(self) -> None:
        """Requests the latest path first: its row is in view."""
        while self._waiting and len(self._under_way) < _UNDER_WAY:
            path = self._waiting.pop()
            self._under_way.add(path)
            self._previews.ask(("batch", path), partial(thumbnail, path, self._side))

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case ("batch", Path() as path) if path in self._under_way:
                self._under_way.remove(path)
                self._pixmaps[path] = QPixmap.fromImage(image)
                while len(self._pixmaps) > _KEPT:
                    del self._pixmaps[next(iter(self._pixmaps))]
                self._request()
                self.made.emit()
