"""Images that come with a request: data URLs alone, opened as any file that nobody vouches for.

An address is never fetched, so that no client can make this computer ask others on its behalf, and
a path is never opened.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace

from core.engine import EngineFacts
from core.errors import PictureError
from core.picture import Picture, given_pixels, open_picture
from core.serve.chat import Refused

_SHOWN_CHARACTERS = 40


def open_pictures(addresses: Sequence[str], facts: EngineFacts) -> list[Picture]:
    """Opens the images of a request, as they are given to the model. Blocks. Raises Refused."""
    if not addresses:
        raise Refused("There is no image. Add one to the first question.", param="messages")
    most = facts.most_pictures
    if len(addresses) > most:
        images = "one image" if most == 1 else f"{most} images"
        raise Refused(f"This model takes {images} at a time.", param="messages")
    return [_opened(address, f"image {n}", facts) for n, address in enumerate(addresses, 1)]


def _opened(address: str, name: str, facts: EngineFacts) -> Picture:
    try:
        picture = open_picture(_bytes_of(address, name), name)
    except PictureError as error:
        raise Refused(error.message, param="messages", code="invalid_image") from error
    if facts.preprocessing is None:
        return picture
    # Many are made at the same time, and only what the model is given stays in memory.
    given = given_pixels(picture.pixels, facts.preprocessing, is_one_of_many=True)
    return replace(picture, pixels=given)


def _bytes_of(address: str, name: str) -> bytes:
    head, comma, data = address.partition(",")
    if not (comma and head[:5].lower() == "data:"):
        raise Refused(
            f"{name} is “{address[:_SHOWN_CHARACTERS]}”, and this server fetches nothing. Send the "
            "image itself as a data URL: data:image/png;base64,…",
            param="messages",
            code="invalid_image_url",
        )
    if not head.lower().endswith(";base64"):
        raise Refused(
            f"{name} is a data URL without base64.", param="messages", code="invalid_image_url"
        )
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(
            f"{name} is no whole base64.", param="messages", code="invalid_image_url"
        ) from error
