"""Openings of a file of conversations that are killed at one file operation after the other.

`store_kill_points.py SHIM ROOT WHICH`, with SHIM preloaded, copies the files in ROOT/before to
ROOT/POINT for each POINT, opens the file of conversations there, and kills the process at that
operation; see `kill_shim`, whose points these are.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from core.store import Store
from tests.support.kill_shim import Shim, chosen_points


def _open(folder: Path) -> None:
    Store(folder / "transcripts.sqlite").close()


def _kill(shim: Shim, root: Path, point: str) -> None:
    """Kills a fork of this process at this point."""
    folder = shutil.copytree(root / "before", root / point)
    if process := os.fork():
        os.waitpid(process, 0)
        return
    shim.kill(_open, folder, point)


def main(shim: str, root: Path, which: str) -> None:
    """Makes a folder for each point."""
    library = Shim(shim)
    _kill(library, root, "count")
    for point in chosen_points(which, "opening", root / "count"):
        _kill(library, root, point)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
