"""Says of which format a file is, and whether Onlooker can show that.

`core.picture.format` goes by the first bytes; here the rest of the file is looked at where they
are not enough: for TGA, camera raw and Photoshop documents.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

from core.files import open_regular
from core.picture.format import HEAD_BYTES, OtherFormat, PictureFormat, format_of
from core.picture.jxl import can_open_jxl
from core.picture.previews import find_preview, has_merged_pixels, is_raw_tiff
from core.picture.tga import FOOTER_BYTES, is_tga

LARGEST_FILE_BYTES = 4 * 10**9
"""Larger than any image that can be shown; a file of this size is something else."""


def recognise(file: BinaryIO) -> PictureFormat | OtherFormat | None:
    """Returns the format of an open file, None if it is unknown; leaves the file at its start."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    found = format_of(head)
    if found is PictureFormat.TIFF and is_raw_tiff(file):
        found = PictureFormat.CAMERA_RAW
    elif found is None and len(head) > FOOTER_BYTES:
        size = file.seek(0, io.SEEK_END)
        file.seek(size - FOOTER_BYTES)
        found = PictureFormat.TGA if is_tga(head, file.read(FOOTER_BYTES), size) else None
    file.seek(0)
    return found


def kind_of(path: Path) -> tuple[PictureFormat | OtherFormat | None, bool]:
    """Returns the format of a file and whether Onlooker can show it. Never raises.

    A file of a readable format may still be damaged: its pixels are not looked at.
    """
    try:
        with open_regular(path, most=LARGEST_FILE_BYTES) as file:
            found = recognise(file)
            match found:
                case PictureFormat.JPEG_XL:
                    return found, can_open_jxl()
                case PictureFormat.CAMERA_RAW:
                    return found, find_preview(file, found) is not None
                case PictureFormat.PSD:
                    return found, has_merged_pixels(file) or bool(find_preview(file, found))
                case _:
                    return found, isinstance(found, PictureFormat)
    except (OSError, ValueError):
        return None, False
