"""Thumbnails on the disk, so that a folder that was seen before is shown at once."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QByteArray
from PySide6.QtGui import QImage, QImageWriter

from core.picture import open_small
from gui.widgets.preview import to_image

_MOST_BYTES = 400_000_000
# Of these, so many stay when there are too many.
_KEPT_BYTES = 300_000_000
_QUALITY = 88


class ThumbnailCache:
    """A folder of small JPEGs; may be used from any thread, and removed at any time.

    A file that changes has another key, by its size and time of change.
    """

    def __init__(self, folder: Path | None):
        """Without a folder nothing is kept."""
        self._folder = folder

    def thumbnail(self, path: Path, side: int) -> QImage:
        """Returns the whole picture, at most `side` pixels high and wide. Raises PictureError."""
        kept = self._place(path, side)
        if kept is not None:
            image = QImage(str(kept))
            if not image.isNull():
                return image.convertToFormat(QImage.Format.Format_RGB32)
        image = to_image(open_small(path, side))
        if kept is not None:
            self._keep(image, kept)
        return image

    def trim(self) -> None:
        """Removes those that were made first, if there are too many."""
        if self._folder is None:
            return
        found: list[tuple[float, int, str]] = []
        with suppress(OSError):
            for folder in os.scandir(self._folder):
                for entry in os.scandir(folder.path):
                    status = entry.stat()
                    found.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        if total <= _MOST_BYTES:
            return
        for _, size, path in sorted(found):
            with suppress(OSError):
                Path(path).unlink()
            total -= size
            if total <= _KEPT_BYTES:
                return

    def _place(self, path: Path, side: int) -> Path | None:
        if self._folder is None:
            return None
        try:
            status = path.stat()
        except (OSError, ValueError):
            return None
        seen = f"{status.st_size} {status.st_mtime_ns} {side} "
        name = hashlib.blake2b(
            seen.encode() + os.fsencode(path.absolute()), digest_size=16
        ).hexdigest()
        return self._folder / name[:2] / f"{name[2:]}.jpg"

    def _keep(self, image: QImage, kept: Path) -> None:
        """What cannot be written is made again the next time, and so is what a crash cut short."""
        partial = kept.with_suffix(f".{threading.get_ident()}")
        with suppress(OSError):
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _write(image, partial):
                partial.replace(kept)


def _write(image: QImage, path: Path) -> bool:
    writer = QImageWriter(str(path), QByteArray(b"jpeg"))
    writer.setQuality(_QUALITY)
    return writer.write(image)
