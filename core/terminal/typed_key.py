"""A key that is typed where nobody sees it, or piped; never an argument, which other users see."""

from __future__ import annotations

import getpass
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

from core.errors import Cancelled
from core.terminal.output import is_terminal


def read_typed_key(prompt: str) -> str | None:
    """Returns the key, which may be empty; None if standard input ends without one.

    Raises Cancelled after Ctrl+C, once the terminal shows again what is typed.
    """
    if sys.stdin is None:
        return None
    if not is_terminal(sys.stdin):
        line = sys.stdin.readline()
        return line.strip() if line else None
    try:
        with _interruptible():
            return getpass.getpass(prompt).strip()
    except EOFError:
        return None
    except KeyboardInterrupt:
        raise Cancelled("No key was typed.") from None


@contextmanager
def _interruptible() -> Generator[None]:
    """Lets Ctrl+C raise KeyboardInterrupt: else the process would end while nothing is echoed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
