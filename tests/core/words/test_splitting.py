"""Text becomes the words that people see."""

from __future__ import annotations

import pytest

from core.words.splitting import is_function_word, is_list_number, split_words


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


def test_numbers_colours_and_positions_are_content_words_and_articles_are_not():
    assert not any(map(is_function_word, ("two", "red", "left", "middle", "Dog")))
    assert all(map(is_function_word, ("The", "a", "isn’t", "another")))
