"""The columns of some images as bytes, and back: each column in one piece, so that no object is
made for a row.

Raises ValueError, TypeError, OverflowError or LookupError for what cannot be.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, TypeVar, cast

from core.workspace.images import Images
from core.workspace.messages import text_from, text_of

_Number = TypeVar("_Number", int, float)
_Values = TypeVar("_Values", bound=Sized)

COLUMNS = (
    *("folders", "names", "bytes", "modified", "widths", "heights", "states", "captions"),
    *("caption_times", "caption_sizes", "problems", "fingerprints", "targets", "hashes"),
)
"""The names of the columns, in their order."""
NAMING = 2
"""How many of them, at the beginning, say what images are called."""
# Stands between texts; those that have it are kept as JSON.
_BETWEEN = "\0"
_PLAIN, _JSON = b"t", b"j"


def packed(images: Images, begin: int, end: int) -> list[bytes]:
    """Returns the columns of the images from `begin` on, before `end`, at most to the last one."""
    part = slice(begin, min(end, len(images)))
    problems = {
        id - part.start: text_of(images.problems[id])
        for id in range(part.start, part.stop)
        if id in images.problems
    }
    return [
        integers(images.folder_of[part]),
        _texts(images.names[part]),
        integers(images.bytes[part]),
        _reals(images.modified[part]),
        integers(images.widths[part]),
        integers(images.heights[part]),
        bytes(images.states[part]),
        _texts(images.captions[part]),
        integers(images.caption_times[part]),
        integers(images.caption_sizes[part]),
        json.dumps(problems).encode(),
        _texts(images.fingerprints[part]),
        _texts(images.targets[part]),
        json.dumps(images.hashes[part]).encode(),
    ]


def unpack(packed: Sequence[bytes], images: Images) -> int:
    """Adds images to the columns; returns how many. `Images.finish_restoring` does what is left."""
    folders, names, sizes, modified, widths, heights, states, captions, *others = packed
    times, caption_sizes, problems, fingerprints, targets, hashes = others
    first, count = len(images.names), len(states)

    def texts(data: bytes) -> list[str]:
        return _checked(_texts_from(data), count)

    def numbers(data: bytes) -> array[int]:
        return _checked(integers_from(data), count)

    images.folder_of += numbers(folders)
    images.names += texts(names)
    images.bytes += numbers(sizes)
    images.modified += _checked(_reals_from(modified), count)
    images.widths += numbers(widths)
    images.heights += numbers(heights)
    images.states += states
    images.captions += texts(captions)
    images.caption_times += numbers(times)
    images.caption_sizes += numbers(caption_sizes)
    images.fingerprints += texts(fingerprints)
    images.targets += texts(targets)
    images.hashes += _checked(cast("list[int | None]", json.loads(hashes)), count)
    known = cast("Mapping[str, Any]", json.loads(problems))
    images.problems.update((first + int(id), text_from(text)) for id, text in known.items())
    return count


def integers(values: Iterable[int]) -> bytes:
    """Returns integers as bytes, which are alike on all computers."""
    return _in_order(array("q", values)).tobytes()


def integers_from(data: bytes) -> array[int]:
    """Returns the integers."""
    found = array("q")
    found.frombytes(data)
    return _in_order(found)


def _reals(values: array[float]) -> bytes:
    return _in_order(array("d", values)).tobytes()


def _reals_from(data: bytes) -> array[float]:
    found = array("d")
    found.frombytes(data)
    return _in_order(found)


def _in_order(values: array[_Number]) -> array[_Number]:
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _texts(texts: Sequence[str]) -> bytes:
    joined = _BETWEEN.join(texts)
    if joined.count(_BETWEEN) == len(texts) - 1:
        return _PLAIN + joined.encode("utf-8", "surrogatepass")
    return _JSON + json.dumps(texts).encode()


def _texts_from(data: bytes) -> list[str]:
    if data[:1] == _JSON:
        return list(map(str, json.loads(data[1:])))
    return data[1:].decode("utf-8", "surrogatepass").split(_BETWEEN)


def _checked(values: _Values, count: int) -> _Values:
    if len(values) != count:
        raise ValueError("some values are missing")
    return values
