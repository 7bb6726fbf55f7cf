"""Which words of a prompt a model was trained on: a small one answers others with nonsense."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from core.message import Message, translatable

_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”")
# A model that reads printed words knows their letters.
_PRINTED = re.compile(r"[A-Z]{2,6}")
# In shorter words a slip of the pen may as well be another language, unless a frequent word is
# meant: "the", "is", "where".
_SHORTEST_WITH_A_SLIP = 4
_SHORTEST_WITH_A_GAP = 6
_FREQUENT = 80
_SHORTEST_OF_A_RUN = 2
_SHOWN = 3


@dataclass(frozen=True)
class Vocabulary:
    """The words of the prompts that a model was trained on, in lower case, most frequent first."""

    words: tuple[str, ...]

    @staticmethod
    def read(path: Path) -> Vocabulary:
        """Reads a file with a word on each line, and makes what slips are looked up in: 50 ms."""
        vocabulary = Vocabulary(tuple(path.read_text(encoding="utf-8").split()))
        vocabulary.unknown("an unknwon wrod")
        return vocabulary

    def unknown(self, prompt: str) -> tuple[str, ...]:
        """Returns the parts of the prompt that the model was not trained on, each once, in order.

        Numbers, quoted words and words in capitals are read letter by letter. A word with a slip
        (a letter missing, doubled, wrong or swapped) counts as the one that was meant, and so does
        one with the space in the wrong place.
        """
        parts = list(_parts(_QUOTED.sub(" ", prompt)))
        is_shouted = not any(character.islower() for character in prompt)
        slips = {
            at + one
            for at, (left, right) in enumerate(pairwise(parts))
            for one in (0, 1)
            if self._run(left.lower() + right.lower())
        }
        found = (
            part
            for at, part in enumerate(parts)
            if at not in slips
            and not (_PRINTED.fullmatch(part) and not is_shouted)
            and not self._knows(part.lower().replace("’", "'"))
        )
        return tuple(dict.fromkeys(found))

    def _knows(self, word: str) -> bool:
        if word in self._known or (word.isascii() and word.isdecimal()):
            return True
        return word.isascii() and (self._slip(word) or self._run(word))

    def _slip(self, word: str) -> bool:
        """Whether it is a known word with one slip, or with two letters left out."""
        if len(word) < _SHORTEST_WITH_A_SLIP:
            return word in self._frequent_slips
        halves = [(word[:at], word[at:]) for at in range(len(word) + 1)]
        changed = (left + "*" + right[1:] for left, right in halves if right)
        return (
            any(left + right[1:] in self._known for left, right in halves if right)
            or any(one in self._known for one in _swapped(word))
            or word in self._with_gaps
            or any(one in self._with_any_letter for one in changed)
        )

    def _run(self, word: str) -> bool:
        """Whether it is two known words without the space between them."""
        cuts = range(_SHORTEST_OF_A_RUN, len(word) - _SHORTEST_OF_A_RUN + 1)
        return any(word[:at] in self._known and word[at:] in self._known for at in cuts)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.words)

    @cached_property
    def _long(self) -> list[str]:
        return [word for word in self.words if len(word) >= _SHORTEST_WITH_A_SLIP]

    @cached_property
    def _with_gaps(self) -> frozenset[str]:
        one = (gap for word in self._long for gap in _without(word, 1) if len(word) > len("word"))
        two = (gap for w in self._long if len(w) >= _SHORTEST_WITH_A_GAP for gap in _without(w, 2))
        return frozenset((*one, *two))

    @cached_property
    def _with_any_letter(self) -> frozenset[str]:
        return frozenset(w[:at] + "*" + w[at + 1 :] for w in self._long for at in range(len(w)))

    @cached_property
    def _frequent_slips(self) -> frozenset[str]:
        slips: set[str] = set()
        for word in self.words[:_FREQUENT]:
            slips.update(_swapped(word), _without(word, 1), _without(word, 2))
        return frozenset(slips)


def unknown_note(unknown: Sequence[str]) -> Message:
    """Returns what a person should know of an answer to a prompt with these unknown parts."""
    note = translatable("core", "The model does not know {words}, so its answer may be wrong.")
    return note.format(words=listed(unknown))


def listed(unknown: Sequence[str], most: int = _SHOWN) -> str:
    """Returns the first of these parts in quotation marks."""
    shown = ", ".join(f"“{part}”" for part in unknown[:most])
    return f"{shown} …" if len(unknown) > most else shown


def _swapped(word: str) -> Iterator[str]:
    """Yields the word with each two letters next to each other swapped."""
    for at in range(len(word) - 1):
        yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _without(word: str, count: int) -> Iterator[str]:
    """Yields the word without each `count` letters next to each other."""
    for at in range(len(word) - count + 1):
        yield word[:at] + word[at + count :]


def _parts(text: str) -> Iterator[str]:
    """Yields words, numbers, and other characters but spaces, punctuation and ASCII's signs.

    Accents stay with their letter, and what is joined to one emoji stays one.
    """
    part, kind = "", ""
    for character in f"{text} ":
        now = _kind(character, kind)
        if part and now != kind:
            yield part.rstrip("'’")
            part = ""
        part, kind = part + character if now else "", now


def _kind(character: str, before: str) -> str:
    """Returns what a character is part of: a word, a number, a symbol, or "" for nothing."""
    category = unicodedata.category(character)
    if category[0] == "L":
        return "word"
    if category[0] == "M" or category in ("Cf", "Sk") or (character in "'’" and before == "word"):
        return before
    if category[0] == "N":
        return "number"
    return "symbol" if category[0] in "SC" and not character.isascii() else ""
