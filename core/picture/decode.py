"""Decodes a picture file: upright, in sRGB, small enough to keep, never all in memory at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, ImageChops, ImageFile

from core.errors import PictureError
from core.picture.colour import on_white, plain
from core.picture.format import PictureFormat
from core.picture.orientation import SIDEWAYS, upright_turn
from core.picture.reading import (
    damaged,
    frame_count,
    is_camera_raw,
    read_header,
    read_pixels,
    scale_transparent_grey,
    sizes_in_icon,
    without_pillow_limit,
)
from core.picture.reduction import cut, join_reduced, kept_size
from core.picture.strips import read_strips

LARGEST_PIXELS = 30_000 * 30_000
"""The most pixels a file may have. Without it, a few bytes could claim any amount of memory."""

# Above this, a file is decoded strip by strip if its format allows that.
_STRIPWISE_PIXELS = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Decoded:
    """The content of a picture file.

    `pixels` are upright RGB in sRGB, `notes` sentences for the person, and `original_size` is the
    (width, height) of the file when upright.
    """

    pixels: Image.Image
    notes: tuple[str, ...]
    original_size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Stored:
    """The pixels as the file stores them, reduced to the size to keep; `turn` makes them upright.

    `full_size` is the (width, height) of the file before either.
    """

    pixels: Image.Image
    full_size: tuple[int, int]
    turn: Image.Transpose | None
    is_complete: bool


def decode(file: BinaryIO, picture_format: PictureFormat, title: str) -> Decoded:
    """Decodes `file`, an open file of format `picture_format`; errors call it `title`.

    Raises PictureError if the file cannot be shown, and MemoryError if Pillow runs out of memory.
    """
    if picture_format is PictureFormat.ICO:
        for size in sizes_in_icon(file):
            _refuse_absurd(size, title)
    with without_pillow_limit(), read_header(file, picture_format, title) as image:
        _refuse_absurd(image.size, title)
        if picture_format is PictureFormat.TIFF and is_camera_raw(image):
            raise PictureError(
                f"{title} is a camera raw file, which Onlooker cannot show; save it as JPEG."
            )
        scale_transparent_grey(image)
        stored = _read(image, file, picture_format, title)
        frames = frame_count(image) if picture_format is not PictureFormat.JPEG else 1
        profile = image.info.get("icc_profile")
    pixels, has_good_profile = on_white(stored.pixels, profile)
    size = stored.full_size
    if stored.turn is not None:
        pixels = pixels.transpose(stored.turn)
        size = (size[1], size[0]) if stored.turn in SIDEWAYS else size
    pixels.info = {}
    notes: list[str] = []
    if not stored.is_complete:
        notes.append("The file is cut short or damaged; this is what could be read of it.")
    if frames > 1:
        notes.append(f"This is the first of {frames} frames.")
    if pixels.size != size:
        notes.append("Shown at {} × {} pixels; the file has {} × {}.".format(*pixels.size, *size))
    if not has_good_profile:
        notes.append("Its colour profile is damaged and was left out.")
    return Decoded(pixels, tuple(notes), size)


def _read(
    image: ImageFile.ImageFile, file: BinaryIO, picture_format: PictureFormat, title: str
) -> _Stored:
    """Reads the pixels, strip by strip if the picture is large and its format allows that."""
    size = image.size
    kept = kept_size(*size)
    strips = None
    if size[0] * size[1] > _STRIPWISE_PIXELS:
        strips = read_strips(image, file, size[1] // kept[1])
    if strips is not None:
        turn = upright_turn(image.info.get("exif"))
        pixels, is_complete = join_reduced(strips, size, kept)
    else:
        loaded, is_complete = read_pixels(image, file, kept, title)
        if picture_format is not PictureFormat.JPEG:
            # Some readers turn the image, or choose one of several, only while they load it.
            size = loaded.size
            kept = kept_size(*size)
        turn = upright_turn(loaded)
        if picture_format is PictureFormat.JPEG and kept == loaded.size:
            pixels = plain(loaded)
        else:
            pixels, _ = join_reduced(cut(loaded, loaded.height // kept[1]), loaded.size, kept)
    if not is_complete and _is_blank(pixels):
        raise damaged(title)
    if pixels.size != kept:
        pixels = pixels.resize(kept, Image.Resampling.LANCZOS)
    return _Stored(pixels, size, turn, is_complete)


def _refuse_absurd(size: tuple[int, int], title: str) -> None:
    width, height = size
    if width * height > LARGEST_PIXELS:
        raise PictureError(
            f"{title} claims {width} × {height} pixels, more than Onlooker opens"
            " (30,000 × 30,000); make it smaller first."
        )


def _is_blank(image: Image.Image) -> bool:
    """Whether one colour fills it, as when a reader failed before the first row."""
    first = image.getpixel((0, 0))
    return not ImageChops.difference(image, Image.new(image.mode, image.size, first)).getbbox(
        alpha_only=False
    )
