import pytest

from core.picture import Picture
from core.transcript import Answer, Ending, Exchange, Transcript, Turn, without


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("A big red ball.", ["big"], "A red ball."),
        ("A big red ball.", ["A"], "big red ball."),
        ("A red ball.", ["ball"], "A red."),
        ("A cat, a dog, a bird", ["dog"], "A cat, a, a bird"),
        ("Two\nlines here", ["lines"], "Two\nhere"),
        ("A big red ball.", ["big", "ball"], "A red."),
        ("one", ["one"], ""),
    ],
)
def test_struck_words_leave_no_gap_behind(text, words, left):
    spans = [(text.index(word), text.index(word) + len(word)) for word in words]
    assert without(text, spans) == left


def test_the_model_is_reminded_of_an_answer_as_it_was_left(red_picture):
    said = Answer("A cat and a dog.", Ending.COMPLETE, 6, 1.0)
    struck = Exchange("What is it?", said, "m", ((6, 15),))
    all_struck = Exchange("Why?", said, "m", ((0, 16),))
    turns = Transcript.of(red_picture, (struck, all_struck)).asking("And now?")
    assert turns == (Turn("What is it?", "A cat."), Turn("And now?"))


@pytest.fixture
def red_picture():
    from PIL import Image

    return Picture(None, Image.new("RGB", (4, 3), "red"))
