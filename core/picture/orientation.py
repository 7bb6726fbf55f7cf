"""Which turn makes a picture upright, by the Orientation tag (0x0112) of its EXIF data."""

from __future__ import annotations

from PIL import Image

from core.picture.reading import READ_ERRORS

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
"""The turns that swap width and height."""


def turn_of(orientation: int) -> Image.Transpose | None:
    """Returns the turn for a value of the tag; None for nothing."""
    return _TURNS.get(orientation)


def upright_turn(source: Image.Image | bytes | None, otherwise: int = 1) -> Image.Transpose | None:
    """Returns what to pass to `Image.transpose` to make a picture upright, None for nothing.

    `source` is the loaded image or the bytes of its EXIF data. Damaged EXIF data is ignored.
    `otherwise` is the orientation of an image whose EXIF data has none.
    """
    try:
        if isinstance(source, Image.Image):
            exif = source.getexif()
        else:
            exif = Image.Exif()
            exif.load(source or b"")
        return _TURNS.get(exif.get(_ORIENTATION, otherwise))
    except READ_ERRORS:
        return _TURNS.get(otherwise)
