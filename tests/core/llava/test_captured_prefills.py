"""Which prefills are captured: never beyond the slot, and only where memory is left for them."""

import pytest
import torch

from core.llava.captured_prefills import CapturedPrefills
from core.llava.kv_cache import KVCache

MUCH, LITTLE = 4 << 30, 300 << 20


def cache_of(slots: int, length: int) -> KVCache:
    def tables(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(count, 2), torch.zeros(count, 2)

    cache = KVCache(1, 1, 2, torch.device("cpu"), torch.float32, tables)
    cache.resize(slots, length)
    return cache


@pytest.mark.parametrize("slots", [1, 2, 5, 8, 64])
@pytest.mark.parametrize("length", [192, 384])
def test_padding_too_stays_within_the_slot(slots, length):
    captured = CapturedPrefills(cache_of(slots, length), lambda: MUCH)
    for begin in range(130):
        for count in range(1, length - begin + 1):
            rows = captured.rows(count)
            assert rows >= count
            if captured.takes(count, begin):
                assert begin + rows <= length, (begin, count)
            elif begin <= 128 and slots > 1:
                assert begin + count > length - 8, (begin, count)


def test_prompt_begins_behind_cached_text_where_its_graph_has_room():
    asked = []

    def free():
        asked.append(memory)
        return memory

    captured = CapturedPrefills(cache_of(8, 768), free)
    memory = LITTLE
    assert captured.takes(625, 0)
    assert not asked
    assert captured.best_begin(625, 40) == 0
    assert not captured.takes(585, 40)
    # What was decided stays: a graph may be there already.
    memory = MUCH
    assert captured.best_begin(625, 40) == 0
    assert asked == [LITTLE]
    # Another number of rows is another graph.
    assert captured.best_begin(640, 40) == 40
    memory = LITTLE
    assert captured.best_begin(640, 40) == 40
    assert captured.best_begin(660, 40) == 0
    assert asked == [LITTLE, MUCH, LITTLE]
    # Once all graphs are dropped, memory may be another's.
    captured.forget()
    assert captured.best_begin(640, 40) == 0


@pytest.mark.parametrize(
    ("slots", "length", "count", "cached", "begin"),
    [
        (8, 2304, 2000, 40, 40),  # More rows than a graph is captured for.
        (8, 768, 700, 128, 128),
        (8, 768, 700, 300, 0),  # Long text is read again sooner than what follows it eagerly.
        (8, 768, 700, 0, 0),
        (8, 768, 767, 200, 0),
        (1, 768, 700, 40, 0),
        (1, 768, 769, 40, 40),
        (0, 0, 700, 40, 40),
    ],
)
def test_begin_is_where_a_graph_or_the_cached_text_saves_most(slots, length, count, cached, begin):
    captured = CapturedPrefills(cache_of(slots, length), lambda: MUCH)
    assert captured.best_begin(count, cached) == begin
