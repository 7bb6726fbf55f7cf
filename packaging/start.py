"""The frozen program's first line.

A program without a console has no standard streams on Windows, and on the other systems it may
be started with them closed; libraries that print would die of it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys


def main() -> int:
    give_back_environment()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    # A library that starts a worker starts this program again; it must not open a second window.
    multiprocessing.freeze_support()
    # The hub's client is asked for nothing that the user did not ask for.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

    from gui.__main__ import main as program

    return program()


def give_back_environment() -> None:
    """Set what PyInstaller has set for this process back to what it was.

    The loader has read the path to our libraries at the start, and there is no QML. A browser or
    file manager that is started from here would find ours before its own, and fall. The path to
    Qt's plugins goes in `gui.app.program`, once Qt has read it.
    """
    if sys.platform != "linux":
        return
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", "")
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before:
        os.environ["LD_LIBRARY_PATH"] = before
    os.environ.pop("QML2_IMPORT_PATH", None)


if __name__ == "__main__":
    sys.exit(main())
