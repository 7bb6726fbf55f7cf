"""Makes the images that widgets show in a thread of its own, so that the window never waits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QCoreApplication, QObject, QSize, Signal
from PySide6.QtGui import QImage

from core.errors import AppError
from core.picture import open_picture

log = logging.getLogger(__name__)

translate = QCoreApplication.translate

# Pixels converted at a time: the GIL is held no longer than that takes.
_BAND_PIXELS = 2**18


class PreviewMaker(QObject):
    """Runs jobs one after another, in the order asked, in one thread.

    `made(key, result)` is emitted there and arrives in the receiver's thread. Most jobs return a
    QImage. The result of a job that fails is a null QImage: the widget keeps its empty frame, and
    the reason is shown when the picture is opened.
    """

    made = Signal(object, object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="preview")
        self._is_closed = False

    def ask(self, key: Hashable, make: Callable[[], object]) -> None:
        """Queues `make`; `made(key, result)` follows."""
        if not self._is_closed:
            self._thread.submit(self._make, key, make)

    def close(self) -> None:
        """Drops the queue and waits until the job under way is done."""
        self._is_closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _make(self, key: Hashable, make: Callable[[], object]) -> None:
        if self._is_closed:
            return
        try:
            result = make()
        except (AppError, OSError, ValueError, MemoryError) as error:
            log.info("No preview of %s: %s", key, error)
            result = QImage()
        except Exception:
            log.exception("No preview of %s", key)
            result = QImage()
        self.made.emit(key, result)


def scaled(pixels: Image.Image, size: QSize, smooth: bool = True) -> QImage:
    """Resizes `pixels` to exactly `size` device pixels; nearest neighbour if not `smooth`."""
    wanted = (max(1, size.width()), max(1, size.height()))
    if pixels.size == wanted:
        return to_image(pixels)
    resample = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    gap = 2.0 if smooth else None
    return to_image(pixels.resize(wanted, resample, reducing_gap=gap))


def to_image(pixels: Image.Image) -> QImage:
    """Converts to RGB32, the format that Qt paints fastest."""
    width, height = pixels.size
    image = QImage(width, height, QImage.Format.Format_RGB32)
    target: memoryview = image.bits()  # type: ignore[assignment]  # Stubs say bytes.
    stride = image.bytesPerLine()
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        band = pixels.crop((0, top, width, bottom)).convert("RGBA")
        # RGB32 wants its fourth byte set.
        target[top * stride : bottom * stride] = band.tobytes("raw", "BGRA")
    return image


def unopened_text(name: str) -> str:
    """Returns what is said of a picture, by its name, whose thumbnail is a mark."""
    return translate("Preview", "{name}, cannot be opened").format(name=name)


def thumbnail(path: Path, side: int) -> QImage:
    """Returns the central square of the picture, `side` device pixels wide. Raises AppError."""
    pixels = open_picture(path).pixels
    width, height = pixels.size
    edge = min(width, height)
    left, top = (width - edge) // 2, (height - edge) // 2
    box = (left, top, left + edge, top + edge)
    small = pixels.resize((side, side), Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
    return to_image(small)
