"""A part of a picture that a question is about: a rectangle that a person drew."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import PictureError
from core.message import translatable
from core.picture.opening import Picture

SMALLEST_PART = 16
"""The least width and height of a part: a model sees nothing in fewer pixels."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in the pixels of `Picture.pixels`."""


@dataclass(frozen=True)
class PicturePart:
    """A rectangle in the pixels of the upright file, which may have more than `Picture.pixels`."""

    left: int
    top: int
    width: int
    height: int


def part_of(picture: Picture, box: tuple[float, float, float, float]) -> PicturePart:
    """Returns the part inside a box in `picture.pixels`. Raises PictureError if it is too small."""
    across, down = _scale(picture)
    width, height = picture.pixels.size
    left, right = (min(max(x, 0), width) * across for x in (box[0], box[2]))
    top, bottom = (min(max(y, 0), height) * down for y in (box[1], box[3]))
    part = PicturePart(
        round(left), round(top), round(right) - round(left), round(bottom) - round(top)
    )
    if min(part.width, part.height) < SMALLEST_PART:
        message = translatable(
            "core", "A part needs at least {side} × {side} pixels. Draw a larger rectangle."
        )
        raise PictureError(message.format(side=SMALLEST_PART))
    return part


def box_of(picture: Picture, part: PicturePart) -> Box:
    """Returns where a part is in `picture.pixels`; at least one pixel, also if the picture is
    another one by now."""
    across, down = _scale(picture)
    width, height = picture.pixels.size
    left = min(max(round(part.left / across), 0), width - 1)
    top = min(max(round(part.top / down), 0), height - 1)
    right = min(max(round((part.left + part.width) / across), left + 1), width)
    bottom = min(max(round((part.top + part.height) / down), top + 1), height)
    return left, top, right, bottom


def cut_out(picture: Picture, part: PicturePart) -> Picture:
    """Returns a part as a picture of its own, with the name of the whole one."""
    pixels = picture.pixels.crop(box_of(picture, part))
    return Picture(
        picture.path,
        pixels,
        original_size=(part.width, part.height),
        given_name=picture.given_name,
    )


def _scale(picture: Picture) -> tuple[float, float]:
    """Returns how many pixels of the file one of `picture.pixels` stands for, across and down."""
    stored, shown = picture.original_size, picture.pixels.size
    if not all(stored):
        return 1.0, 1.0
    return stored[0] / shown[0], stored[1] / shown[1]
