"""What the verbs of the command line share: exit statuses, and printing to a terminal or a log."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from core.formatting import format_bytes, format_duration, format_rate
from core.transfer.meter import Progress

ALL_WELL, SOME_FAILED, WRONG_USE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


class OutputFailed(Exception):
    """Standard output cannot be written, as on a full disk. Says why."""


def print_result(text: str, end: str = "\n") -> None:
    """Prints to standard output at once. Characters that it cannot encode become "?".

    Raises OutputFailed, and BrokenPipeError once nobody reads any more.
    """
    try:
        try:
            print(text, end=end, flush=True)
        except UnicodeEncodeError:
            encoding = sys.stdout.encoding
            print(text.encode(encoding, "replace").decode(encoding), end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(error.strerror or str(error)) from error


def number_of(count: int, one: str) -> str:
    """Returns “1 caption” or “2,000 captions” for the word “caption”."""
    return f"1 {one}" if count == 1 else f"{count:,} {one}s"


def leave_output() -> None:
    """Lets what is still to be written to standard output go nowhere: Python would try once more at
    its end, and report that it failed."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str, end: str = "\n") -> None:
    """Prints a message for the user to standard error; nothing where that is closed or full."""
    if sys.stderr is None:
        return
    with suppress(OSError):
        print(line, end=end, file=sys.stderr, flush=True)


def is_terminal(stream: TextIO | None) -> bool:
    """Returns whether a standard stream is a terminal; one that was closed is none."""
    return stream is not None and stream.isatty()


def as_json(content: Any, *, indent: int | None = None, is_ascii: bool = False) -> str:
    """Returns JSON. It is escaped to ASCII with `is_ascii`, or where it holds the name of a file
    that is not text, which nothing else could be written to."""
    text = json.dumps(content, ensure_ascii=is_ascii, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, indent=indent)
    return text


def is_ascii() -> bool:
    """Returns whether JSON must be escaped, since standard output does not take Unicode."""
    encoding = "" if sys.stdout is None else sys.stdout.encoding or ""
    return "utf" not in encoding.lower()


def show_progress(fraction: float, stage: str) -> None:
    """Shows a stage in a line that is overwritten; shows nothing if standard error is a log."""
    if is_terminal(sys.stderr):
        # Clears the line; the caption follows in its place.
        line = "" if fraction == 1 else f"{stage} … {fraction:.0%}"
        say(f"\r\x1b[K{line}", end="")


class ProgressLine:
    """A progress line on a terminal, rewritten in place. Prints nothing into a file or pipe."""

    def __init__(self) -> None:
        self._is_shown = is_terminal(sys.stderr)
        self._shown = ""

    def show(self, progress: Progress) -> None:
        """Shows how far a job is."""
        if not self._is_shown:
            return
        parts = [progress.stage]
        if progress.total:
            share = progress.done / progress.total
            parts.append(
                f"{format_bytes(progress.done)} of {format_bytes(progress.total)}, {share:.0%}"
            )
        if progress.rate:
            parts.append(format_rate(progress.rate))
        if progress.seconds_left is not None:
            parts.append(f"{format_duration(progress.seconds_left)} left")
        line = "  ".join(parts)
        if line != self._shown:
            self._shown = line
            say(f"\r\x1b[K{line}", end="")

    def end(self) -> None:
        """Clears the line."""
        if self._shown:
            say("\r\x1b[K", end="")
