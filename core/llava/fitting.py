"""How many slots a decode loop takes: as many as fit into free memory, more when it grows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Job = TypeVar("Job")

# Free memory is asked for after so many jobs per slot: taking more slots lets the others run empty.
_JOBS_PER_SLOT = 8
_WORTH_IT = 1.25


def rounds_that_fit(
    jobs: Iterable[Job | None], most: int, slots_now: Callable[[], int]
) -> Iterator[tuple[int, Iterator[Job | None]]]:
    """Yields, round by round, a number of slots and the jobs to decode with so many.

    `slots_now` returns how many slots fit now, 0 if that is unknown; no round has more than `most`.
    A round ends when at least a quarter more slots fit than it has. Each round's jobs must have
    been taken before the next round is asked for.
    """
    waiting = iter(jobs)
    is_over = False

    def number() -> int:
        return min(most, slots_now() or most) if most > 1 else 1

    def of_one_round(slots: int) -> Iterator[Job | None]:
        nonlocal is_over
        taken = 0
        for job in waiting:
            yield job
            taken += job is not None
            if job is None or slots == most or taken % (_JOBS_PER_SLOT * slots):
                continue
            if number() >= _WORTH_IT * slots:
                return
        is_over = True

    while not is_over:
        slots = number()
        yield slots, of_one_round(slots)
