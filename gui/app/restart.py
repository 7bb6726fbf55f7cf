"""Starts the program again in place of the one that has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from core.engine_packs.choice import VARIABLE


def start_again(paths: Sequence[Path]) -> None:
    """Starts this program on `paths`, with the engine that it chooses by itself.

    Call it when everything is saved and the lock of the single instance is released. On Linux it
    does not return: the new program takes the place of this process.
    """
    command = [*_command(), *map(str, paths)]
    # The variable is meant for one start.
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if getattr(sys, "frozen", False):
        # Otherwise PyInstaller's loader takes the new process for a part of this one.
        environment["PYINSTALLER_RESET_ENVIRONMENT"] = "1"
    if sys.platform == "linux":
        os.execve(command[0], command, environment)
    subprocess.Popen(command, env=environment)


def _command() -> list[str]:
    """How this process was started, without its arguments."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    arguments = len(sys.argv) - 1
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - arguments]]
