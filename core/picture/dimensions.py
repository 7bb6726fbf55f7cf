"""The width and height of a picture file, from its header."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from core.errors import PictureError
from core.files import open_regular
from core.picture.format import PictureFormat
from core.picture.jxl import jxl_size
from core.picture.orientation import SIDEWAYS, turn_of, upright_turn
from core.picture.previews import find_preview, has_merged_pixels
from core.picture.reading import READ_ERRORS, read_header, without_pillow_limit
from core.picture.recognition import LARGEST_FILE_BYTES, recognise

UNKNOWN = (0, 0)


def picture_size(path: Path) -> tuple[int, int]:
    """Returns the width and height of a picture file as it is shown, upright; zeros for one that
    cannot be read. Decodes no pixels, which may still be damaged. Never raises."""
    try:
        with open_regular(path, most=LARGEST_FILE_BYTES) as file, without_pillow_limit():
            found = recognise(file)
            return _size_of(file, found) if isinstance(found, PictureFormat) else UNKNOWN
    except (PictureError, MemoryError, *READ_ERRORS):
        return UNKNOWN


def _size_of(file: BinaryIO, picture_format: PictureFormat) -> tuple[int, int]:
    if picture_format is PictureFormat.JPEG_XL:
        return jxl_size(file) or UNKNOWN
    is_raw = picture_format is PictureFormat.CAMERA_RAW
    if is_raw or (picture_format is PictureFormat.PSD and not has_merged_pixels(file)):
        preview = find_preview(file, picture_format)
        if preview is None:
            return UNKNOWN
        return _turned(preview.size, turn_of(preview.orientation) in SIDEWAYS)
    with read_header(file, picture_format, "") as image:
        # The EXIF data of a PNG is looked for behind its pixels too, which would be decoded.
        is_tiff = picture_format is PictureFormat.TIFF
        turn = upright_turn(image if is_tiff else image.info.get("exif"))
        return _turned(image.size, turn in SIDEWAYS)


def _turned(size: tuple[int, int], is_sideways: bool) -> tuple[int, int]:
    return (size[1], size[0]) if is_sideways else size
