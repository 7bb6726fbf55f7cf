"""How much memory a decoder needs, and a budget that all threads that decode images share.

A file of 43 bytes may claim 16,000 × 16,000 pixels and mean it, so that memory is bounded by what
the decoders hold at once, over all threads, and not by the sizes of files.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections import deque
from collections.abc import Generator

from PIL import Image, ImageFile

from core.errors import PictureError
from core.formatting import format_bytes
from core.message import translatable
from core.picture.format import PictureFormat
from core.picture.reduction import reduced_size

MOST_BYTES = 850 * 2**20
"""What a thread may hold while it decodes alone."""

SHARED_BYTES = 500 * 2**20
"""What several threads together may hold. The allocator keeps up to two thirds more. [measured]"""

# Below this, an image is decoded without asking how much memory is free.
_SMALL_BYTES = 64 * 2**20
_SHARE_OF_FREE = 0.7
# Above this, what the decoder has freed is given back to the system.
_LARGE_BYTES = 256 * 2**20

# How many bytes a decoder holds for each pixel at its peak, Pillow's own copy included. [measured]
# WebP: its planes, two canvases, what it returns, and Pillow's copy. JPEG 2000: 32 bits for each
# component.
_PEAK_BYTES = {
    PictureFormat.WEBP: 20,
    PictureFormat.AVIF: 16,
    PictureFormat.HEIF: 16,
    PictureFormat.JPEG_2000: 24,
    PictureFormat.JPEG_XL: 40,
    PictureFormat.ICO: 8,
    PictureFormat.GIF: 9,  # Where its first frame is only a part of the picture.
}
_MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}


class MemoryBudget:
    """Bytes that threads take before they decode and give back afterwards, in order of asking."""

    def __init__(self, most: int, shared: int):
        """One thread alone may take `most`, several together `shared`."""
        self._most, self._shared = most, shared
        self._held = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, size: int, title: str) -> Generator[None]:
        """Waits until `size` bytes are left, and holds them meanwhile.

        Raises PictureError if they are more than there will ever be, and MemoryError if more than
        the computer has free.
        """
        if not size:
            yield
            return
        if size > self._most:
            raise PictureError(
                translatable(
                    "core",
                    "{image} needs {size} of memory to decode, and Onlooker's limit is {limit}. "
                    "Save it as JPEG, or make it smaller.",
                ).format(image=title, size=format_bytes(size), limit=format_bytes(self._most))
            )
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is turn and self._fits(size))
                if size > _SMALL_BYTES and size > _SHARE_OF_FREE * _free_bytes():
                    raise MemoryError
                self._held += size
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()
        try:
            yield
        finally:
            if size > _LARGE_BYTES:
                _return_free_memory()
            with self._changed:
                self._held -= size
                self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        """Whether there is room; where the computer has little, one image at a time has."""
        if self._held == 0:
            return True
        if self._held + size > self._shared:
            return False
        return size <= _SMALL_BYTES or size <= _SHARE_OF_FREE * _free_bytes()


BUDGET = MemoryBudget(MOST_BYTES, SHARED_BYTES)
"""One for the process, whose memory is one as well."""


def _return_free_memory() -> None:
    """Makes glibc give back what it keeps for each thread: six threads would keep as many images.

    Other allocators give back by themselves.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _free_bytes() -> int:
    import psutil  # The window's start would wait for it.

    return psutil.virtual_memory().available


def decoding_bytes(
    image: ImageFile.ImageFile,
    picture_format: PictureFormat,
    full: tuple[int, int],
    kept: tuple[int, int],
) -> int:
    """Returns how many bytes are held at once to decode `image`, as it would be loaded, to `kept`.

    `full` is the size in the file, which a JPEG need not be decoded at.
    """
    pixels = image.width * image.height
    loaded = pixels * _MODE_BYTES.get(image.mode, 4)
    peak = pixels * _PEAK_BYTES.get(picture_format, 0)
    if image.info.get("progressive"):
        # libjpeg keeps two bytes for each coefficient, at full size whatever the draft.
        layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
        most = max((across * down for _, across, down, _ in layers), default=1)
        samples = sum(across * down / most for _, across, down, _ in layers)
        loaded += int(full[0] * full[1] * samples * 2)
    if picture_format is PictureFormat.JPEG and kept == image.size:
        return max(peak, loaded + _result_bytes(image, kept))
    return max(peak, loaded + reducing_bytes(image, image.size, kept))


def reducing_bytes(image: Image.Image, full: tuple[int, int], kept: tuple[int, int]) -> int:
    """Returns how many bytes reducing `image` from `full` to `kept` and converting it takes."""
    reduced = reduced_size(full, kept)
    resized = 0 if reduced == kept else 4 * kept[0] * kept[1]
    return 4 * reduced[0] * reduced[1] + resized + _result_bytes(image, kept)


def _result_bytes(image: Image.Image, kept: tuple[int, int]) -> int:
    """What converting to sRGB on white takes beside the pixels themselves."""
    pixels = kept[0] * kept[1]
    is_clear = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    return pixels * ((9 if is_clear else 0) + (4 if image.info.get("icc_profile") else 0))


def claimed_bytes(size: tuple[int, int], picture_format: PictureFormat) -> int:
    """Returns how many bytes a decoder takes that decodes as soon as it opens a file."""
    return size[0] * size[1] * _PEAK_BYTES.get(picture_format, 4)
