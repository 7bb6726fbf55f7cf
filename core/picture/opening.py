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
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from core.errors import PictureError
from core.files import UnreadableFile, is_folder, open_regular
from core.picture.decode import decode
from core.picture.format import OtherFormat, PictureFormat, name_of
from core.picture.recognition import LARGEST_FILE_BYTES, recognise


@dataclass(frozen=True, eq=False)
class Picture:
    """What both the person and the model see: upright 8-bit sRGB, without transparency.

    `pixels` is an RGB image. `original_size` is the (width, height) of the file, upright; `pixels`
    is smaller if the file has more than `core.picture.reduction.KEPT_PIXELS`, and then `notes` say
    so. `notes` are sentences for the person. `path` is None for bytes that have no file;
    `given_name` is what to call those.
    """

    path: Path | None
    pixels: Image.Image
    notes: tuple[str, ...] = ()
    original_size: tuple[int, int] = (0, 0)
    given_name: str = ""

    @property
    def name(self) -> str:
        """The file's name or the given one, printable."""
        if self.path:
            return _printable(self.path.name)
        return self.given_name or "Pasted picture"


def open_picture(source: Path | bytes, name: str | None = None) -> Picture:
    """Decodes a picture file, or the bytes of one. `name` is what to call bytes without a path.

    A file that is cut short but decodes in part is returned with a note. Raises PictureError, one
    sentence that names the file, for whatever cannot be shown.
    """
    path = source if isinstance(source, Path) else None
    title = f"“{_printable(path.name or str(path))}”" if path else f"“{name}”" if name else ""
    title = title or "The pasted picture"
    with _opened(source, title) as file:
        try:
            decoded = decode(file, _recognised(file, title), title)
        except MemoryError as error:
            raise PictureError(
                f"{title} needs more memory than there is; close other programs or make the"
                " picture smaller."
            ) from error
    return Picture(
        path, decoded.pixels, decoded.notes, decoded.original_size, given_name=name or ""
    )


def _printable(name: str) -> str:
    """A file name that can be printed, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "replace")


def _recognised(file: BinaryIO, title: str) -> PictureFormat:
    if not file.read(1):
        raise PictureError(f"{title} is empty; copy or download it again.")
    match recognise(file):
        case PictureFormat() as found:
            return found
        case None:
            raise PictureError(
                f"{title} is not a picture that Onlooker knows; save it as JPEG or PNG and open"
                " that."
            )
        case OtherFormat.TEXT | OtherFormat.WEB_PAGE as other:
            held = "text" if other is OtherFormat.TEXT else "a web page"
            raise PictureError(
                f"{title} holds {held}, not a picture; find the picture itself and open that."
            )
        case OtherFormat() as other:
            name = name_of(other)
            article = "an" if name.startswith(("SVG", "Open")) else "a"
            raise PictureError(
                f"{title} is {article} {name}, which Onlooker cannot show; save it as JPEG or PNG."
            )


@contextlib.contextmanager
def _opened(source: Path | bytes, title: str) -> Generator[BinaryIO]:
    """The bytes as a file, closed at the end. Every failure is a PictureError with an advice."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        if is_folder(source):
            raise PictureError(f"{title} is a folder; open the pictures inside it.")
        file = open_regular(source, most=LARGEST_FILE_BYTES)
    except FileNotFoundError as error:
        raise PictureError(
            f"{title} is no longer there; look where it was moved, and open it again."
        ) from error
    except PermissionError as error:
        raise PictureError(
            f"{title} may not be read; allow reading in the file's permissions and open it again."
        ) from error
    except UnreadableFile as error:
        raise PictureError(
            f"{title} cannot be opened ({error.strerror}); open a picture file."
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
    return PictureError(f"{title} cannot be read ({reason}); check the disk it is on.")
