"""Probabilities become degrees of doubt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.words import Word, split_words
from core.words.doubt import doubts
from core.words.splitting import is_function_word


def generated(text: str, *log_p: float) -> tuple[list[Word], np.ndarray]:
    """The words of `text`, one token each, and the tokens' log-probabilities."""
    words: list[Word] = []
    for number, (begin, end) in enumerate(split_words(text)):
        is_content = not is_function_word(text[begin:end])
        words.append(
            Word(begin, end, text[begin:end], number, number + 1, 0.5, (), 1.0, None, is_content)
        )
    return words, np.array(log_p, np.float32)


def is_over(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other


def test_surprising_word_is_more_doubtful_than_a_sure_one_and_function_words_have_no_doubt():
    cat, function, dog = doubts(*generated("cat and dog", -6.0, -0.001, -0.0001))
    assert function is None
    assert is_over(cat, 0.6)
    assert is_over(0.1, dog)


def test_surprise_at_a_function_word_counts_for_the_word_after_it():
    sure = doubts(*generated("cat on the left", -0.001, -0.001, 0.0, -0.001))[3]
    unsure = doubts(*generated("cat on the left", -0.001, -5.0, 0.0, -0.001))[3]
    assert is_over(unsure, 0.9)
    assert is_over(0.5, sure)


def test_surprise_at_the_number_of_a_list_item_counts_for_nothing():
    words, log_p = generated("2 cat", -5.0, -0.001)
    words = [replace(words[0], is_content=False), words[1]]
    number, cat = doubts(words, log_p)
    assert number is None
    assert is_over(0.1, cat)


def test_thing_named_again_is_as_doubtful_as_it_was():
    first, _, again = doubts(*generated("balloons a balloon", -5.0, 0.0, 0.0))
    assert again == first


def test_words_as_surprising_as_all_others_are_in_less_doubt():
    names = "dog cat owl fox hen cow pig ram bat eel"
    text = " ".join([names, names.replace(" ", "let "), names.replace(" ", "ling ")])
    alone = doubts(*generated(text, *[-0.0001] * 29, -2.0))[29]
    among = doubts(*generated(text, *[-2.0] * 30))[29]
    assert is_over(alone, 0.5)
    assert is_over(0.2, among)


def test_very_surprising_word_is_in_doubt_even_if_most_words_surprise_a_little():
    """As in the captions of a large model, which knows many ways to say the same."""
    names = "cat dog horse bird left bench tree house cloud grass road fence man hat two right"
    text = f"{names} {names.replace(' ', 'let ')}"
    usual = [-0.25] * 32

    def doubt(position: int, log_p: float) -> float | None:
        values = [*usual[:position], log_p, *usual[position + 1 :]]
        return doubts(*generated(text, *values))[position]

    assert is_over(doubt(3, -4.0), 0.5)
    assert is_over(doubt(14, -2.0), 0.5)
    assert is_over(doubt(4, -1.5), 0.5)
    for position in range(32):
        assert is_over(0.5, doubt(position, -0.25))
    assert is_over(0.5, doubt(3, -1.0))


def test_no_words_have_no_doubts():
    assert doubts([], np.zeros(0, np.float32)) == []
