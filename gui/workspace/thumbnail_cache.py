"""Thumbnails on the disk, so that a folder that was seen before is shown at once."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageWriter

from core.file_identity import fingerprint_of
from core.partial_file import take_place
from core.picture import open_small
from core.workspace import ImageRow
from gui.widgets.preview import to_image

_MOST_BYTES = 400_000_000
_QUALITY = 88
# Decoders show the first part of a JPEG that was cut short, so a checksum stands after it.
_CHECKSUM_BYTES = 4


class ThumbnailCache:
    """A folder of small JPEGs; may be used from any thread, and removed at any time.

    A thumbnail is found by the fingerprint of its image, so that an image keeps it that was moved
    or renamed. As long as that is unknown, as it takes reading the whole file, it is found by the
    path, size and time of change.
    """

    def __init__(self, folder: Path | None, most_bytes: int = _MOST_BYTES):
        """Without a folder nothing is kept. `trim` leaves `most_bytes` at most."""
        self._folder, self._most_bytes = folder, most_bytes

    def thumbnail(self, row: ImageRow, side: int) -> QImage:
        """Returns the whole picture, at most `side` pixels high and wide. Raises PictureError."""
        place = self._place(row, side)
        if place is None:
            return to_image(open_small(row.path, side))
        image = self._kept(place)
        if image is None and place.by_content is None and self._may_be_moved(row.path, side):
            # An image with as many bytes is known: rather this one under another name than new.
            place = place.with_fingerprint(_fingerprint(row.path))
            image = self._kept(place)
        if image is not None:
            return image
        image = to_image(open_small(row.path, side))
        # Of a file that is written meanwhile nothing is kept.
        if self._place(row, side) in (place, place.without_fingerprint()):
            _keep(image, place.by_content or place.by_path)
        return image

    def settle(self, row: ImageRow, side: int) -> None:
        """Lets a thumbnail be found by the fingerprint of its image, which is known by now."""
        place = self._place(row, side)
        if place is not None and place.by_content is not None:
            _move(place.by_path, place.by_content)

    def trim(self) -> None:
        """Removes those that were made first, if there are too many, and then a quarter of all."""
        if self._folder is None:
            return
        found = [
            (status.st_mtime, status.st_size, entry.path)
            for folder in _entries(self._folder)
            for entry in _entries(folder.path)
            if (status := _status(entry)) is not None
        ]
        total = sum(size for _, size, _ in found)
        if total <= self._most_bytes:
            return
        for _, size, path in sorted(found):
            with suppress(OSError):
                Path(path).unlink()
            total -= size
            if total <= self._most_bytes * 3 / 4:
                return

    def _place(self, row: ImageRow, side: int) -> _Place | None:
        if self._folder is None:
            return None
        try:
            status = row.path.stat()
        except (OSError, ValueError):
            return None
        seen = f"{status.st_size} {status.st_mtime_ns} {side} "
        name = hashlib.blake2b(
            seen.encode() + os.fsencode(row.path.absolute()), digest_size=16
        ).hexdigest()
        place = _Place(self._folder, side, self._folder / name[:2] / f"{name[2:]}.jpg")
        # What is known of the image may be about an earlier content.
        is_same = (status.st_size, status.st_mtime) == (row.bytes, row.modified)
        return place.with_fingerprint(row.fingerprint if is_same else "")

    def _kept(self, place: _Place) -> QImage | None:
        if place.by_content is not None:
            image = _read(place.by_content)
            if image is not None or not _move(place.by_path, place.by_content):
                return image
        return _read(place.by_content or place.by_path)

    def _may_be_moved(self, path: Path, side: int) -> bool:
        """Returns whether there is a thumbnail of an image with as many bytes."""
        assert self._folder is not None
        with suppress(OSError):
            size = f"{path.stat().st_size:x}-"
            names = os.listdir(self._folder / _bucket(size))  # noqa: PTH208 (quick)
            return any(name.startswith(size) and name.endswith(f"-{side}.jpg") for name in names)
        return False


@dataclass(frozen=True)
class _Place:
    """Where a thumbnail is kept: under its image's path, or under its content if that is known."""

    folder: Path
    side: int
    by_path: Path
    by_content: Path | None = None

    def with_fingerprint(self, fingerprint: str) -> _Place:
        if not fingerprint:
            return self
        name = f"{fingerprint}-{self.side}.jpg"
        by_content = self.folder / _bucket(fingerprint) / name
        return _Place(self.folder, self.side, self.by_path, by_content)

    def without_fingerprint(self) -> _Place:
        return _Place(self.folder, self.side, self.by_path)


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """Returns what is in a folder; nothing for what is none, as file managers leave there."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Returns the status of a file; None for what is none, or has gone meanwhile."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _bucket(fingerprint: str) -> str:
    """Returns the folder for images of a size, which a fingerprint begins with."""
    return f"size {fingerprint.partition('-')[0][-2:]}"


def _fingerprint(path: Path) -> str:
    try:
        return fingerprint_of(path) or ""
    except OSError:
        return ""


def _read(path: Path) -> QImage | None:
    """Returns a thumbnail; None if there is none, or it is damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if not content or checksum != _checksum(content):
        return None
    image = QImage.fromData(content)
    return None if image.isNull() else image.convertToFormat(QImage.Format.Format_RGB32)


def _keep(image: QImage, path: Path) -> None:
    """What cannot be written is made again the next time, and so is what a crash cut short."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(b"jpeg"))
    writer.setQuality(_QUALITY)
    if not writer.write(image):
        return
    content = bytes(data.data())
    partial = path.with_suffix(f".{threading.get_ident()}")
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.write_bytes(content + _checksum(content))
        take_place(partial, path)


def _move(old: Path, new: Path) -> bool:
    """Returns whether there was a thumbnail that could be moved."""
    with suppress(OSError):
        if old.exists():
            new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            old.replace(new)
            return True
    return False


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big")
