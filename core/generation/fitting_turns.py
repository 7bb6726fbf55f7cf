"""Which turns of a conversation are left out, so that the rest fits into the model's context."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar

from core.transcript import Turn

MOST_CHARACTERS = 128
"""No token of a tokenizer stands for more: a text with more than so many for each position is too
long, and need not be tokenized to know it, which takes seconds for a million characters."""

_Inputs = TypeVar("_Inputs")


def first_that_fit(
    turns: Sequence[Turn], fitting: Callable[[list[Turn], int], _Inputs | None]
) -> _Inputs | None:
    """Returns the inputs with as many turns as fit, leaving out the oldest after the first, and
    the first one last; None if the last turn does not fit alone.

    `fitting(kept, left_out)` returns the inputs for some turns, or None if they are too long. Of
    hundreds of turns, it is only called for some.
    """
    alone = len(turns) - 1

    def without(left_out: int) -> _Inputs | None:
        kept = [turns[-1]] if left_out == alone else [turns[0], *turns[1 + left_out :]]
        return fitting(kept, left_out)

    if (whole := without(0)) is not None:
        return whole
    # The fewer turns, the shorter.
    found = bisect_left(range(1, alone), True, key=lambda left: without(left) is not None)
    return without(1 + found) if alone else None
