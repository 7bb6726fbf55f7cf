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
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from PIL import Image

from core.captions.folding import findable
from core.file_identity import FileIdentity
from core.picture import Picture, PicturePart
from core.transcript import Answer, Ending, Exchange, ExchangeTree, Node, Span, TokenScore

THUMBNAIL_SIDE = 320
LARGEST_ID = 2**53
LARGEST_SIDE = 2**31
LATEST = 253_370_764_800.0
"""The year 9999, in seconds: what a datetime can show in every time zone."""

CONVERSATION_COLUMNS = (
    "picture_path", "picture_name", "width", "height", "thumbnail", "changed", "words",
    "fingerprint", "volume",
)  # fmt: skip
EXCHANGE_COLUMNS = (
    "prompt", "model", "answer", "ending", "tokens", "seconds", "seconds_to_first_token",
    "input_tokens", "left_out", "seed", "output_ids", "struck", "scores", "unknown", "part",
    "parent", "chosen",
)  # fmt: skip

_DIGITS = 6
"""Of logarithms of probabilities."""

NO_PARENT = -1
"""The stored `parent` of an exchange that follows none."""

Values = tuple[object, ...]


def storable(text: str) -> str:
    """Returns the text without halves of surrogate pairs, which a clipboard can hold."""
    return text.encode("utf-8", "replace").decode()


def searchable(picture_name: str, tree: ExchangeTree) -> str:
    """Returns the text in which a search looks for words: those of all branches."""
    said = [picture_name]
    for node in tree.nodes:
        said += [node.exchange.prompt, node.exchange.text]
    return findable(storable("\n".join(said)))


def conversation_values(picture: Picture, tree: ExchangeTree) -> Values:
    """Returns what is stored about a conversation, in the order of CONVERSATION_COLUMNS."""
    return (
        os.fsencode(picture.path.absolute()) if picture.path else None,
        storable(picture.name),
        *picture.full_size,
        thumbnail(picture.pixels),
        time.time(),
        searchable(picture.name, tree),
        *identity_values(picture),
    )


def identity_values(picture: Picture) -> Values:
    """Returns what the picture's file is recognised by, as it is stored; None for unknown."""
    known = picture.identity
    return (known.fingerprint, known.volume) if known else (None, None)


def identity_from(fingerprint: object, volume: object) -> FileIdentity | None:
    """Returns what a file is recognised by; None if that is not stored."""
    if not (known := text_from(fingerprint)):
        return None
    return FileIdentity(known, volume if isinstance(volume, bytes) else b"")


def sound_conversation(values: Values, tree: ExchangeTree) -> Values:
    """Returns values of a damaged file as they may be stored, None for what could not be read."""
    path, name, width, height, image, changed, words, *identity = values
    known = identity_from(*identity)
    where = path_from(path)
    shown = text_from(name) or (storable(where.name) if where else "") or "Image"
    return (
        os.fsencode(where) if where else None,
        shown,
        size_from(width),
        size_from(height),
        image if isinstance(image, bytes) else thumbnail(Image.new("RGB", (4, 3), "gray")),
        seconds_from(changed),
        text_from(words) or searchable(shown, tree),
        *((known.fingerprint, known.volume) if known else (None, None)),
    )


def exchange_values(node: Node) -> Values:
    """Returns what is stored about an exchange, in the order of EXCHANGE_COLUMNS.

    Its position is its number in the tree.
    """
    exchange, answer = node.exchange, node.exchange.answer
    given: Values = (None,) * 11
    if answer:
        given = (
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
            _stored_scores(answer.scores),
        )
    parent = NO_PARENT if node.parent is None else node.parent
    names = storable(exchange.prompt), storable(exchange.model)
    unknown = json.dumps([storable(part) for part in exchange.unknown])
    return (*names, *given, unknown, _stored_part(exchange.part), parent, node.chosen)


def _stored_part(part: PicturePart | None) -> str | None:
    return json.dumps([part.left, part.top, part.width, part.height]) if part else None


def _stored_scores(scores: Sequence[TokenScore]) -> str | None:
    """A list for each token: its text, where a half of a character is half of a surrogate pair, its
    log probability, and the likeliest tokens with theirs."""
    if not scores:
        return None
    return json.dumps(
        [
            [
                one.content.decode("utf-8", "surrogateescape"),
                round(one.log_p, _DIGITS),
                [[text, round(log_p, _DIGITS)] for text, log_p in one.likeliest],
            ]
            for one in scores
        ]
    )


def tree_from(rows: Mapping[int, Values]) -> ExchangeTree:
    """Returns the exchanges of rows that have EXCHANGE_COLUMNS, by their position.

    Where rows are missing, what followed them follows the one before.
    """
    numbers = {position: number for number, position in enumerate(sorted(rows))}
    nodes: list[Node] = []
    for position in numbers:
        *values, parent, chosen = rows[position]
        exchange = _exchange_from(tuple(values))
        nodes.append(Node(exchange, _parent(parent, position, numbers), _count(chosen)))
    return ExchangeTree(tuple(nodes))


def _parent(value: object, position: int, numbers: Mapping[int, int]) -> int | None:
    """Returns the number of the exchange before; one that an earlier version kept has no value."""
    if value == NO_PARENT:
        return None
    if isinstance(value, int) and value < position and value in numbers:
        return numbers[value]
    number = numbers[position]
    return number - 1 if number else None


def _exchange_from(values: Values) -> Exchange:
    prompt, model, text, ending, tokens, seconds, first, input_tokens, left_out, *rest = values
    if text is None:
        unknown, part = rest[-2:]
        found = _texts(unknown), _part(part)
        return Exchange(text_from(prompt), None, text_from(model), (), *found)
    seed, ids, struck, scores, unknown, part = rest
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
        scores=_scores(scores),
    )
    return Exchange(
        text_from(prompt),
        answer,
        text_from(model),
        _spans(struck, len(answer.text)),
        _texts(unknown),
        _part(part),
    )


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


def _part(value: object) -> PicturePart | None:
    match _list(value):
        case [int(left), int(top), int(width), int(height)] if (
            0 <= left < LARGEST_SIDE
            and 0 <= top < LARGEST_SIDE
            and 0 < width < LARGEST_SIDE
            and 0 < height < LARGEST_SIDE
        ):
            return PicturePart(left, top, width, height)
        case _:
            return None


def _scores(value: object) -> tuple[TokenScore, ...]:
    """Returns the scores of an answer; () unless all of them can be read."""
    found: list[TokenScore] = []
    for item in _list(value):
        match item:
            case [str(text), int() | float() as log_p, likeliest] if _is_log_p(log_p):
                tops = map(_likely, cast(list[Any], likeliest)) if type(likeliest) is list else ()
                try:
                    content = text.encode("utf-8", "surrogateescape")
                except UnicodeEncodeError:
                    return ()
                found.append(TokenScore(content, float(log_p), tuple(filter(None, tops))))
            case _:
                return ()
    return tuple(found)


def _likely(value: object) -> tuple[str, float] | None:
    match value:
        case [str(text), int() | float() as log_p] if _is_log_p(log_p):
            return text, float(log_p)
        case _:
            return None


def _is_log_p(value: float) -> bool:
    return math.isfinite(value) and value <= 0


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in _list(value) if isinstance(item, str))


def _spans(value: object, length: int) -> tuple[Span, ...]:
    spans: list[Span] = []
    for item in _list(value):
        match item:
            case [int(begin), int(end)] if 0 <= begin < end <= length:
                spans.append((begin, end))
            case _:
                pass
    return tuple(spans)
