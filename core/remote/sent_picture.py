"""A picture as it stands in a request: a JPEG or PNG in a data URL."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Mapping, Sequence

from core.picture import Picture, Sending, encoded

LEAST_SIDE = 128
"""What pictures are never made smaller than, even where a server refuses them."""

PLACE = "@"
"""Stands for a picture's URL in a request until its JSON is made."""

# Quotation marks inside texts are escaped, so no text looks so.
_URL = json.dumps({"url": PLACE}).encode()
_BEFORE, _, _AFTER = _URL.partition(PLACE.encode())


def data_url(picture: Picture, sending: Sending) -> bytes:
    """Returns a picture as a data URL. Takes milliseconds if it is not encoded so already."""
    content = b2a_base64(encoded(picture, sending), newline=False)
    return b"data:image/" + sending.kind.encode() + b";base64," + content


def json_with(urls: Sequence[bytes], body: Mapping[str, object]) -> bytes:
    """Returns a request as JSON, with pictures in their `PLACE`s, if there are any. They are not
    made part of a text first: to look for signs to escape in a megabyte of them takes long."""
    first, *parts = json.dumps(body).encode().split(_URL)
    pieces = [first]
    for url, part in zip(urls[: len(parts)], parts, strict=True):
        pieces += [_BEFORE, url, _AFTER, part]
    return b"".join(pieces)
