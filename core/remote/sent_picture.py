"""A picture as it stands in a request: a JPEG or PNG in a data URL."""

from __future__ import annotations

import base64

from core.picture import Picture, Sending, encoded

LEAST_SIDE = 128
"""What pictures are never made smaller than, even where a server refuses them."""


def data_url(picture: Picture, sending: Sending) -> str:
    """Returns a picture as a data URL. Takes milliseconds if it is not encoded so already."""
    content = base64.b64encode(encoded(picture, sending)).decode("ascii")
    return f"data:image/{sending.kind};base64,{content}"
