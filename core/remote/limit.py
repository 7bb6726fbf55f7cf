"""How many requests at the same time are good for a server: found while it is used."""

from __future__ import annotations

START = 4
_BETTER, _WORSE = 1.05, 0.85
_REFUSED_FACTOR, _SLOW_FACTOR = 0.5, 0.75
_PROBE_AFTER = 6


class AdaptiveLimit:
    """Grows while more requests at once give more answers a second; shrinks when they do not.

    Doubles at first, then grows by one at a time. A refusal (“too many requests”) halves it, and
    answers that got slower without becoming more take a quarter of it. `most` is the upper bound.
    """

    def __init__(self, most: int, start: int = START):
        self.most = most
        self.value = max(1, min(start, most))
        self._is_doubling = True
        self._seconds: list[float] = []
        self._best_rate = 0.0
        self._is_full = False
        self._idle_windows = 0

    def note_use(self, under_way: int) -> None:
        """Call it when a request begins: a limit that is not reached says nothing."""
        self._is_full = self._is_full or under_way >= self.value

    def note_answer(self, seconds: float) -> None:
        """Call it for each answer, with how long it took."""
        self._seconds.append(seconds)
        if len(self._seconds) < max(self.value, START):
            return
        mean = sum(self._seconds) / len(self._seconds)
        is_full, self._is_full = self._is_full, False
        self._seconds = []
        if is_full:
            # By Little's law so many answers come a second.
            self._adapt(self.value / max(mean, 1e-6))

    def note_refusal(self) -> None:
        """Call it when the server says that it has too many requests."""
        self.value = max(1, int(self.value * _REFUSED_FACTOR))
        self._is_doubling = False
        self._seconds, self._best_rate, self._is_full = [], 0.0, False

    def _adapt(self, rate: float) -> None:
        if rate > self._best_rate * _BETTER:
            self._best_rate, self._idle_windows = rate, 0
            self._grow()
            return
        self._is_doubling = False
        if rate < self._best_rate * _WORSE:
            self.value = max(1, int(self.value * _SLOW_FACTOR))
            self._best_rate = rate
            return
        self._idle_windows += 1
        if self._idle_windows >= _PROBE_AFTER:
            self._idle_windows = 0
            self._grow()

    def _grow(self) -> None:
        self.value = min(self.most, self.value * 2 if self._is_doubling else self.value + 1)
