"""The number of slots follows what fits."""

from collections.abc import Callable, Sequence

from core.llava.fitting import rounds_that_fit


def slots_of_rounds(
    jobs: Sequence[int | None], most: int, slots_now: Callable[[], int]
) -> list[tuple[int, list[int | None]]]:
    return [(slots, list(part)) for slots, part in rounds_that_fit(jobs, most, slots_now)]


def test_no_more_slots_than_asked_for_and_than_fit_and_as_asked_where_that_is_unknown() -> None:
    jobs = list(range(5))
    assert slots_of_rounds(jobs, 8, lambda: 64) == [(8, jobs)]
    assert slots_of_rounds(jobs, 8, lambda: 3) == [(3, jobs)]
    assert slots_of_rounds(jobs, 8, lambda: 0) == [(8, jobs)]
    assert slots_of_rounds(jobs, 1, lambda: 0) == [(1, jobs)]


def test_more_slots_are_taken_when_they_fit_and_no_job_is_lost() -> None:
    given: list[int] = []
    jobs: list[int | None] = [None if n % 7 == 3 else n for n in range(300)]

    def taking():
        for job in jobs:
            given.append(1)
            yield job

    def slots_now() -> int:
        return 2 if len(given) < 100 else 16

    rounds = [(slots, list(part)) for slots, part in rounds_that_fit(taking(), 8, slots_now)]
    assert [slots for slots, _ in rounds] == [2, 8]
    assert [job for _, part in rounds for job in part] == jobs
    assert 100 <= len(rounds[0][1]) < 140


def test_a_little_more_memory_does_not_end_a_round() -> None:
    found = iter([8, *[9] * 1000])
    (only,) = slots_of_rounds(list(range(400)), 64, lambda: next(found))
    assert only[0] == 8
