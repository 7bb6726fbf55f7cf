"""Joins the tokens of an answer to its words, and says how doubtful each word is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import exp
from typing import TYPE_CHECKING

from core.words.doubt import doubts
from core.words.evidence import Candidate, Word
from core.words.splitting import is_function_word, is_list_number, split_words

if TYPE_CHECKING:
    # It takes a tenth of a second to import, which the window's start would wait for.
    import numpy as np


def judged_words(
    text: str,
    spans: Sequence[tuple[int, int]],
    log_p: np.ndarray,
    candidates: Callable[[int], tuple[Candidate, ...]],
    gain: Callable[[slice], float | None],
) -> tuple[Word, ...]:
    """Returns the words of an answer.

    `spans` are the [begin, end) of `text` that each token stands for, and `log_p`, float32
    (tokens,), their log probabilities. `candidates` returns those at a token, `gain` the gain of
    some tokens together.
    """
    measured: list[Word] = []
    for begin, end in split_words(text):
        first, last = _tokens_of(begin, end, spans)
        tokens = slice(first, last)
        word = Word(
            begin,
            end,
            text[begin:end],
            first,
            last,
            probability=exp(log_p[tokens].sum()),
            candidates=candidates(first),
            gain=gain(tokens),
            doubt=None,
            is_content=_has_content(text, begin, end),
        )
        measured.append(word)
    found = doubts(measured, log_p)
    return tuple(replace(w, doubt=d) for w, d in zip(measured, found, strict=True))


def joined_candidates(found: Iterable[tuple[str, float]]) -> tuple[Candidate, ...]:
    """Returns tokens, each with its probability, as candidates for a word: those with the same text
    but for blanks count together."""
    joined: dict[str, float] = {}
    for token, probability in found:
        text = token.strip()
        joined[text] = joined.get(text, 0.0) + probability
    return tuple(Candidate(text, p) for text, p in joined.items() if text)


def _has_content(text: str, begin: int, end: int) -> bool:
    return not (is_function_word(text[begin:end]) or is_list_number(text, begin, end))


def _tokens_of(begin: int, end: int, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The [first, end) of the tokens whose spans overlap the text from `begin` to `end`."""
    of_word = [n for n, span in enumerate(spans) if span[0] < end and span[1] > begin]
    return (of_word[0], of_word[-1] + 1) if of_word else (0, 0)
