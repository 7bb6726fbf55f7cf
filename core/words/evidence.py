"""What each word of an answer rests on, as data: made by `core.llava.evidence`, shown by the
window.

Everything here is frozen and free of torch and Qt, so that it may cross threads. None of it is a
measure of truth: it says what the model leaned on, and where it wavered.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in the picture's own pixels."""

DOUBTFUL = 0.5
VERY_DOUBTFUL = 0.9
"""From which `Word.doubt` on a word is underlined, and underlined more strongly."""


@dataclass(frozen=True)
class Candidate:
    """What could have been said. `probability` is the model's own, at temperature 1.

    `text` is as much of a word as its token holds: "balloon", or "ball" where that is one piece.
    """

    text: str
    probability: float


@dataclass(frozen=True)
class Presence:
    """What the model says when it is asked whether a thing is there.

    `log_odds` is log p(yes) − log p(no), in nats; `absent_log_odds` is the same for things that
    are surely not there, their median.
    """

    question: str
    log_odds: float
    absent_log_odds: float

    @property
    def margin(self) -> float:
        """How much more it says yes than of absent things, in nats."""
        return self.log_odds - self.absent_log_odds

    @property
    def is_affirmed(self) -> bool:
        """Whether yes is likelier than no, and likelier than for absent things."""
        return self.log_odds > 0 and self.margin > 0


@dataclass(frozen=True)
class Word:
    """One word of `Answer.text[begin:end]`, said with `output_ids[first_token:end_token]`.

    `probability` is that of its tokens together, each after those before it, at temperature 1.
    `candidates` are the likeliest beginnings in its place, likeliest first, the one said among
    them if it is one of these. `gain` is log p(word | picture, text so far) − log p(word | the
    text so far with a plain picture of the pad colour), in nats: 0 where language alone would
    have said it. `doubt`, from 0 to 1, grows with how likely the thing is not there; it orders
    words and is no percentage; None for function words, which `is_content` tells apart.
    `presence` is None until the model was asked.
    """

    begin: int
    end: int
    text: str
    first_token: int
    end_token: int
    probability: float
    candidates: tuple[Candidate, ...]
    gain: float
    doubt: float | None
    is_content: bool
    presence: Presence | None = None

    @property
    def doubt_step(self) -> int:
        """0 not doubtful, 1 doubtful, 2 very doubtful."""
        if self.doubt is None or self.doubt < DOUBTFUL:
            return 0
        return 2 if self.doubt >= VERY_DOUBTFUL else 1


@dataclass(frozen=True)
class Evidence:
    """The words of one answer in the order they were said; `seconds` is what it took."""

    words: tuple[Word, ...]
    seconds: float

    @property
    def most_doubtful(self) -> Word | None:
        """The content word most in doubt; None where there is none."""
        content = [word for word in self.words if word.doubt is not None]
        return max(content, key=lambda word: word.doubt or 0.0, default=None)

    def word_at(self, offset: int) -> Word | None:
        """The word that character `offset` of the answer's text belongs to."""
        return next((word for word in self.words if word.begin <= offset < word.end), None)


@dataclass(frozen=True, eq=False)
class WordMap:
    """Where on the picture a word rests.

    `values` are float32 (rows, columns), one a patch that the model sees, from 0 to 1 for the
    strongest. They cover `square`: the padded square in the picture's own pixels, of which the
    edges may lie outside the picture. `strongest_box` is the region round the maximum, cut to
    the picture.
    """

    values: np.ndarray
    square: Box
    strongest_box: Box
    seconds: float = 0.0


# ---- the words of a text ------------------------------------------------------------------------

# Kana and Chinese characters stand without blanks between words: each is one.
_ALONE = r"\u3040-\u30ff\u3400-\u9fff"
_JOINERS = r"['’\-_]"
# Words that name nothing that could be there or not. Numbers, colours and places do.
_FUNCTION_WORDS = """
a an the this that these those it its they them their there here he she his her him i we you
and or but nor so as if than then while with without within of in on at to from by for into onto
over up down out off about among through across along around near next before after against
toward towards upon
is are was were be been being am has have had having do does did doing can could may might must
shall should will would not no yes also very more most some any each every both either neither
other others another such same which who whose whom what where when how why
that's there's it's isn't aren't doesn't don't appears appear seems seem
cannot only just himself herself itself themselves
"""


def split_words(text: str) -> Iterator[tuple[int, int]]:
    """Where each word of `text` begins and ends; what is joined by a hyphen is one."""
    return (match.span() for match in _word().finditer(text))


@cache
def _word() -> re.Pattern[str]:
    # To `re`, accents and vowel signs that follow their letter are no part of a word.
    marks = "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c)[0] == "M")
    letters = rf"(?:[^\W_{_ALONE}][{marks}\u200c\u200d]*)+"
    return re.compile(rf"[{_ALONE}]|{letters}(?:{_JOINERS}{letters})*")


def is_list_number(text: str, begin: int, end: int) -> bool:
    """Whether the word from `begin` to `end` only counts the lines of a list: "2." or "2)"."""
    line_before = text[text.rfind("\n", 0, begin) + 1 : begin]
    behind = text[end : end + 2]
    is_marked = behind[:1] in {".", ")"} and behind[1:].isspace()
    return text[begin:end].isdigit() and not line_before.strip() and is_marked


def is_function_word(word: str) -> bool:
    """Whether it only joins others, as "the" does; doubt is never cast on those.

    The list is English. In other languages every word counts as one with content.
    """
    return word.lower().replace("’", "'") in _FUNCTION_WORDS.split()


# ---- maps ---------------------------------------------------------------------------------------


def strongest_region(values: np.ndarray, share: float = 0.5) -> tuple[int, int, int, int]:
    """First column, first row, and the last ones, exclusive, of the region round the maximum:
    what hangs together with it, side by side, and is at least `share` of it."""
    is_strong = values >= share * values.max()
    row, column = divmod(int(values.argmax()), values.shape[1])
    waiting, region = [(row, column)], {(row, column)}
    while waiting:
        row, column = waiting.pop()
        for place in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            is_inside = 0 <= place[0] < values.shape[0] and 0 <= place[1] < values.shape[1]
            if is_inside and place not in region and is_strong[place]:
                region.add(place)
                waiting.append(place)
    rows, columns = [r for r, _ in region], [c for _, c in region]
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1
