"""How fast a run goes, and how long it still takes."""

from __future__ import annotations

_MEMORY_SECONDS = 60.0
_SETTLED_AFTER = 3
_FOLLOWS = 0.1
_FOLLOWS_MOST = 0.25


class Pace:
    """Told the seconds of each stretch of work; a pause is none, and so does not count.

    The time left counts down with the clock and follows the estimate slowly, so that one slow
    picture does not make it jump.
    """

    def __init__(self) -> None:
        self._done = 0
        self._seconds = 0.0
        # Both fade, so that the rate is that of about the last minute.
        self._recent_done = 0.0
        self._recent_seconds = 0.0
        self._left: float | None = None

    @property
    def rate(self) -> float:
        """Pictures a second; 0 while nothing is known."""
        return self._recent_done / self._recent_seconds if self._recent_seconds > 0 else 0.0

    def advance(self, seconds: float, done: int, waiting: int) -> float | None:
        """`done` more in these seconds; gives the seconds left, None until that is known."""
        fade = max(0.0, 1 - seconds / _MEMORY_SECONDS)
        self._recent_done = self._recent_done * fade + done
        self._recent_seconds = self._recent_seconds * fade + seconds
        self._done += done
        self._seconds += seconds
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


def spoken(seconds: float) -> str:
    """In as few figures as one can rely on."""
    if seconds < 45:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes if minutes < 10 else 5 * round(minutes / 5)} min"
    hours, rest = divmod(15 * round(seconds / 900), 60)
    return f"about {hours} h {rest} min" if rest and hours < 10 else f"about {hours} h"


def gigabytes(size: int) -> str:
    """A size in bytes as people read it."""
    for unit, name, digits in ((1e9, "GB", 1), (1e6, "MB", 0)):
        if size >= unit:
            return f"{size / unit:.{digits}f} {name}"
    return f"{size / 1e3:.0f} kB"
