"""Text of captions: cleaning up, comparing, replacing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from unicodedata import normalize

import regex

from core.captions.folding import FORM_SIGNS, PARTS, comparable, composed
from core.captions.sentences import sentence_ends

_OPENING = re.compile(
    r"^\s*(?:in|on)?\s*(?:the|this)\s+(?:image|picture|photo|photograph|scene)\s+"
    r"(?:(?:shows|depicts|features|displays|captures|presents|portrays|contains|illustrates"
    r"|showcases|is\s+of|we\s+(?:can\s+)?see)\s+|,\s*)"
    r"|^\s*in\s+(?:the|this)\s+(?:image|picture|photo|photograph),\s*",
    re.IGNORECASE,
)
_CLOSING_SIGNS = tuple(".,;:!?…)’”、，。")
_TAG_SEPARATOR = re.compile(r"\s*[,;，、；\n]\s*")
# A word with its apostrophes and hyphens, or one character of a script without spaces.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+(?:['’\-]\w+)*|[^\w\s]")


def opening_end(caption: str) -> int:
    """Returns where a stock opening like “The image shows” ends; 0 without one."""
    found = _OPENING.match(caption)
    return found.end() if found else 0


def without_opening(caption: str) -> str:
    """Returns the caption without an opening like “The image shows”."""
    rest = caption[opening_end(caption) :]
    return rest[:1].upper() + rest[1:] if rest and rest != caption else caption


def joined(one: str, other: str) -> str:
    """Returns both texts, with a space between them where words would run together.

    White space that is there already is kept.
    """
    if not one or not other:
        return one or other
    is_apart = one[-1:].isspace() or other[:1].isspace() or other.startswith(_CLOSING_SIGNS)
    return f"{one}{other}" if is_apart else f"{one} {other}"


def without_duplicates(tags: str, known: str = "") -> str:
    """Returns a list of tags, separated by commas, semicolons or line breaks, with each tag once.

    Tags of the list `known` are left out too. Case is ignored.
    """
    seen = {tag_key(tag) for tag in _TAG_SEPARATOR.split(known)} | {""}
    kept = ""
    separator = ""
    parts = re.split(f"({_TAG_SEPARATOR.pattern})", tags)
    for tag, following in zip(parts[::2], [*parts[1::2], ""], strict=True):
        if (key := tag_key(tag)) not in seen:
            seen.add(key)
            kept += f"{separator}{tag}" if kept else tag
        separator = following
    return kept


def tags_in(text: str) -> list[str]:
    """Returns the tags of a list, separated by commas, semicolons or line breaks."""
    return [tag.strip() for tag in _TAG_SEPARATOR.split(text) if tag.strip()]


def tag_key(tag: str) -> str:
    """Returns what tags are compared by: without case, and without a final dot."""
    return comparable(tag.strip().rstrip("."))


def to_last_sentence(caption: str) -> str:
    """Returns the caption up to its last whole sentence; all of it if it has none."""
    ends = list(sentence_ends(caption))
    return caption[: ends[-1]] if ends else caption


Span = tuple[int, int]
"""The index of the first character, and the index after the last."""


def differing_words(one: str, other: str) -> tuple[list[Span], list[Span]]:
    """Returns the words of each text in which it differs from the other.

    Adjacent words are one span. Case and white space are ignored.
    """
    ours, theirs = list(_WORD.finditer(one)), list(_WORD.finditer(other))
    words = [comparable(word[0]) for word in ours], [comparable(word[0]) for word in theirs]
    matcher = SequenceMatcher(None, *words, autojunk=False)
    spans: tuple[list[Span], list[Span]] = ([], [])
    for kind, begin, end, other_begin, other_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        if begin < end:
            spans[0].append((ours[begin].start(), ours[end - 1].end()))
        if other_begin < other_end:
            spans[1].append((theirs[other_begin].start(), theirs[other_end - 1].end()))
    return spans


@dataclass(frozen=True)
class Replacement:
    """A text to find in captions, and the text that replaces it; neither is a pattern."""

    find: str
    replacement: str
    is_case_sensitive: bool = False
    is_whole_words: bool = False

    def of(self, caption: str) -> Replaced | None:
        """Returns the caption with every occurrence replaced; None if nothing changes."""
        if not self.find:
            return None
        flags = regex.V0 if self.is_case_sensitive else regex.IGNORECASE | regex.FULLCASE
        pattern = _pattern(self.find, is_whole_words=self.is_whole_words)
        before: list[Span] = []
        after: list[Span] = []
        parts: list[str] = []
        end = length = 0
        for found in regex.finditer(pattern, caption, flags):
            kept = caption[end : found.start()]
            parts += (kept, self.replacement)
            length += len(kept)
            before.append(found.span())
            after.append((length, length + len(self.replacement)))
            length += len(self.replacement)
            end = found.end()
        text = "".join([*parts, caption[end:]])
        return Replaced(caption, text, tuple(before), tuple(after)) if text != caption else None


@dataclass(frozen=True)
class Replaced:
    """A caption before and after, and where in them something was replaced."""

    before: str
    after: str
    spans_before: tuple[Span, ...]
    spans_after: tuple[Span, ...]


@lru_cache(maxsize=64)
def _pattern(text: str, *, is_whole_words: bool) -> str:
    """Returns a regular expression for a text, in whichever way its characters are encoded. It
    matches no letter without the marks that belong to it."""
    letters: list[str] = []
    for letter in composed(text):
        parts = normalize("NFD", letter)
        if letter in FORM_SIGNS:
            continue
        ways = {regex.escape(letter), regex.escape(parts)}
        letters.append(f"(?:{'|'.join(sorted(ways))})" if len(ways) > 1 else ways.pop())
        if not letter.isalnum() and not letter.isascii():
            letters.append(f"[{FORM_SIGNS}]?")
    pattern = f"{''.join(letters) or regex.escape(text)}(?![{PARTS}])"
    return rf"(?<!\w){pattern}(?!\w)" if is_whole_words else pattern
