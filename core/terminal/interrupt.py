"""Ctrl+C in the terminal: one ends the program within two seconds, whatever it waits for.

What takes longer to end is left half-way, as by a crash: the journal of a run, and the files that
have been downloaded, are made for that.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import psutil

from core.batch import Control
from core.terminal.output import INTERRUPTED, say

# Together less than two seconds.
_CAPTIONS_SECONDS, _STOP_SECONDS = 0.8, 0.7


@contextmanager
def stop_on_interrupt() -> Generator[threading.Event]:
    """An event that the first Ctrl+C sets; the second one ends the process at once.

    None raises KeyboardInterrupt: inside Python's import it can leave the import lock held, and
    every other thread would wait for it for ever.
    """
    stop, has_ended = threading.Event(), threading.Event()

    def on_interrupt(*_: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        seconds = _CAPTIONS_SECONDS + _STOP_SECONDS
        _begin(_leave_after, has_ended, seconds, "Interrupted.")

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        has_ended.set()
        signal.signal(signal.SIGINT, before)


@contextmanager
def ending_on_interrupt(control: Control) -> Generator[None]:
    """The first Ctrl+C ends a run after the captions that are being generated, if they are ready in
    a second, else inside them. The second one ends it inside them at once.

    A token or an image can take longer than two seconds, and then the process exits. Finished
    answers are in the journal, and the next start writes their files, as after a crash.
    """
    has_ended = threading.Event()

    def on_first(*_: Any) -> None:
        control.stop_after_this()
        # Before it is said, so that a quick second one is not taken for the first.
        signal.signal(signal.SIGINT, on_second)
        _begin(end_inside)
        say("\nStopping after the current captions. Press Ctrl+C again to stop at once.")

    def on_second(*_: Any) -> None:
        control.stop_now()

    def end_inside() -> None:
        if not has_ended.wait(_CAPTIONS_SECONDS):
            control.stop_now()
            _leave_after(has_ended, _STOP_SECONDS, "Interrupted. Use --resume to continue.")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, on_first)
    try:
        yield
    finally:
        has_ended.set()
        signal.signal(signal.SIGINT, before)


def without_waiting(status: int) -> int:
    """Returns the exit status, but after an interruption ends the process: Python would wait for
    threads that still open an image."""
    if status == INTERRUPTED:
        _leave()
    return status


def _leave_after(has_ended: threading.Event, seconds: float, sentence: str) -> None:
    if not has_ended.wait(seconds):
        say(sentence)
        _leave()


def _begin(work: Any, *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _leave() -> NoReturn:
    # What tries models may compute without end, and would look for us only later.
    with suppress(psutil.Error):
        children = psutil.Process().children(recursive=True)
        for child in children:
            child.kill()
        psutil.wait_procs(children, timeout=0.2)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)
