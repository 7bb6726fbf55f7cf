"""What the captions and images of a workspace have in common: counted, the most frequent first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from core.captions.folding import comparable
from core.workspace.data import Bar, Frequency, GiveWay, Statistics
from core.workspace.tags import tags_of

_Value = TypeVar("_Value", str, tuple[int, int])

MOST = 1_000
"""How many tags, words and sizes are named; nobody reads more."""
_BARS = 20
_LOOKED_AT = 1_000
_AT_A_TIME = 200
_WORDS_OF_A_TAG = 3
_STEPS = (5, 10, 20, 50)
# Words with their apostrophes and hyphens; numbers and single letters say nothing.
_WORD = re.compile(r"[^\W\d_]{2,}(?:['’\-][^\W\d_]+)*")


def statistics_of(
    captions: Sequence[str],
    sizes: Iterable[tuple[int, int]],
    tags: Mapping[str, int],
    *,
    unread: int = 0,
    give_way: GiveWay | None = None,
) -> Statistics:
    """Counts the captions and sizes of some images, each value once for each image. Captions that
    are empty, and sizes of 0, are not counted. `tags` are theirs, and `unread` captions missing."""
    present = [caption for caption in captions if caption]
    known = Counter(size for size in sizes if size[0])
    return Statistics(
        images=len(captions),
        tags=_first(tags),
        words=_first(_words(in_slices(present, give_way))),
        sizes=tuple(
            Frequency(f"{width}x{height}", count, f"{width} × {height}")
            for (width, height), count in _sorted(known)[:MOST]
        ),
        lengths=_histogram([len(caption) for caption in present]),
        unread=unread,
    )


def look_like_tags(captions: Sequence[str]) -> bool:
    """Returns whether most captions are lists of short tags: sentences have commas too, but longer
    parts, and a full stop at the end."""
    some = captions[:: max(1, len(captions) // _LOOKED_AT)]
    return 2 * sum(map(_looks_like_tags, some)) > len(some)


def _looks_like_tags(caption: str) -> bool:
    parts = tags_of(caption)
    words = sum(len(part.split()) for part in parts)
    is_sentence = caption.rstrip().endswith((".", "!", "?", "。"))
    return not is_sentence and len(parts) > 1 and words <= _WORDS_OF_A_TAG * len(parts)


def in_slices(captions: Sequence[str], give_way: GiveWay | None) -> Iterator[str]:
    """Yields the captions, and calls `give_way` between some of them."""
    for begin in range(0, len(captions), _AT_A_TIME):
        if give_way is not None:
            give_way()
        yield from captions[begin : begin + _AT_A_TIME]


def _words(captions: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for caption in captions:
        counts.update(set(_WORD.findall(comparable(caption))))
    return counts


def _first(counts: Mapping[str, int]) -> tuple[Frequency, ...]:
    return tuple(Frequency(value, count) for value, count in _sorted(counts)[:MOST])


def _sorted(counts: Mapping[_Value, int]) -> list[tuple[_Value, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _histogram(lengths: Sequence[int]) -> tuple[Bar, ...]:
    """Returns bars of equal width, with a round number of characters, up to the longest."""
    if not lengths:
        return ()
    width = _width(max(lengths))
    counts = Counter(length // width for length in lengths)
    return tuple(
        Bar(place * width, (place + 1) * width - 1, counts[place])
        for place in range(max(counts) + 1)
    )


def _width(longest: int) -> int:
    scale = 1
    while True:
        for step in _STEPS:
            if longest < step * scale * _BARS:
                return step * scale
        scale *= 10
