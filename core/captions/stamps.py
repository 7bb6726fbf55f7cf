"""What tells that a file is unchanged: when it was changed last, in nanoseconds, and its size."""

from __future__ import annotations

import os
import stat

# Quicker than `core.files`, as it is done after each of many captions.
_PLAIN = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
UNSURE = (-1, -1)
"""The stamp of a file whose content may be another one; no file has it."""


def stamp_of(path: str) -> tuple[int, int]:
    """Returns the stamp of a file; zeros if there is none, or it cannot be looked at."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return 0, 0
    return status.st_mtime_ns, status.st_size


def stamp_after(path: str, written: bytes | None) -> tuple[int, int]:
    """Returns the stamp of a file that was just given this content, None for no file; `UNSURE` if
    another program has changed it since, so that it is read the next time."""
    try:
        file = os.open(path, _PLAIN)
    except FileNotFoundError:
        return (0, 0) if written is None else UNSURE
    except (OSError, ValueError):
        return UNSURE
    try:
        status = os.fstat(file)
        if written is None or status.st_size != len(written) or not stat.S_ISREG(status.st_mode):
            return UNSURE
        is_same = os.read(file, len(written) + 1) == written
        return (status.st_mtime_ns, status.st_size) if is_same else UNSURE
    except OSError:
        return UNSURE
    finally:
        os.close(file)


def stamp_in_place(path: str, file: int, written: bytes) -> tuple[int, int]:
    """As `stamp_after` for a file that is still open at `file` for reading and writing, in half of
    the time: another file may be at its path by now."""
    try:
        own, status = os.fstat(file), os.lstat(path)
        if not os.path.samestat(own, status) or status.st_size != len(written):
            return UNSURE
        os.lseek(file, 0, os.SEEK_SET)
        is_same = os.read(file, len(written) + 1) == written
    except OSError:
        return UNSURE
    return (status.st_mtime_ns, status.st_size) if is_same else UNSURE
