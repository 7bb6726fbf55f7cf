"""Starts an isolated child, asks it, watches its time and memory, and ends it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from core.errors import Cancelled
from core.isolation.protocol import (
    LONGEST_LINE,
    VERB,
    WITH_TORCH,
    ChildFailed,
    Ended,
    Envelope,
    Limits,
    RequestFailed,
)

_ROOT = Path(__file__).resolve().parents[2]
# One thread each: their pools reserve memory for each core, and the child has one thing to do. No
# graphics card.
_SMALL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MALLOC_ARENA_MAX": "1",
    "CUDA_VISIBLE_DEVICES": "",
}
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
_SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")
# How the system ends a child that exceeds its own limit, on Linux.
_OUT_OF_CPU_TIME = getattr(signal, "SIGXCPU", 0)
_START_SECONDS = 120.0
"""For requests without limits; libraries are read from the disk then."""
_FIRST_LOOK_SECONDS, _LOOK_SECONDS = 0.002, 0.05


def start_child(
    module: str, *, has_torch: bool = False, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a child that does the work of `module`, with pipes for its input and output.

    `environment` is added to its environment. Raises ChildFailed if the system refuses.
    """
    settings = _OFFLINE if has_torch else _OFFLINE | _SMALL
    try:
        return subprocess.Popen(
            _command(module, *([WITH_TORCH] if has_torch else [])),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(settings | dict(environment or {})),
            # Ctrl+C in a terminal is for the parent, which ends the child.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise ChildFailed(Ended.NOT_STARTED, details=str(error)) from error


class IsolatedProcess:
    """A child of this program. It belongs to one thread; `close` may be called by any.

    After a failure it is ended, and further requests fail too.
    """

    def __init__(self, module: str, *, has_torch: bool = False):
        """Starts the child; the module's `answer(request, note_stage)` does its work.

        With `has_torch` it may import torch, use all cores and see the graphics cards. Raises
        ChildFailed if the system refuses.
        """
        self._stage = ""
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._process = start_child(module, has_torch=has_torch)
        reader = threading.Thread(
            target=_read_lines, args=(self._process, self._lines), name="isolated", daemon=True
        )
        reader.start()
        # Also when nobody closes it, and when the program ends.
        self._end = weakref.finalize(self, _end, self._process, reader)

    def ask(
        self,
        request: dict[str, Any],
        limits: Limits | None = None,
        stop: threading.Event | None = None,
    ) -> dict[str, Any]:
        """Returns the child's reply; blocks until it comes.

        Raises RequestFailed if it cannot do it, ChildFailed if it was ended, and Cancelled once
        `stop` is set.
        """
        has_begun = bool(self._stage)
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(Envelope(request, limits).line())
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._failed(Ended.CRASHED if has_begun else Ended.NOT_STARTED) from error
        watch = _Watch(self._process.pid, limits)
        wait = _FIRST_LOOK_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=wait)
            except queue.Empty:
                if stop is not None and stop.is_set():
                    self.close()
                    raise Cancelled("Loading was cancelled.") from None
                if ended := watch.exceeded():
                    raise self._failed(ended) from None
                wait = min(2 * wait, _LOOK_SECONDS)
                continue
            if (reply := self._reply_in(line)) is not None:
                return reply

    def close(self) -> None:
        """Ends the child, if it is still there, and waits for its end."""
        self._end()

    def _reply_in(self, line: bytes) -> dict[str, Any] | None:
        """Returns a reply, or None for a stage, which is noted."""
        try:
            content = cast(dict[str, Any], json.loads(line))
        except ValueError:  # An empty line stands for the end of the pipe.
            raise self._failed(Ended.CRASHED if self._stage else Ended.NOT_STARTED) from None
        if "stage" in content:
            self._stage = str(content["stage"])
            return None
        if "failure" in content:
            raise RequestFailed(content["failure"])
        if "reply" not in content:
            raise self._failed(Ended.MEMORY)
        self._stage = self._stage or "ready"
        return content["reply"]

    def _failed(self, ended: Ended) -> ChildFailed:
        self.close()
        status = self._process.returncode
        if ended is Ended.CRASHED and _OUT_OF_CPU_TIME and status == -_OUT_OF_CPU_TIME:
            ended = Ended.SLOW
        return ChildFailed(ended, self._stage, f"exit status {status}")


def _read_lines(process: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    pipe = process.stdout
    assert pipe is not None
    with pipe, suppress(OSError, ValueError):
        while (line := pipe.readline(LONGEST_LINE)).endswith(b"\n"):
            lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
    process.kill()
    process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    reader.join()  # It closes the other pipe.


class _Watch:
    """Compares what a process uses with its limits."""

    def __init__(self, pid: int, limits: Limits | None):
        self._limits = limits
        self._begin = time.monotonic()
        import psutil  # The window's start would wait for it.

        self._errors = psutil.Error
        self._process: psutil.Process | None = None
        with suppress(self._errors):
            self._process = psutil.Process(pid)
        self._cpu_begin = self._cpu_seconds()

    def exceeded(self) -> Ended | None:
        """Returns which limit is exceeded, None for none."""
        seconds = time.monotonic() - self._begin
        limits = self._limits
        if limits is None:
            return Ended.NOT_STARTED if seconds > _START_SECONDS else None
        if limits.memory_bytes is not None and self._memory_bytes() > limits.memory_bytes:
            return Ended.MEMORY
        used = self._cpu_seconds() - self._cpu_begin
        if used > limits.cpu_seconds:
            return Ended.SLOW
        if seconds > limits.seconds:
            return Ended.SLOW if used > limits.cpu_seconds / 2 else Ended.BUSY
        return None

    def _cpu_seconds(self) -> float:
        with suppress(self._errors):
            if self._process is not None:
                times = self._process.cpu_times()
                return times.user + times.system
        return 0.0

    def _memory_bytes(self) -> int:
        with suppress(self._errors):
            if self._process is not None:
                return self._process.memory_info().rss
        return 0


def _command(module: str, *options: str) -> list[str]:
    if getattr(sys, "frozen", False):
        return [sys.executable, VERB, module, *options]
    # Not from the working directory, which may be full of somebody's modules.
    code = (
        f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
        f"from core.isolation.child import main; sys.exit(main({[module, *options]!r}))"
    )
    return [sys.executable, "-P", "-c", code]


def _environment(settings: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return kept | settings
