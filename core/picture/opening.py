"""A file becomes an upright RGB picture, or an error that names the file.

Formats are told by their first bytes, never by the name. What comes out is what an image
viewer shows: turned by its EXIF orientation, in sRGB, on white where it is see-through, eight
bits a channel. Everything here may be called from any thread.

Memory is bounded by what is kept, not by what the file holds: JPEG is decoded at a fraction,
and other giants a band at a time (`core/picture/strips.py`).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from core.errors import PictureError
from core.picture.decode import decoded
from core.picture.format import HEAD_BYTES, PICTURE_FORMATS, format_of

# fmt: off
PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif",
    ".tiff", ".avif", ".heic", ".heif", ".hif", ".ico", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm",
)
# fmt: on
"""For file dialogs; what a file is, its content says."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What the person and the model both see: upright 8-bit sRGB.

    `original_size` is (width, height) of the file, turned upright; `pixels` are fewer when the
    file has more than `KEPT_PIXELS`, and `notes` then says so. `notes` are for the person.
    """

    path: Path | None
    pixels: Image.Image
    notes: tuple[str, ...] = ()
    original_size: tuple[int, int] = (0, 0)
    given_name: str = ""

    @property
    def name(self) -> str:
        if self.path:
            return _shown(self.path.name)
        return self.given_name or "Pasted picture"


def open_picture(source: Path | bytes, name: str | None = None) -> Picture:
    """Decode a file, or the bytes of one. `name` is what to call bytes that have no path.

    Raises PictureError, one sentence that names the file, for whatever cannot be shown.
    A file that is cut short but decodes in part is shown, with a note.
    """
    path = source if isinstance(source, Path) else None
    title = f"“{_shown(path.name or str(path))}”" if path else f"“{name}”" if name else ""
    title = title or "The pasted picture"
    with _opened(source, title) as file:
        try:
            pixels, notes, size = decoded(file, _recognised(file, title), title)
        except MemoryError as error:
            raise PictureError(
                f"{title} needs more memory than there is; close other programs or make the"
                " picture smaller."
            ) from error
    return Picture(path, pixels, tuple(notes), size, given_name=name or "")


def find_pictures(
    paths: Iterable[Path], recursive: bool = False, *, trusts_suffix: bool = False
) -> list[Path]:
    """Files as they are given; for a folder its picture files, 2 before 10, no file twice.

    Hidden and unreadable files of a folder are passed over. With `recursive` its folders
    follow its files, links to folders excepted. With `trusts_suffix` a file with a picture's
    suffix is not looked into, which finds 100,000 pictures in a third of the time.
    """
    found: dict[str, Path] = {}
    for path in paths:
        is_folder = _is_folder(path)
        pictures = _pictures_in(path, recursive, trusts_suffix) if is_folder else [path]
        # Of 100,000 in a folder, each would take its time.
        is_plain = is_folder and os.path.abspath(path) == str(path)  # noqa: PTH100
        for picture in pictures:
            name = str(picture) if is_plain else os.path.abspath(picture)  # noqa: PTH100
            found.setdefault(name, picture)  # By the name: links stay links.
    return list(found.values())


def is_picture(path: Path) -> bool:
    """Whether the first bytes are those of a format that we show. Never raises."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb", buffering=0) as file:
            return format_of(file.read(HEAD_BYTES)) in PICTURE_FORMATS
    except (OSError, ValueError):
        return False


# Which files


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # A folder above it may not be entered.
        return False


def _pictures_in(folder: Path, recursive: bool, trusts_suffix: bool) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            seen = sorted((e for e in entries if not _is_hidden(e)), key=_natural_order)
    except OSError:
        return
    folders = []
    trusted = {e.name for e in seen if _has_suffix(e.name)} if trusts_suffix else set()
    # Captions beside the pictures are no pictures.
    beside = trusted | {name.rpartition(".")[0] for name in trusted}
    for entry in seen:
        path = folder / entry.name
        if _leads_on(entry):
            if recursive and not entry.is_symlink():
                folders.append(path)
        elif entry.name in trusted or (
            entry.name.rpartition(".")[0] not in beside and is_picture(path)
        ):
            yield path
    for path in folders:
        yield from _pictures_in(path, recursive, trusts_suffix)


def _leads_on(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link that leads to itself.
        return False


def _has_suffix(name: str) -> bool:
    return name[name.rfind(".") :].lower() in PICTURE_SUFFIXES


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return True
    if os.name != "nt":
        return False
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


_NUMBER = re.compile(r"\d+")


def _natural_order(entry: os.DirEntry[str]) -> str:
    """As one text: tuples take twice as long to sort, in which no other thread of ours runs."""
    return f"{_NUMBER.sub(_sortable, entry.name.casefold())}\0{entry.name}"


def _sortable(number: re.Match[str]) -> str:
    """By its length and then its digits; before everything but the end of a name."""
    digits = str(int(number[0]))
    return f"\1{chr(len(digits))}{digits}"


def _shown(name: str) -> str:
    """A file name that can be printed, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "replace")


def _recognised(file: BinaryIO, title: str) -> str:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    kind = format_of(head)
    if kind in PICTURE_FORMATS:
        return kind
    if not head:
        raise PictureError(f"{title} is empty; copy or download it again.")
    if kind is None:
        raise PictureError(
            f"{title} is not a picture that Onlooker knows; save it as JPEG or PNG and open that."
        )
    if kind in ("text", "a web page"):
        raise PictureError(
            f"{title} holds {kind}, not a picture; find the picture itself and open that."
        )
    raise PictureError(f"{title} is {kind}, which Onlooker cannot show; save it as JPEG or PNG.")


# Opening


@contextlib.contextmanager
def _opened(source: Path | bytes, title: str) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        mode = source.stat().st_mode
        if stat.S_ISDIR(mode):
            raise PictureError(f"{title} is a folder; open the pictures inside it.")
        if not stat.S_ISREG(mode):
            raise PictureError(f"{title} is a device, not a file; open a picture file.")
        file = source.open("rb")
    except FileNotFoundError as error:
        raise PictureError(
            f"{title} is no longer there; look where it was moved, and open it again."
        ) from error
    except PermissionError as error:
        raise PictureError(
            f"{title} may not be read; allow reading in the file's permissions and open it again."
        ) from error
    except (OSError, ValueError) as error:
        raise PictureError(
            f"{title} cannot be read ({_reason(error)}); check the disk it is on."
        ) from error
    with file:
        try:
            file.peek(1)
        except OSError as error:
            raise PictureError(
                f"{title} cannot be read ({_reason(error)}); check the disk it is on."
            ) from error
        yield file


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
