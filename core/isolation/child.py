"""The entry of an isolated child: reads requests from standard input, answers to standard output.

It must be run with the name of a module that has what `Work` says, and perhaps `WITH_TORCH`, as
`core.isolation.process` does. A module with `serve(requests, replies)` gets the two pipes instead,
and says what it likes over them; `serve` returns the exit status.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, Protocol, cast

import psutil

from core.isolation.protocol import WITH_TORCH, Envelope, Limits, encoded
from core.message import Message, as_record

if sys.platform != "win32":
    import resource

# What it would load if it were there: torch takes seconds and half a gigabyte.
_WITHOUT = ("torch", "torchvision", "torchaudio", "accelerate", "peft")
_LOOKS_FOR_PARENT_SECONDS = 2.0

NoteStage = Callable[[str], None]


class Work(Protocol):
    """What the module offers."""

    def answer(self, request: dict[str, Any], note_stage: NoteStage) -> dict[str, Any]:
        """Does what is asked; calls `note_stage` with what it is about to do."""
        ...


def main(arguments: list[str]) -> int:
    """Does requests until the parent closes the pipe or is gone; returns the exit status."""
    requests, replies = _own_pipes()
    _dump_no_core()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in () if WITH_TORCH in arguments[1:] else _WITHOUT:
        # Documented: imports of it then fail, and `importlib.util.find_spec` does not find it.
        cast(dict[str, Any], sys.modules)[name] = None
    module = import_module(arguments[0])
    if serve := getattr(module, "serve", None):
        return serve(requests, replies)
    work = cast(Work, module)

    def send(content: dict[str, Any]) -> None:
        replies.write(encoded(content))
        replies.flush()

    for line in requests:
        envelope = Envelope.read(line)
        try:
            if envelope.limits:
                _limit(envelope.limits)
            reply = work.answer(envelope.request, lambda stage: send({"stage": stage}))
            content = {"reply": reply}
        except MemoryError:
            content = {"out_of_memory": True}
        except Exception as error:
            content = {"failure": _failure(error)}
        send(content)
    return 0


def _failure(error: Exception) -> object:
    message = error.args[0] if error.args else None
    if isinstance(message, Message):
        return as_record(message)
    return (str(error) or type(error).__name__)[:2_000]


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Takes the standard streams for the protocol, so that no library can write into it.

    Libraries written in C and Rust write to the descriptors themselves.
    """
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    return requests, replies


def _end_with_parent() -> None:
    """Ends this process when the parent is gone, however it went."""
    try:
        parent = psutil.Process(os.getppid())
        while parent.is_running() and os.getppid() == parent.pid:
            time.sleep(_LOOKS_FOR_PARENT_SECONDS)
    except psutil.Error:
        pass
    os._exit(1)


def _dump_no_core() -> None:
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit(limits: Limits) -> None:
    """Has the system enforce the limits too, where it can.

    The parent looks only a few times a second, and not at all once it is gone.
    """
    if sys.platform != "linux":
        return
    used = time.process_time()
    seconds = int(used + limits.cpu_seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    if limits.memory_bytes is None:
        return
    held = psutil.Process().memory_info().data
    resource.setrlimit(resource.RLIMIT_DATA, (held + limits.memory_bytes, resource.RLIM_INFINITY))
