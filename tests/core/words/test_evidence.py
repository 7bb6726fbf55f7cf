"""What each word rests on, as data: words, regions, and what to ask about them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.words import (
    Evidence,
    Presence,
    Word,
    doubts,
    is_function_word,
    is_list_number,
    split_words,
    strongest_region,
)


def word(text: str, begin: int = 0, token: int = 0, **facts) -> Word:
    plain = Word(
        begin, begin + len(text), text, token, token + 1, 0.5, (), 1.0, None,
        not is_function_word(text),
    )  # fmt: skip
    return replace(plain, **facts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A T-shirt, the dog's bone.", ["A", "T-shirt", "the", "dog's", "bone"]),
        ("Über 20 “Ära”-Bilder", ["Über", "20", "Ära", "Bilder"]),
        ("猫が a", ["猫", "が", "a"]),
        ("re\u0301sume\u0301 हिन्दी में", ["re\u0301sume\u0301", "हिन्दी", "में"]),
        ("_one_ __two__ snake_case", ["one", "two", "snake_case"]),
        ("", []),
    ],
)
def test_text_is_split_into_the_words_that_people_see(text, words):
    assert [text[begin:end] for begin, end in split_words(text)] == words


def test_number_of_a_list_is_no_word_to_doubt():
    text = "Two things:\n1. A car\n 2) 3 dogs.\n10. Nothing at 5.\n4 cats"
    numbers = [begin for begin, end in split_words(text) if is_list_number(text, begin, end)]
    assert [text[at : at + 2] for at in numbers] == ["1.", "2)", "10"]


def test_numbers_colours_and_places_have_content_and_articles_do_not():
    assert not any(map(is_function_word, ("two", "red", "left", "middle", "Dog")))
    assert all(map(is_function_word, ("The", "a", "isn’t", "another")))


def test_most_doubtful_word_is_one_with_content():
    words = (word("a"), word("dog", doubt=0.2), word("cat", doubt=0.7), word("on"))
    assert Evidence(words, 0.0).most_doubtful == words[2]
    assert Evidence(words[:1], 0.0).most_doubtful is None


def test_doubt_is_underlined_in_two_steps():
    steps = [word("dog", doubt=doubt).doubt_step for doubt in (None, 0.49, 0.5, 0.9)]
    assert steps == [0, 0, 1, 2]


def test_thing_is_affirmed_only_when_yes_is_likelier_than_for_absent_things():
    assert Presence("", 2.0, -5.0).is_affirmed
    assert not Presence("", 2.0, 3.0).is_affirmed
    assert not Presence("", -1.0, -5.0).is_affirmed


def test_strongest_region_is_what_hangs_together_with_the_maximum():
    values = np.zeros((5, 6), np.float32)
    values[1, 1:4] = 0.6
    values[2, 2] = 1.0
    values[4, 5] = 0.9
    assert strongest_region(values) == (1, 1, 4, 3)


# ---- doubt --------------------------------------------------------------------------------------


def said(text: str, *log_p: float) -> tuple[list[Word], np.ndarray]:
    """One token a word."""
    words = [
        word(text[begin:end], begin, number)
        for number, (begin, end) in enumerate(split_words(text))
    ]
    return words, np.array(log_p, np.float32)


def is_over(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other


def test_surprising_word_is_more_doubtful_than_a_sure_one_and_joining_words_are_left_alone():
    cat, joining, dog = doubts(*said("cat and dog", -6.0, -0.001, -0.0001))
    assert joining is None
    assert is_over(cat, 0.6)
    assert is_over(0.1, dog)


def test_surprise_at_a_joining_word_falls_on_what_it_joins():
    sure = doubts(*said("cat on the left", -0.001, -0.001, 0.0, -0.001))[3]
    unsure = doubts(*said("cat on the left", -0.001, -5.0, 0.0, -0.001))[3]
    assert is_over(unsure, 0.9)
    assert is_over(0.5, sure)


def test_surprise_at_the_number_of_a_list_falls_on_nothing():
    words, log_p = said("2 cat", -5.0, -0.001)
    words = [replace(words[0], is_content=False), words[1]]
    number, cat = doubts(words, log_p)
    assert number is None
    assert is_over(0.1, cat)


def test_thing_named_again_is_as_doubtful_as_it_was():
    first, _, again = doubts(*said("balloons a balloon", -5.0, 0.0, 0.0))
    assert again == first


def test_words_that_surprise_as_much_as_all_others_are_in_less_doubt():
    names = "dog cat owl fox hen cow pig ram bat eel"
    text = " ".join([names, names.replace(" ", "let "), names.replace(" ", "ling ")])
    alone = doubts(*said(text, *[-0.0001] * 29, -2.0))[29]
    among = doubts(*said(text, *[-2.0] * 30))[29]
    assert is_over(alone, 0.5)
    assert is_over(0.2, among)


def test_word_that_surprises_much_is_in_doubt_even_where_most_words_surprise_a_little():
    """As in the captions of a large model, which knows many ways to say the same."""
    names = "cat dog horse bird left bench tree house cloud grass road fence man hat two right"
    text = f"{names} {names.replace(' ', 'let ')}"
    usual = [-0.25] * 32

    def doubt(place: int, log_p: float) -> float | None:
        values = [*usual[:place], log_p, *usual[place + 1 :]]
        return doubts(*said(text, *values))[place]

    assert is_over(doubt(3, -4.0), 0.5)
    assert is_over(doubt(14, -2.0), 0.5)
    assert is_over(doubt(4, -1.5), 0.5)
    for place in range(32):
        assert is_over(0.5, doubt(place, -0.25))
    assert is_over(0.5, doubt(3, -1.0))


def test_no_words_have_no_doubts():
    assert doubts([], np.zeros(0, np.float32)) == []
