import pytest

from core.fit import Card, MemoryNeed
from core.spread import shares, told

NEED = MemoryNeed(weights=14, cache=2, activations=1, overhead=1)


def cards(*free: int) -> list[Card]:
    return [Card(number, f"Card {number}", 24, memory) for number, memory in enumerate(free)]


def test_each_card_keeps_room_for_what_is_computed_there():
    assert shares(NEED, 0, cards(10, 10), 30) == {0: 6, 1: 7, "cpu": 29}


def test_card_where_words_go_in_comes_first():
    room = shares(NEED, 1, cards(10, 10), 30)
    assert room is not None
    assert list(room) == [1, 0, "cpu"]


def test_full_card_takes_no_part():
    assert shares(NEED, 0, cards(10, 1), 30) == {0: 6, "cpu": 29}
    assert shares(NEED, 1, cards(10, 1), 30) is None


@pytest.mark.parametrize("host", [None, 8, 14])
def test_host_must_hold_the_weights_while_they_are_read(host):
    assert shares(NEED, 0, cards(20, 20), host) is None


def test_where_it_lies_is_told():
    both = {"model.vision_tower": 0, "model.language_model.layers.0": 1, "lm_head": "cpu"}
    assert told(both) == (
        "The model lies on 2 graphics cards and in the computer's own memory, which makes its "
        "answers slow."
    )
    assert told({"a": 0, "b": 0}) == "The model lies on the graphics card."
