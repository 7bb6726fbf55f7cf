"""A file becomes an upright RGB picture, or an error that names the file.

The format is recognised by the first bytes, never by the name. The result is what an image viewer
shows: turned by the EXIF orientation, in sRGB, on white where it is transparent, eight bits per
channel. Everything here may be called from any thread.

Memory is bounded by the size of the result, not of the file: JPEG is decoded at a fraction of its
size, and other very large pictures strip by strip (`core/picture/strips.py`).
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from core.errors import PictureError
from core.file_identity import FileIdentity
from core.files import UnreadableFile, is_folder, open_regular
from core.message import translatable
from core.picture.decode import decode
from core.picture.format import OtherFormat, PictureFormat, name_of
from core.picture.recognition import LARGEST_FILE_BYTES, recognise


@dataclass(frozen=True, eq=False)
class Picture:
    """What both the person and the model see: upright 8-bit sRGB, without transparency.

    `pixels` is an RGB image. `original_size` is the (width, height) of the file, upright; `pixels`
    is smaller if the file has more than `core.picture.reduction.KEPT_PIXELS`, and then `notes` say
    so. `notes` are sentences for the person. `path` is None for bytes that have no file;
    `given_name` is what to call those. `is_as_stored` says that `path` is known to be a JPEG that
    stores just these pixels. `prepared` is what an engine made of the pixels ahead, for itself.
    `identity` is what the file is recognised by elsewhere; None if nobody has looked.
    """

    path: Path | None
    pixels: Image.Image
    notes: tuple[str, ...] = ()
    original_size: tuple[int, int] = (0, 0)
    given_name: str = ""
    is_as_stored: bool = False
    prepared: object = field(default=None, compare=False, repr=False)
    identity: FileIdentity | None = None

    @property
    def full_size(self) -> tuple[int, int]:
        """The (width, height) of the file, or of the pixels where that is not known."""
        return self.original_size if any(self.original_size) else self.pixels.size

    @property
    def name(self) -> str:
        """The file's name or the given one, printable."""
        if self.path:
            return printable(self.path.name)
        return self.given_name or translatable("core", "Pasted image")


def open_picture(source: Path | bytes, name: str | None = None) -> Picture:
    """Decodes a picture file, or the bytes of one. `name` is what to call bytes without a path.

    A file that is cut short but decodes in part is returned with a note. Raises PictureError,
    which names the file, for whatever cannot be shown.
    """
    path = source if isinstance(source, Path) else None
    title = f"“{printable(path.name or str(path))}”" if path else f"“{name}”" if name else ""
    title = title or translatable("core", "The pasted image")
    with opened(source, title) as file:
        try:
            decoded = decode(file, _recognised(file, title), title)
        except MemoryError as error:
            raise PictureError(
                translatable(
                    "core",
                    "{image} needs more memory than is free. Close other programs, or make the "
                    "image smaller.",
                ).format(image=title)
            ) from error
    return Picture(
        path, decoded.pixels, decoded.notes, decoded.original_size, given_name=name or ""
    )


def printable(name: str) -> str:
    """A file name that can be printed, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "replace")


def _recognised(file: BinaryIO, title: str) -> PictureFormat:
    if not file.read(1):
        raise PictureError(
            translatable("core", "{image} is empty. Copy or download it again.").format(image=title)
        )
    match recognise(file):
        case PictureFormat() as found:
            return found
        case None:
            text = translatable(
                "core", "{image} has an unknown format. Save it as JPEG or PNG, then open that."
            )
        case OtherFormat.TEXT:
            text = translatable(
                "core", "{image} is a text file, not an image. Open the image itself."
            )
        case OtherFormat.WEB_PAGE:
            text = translatable(
                "core", "{image} is a web page, not an image. Open the image itself."
            )
        case OtherFormat() as other:
            text = translatable(
                "core",
                "{image} has a format that Onlooker cannot show ({format}). Save it as JPEG "
                "or PNG.",
            )
            raise PictureError(text.format(image=title, format=name_of(other)))
    raise PictureError(text.format(image=title))


@contextlib.contextmanager
def opened(source: Path | bytes, title: str) -> Generator[BinaryIO]:
    """The bytes as a file, closed at the end. Every failure is a PictureError with an advice."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        if is_folder(source):
            raise PictureError(
                translatable("core", "{image} is a folder. Open the images in it.").format(
                    image=title
                )
            )
        file = open_regular(source, most=LARGEST_FILE_BYTES)
    except FileNotFoundError as error:
        raise PictureError(
            translatable(
                "core", "{image} is no longer there. Find where it was moved, then open it again."
            ).format(image=title)
        ) from error
    except PermissionError as error:
        raise PictureError(
            translatable(
                "core",
                "You have no permission to read {image}. Change the file's permissions, then open "
                "it again.",
            ).format(image=title)
        ) from error
    except UnreadableFile as error:
        raise PictureError(
            translatable("core", "{image} cannot be opened ({reason}). Open an image file.").format(
                image=title, reason=error.strerror
            )
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable(title, error) from error
    with file:
        try:
            file.peek(1)
        except OSError as error:
            raise _unreadable(title, error) from error
        yield file


def _unreadable(title: str, error: OSError | ValueError) -> PictureError:
    reason = getattr(error, "strerror", None) or str(error)
    return PictureError(
        translatable("core", "{image} cannot be read ({reason}). Check the disk it is on.").format(
            image=title, reason=reason
        )
    )
