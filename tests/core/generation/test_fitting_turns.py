"""As many turns of a conversation as fit, found without trying each number of them."""

import random

import pytest

from core.generation.fitting_turns import first_that_fit
from core.transcript import Sampling, Turn


@pytest.mark.parametrize("seed", range(30))
def test_as_many_turns_are_kept_as_fit_and_few_are_tried(seed):
    chance = random.Random(seed)
    turns = [Turn("q" * chance.randint(1, 50)) for _ in range(chance.choice([1, 2, 3, 4, 500]))]
    room = chance.choice([0, 20, 60, 100, 1000, 10**6])
    tried: list[int] = []

    def length(kept):
        return sum(len(turn.prompt) for turn in kept)

    def fitting(kept, left_out):
        tried.append(left_out)
        return (kept, left_out) if length(kept) <= room else None

    all_kept = [[turns[0], *turns[1 + left :]] for left in range(len(turns) - 1)] + [turns[-1:]]
    expected = next(((k, n) for n, k in enumerate(all_kept) if length(k) <= room), None)
    assert first_that_fit(turns, fitting) == expected
    assert len(tried) <= 12


def test_temperature_that_no_score_can_be_divided_by_is_greedy():
    assert Sampling(temperature=1e-300).temperature == 0
    assert Sampling(temperature=0.01).temperature == 0.01
