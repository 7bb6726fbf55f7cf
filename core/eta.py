"""How fast a run goes, and how much time it still needs."""

from __future__ import annotations

# The rate is an average over about this many seconds, newer work counting more.
_MEMORY_SECONDS = 60.0
# Items that must be done before the remaining time is estimated at all.
_SETTLED_AFTER = 3
# The share of the difference between the shown time and the estimate that is made up for per
# second, and the most that one call makes up for.
_FOLLOWS = 0.1
_FOLLOWS_MOST = 0.25


class Pace:
    """Estimates the rate and the remaining time of a run from the seconds its work took.

    The caller reports each stretch of work with `advance`. Pauses are not reported and so do not
    count. The remaining time counts down with the clock and approaches the estimate slowly, so
    that one slow picture does not make it jump.
    """

    def __init__(self) -> None:
        self._done = 0
        # Both fade, so that the rate is that of about the last minute.
        self._recent_done = 0.0
        self._recent_seconds = 0.0
        self._left: float | None = None

    @property
    def rate(self) -> float:
        """Items per second over about the last minute; 0 before the first `advance`."""
        return self._recent_done / self._recent_seconds if self._recent_seconds > 0 else 0.0

    def advance(self, seconds: float, done: int, waiting: int) -> float | None:
        """Reports that `done` more items took `seconds` and that `waiting` items remain.

        Returns the remaining seconds, or None until three items are done.
        """
        fade = max(0.0, 1 - seconds / _MEMORY_SECONDS)
        self._recent_done = self._recent_done * fade + done
        self._recent_seconds = self._recent_seconds * fade + seconds
        self._done += done
        if not waiting:
            self._left = 0.0
        elif self._done >= _SETTLED_AFTER and self.rate > 0:
            estimate = waiting / self.rate
            if self._left is None:
                self._left = estimate
            counted = max(0.0, self._left - seconds)
            share = min(_FOLLOWS_MOST, _FOLLOWS * max(seconds, 0.2))
            self._left = counted + share * (estimate - counted)
        return self._left
