"""What each word of an answer rests on, as data: made by `core/evidence.py`, shown by the window.

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


# ---- what to ask about a word -------------------------------------------------------------------

# Words with content that name nothing one could look for.
_NO_THINGS = """
left right top bottom middle center centre corner side edge front foreground background upper lower
image picture photo photograph scene drawing view text features shows depicts nothing anything
one two three four five six seven eight nine ten eleven twelve several many few various plain
"""
_COLOURS = """
white black grey gray red orange yellow green blue purple pink brown beige light dark
"""
# What pictures hardly ever show; that one is there after all does not change the median of five.
ABSENT_THINGS = ("an accordion", "a lobster", "an anchor", "a telescope", "a cactus")


def question_about(text: str, word: Word) -> str | None:
    """What to ask to learn whether the thing that `word` of `text` names is there. English.

    None where it names no thing: a place, a number, a word that only joins others.
    """
    spans = list(split_words(text))
    if (word.begin, word.end) not in spans or not _may_name(word.text):
        return None
    at = spans.index((word.begin, word.end))
    first, last = _name_round(text, spans, at)
    name = text[spans[first][0] : spans[last][1]]
    if first == 0 or text[spans[first][0] - 2 : spans[first][0]] in {". ", "! ", "? "}:
        name = name[0].lower() + name[1:] if name[1:2].islower() else name
    if all(part in _COLOURS.split() for part in name.lower().split()):
        return f"Is there anything {name} in the image?"
    before = text[slice(*spans[first - 1])].lower() if first else ""
    if name.endswith("ing") and before in {"is", "are", "was", "were"}:
        return None
    head = name.split(" of ")[0]
    is_plural = head.endswith("s") and not head.endswith(("ss", "us", "is"))
    if is_plural and before not in {"a", "an", "another", "one"}:
        return f"Are there any {name} in the image?"
    return f"Is there {'an' if name[0].lower() in 'aeiou' else 'a'} {name} in the image?"


def absent_questions(text: str) -> list[str]:
    """The same about things that are surely not there, and that `text` does not speak of."""
    said = text.lower()
    absent = [thing for thing in ABSENT_THINGS if thing.split()[1] not in said]
    return [f"Is there {thing} in the image?" for thing in absent or ABSENT_THINGS]


def _name_round(text: str, spans: list[tuple[int, int]], at: int) -> tuple[int, int]:
    """First and last of the words that name a thing together: "cup of green tea"."""

    def is_joined(left: int, right: int) -> bool:
        """Whether nothing but blanks and "of" lies between two words."""
        between = text[spans[left][1] : spans[right][0]]
        return between.strip() in {"", "of"} and "\n" not in between

    def said(number: int) -> str:
        return text[slice(*spans[number])]

    first = last = at
    while first > 0:
        step = 2 if said(first - 1) == "of" and first > 1 else 1
        if not (is_joined(first - step, first) and _may_name(said(first - step))):
            break
        first -= step
    while last + 1 < len(spans):
        step = 2 if said(last + 1) == "of" and last + 2 < len(spans) else 1
        # "a man riding": what follows a thing and ends so tells what it does.
        is_deed = said(last + step).endswith("ing")
        if is_deed or not (is_joined(last, last + step) and _may_name(said(last + step))):
            break
        last += step
    return first, last


def _may_name(word: str) -> bool:
    return not is_function_word(word) and word.lower() not in _NO_THINGS.split()


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
