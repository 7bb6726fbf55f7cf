"""The words of an answer as a screen reader says them: with how doubtful each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

if TYPE_CHECKING:
    from core.words import Word

translate = QCoreApplication.translate


def spoken_word(word: Word) -> str:
    """Returns a word, and how doubtful it is if it is: “tree, doubtful 62%”."""
    texts = (
        "{word}",
        translate("SpokenWords", "{word}, doubtful {percent}%"),
        translate("SpokenWords", "{word}, very doubtful {percent}%"),
    )
    percent = round(100 * (word.doubt or 0))
    return texts[word.doubt_step].format(word=word.text, percent=percent)


def spoken_doubt(words: Sequence[Word]) -> str:
    """Returns the doubtful words of an answer as a sentence; "" if there are none."""
    doubtful = [spoken_word(word) for word in words if word.doubt_step]
    if not doubtful:
        return ""
    return translate("SpokenWords", "Doubtful words: {words}").format(words="; ".join(doubtful))
