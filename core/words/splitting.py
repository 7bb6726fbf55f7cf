"""Splits text into words, and says which of them only join others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

# Kana and Chinese characters are written without spaces between words: each one is a word.
_ALONE = r"\u3040-\u30ff\u3400-\u9fff"
_JOINERS = r"['’\-_]"
# Words that name nothing that could be present or absent. Numbers, colours and positions do name
# something.
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
    """Yields the begin and end of each word of `text`; words joined by a hyphen are one."""
    return (match.span() for match in _word().finditer(text))


@cache
def _word() -> re.Pattern[str]:
    # `re` does not count combining accents and vowel signs as word characters.
    marks = "".join(c for c in map(chr, range(0x10000)) if unicodedata.category(c)[0] == "M")
    letters = rf"(?:[^\W_{_ALONE}][{marks}\u200c\u200d]*)+"
    return re.compile(rf"[{_ALONE}]|{letters}(?:{_JOINERS}{letters})*")


def has_words(text: str) -> bool:
    """Whether `text` has a letter, a digit or a pictograph, and not only signs and blanks."""
    return any(unicodedata.category(sign)[0] in "LN" or _is_pictograph(sign) for sign in text)


def _is_pictograph(sign: str) -> bool:
    # Half characters, which a tokenizer left unfinished, are of this category too.
    return unicodedata.category(sign) == "So" and sign != "\N{REPLACEMENT CHARACTER}"


def is_list_number(text: str, begin: int, end: int) -> bool:
    """Whether the word from `begin` to `end` is the number of a list item: "2." or "2)"."""
    line_before = text[text.rfind("\n", 0, begin) + 1 : begin]
    behind = text[end : end + 2]
    is_marked = behind[:1] in {".", ")"} and behind[1:].isspace()
    return text[begin:end].isdigit() and not line_before.strip() and is_marked


def is_function_word(word: str) -> bool:
    """Whether `word` only joins others, as "the" does; function words are never in doubt.

    The list is English: in other languages every word counts as a content word.
    """
    return word.lower().replace("’", "'") in _FUNCTION_WORDS.split()
