"""A picture as it is sent to a server: a JPEG or PNG in a data URL."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from core.picture import sent_pixels

_QUALITY = 90
LEAST_SIDE = 128


@dataclass(frozen=True)
class Sending:
    """How pictures are sent. JPEG and PNG only: some servers refuse WebP."""

    longest_side: int = 1024
    is_png: bool = False


USUAL_SENDING = Sending()


def data_url(pixels: Image.Image, sending: Sending) -> str:
    """Returns a picture of any size as a data URL, made as small as `sending` says.

    A `Picture` is upright and in sRGB already. Takes milliseconds, in which Pillow releases the
    interpreter's lock.
    """
    sent = sent_pixels(pixels, sending.longest_side)
    if sent.mode != "RGB":
        sent = sent.convert("RGB")
    file = io.BytesIO()
    if sending.is_png:
        sent.save(file, "PNG", compress_level=3)
    else:
        # Without halved colour: coloured text and thin lines stay readable.
        sent.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    kind = "png" if sending.is_png else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getbuffer()).decode('ascii')}"
