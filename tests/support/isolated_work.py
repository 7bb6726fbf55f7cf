"""What an isolated child does in the tests: it does its work, or fails in one of many ways."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def answer(request: dict[str, Any], note_stage: Callable[[str], None]) -> dict[str, Any]:
    """Does what `request["do"]` names."""
    note_stage("begun")
    if request["do"] == "echo":
        return {"text": request["text"]}
    return _WORK[request["do"]]() or {}


def _look() -> dict[str, Any]:
    secrets = [name for name in os.environ if name.endswith("_TOKEN")]
    return {"modules": sorted(sys.modules), "secrets": secrets}


def _print() -> None:
    print("{}", flush=True)  # noqa: T201
    os.write(1, b"{}\n")
    os.write(2, b"trouble\n")


def _raise() -> None:
    raise ValueError("no way")


def _loop() -> None:
    while True:
        pass


def _grow() -> None:
    kept = []
    while True:
        kept.append(b"x" * 10_000_000)


_WORK: dict[str, Callable[[], dict[str, Any] | None]] = {
    "look": _look,
    "print": _print,
    "raise": _raise,
    "loop": _loop,
    "power": lambda: {"number": 10 ** (10**9)},
    "sleep": lambda: time.sleep(60),
    "fill": lambda: {"size": len(bytes(100_000_000_000))},
    "grow": _grow,
    "exit": lambda: os._exit(3),
    "segfault": lambda: {"text": str(ctypes.string_at(0))},
}
