"""Questions about words of captions as the built-in model and LLaVA-1.5 write them."""

from __future__ import annotations

import pytest

from core.words import Word, absent_questions, question_about
from core.words.splitting import is_function_word

CAPTION = (
    "The image features a man riding a skateboard and two red balloons, a cup of green tea on the "
    "left side of a dining table. Dogs are sleeping by another pair of scissors."
)


STREET = (
    "The image features a man standing in the back of a yellow SUV, ironing clothes on an ironing "
    "board. He appears to be enjoying himself, possibly as a unique way to travel. The car is "
    "parked on a busy street, surrounded by other vehicles, including taxis. There are several "
    "cars parked along the sidewalk, people watching tennis, and a bowl filled with striped socks."
)


def found(text: str, name: str) -> Word:
    begin = text.index(name)
    is_content = not is_function_word(name)
    return Word(begin, begin + len(name), name, 0, 1, 0.5, (), 1.0, None, is_content)


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("man", "Is there a man in the image?"),
        ("balloons", "Are there any red balloons in the image?"),
        ("red", "Are there any red balloons in the image?"),
        ("tea", "Is there a cup of green tea in the image?"),
        ("dining", "Is there a dining table in the image?"),
        ("Dogs", "Are there any dogs in the image?"),
        ("scissors", "Is there a pair of scissors in the image?"),
        ("two", None),
        ("left", None),
        ("image", None),
        ("sleeping", None),
        ("another", None),
    ],
)
def test_question_about_a_word_asks_for_the_thing_that_it_names(name, question):
    assert question_about(CAPTION, found(CAPTION, name)) == question


def test_question_names_an_owl_with_its_article_and_a_lone_colour_as_anything():
    assert question_about("An owl.", found("An owl.", "owl")) == "Is there an owl in the image?"
    text = "The background is red."
    assert question_about(text, found(text, "red")) == "Is there anything red in the image?"


def test_word_that_is_no_longer_in_the_text_is_not_asked_about():
    assert question_about("A cat.", found("A dog, a cat.", "cat")) is None


def test_things_asked_about_as_absent_are_none_that_the_answer_names():
    questions = absent_questions("A lobster on an anchor.")
    assert len(questions) == 3
    assert not any("lobster" in question or "anchor" in question for question in questions)


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("man", "Is there a man in the image?"),
        ("standing", None),
        ("clothes", "Are there any clothes in the image?"),
        ("board", "Is there an ironing board in the image?"),
        ("enjoying", None),
        ("himself", None),
        ("possibly", None),
        ("unique", "Is there a unique in the image?"),
        ("parked", None),
        ("street", "Is there a busy street in the image?"),
        ("surrounded", None),
        ("taxis", "Are there any taxis in the image?"),
        ("cars", "Are there any cars in the image?"),
        ("people", "Are there any people in the image?"),
        ("tennis", "Is there tennis in the image?"),
        ("bowl", "Is there a bowl in the image?"),
        ("striped", "Are there any striped socks in the image?"),
    ],
)
def test_actions_are_no_things_and_end_a_name(name, question):
    assert question_about(STREET, found(STREET, name)) == question


def test_tags_are_asked_about_with_their_article():
    text = "cat, orange ball"
    assert question_about(text, found(text, "ball")) == "Is there an orange ball in the image?"


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("two dancing women", "Are there any dancing women in the image?"),
        ("a grinning face", "Is there a grinning face in the image?"),
        ("a pair of clapping hands", "Is there a pair of clapping hands in the image?"),
        ("three deer", "Are there any deer in the image?"),
        ("a bow and arrow", "Is there an arrow in the image?"),
        ("a hand with nail polish", "Is there nail polish in the image?"),
    ],
)
def test_last_word_of_a_name_is_asked_about_with_all_of_it(text, question):
    assert question_about(text, found(text, text.split()[-1])) == question
