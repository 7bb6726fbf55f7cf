"""Lets work that nobody waits for give way to what a person does.

Python runs one thread at a time. A thread that counts or reads 100,000 captions slows down every
key that is typed meanwhile, as the GUI thread has to wait for Python's lock dozens of times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

# So long after something was done a person is taken to be at work still: more than between two
# letters, less than one waits for what goes on in the background.
_SECONDS = 0.4
_LOOK_SECONDS = 0.02


class UserActivity:
    """When a person last did something. Any thread may use it."""

    def __init__(self) -> None:
        self._until = 0.0
        self._never = Event()

    def note(self) -> None:
        """A person has done something, or waits for something."""
        self._until = time.monotonic() + _SECONDS

    def give_way(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Wait while a person is at work, as long as `is_wanted`. Not for the GUI thread."""
        while time.monotonic() < self._until and is_wanted():
            self._never.wait(_LOOK_SECONDS)
