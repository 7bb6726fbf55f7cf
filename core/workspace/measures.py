"""The terms of a query that compare numbers: lengths, sizes, shapes and dates."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import compress
from math import isnan

from core.clip_tokens import count_clip_tokens
from core.message import translatable
from core.workspace.images import Images
from core.workspace.matching import LONG, Having, Test
from core.workspace.term import Term

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "": operator.eq,
}
_COMPARED = re.compile(r"(>=|<=|!=|>|<|=|)\s*(\S.*)")


def _compared(term: Term) -> tuple[str, str]:
    found = _COMPARED.fullmatch(term.value.strip())
    return (found[1], found[2]) if found else ("", term.value)


def _number(term: Term, text: str) -> float:
    try:
        value = float(text.removesuffix("%").replace(",", ""))
    except ValueError as error:
        message = translatable("core", "“{value}” is not a number. Write {example}, for instance.")
        example = f"{term.key}:>{_EXAMPLES[term.key]}"
        raise term.error(message.format(value=text, example=example)) from error
    return value / 100 if text.endswith("%") else value


_EXAMPLES = {
    "chars": "200",
    "words": "50",
    "tokens": "77",
    "clip": "77",
    "tags": "5",
    "doubt": "0.5",
    "width": "1024",
    "height": "1024",
}


def _accepts(term: Term) -> Callable[[float], bool]:
    """Returns whether a number is as a term says: `>5`, `5`, or `5..10`."""
    first, dots, last = term.value.partition("..")
    if dots:
        low, high = _number(term, first), _number(term, last)
        return lambda value: low <= value <= high
    sign, text = _compared(term)
    return _compares(sign, _number(term, text))


def _compares(sign: str, wanted: float) -> Callable[[float], bool]:
    """Returns what compares a number with `wanted`: a method of it, which takes a third of the time
    of a function in Python."""
    return getattr(wanted, _TURNED[sign])


# What `wanted` is to be, where the number stands before the sign.
_TURNED = {
    ">=": "__le__",
    "<=": "__ge__",
    "!=": "__ne__",
    ">": "__lt__",
    "<": "__gt__",
    "=": "__eq__",
    "": "__eq__",
}


@dataclass(frozen=True)
class _Measured:
    """Passes the images of which a number is wanted. `numbers` yields it for each."""

    numbers: Callable[[Images, Sequence[int]], Iterable[float]]
    accepts: Callable[[float], bool]
    cost: int = 1
    needs_tags: bool = False

    def among(self, images: Images, ids: Sequence[int]) -> list[int]:
        return list(compress(ids, map(self.accepts, self.numbers(images, ids))))


def _lengths(images: Images, ids: Sequence[int]) -> Iterable[int]:
    return map(len, map(images.captions.__getitem__, ids))


def _chars(term: Term) -> Test:
    return _Measured(_lengths, _accepts(term))


def _words(term: Term) -> Test:
    # Counting them for the first time takes a tenth of a second for 100,000 captions.
    return _Measured(lambda images, ids: map(images.count_words, ids), _accepts(term), LONG)


def _tags(term: Term) -> Test:
    accepts = _accepts(term)
    # Counting them for the first time takes a third of a second for 100,000 captions.
    return _Measured(lambda images, ids: map(images.count_tags, ids), accepts, LONG)


def _tokens(term: Term) -> Test:
    accepts = _accepts(term)

    def counted(images: Images, id: int) -> bool:
        if images.count_tokens is None:
            raise term.error(translatable("core", "Load a model first: it says what a token is."))
        return accepts(images.count_tokens(images.captions[id]))

    return Having(counted, LONG)


def _clip(term: Term) -> Test:
    accepts = _accepts(term)
    return Having(lambda images, id: accepts(_count_clip_tokens(images.captions[id])), LONG)


# A caption takes 0.1 ms.
_count_clip_tokens = lru_cache(maxsize=1 << 17)(count_clip_tokens)


def _doubt(term: Term) -> Test:
    accepts = _accepts(term)
    return Having(lambda images, id: not isnan(images.doubts[id]) and accepts(images.doubts[id]))


def _side(term: Term) -> Test:
    accepts = _accepts(term)
    is_width = term.key == "width"
    return Having(
        lambda images, id: (
            images.widths[id] > 0 and accepts((images.widths if is_width else images.heights)[id])
        )
    )


_DIMENSIONS = re.compile(r"(\d+)\s*[x×*]\s*(\d+)", re.IGNORECASE)
_MEGAPIXELS = re.compile(r"([\d.]+)\s*mp", re.IGNORECASE)


def _size(term: Term) -> Test:
    """`size:>=1024x768` finds images of at least that width and height, `<` the others."""
    sign, text = _compared(term)
    if found := _DIMENSIONS.fullmatch(text):
        width, height = int(found[1]), int(found[2])
        is_opposite = sign.startswith("<") or sign == "!="
        compare = _COMPARISONS[{"<": ">=", "<=": ">", "!=": "="}.get(sign, sign)]

        def accepts(images: Images, id: int) -> bool:
            sides = images.widths[id], images.heights[id]
            is_so = compare(sides[0], width) and compare(sides[1], height)
            return sides[0] > 0 and is_so != is_opposite

        return Having(accepts)
    if (found := _MEGAPIXELS.fullmatch(text)) and found[1].count(".") < 2:
        wanted, compare_pixels = float(found[1]) * 1e6, _COMPARISONS[sign]
        return Having(
            lambda images, id: (
                images.widths[id] > 0
                and compare_pixels(images.widths[id] * images.heights[id], wanted)
            )
        )
    message = translatable("core", "“{value}” is not a size. Write {example}, for instance.")
    raise term.error(message.format(value=text, example="size:>=1024x768, size:>2mp"))


_BYTES = re.compile(r"([\d.]+)\s*([kmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def _bytes(term: Term) -> Test:
    sign, text = _compared(term)
    found = _BYTES.fullmatch(text)
    if not found or found[1].count(".") > 1 or found[1] == ".":
        message = translatable("core", "“{value}” is not a size. Write {example}, for instance.")
        raise term.error(message.format(value=text, example="bytes:>2MB"))
    wanted = float(found[1]) * _UNITS[found[2].lower()]
    return _Measured(
        lambda images, ids: map(images.bytes.__getitem__, ids), _compares(sign, wanted)
    )


_RATIO = re.compile(r"([\d.]+)\s*[:/x]\s*([\d.]+)")
_SAME_RATIO = 0.01


def _aspect(term: Term) -> Test:
    """`aspect:16:9` and `aspect:>1.5` are width by height."""
    sign, text = _compared(term)
    try:
        parts = _RATIO.fullmatch(text)
        wanted = float(parts[1]) / float(parts[2]) if parts else float(text)
    except (ValueError, ZeroDivisionError) as error:
        message = translatable("core", "“{value}” is not a shape. Write {example}, for instance.")
        raise term.error(message.format(value=text, example="aspect:16:9, aspect:>1")) from error
    compare = _COMPARISONS[sign]

    def accepts(images: Images, id: int) -> bool:
        if not images.heights[id]:
            return False
        ratio = images.widths[id] / images.heights[id]
        is_same = abs(ratio - wanted) <= _SAME_RATIO * wanted
        if sign in ("", "=", "!="):
            return is_same != (sign == "!=")
        return compare(ratio, wanted)

    return Having(accepts)


_FORMS = ("%Y-%m-%d", "%Y-%m", "%Y")


def _date(term: Term) -> Test:
    """`date:2024-05` finds images of that month; the date is that of the file."""
    first, dots, last = term.value.partition("..")
    sign, text = ("", first) if dots else _compared(term)
    begin, end = _period(term, text)
    if dots:
        end = _period(term, last)[1]
    tests: dict[str, Callable[[float], bool]] = {
        ">": lambda at: at >= end,
        ">=": lambda at: at >= begin,
        "<": lambda at: 0 < at < begin,
        "<=": lambda at: 0 < at < end,
        "!=": lambda at: not begin <= at < end,
    }
    test = tests.get(sign, lambda at: begin <= at < end)
    return Having(lambda images, id: test(images.modified[id]))


def _period(term: Term, text: str) -> tuple[float, float]:
    """Returns the first second of a day, month or year, and that of the next one."""
    for form in _FORMS:
        try:
            begin = datetime.strptime(text.strip(), form)
            if form == "%Y-%m-%d":
                end = datetime.fromordinal(begin.toordinal() + 1)
            elif form == "%Y-%m":
                end = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
            else:
                end = begin.replace(year=begin.year + 1)
            return begin.timestamp(), end.timestamp()
        except (ValueError, OverflowError, OSError):
            continue
    message = translatable("core", "“{value}” is not a date. Write {example}, for instance.")
    raise term.error(message.format(value=text, example="date:>=2024-05-17, date:2024"))


MEASURES: dict[str, Callable[[Term], Test]] = {
    "tags": _tags,
    "chars": _chars,
    "words": _words,
    "tokens": _tokens,
    "clip": _clip,
    "doubt": _doubt,
    "size": _size,
    "width": _side,
    "height": _side,
    "bytes": _bytes,
    "aspect": _aspect,
    "date": _date,
}
"""What makes the test of a term, by its key."""
