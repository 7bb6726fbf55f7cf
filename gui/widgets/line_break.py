"""Lets labels break what has no spaces, so that no name is wider than the window."""

from __future__ import annotations

import re

_ZERO_WIDTH_SPACE = "\u200b"


def breakable(text: str) -> str:
    """A label breaks only at spaces; this lets it break long words, and names at their joints.

    Texts without long words come back as they are.
    """
    return re.sub(r"\S{25,}", _with_breaks, text)


def _with_breaks(word: re.Match[str]) -> str:
    text = re.sub(r"([^\W_]{24})(?=\w)", rf"\1{_ZERO_WIDTH_SPACE}", word[0])
    return re.sub(r"([._/\\-])(?=\w)", rf"\1{_ZERO_WIDTH_SPACE}", text)
