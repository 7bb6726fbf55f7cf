"""Openings of a file of conversations that are killed at one file operation after the other.

`store_kill_points.py SHIM ROOT POINT…`, with SHIM preloaded, copies the files in ROOT/before to
ROOT/POINT for each POINT, opens the file of conversations there, and kills the process at that
operation. A point is a number, followed by `t` if the operation is torn: half of what is written
arrives. For the point `count` nothing is killed, and ROOT/count/operations holds their number.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

from core.store import Store


def main(shim: str, root: Path, points: list[str]) -> None:
    """Makes a folder for each point."""
    library = ctypes.CDLL(shim)
    library.killpoints_arm.argtypes = (ctypes.c_long, ctypes.c_int)
    library.killpoints_count.restype = ctypes.c_long
    for point in points:
        folder = shutil.copytree(root / "before", root / point)
        if process := os.fork():
            os.waitpid(process, 0)
            continue
        is_counted = point == "count"
        library.killpoints_arm(2**40 if is_counted else int(point.rstrip("t")), point[-1] == "t")
        Store(folder / "transcripts.sqlite").close()
        count = library.killpoints_count()
        library.killpoints_arm(-1, 0)
        (folder / "operations").write_text(str(count))
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
