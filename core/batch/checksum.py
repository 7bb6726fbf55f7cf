"""The checksum of each journal line, by which a flipped bit in it is noticed.

The last field of a line, `crc`, has two CRC-32 of eight digits each: that of the image's path, by
which the image is still known when the path itself is damaged, and that of the line up to there.
Lines of version 0.1 have none.
"""

from __future__ import annotations

import json
import zlib
from typing import cast

from core.batch.stored import JsonObject

_KEY = "crc"
_FIELD = b', "crc": "'
_DIGITS = 8
_END = b'"}\n'
# Where in a line the field begins, and where the line's own checksum does, counted from the end.
_OWN = _DIGITS + len(_END)
_BEGIN = len(_FIELD) + _DIGITS + _OWN
NO_PICTURE = "00000000"
"""The checksum of the path in a line that is about no image."""


def line_of(values: JsonObject) -> bytes:
    """Returns the journal line of an event's JSON object."""
    begin = json.dumps(values)[:-1].encode() + _FIELD
    begin += picture_checksum(values.get("picture", "")).encode()
    return begin + _checksum(begin) + _END


def values_in(line: bytes) -> JsonObject:
    """Returns the object of a line, without its checksum. Raises one of `DAMAGE` if it is none, or
    has another checksum than it says."""
    if has_checksum(line) and not is_whole(line):
        raise ValueError("the checksum of the line does not match")
    found = json.loads(line)
    if not isinstance(found, dict):
        raise TypeError("a line of a journal must be an object")
    values = cast(JsonObject, found)
    if values.pop(_KEY, None) is not None and not has_checksum(line):
        raise ValueError("the checksum of the line is damaged")
    return values


def has_checksum(line: bytes) -> bool:
    """Returns whether the line ends with a checksum, be it the right one or not."""
    return line[-_BEGIN : -_BEGIN + len(_FIELD)] == _FIELD and line.endswith(_END)


def is_whole(line: bytes) -> bool:
    """Returns whether the line ends with its own checksum."""
    return has_checksum(line) and _checksum(line[:-_OWN]) == line[-_OWN : -len(_END)]


def picture_checksum(picture: str) -> str:
    """Returns the checksum of an image's path."""
    return _checksum(picture.encode("utf-8", "surrogatepass")).decode()


def picture_checksum_in(line: bytes) -> str:
    """Returns the checksum of the image's path in a line that may be damaged; "" if it has none."""
    if not has_checksum(line):
        return ""
    return line[-_OWN - _DIGITS : -_OWN].decode("ascii", "replace")


def _checksum(data: bytes) -> bytes:
    return b"%08x" % zlib.crc32(data)
