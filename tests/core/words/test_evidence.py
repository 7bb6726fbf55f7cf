"""What each word of an answer is based on, as data: words and regions of the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.words import Evidence, Presence, Word, strongest_region
from core.words.splitting import is_function_word


def word(text: str, begin: int = 0, token: int = 0, **facts) -> Word:
    plain = Word(
        begin, begin + len(text), text, token, token + 1, 0.5, (), 1.0, None,
        not is_function_word(text),
    )  # fmt: skip
    return replace(plain, **facts)


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


def test_strongest_region_is_what_is_connected_to_the_maximum():
    values = np.zeros((5, 6), np.float32)
    values[1, 1:4] = 0.6
    values[2, 2] = 1.0
    values[4, 5] = 0.9
    assert strongest_region(values) == (1, 1, 4, 3)
