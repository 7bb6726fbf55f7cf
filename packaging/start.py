"""The frozen program's first line.

A program without a console has no standard streams on Windows, and on the other systems it may
be started with them closed; libraries that print would die of it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys


def main() -> int:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    # A library that starts a worker starts this program again; it must not open a second window.
    multiprocessing.freeze_support()
    # The hub's client is asked for nothing that the user did not ask for.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

    from gui.__main__ import main as program

    return program()


if __name__ == "__main__":
    sys.exit(main())
