"""Reads one picture file with Pillow: first its header, then its pixels, as far as they go.

Everything here leaves the pixels as they are stored: not upright, in any mode, in any colour space.
"""

# pi_heif has no type stubs.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import contextlib
import io
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import BinaryIO

from PIL import Image, ImageFile

from core.errors import PictureError
from core.message import translatable
from core.picture.format import PictureFormat
from core.picture.jxl import jxl_image

_READ_BYTES = 8 * 2**20

READ_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""Whatever Pillow's readers and their libraries raise for damaged files."""


# Pillow's limit is one global for all threads, so the state that guards it is global as well.
_limit_lock = threading.Lock()
_limit_kept: list[int | None] = []


@contextlib.contextmanager
def without_pillow_limit() -> Generator[None]:
    """Lifts Pillow's limit of 179 megapixels, which its readers check in several places.

    `decode` has a limit of its own. Pillow's is restored when the last thread leaves.
    """
    with _limit_lock:
        _limit_kept.append(_limit_kept[0] if _limit_kept else Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _limit_lock:
            kept = _limit_kept.pop()
            if not _limit_kept:
                Image.MAX_IMAGE_PIXELS = kept


def damaged(title: str) -> PictureError:
    """Returns the error for a file of which nothing can be read."""
    return PictureError(
        translatable("core", "{image} is damaged or incomplete. Copy or download it again.").format(
            image=title
        )
    )


# ---- the header ---------------------------------------------------------------------------------


def read_header(file: BinaryIO, picture_format: PictureFormat, title: str) -> ImageFile.ImageFile:
    """Returns the image with its header read and no pixel decoded (except of ICO and JPEG XL).

    Raises PictureError if the header is damaged, or nothing that reads the format is installed.
    """
    read_heif = _heif_reader(title) if picture_format is PictureFormat.HEIF else None
    try:
        if picture_format is PictureFormat.JPEG_XL:
            return jxl_image(file)
        return read_heif(file) if read_heif else Image.open(file, formats=(picture_format,))
    except ImportError as error:
        raise _unsupported(title, "JPEG XL", "pillow-jxl-plugin") from error
    except READ_ERRORS as error:
        raise damaged(title) from error


def _heif_reader(title: str) -> Callable[[BinaryIO], ImageFile.ImageFile]:
    """pillow-heif, or its twin without encoders, which is what the packaged program carries."""
    with contextlib.suppress(ImportError):
        from pillow_heif import HeifImageFile

        return HeifImageFile
    try:
        from pi_heif import HeifImageFile
    except ImportError as error:
        raise _unsupported(title, "HEIC", "pillow-heif") from error
    return HeifImageFile


def _unsupported(title: str, name: str, package: str) -> PictureError:
    if hasattr(sys, "frozen"):  # Nothing can be installed into a packaged program.
        text = translatable("core", "{image} is a {format} image. Save it as JPEG.")
    else:
        text = translatable(
            "core",
            "{image} is a {format} image. Install what reads it (pip install {package}), or save "
            "it as JPEG.",
        )
    return PictureError(text.format(image=title, format=name, package=package))


def sizes_in_icon(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yields the (width, height) that each image of an ICO file claims to have.

    They must be checked first because Pillow decodes the largest as soon as it opens an icon.
    """
    count = int.from_bytes(file.read(6)[4:], "little")
    entries = file.read(16 * count)
    for (offset,) in struct.iter_unpack("<12xI", entries[: len(entries) // 16 * 16]):
        file.seek(offset)
        head = file.read(24)
        if head.startswith(b"\x89PNG"):
            yield int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        elif len(head) == 24 and head[:4] == b"\x28\0\0\0":
            # The height in an icon's BMP header counts the mask below the image too.
            width, twice_height = struct.unpack("<ii", head[4:12])
            yield abs(width), abs(twice_height) // 2
    file.seek(0)


def scale_transparent_grey(image: ImageFile.ImageFile) -> None:
    """Scales the transparent shade of 2-bit and 4-bit grey to 8 bits, as Pillow scales the rest."""
    shade = image.info.get("transparency")
    rawmode = image.tile[0].args if image.tile else None
    if isinstance(shade, int) and rawmode in ("L;2", "L;4"):
        image.info["transparency"] = shade * {"L;2": 85, "L;4": 17}[str(rawmode)]


# ---- the pixels ---------------------------------------------------------------------------------


def prepare(image: ImageFile.ImageFile, kept: tuple[int, int]) -> None:
    """Lets a JPEG be decoded at the smallest size that is at least `kept`."""
    if image.format in ("JPEG", "MPO"):
        image.draft(None, kept)
    # The whole file in few blocks: after each one, other threads would wait for the GIL.
    image.decodermaxblock = _READ_BYTES


def read_pixels(
    image: ImageFile.ImageFile, file: BinaryIO, kept: tuple[int, int], title: str
) -> tuple[Image.Image, bool]:
    """Decodes the pixels of a prepared image, and returns it and whether they are all there.

    Raises PictureError if nothing can be decoded.
    """
    try:
        image.load()
        return image, True
    except READ_ERRORS as error:
        if image.format in ("JPEG", "MPO"):
            return _jpeg_with_end_marker(file, kept, title), False
        # What Pillow decoded before it failed is there. Its own switch for truncated files is not
        # used because it is one global for all threads.
        if not _has_pixels(image):
            raise damaged(title) from error
        image.tile = []
        try:
            image.load()  # Its palette, which may be what is damaged.
        except READ_ERRORS:
            raise damaged(title) from error
        return image, False


def _has_pixels(image: ImageFile.ImageFile) -> bool:
    """Whether memory for the pixels was allocated; Pillow's `im` raises if not."""
    try:
        return getattr(image, "im", None) is not None
    except AssertionError:
        return False


def _jpeg_with_end_marker(file: BinaryIO, kept: tuple[int, int], title: str) -> Image.Image:
    """A JPEG that is cut short. If it has an end-of-image marker, libjpeg fills in the rest."""
    file.seek(0)
    try:
        image = Image.open(io.BytesIO(file.read() + b"\xff\xd9"), formats=("JPEG",))
        image.draft(None, kept)
        image.load()
    except READ_ERRORS as error:
        raise damaged(title) from error
    return image
