"""What texts are compared by where case, and how a character is encoded, make no difference.

A Mac writes file names decomposed, so that ü is a u and a mark; ß is ss in capitals; a heart may
have a sign behind it that makes it an emoji; Japanese text has the Latin letters in two widths.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import is_normalized, normalize

_AT_A_TIME = 500
# Letters and digits of another width, signs that choose between two forms of a character, and signs
# that nobody sees. Punctuation stays: commas of full width separate tags.
_ODD = re.compile(
    "[\u00ad\u200b\u2060\ufe00-\ufe0f\ufeff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uffdc]"
)
_TABLE = {
    **dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10))),
    **{
        code: normalize("NFKC", chr(code))
        for codes in ((0xFF10, 0xFF1A), (0xFF21, 0xFF3B), (0xFF41, 0xFF5B), (0xFF66, 0xFFDD))
        for code in range(*codes)
    },
}
_MARKS = "\u0300-\u036f\u3099\u309a"
PARTS = f"{_MARKS}\u1160-\u11ff"
"""Marks, and parts of Korean syllables, that stand behind the letter that they belong to, as ranges
for regular expressions."""
FORM_SIGNS = "\ufe0e\ufe0f"
"""Signs behind a character that make it text or an emoji."""
# A character and its marks, or the parts of Korean syllables.
_DECOMPOSED = re.compile(f"[^{_MARKS}][{_MARKS}]+|[\u1100-\u11ff]{{2,}}")


def comparable(text: str) -> str:
    """Returns what two texts have in common that are the same but for case and encoding."""
    if text.isascii():
        return text.lower()
    if _ODD.search(text):
        text = text.translate(_TABLE)
    folded = normalize("NFC", normalize("NFC", text).casefold())
    # Turkish has a capital I with a dot, whose fold keeps the dot apart.
    return folded.replace("i\u0307", "i")


def findable(text: str) -> str:
    """Returns what is looked for in texts, and in what: as `comparable`, but that I may be the
    capital of either i, as it is in Turkish."""
    folded = comparable(text).replace("ı", "i")
    # Most texts are so already, and take no more room then.
    return text if folded == text else folded


def all_findable(texts: Sequence[str]) -> list[str]:
    """Returns what `findable` does of each text; of many that are ASCII in a third of the time."""
    found: list[str] = []
    for begin in range(0, len(texts), _AT_A_TIME):
        part = texts[begin : begin + _AT_A_TIME]
        joined = "\0".join(part)
        if joined.isascii() and joined.count("\0") == len(part) - 1:
            lower = joined.lower().split("\0")
            found += [a if a == b else b for a, b in zip(part, lower, strict=True)]
        else:
            found += map(findable, part)
    return found


def composed(text: str) -> str:
    """Returns a text with each letter and its marks as one character, where there is one. Nothing
    else changes."""
    if text.isascii() or is_normalized("NFC", text):
        return text
    return _DECOMPOSED.sub(lambda found: normalize("NFC", found[0]), text)
