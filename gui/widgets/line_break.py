"""Lets labels break long words, so that no file name is wider than the window."""

from __future__ import annotations

import re

_ZERO_WIDTH_SPACE = "\u200b"


def breakable(text: str) -> str:
    """Returns `text` with zero-width spaces in words of 25 characters and more.

    A QLabel breaks lines only at spaces. Names get them behind dots, slashes and the like. Texts
    without long words are returned unchanged.
    """
    return re.sub(r"\S{25,}", _with_breaks, text)


def unbroken(text: str) -> str:
    """Returns the text that `breakable` was given."""
    return text.replace(_ZERO_WIDTH_SPACE, "")


def _with_breaks(word: re.Match[str]) -> str:
    text = re.sub(r"([^\W_]{24})(?=\w)", rf"\1{_ZERO_WIDTH_SPACE}", word[0])
    return re.sub(r"([._/\\-])(?=\w)", rf"\1{_ZERO_WIDTH_SPACE}", text)
