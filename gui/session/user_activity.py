"""Lets work that nobody waits for give way to what a person does.

Python runs one thread at a time. A thread that counts or reads 100,000 captions slows down every
key that is typed meanwhile, as the GUI thread has to wait for Python's lock dozens of times.
"""

from __future__ import annotations

import time
from threading import Event

# So long after something was done a person is taken to be at work still: more than between two
# letters, less than one waits for what goes on in the background.
_SECONDS = 0.4
_PAUSE_SECONDS = 0.05


class UserActivity:
    """When a person last did something. Any thread may use it."""

    def __init__(self) -> None:
        self._until = 0.0
        self._never = Event()

    def note(self) -> None:
        """A person has done something, or waits for something."""
        self._until = time.monotonic() + _SECONDS

    def give_way(self) -> None:
        """Wait for a moment while a person is at work. Not for the GUI thread."""
        if time.monotonic() < self._until:
            self._never.wait(_PAUSE_SECONDS)
