"""Rows of the file of conversations as data, and back.

The file may have been changed by a failing disk, so nothing in a row is taken for granted: what
cannot be understood is left out, and reading never raises.
"""

from __future__ import annotations

import io
import json
import math
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from PIL import Image

from core.picture import Picture
from core.transcript import Answer, Ending, Exchange, Span

THUMBNAIL_SIDE = 320
LARGEST_ID = 2**53
LARGEST_SIDE = 2**31
LATEST = 253_370_764_800.0
"""The year 9999, in seconds: what a datetime can show in every time zone."""

CONVERSATION_COLUMNS = (
    "picture_path", "picture_name", "width", "height", "thumbnail", "changed", "words",
)  # fmt: skip
EXCHANGE_COLUMNS = (
    "prompt", "model", "answer", "ending", "tokens", "seconds", "seconds_to_first_token",
    "input_tokens", "left_out", "seed", "output_ids", "struck",
)  # fmt: skip

Values = tuple[object, ...]


def storable(text: str) -> str:
    """Returns the text without halves of surrogate pairs, which a clipboard can hold."""
    return text.encode("utf-8", "replace").decode()


def searchable(picture_name: str, exchanges: Sequence[Exchange]) -> str:
    """Returns the text in which a search looks for words."""
    said = [picture_name]
    for exchange in exchanges:
        said += [exchange.prompt, exchange.text]
    return storable("\n".join(said)).casefold()


def conversation_values(picture: Picture, exchanges: Sequence[Exchange]) -> Values:
    """Returns what is stored about a conversation, in the order of CONVERSATION_COLUMNS."""
    size = picture.original_size if any(picture.original_size) else picture.pixels.size
    return (
        os.fsencode(picture.path.absolute()) if picture.path else None,
        storable(picture.name),
        *size,
        thumbnail(picture.pixels),
        time.time(),
        searchable(picture.name, exchanges),
    )


def sound_conversation(values: Values, exchanges: Sequence[Exchange]) -> Values:
    """Returns values of a damaged file as they may be stored, None for what could not be read."""
    path, name, width, height, image, changed, words = values
    where = path_from(path)
    shown = text_from(name) or (storable(where.name) if where else "") or "Image"
    return (
        os.fsencode(where) if where else None,
        shown,
        size_from(width),
        size_from(height),
        image if isinstance(image, bytes) else thumbnail(Image.new("RGB", (4, 3), "gray")),
        seconds_from(changed),
        text_from(words) or searchable(shown, exchanges),
    )


def exchange_values(exchange: Exchange) -> Values:
    """Returns what is stored about an exchange, in the order of EXCHANGE_COLUMNS."""
    answer = exchange.answer
    if not answer:
        return (storable(exchange.prompt), storable(exchange.model), *[None] * 10)
    return (
        storable(exchange.prompt),
        storable(exchange.model),
        storable(answer.text),
        answer.ending.value,
        answer.tokens,
        answer.seconds,
        answer.seconds_to_first_token,
        answer.input_tokens,
        answer.left_out,
        answer.seed,
        json.dumps(answer.output_ids),
        json.dumps(exchange.struck),
    )


def exchange_from(values: Values) -> Exchange:
    """Returns the exchange of a row that has EXCHANGE_COLUMNS."""
    prompt, model, text, ending, tokens, seconds, first, input_tokens, left_out, *rest = values
    if text is None:
        return Exchange(text_from(prompt), None, text_from(model))
    seed, ids, struck = rest
    answer = Answer(
        text=text_from(text),
        ending=_ending(ending),
        tokens=_count(tokens),
        seconds=_duration(seconds),
        seconds_to_first_token=_duration(first),
        input_tokens=_count(input_tokens),
        left_out=_count(left_out),
        seed=seed if isinstance(seed, int) else None,
        output_ids=tuple(item for item in _list(ids) if isinstance(item, int)),
    )
    return Exchange(text_from(prompt), answer, text_from(model), _spans(struck, len(answer.text)))


def path_from(value: object) -> Path | None:
    """Returns a stored path; None if there is none, or if no file can have it."""
    if not isinstance(value, bytes | str) or not value:
        return None
    try:
        path = os.fsdecode(value)
    except UnicodeDecodeError:  # On Windows not all bytes are a path.
        return None
    return None if "\0" in path else Path(path)


def size_from(value: object) -> int:
    """Returns a stored width or height in pixels; 0 for a value that is none."""
    return value if isinstance(value, int) and 0 <= value < LARGEST_SIDE else 0


def seconds_from(value: object) -> float:
    """Returns a stored time in seconds; 0 for a value that is none."""
    return float(value) if isinstance(value, int | float) and 0 <= value <= LATEST else 0.0


def time_from(value: object) -> datetime:
    """Returns a stored time, in this computer's time zone."""
    return datetime.fromtimestamp(seconds_from(value), UTC).astimezone()


def thumbnail(pixels: Image.Image) -> bytes:
    """Returns a small copy of the image as JPEG."""
    factor = max(pixels.size) // (2 * THUMBNAIL_SIDE)
    small = pixels.reduce(factor) if factor > 1 else pixels.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def text_from(value: object) -> str:
    """Returns a stored text, with a replacement for what is not UTF-8; "" for none."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _duration(value: object) -> float:
    if isinstance(value, int | float) and math.isfinite(value) and value >= 0:
        return float(value)
    return 0.0


def _ending(value: object) -> Ending:
    try:
        return Ending(text_from(value))
    except ValueError:
        return Ending.COMPLETE


def _list(value: object) -> list[Any]:
    try:
        found: object = json.loads(text_from(value) or "[]")
    except (ValueError, RecursionError):
        return []
    return cast(list[Any], found) if isinstance(found, list) else []


def _spans(value: object, length: int) -> tuple[Span, ...]:
    spans: list[Span] = []
    for item in _list(value):
        match item:
            case [int(begin), int(end)] if 0 <= begin < end <= length:
                spans.append((begin, end))
            case _:
                pass
    return tuple(spans)
