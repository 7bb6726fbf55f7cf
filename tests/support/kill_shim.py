"""The library of `kill_points.c`, and the points at which it kills.

A point is the number of an operation on files, followed by `t` if the operation is torn: half of
what is written arrives. For the point `count` nothing is killed, and the file `operations` names
the operations.
"""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

EVERY = "every"
SOME = "some:"
POWER, POWER_AT_SOME, POWER_AT_END = "power", "power at:", "power at the end"


def all_points(kinds: str, *, loses_unsynced: bool = False) -> list[str]:
    """Every point of a step that leaves other files than the one before; `kinds` are those of its
    operations, as `killpoints_kinds` in `kill_points.c` has them.

    What happens between two operations changes no file, unless the second one is in capitals. So
    after a sync the files are as before it, which matters only where what is not synced is lost,
    and whatever is not written in two halves is torn just as the next operation is not begun.
    """
    points = []
    for index, kind in enumerate(kinds):
        follows_sync = index and kinds[index - 1] in "sS" and kind.islower()
        if loses_unsynced or not follows_sync:
            points.append(f"{index + 1}")
        if kind in "wW" or not kinds[index + 1 : index + 2].islower():
            points.append(f"{index + 1}t")
    return points


def chosen_points(which: str, step: str, counted: Path) -> list[str]:
    """The points of a step, whose operations are counted in a folder: `EVERY` one, or some number
    at random. For power cuts, which lose what is not synced, they are other ones.
    """
    kinds = (counted / "operations").read_text()
    assert len(kinds) > 10
    match which.partition(":"):
        case ["every", *_]:
            return all_points(kinds)
        case ["power", *_]:
            return all_points(kinds, loses_unsynced=True)
        case ["power at the end", *_]:  # There all is written and nothing is synced.
            return [str(number) for number in range(len(kinds) - 12, len(kinds), 4)]
        case ["power at", _, most]:
            points = [str(index + 1) for index in range(len(kinds))]
        case _, _, most:
            points = all_points(kinds)
    return random.Random(step).sample(points, min(int(most), len(points)))


class Shim:
    """The preloaded library, which kills this process at an operation."""

    def __init__(self, path: str):
        self._library = ctypes.CDLL(path)
        self._library.killpoints_arm.argtypes = (ctypes.c_long, ctypes.c_int)
        self._library.killpoints_log.argtypes = (ctypes.c_char_p,)
        self._library.killpoints_kinds.restype = ctypes.c_char_p

    def log(self, file: Path) -> None:
        """Has what is written and synced noted in a file."""
        self._library.killpoints_log(os.fsencode(file))

    def kill(self, act: Callable[[Path], object], folder: Path, point: str) -> NoReturn:
        """Lets something happen in a folder, ends the process at this point of it, and otherwise
        names its operations in a file."""
        is_counted = point == "count"
        number = 2**40 if is_counted else int(point.rstrip("t"))
        self._library.killpoints_arm(number, point[-1] == "t" and not is_counted)
        act(folder)
        kinds = self._library.killpoints_kinds()
        self._library.killpoints_arm(-1, 0)
        (folder / "operations").write_bytes(kinds)
        os._exit(0)
