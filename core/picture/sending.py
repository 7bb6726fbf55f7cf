"""A picture as it is sent to a server: a JPEG or PNG, small enough, without metadata.

The file's own bytes are sent where they are that already, since encoding again takes time and
quality; what cameras and editors wrote into them about people and places is left out.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from core.files import read_regular
from core.picture.jpeg_markers import without_metadata
from core.picture.model_view import sent_pixels
from core.picture.opening import Picture, open_picture
from core.picture.small import open_reduced_jpeg

LONGEST_SIDE = 1024
_QUALITY = 90
# Above this, a file is encoded again: a JPEG of this size would hardly be larger than so.
_MOST_BYTES_PER_PIXEL = 1.0
_MOST_READ_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Sending:
    """How pictures are sent. JPEG and PNG only: some servers refuse WebP."""

    longest_side: int = LONGEST_SIDE
    is_png: bool = False

    @property
    def kind(self) -> str:
        """The format's name in media types."""
        return "png" if self.is_png else "jpeg"


USUAL_SENDING = Sending()


@dataclass(frozen=True, eq=False)
class EncodedPicture(Picture):
    """A picture whose bytes to be sent are made already, as `sending` says."""

    content: bytes = b""
    sending: Sending = USUAL_SENDING


def open_to_send(path: Path, sending: Sending) -> EncodedPicture:
    """Opens a picture for a server: reduced, and encoded. Raises PictureError.

    Takes less time than opening the whole one: a large JPEG is decoded at a part of its size, and
    one that is small and upright in sRGB is not encoded again.
    """
    stored = _small_file(path)
    picture = open_reduced_jpeg(path, sending.longest_side, stored) or open_picture(path)
    own = None if sending.is_png or not stored else _own_bytes(picture, stored, sending)
    pixels = sent_pixels(picture.pixels, sending.longest_side)
    content = own or encode(pixels, sending)
    return EncodedPicture(
        picture.path,
        pixels,
        picture.notes,
        picture.original_size,
        picture.given_name,
        content=content,
        sending=sending,
    )


def _small_file(path: Path) -> bytes | None:
    """Returns what a small file holds: read at once, it takes no further calls of the system, after
    each of which a thread waits for Python's lock. None for another, or one that cannot be read."""
    try:
        return read_regular(path, most=_MOST_READ_AT_ONCE)
    except (OSError, ValueError):
        return None


def _own_bytes(picture: Picture, stored: bytes, sending: Sending) -> bytes | None:
    """Returns the file's bytes without metadata, None if they show other pixels or are large."""
    width, height = picture.pixels.size
    if not picture.is_as_stored or max(width, height) > sending.longest_side:
        return None
    content = without_metadata(stored)
    if content is None or len(content) > _MOST_BYTES_PER_PIXEL * width * height:
        return None
    return content


def is_encoded(picture: Picture, sending: Sending) -> bool:
    """Whether `encoded` takes no time."""
    return isinstance(picture, EncodedPicture) and picture.sending == sending


def encoded(picture: Picture, sending: Sending) -> bytes:
    """Returns the bytes to send of a picture of any size; takes milliseconds."""
    if isinstance(picture, EncodedPicture) and picture.sending == sending:
        return picture.content
    return encode(sent_pixels(picture.pixels, sending.longest_side), sending)


def sent_picture(pixels: Image.Image, sending: Sending) -> tuple[Image.Image, int]:
    """Returns the pixels that a server finds in what it is sent, and how many bytes that has."""
    content = encode(sent_pixels(pixels, sending.longest_side), sending)
    with Image.open(io.BytesIO(content)) as sent:
        return sent.convert("RGB"), len(content)


def encode(pixels: Image.Image, sending: Sending) -> bytes:
    """Returns pixels as a file. Pillow releases the interpreter's lock meanwhile."""
    rgb = pixels if pixels.mode == "RGB" else pixels.convert("RGB")
    file = io.BytesIO()
    if sending.is_png:
        rgb.save(file, "PNG", compress_level=3)
    else:
        # Without halved colour: coloured text and thin lines stay readable.
        rgb.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()
