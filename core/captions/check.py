"""What an answer must be to become a caption: short enough, or tags of a vocabulary.

A model that answers otherwise is asked again, in words from `resources/presets.json`. No answer is
ever cut.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from core.captions.alt_text import AltText
from core.captions.wording import tag_key, tags_in, without_opening
from core.message import Message, translatable
from core.resources import RESOURCES

# A longer list would not fit into the context of a small model, and those seldom take it to heart.
_MOST_NAMED = 200
_LABEL = re.compile(
    r"^\W*(?:alt(?:ernative)?[ -]?text|alt|caption|answer|tags)\s*[:=]\s*", re.IGNORECASE
)
_QUOTES = "\"'“”„«»`*"
# English words have five letters and a blank.
_CHARACTERS_FOR_A_WORD = 8


@dataclass(frozen=True)
class Check:
    """What an answer to the first prompt must be; nothing is checked for 0 and ()."""

    most_characters: int = 0
    vocabulary: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.most_characters or self.vocabulary)

    def cleaned(self, text: str) -> str:
        """Returns what of an answer counts: an alternative text without a label and quotation
        marks, or the known tags as the vocabulary writes them."""
        text = _LABEL.sub("", text.strip())
        if self.vocabulary:
            known = {_key(tag): tag for tag in self.vocabulary}
            found = (known.get(_key(tag)) for tag in tags_in(text))
            return ", ".join(dict.fromkeys(filter(None, found)))
        if self.most_characters:
            alt = AltText.of(text.strip(_QUOTES + " \n"))
            return alt.caption if alt.is_decorative else " ".join(text.strip(_QUOTES).split())
        return text

    def fits(self, text: str) -> bool:
        """Returns whether an answer will do."""
        return bool(self.cleaned(text)) and not self._is_too_long(text)

    def follow_up(self, text: str, number: int) -> str | None:
        """Returns what to ask after an answer that does not do, for the `number`-th time from 0;
        None if it is fine, or if asking once more is of no use."""
        if self.fits(text):
            return None
        questions = _questions()["known_tags" if self.vocabulary else "shorter"]
        if number >= len(questions):
            return None
        words = max(3, self.most_characters // _CHARACTERS_FOR_A_WORD)
        return questions[number].format(
            count=len(self.cleaned(text)),
            most=self.most_characters,
            words=words,
            fewer=max(2, words // 2),
            tags=named(self.vocabulary),
        )

    def best(self, texts: list[str]) -> int:
        """Returns which of several answers to keep: the first that will do, or the shortest."""
        for number, text in enumerate(texts):
            if self.fits(text):
                return number
        return min(range(len(texts)), key=lambda number: len(self.cleaned(texts[number])))

    def complaint(self, text: str) -> Message | None:
        """Returns what is to be said of an answer that does not do, and was not cut."""
        if not self._is_too_long(text):
            return None
        sentence = translatable(
            "core", "The text has {count} characters, not at most {most}. Shorten it."
        )
        return sentence.format(count=len(self.cleaned(text)), most=self.most_characters)

    def _is_too_long(self, text: str) -> bool:
        return 0 < self.most_characters < len(self._kept(text))

    def _kept(self, text: str) -> str:
        """Openings such as “The image shows” are left out later."""
        cleaned = self.cleaned(text)
        return min(cleaned, without_opening(cleaned), key=len)


def _key(tag: str) -> str:
    return " ".join(tag_key(tag.strip(_QUOTES)).split())


def named(vocabulary: tuple[str, ...]) -> str:
    """Returns the tags of a vocabulary for a prompt, the first ones of a long one."""
    return ", ".join(vocabulary[:_MOST_NAMED])


@cache
def _questions() -> dict[str, Any]:
    return json.loads((RESOURCES / "presets.json").read_text("utf-8"))
