"""A program that somebody has just installed: started, waited for and read from outside.

Standard library only, as `trial.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

PATIENCE_SECONDS = 300
POLL_SECONDS = 0.05
NOBODY = 65534


class FreshInstall:
    """The program with an empty home folder: starts it, waits for it, and reads its log.

    As a context manager it kills at its end what is still running.
    """

    def __init__(self, program: Path, home: Path, title: str):
        self.home = home
        self.environment = bare_environment(home)
        self._program = program
        self._title = title
        self._started: list[subprocess.Popen] = []
        self._as_user: dict[str, Any] = {}
        if sys.platform == "linux" and os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
            self._as_user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def __enter__(self) -> FreshInstall:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()
            process.wait()

    @property
    def samples(self) -> Path:
        """The folder of sample images in the package; on macOS it is not among the libraries."""
        folders = [self._program.resolve().parent / "_internal"]
        folders.append(self._program.resolve().parents[1] / "Resources")
        return next(
            path for path in (f / "resources" / "samples" for f in folders) if path.is_dir()
        )

    def run(
        self, *arguments: str | Path, statuses: Sequence[int] = (0,), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; fails the check unless its exit status is one of `statuses`."""
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self.home,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE_SECONDS,
            check=False,
            **self._as_user,
        )
        if done.returncode not in statuses:
            self.fail(f"it ended with {done.returncode}\n{done.stdout}{done.stderr[-4000:]}")
        return done

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen:
        """Start it with its standard streams closed, as a desktop without a console may."""
        process = subprocess.Popen(
            [self._program, *arguments],
            cwd=self.home,
            env=self.environment | environment,
            preexec_fn=close_streams if os.name == "posix" else None,
            **self._as_user,
        )
        self._started.append(process)
        return process

    def end(self, process: subprocess.Popen, with_signal: int = signal.SIGTERM) -> int:
        """Send a started process the signal; returns its exit status."""
        process.send_signal(with_signal)
        return process.wait(PATIENCE_SECONDS)

    def wait_for(self, words: str) -> str:
        """Wait until the program's log contains `words`, and return the log."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while words not in (text := self.log()):
            if time.monotonic() > give_up:
                self.fail(f"its log does not say “{words}”:\n{text}")
            time.sleep(POLL_SECONDS)
        return text

    def log(self) -> str:
        """The text of the program's log, or "" while there is none."""
        logs = [path.read_text("utf-8") for path in self.home.rglob("onlooker.log")]
        return "".join(logs)

    def clear_log(self) -> None:
        """Delete the log, so that `wait_for` sees only what comes next."""
        for path in self.home.rglob("onlooker.log"):
            path.unlink()

    def require(self, is_so: bool, complaint: str) -> None:
        """Fail the check with `complaint` unless `is_so`."""
        if not is_so:
            self.fail(complaint)

    def fail(self, complaint: str) -> NoReturn:
        """End everything: print which check failed and why, and exit with status 1."""
        sys.exit(f"The packaged program, {self._title}: {complaint}")


def close_streams() -> None:
    """Close the standard streams, in the child process."""
    for number in (0, 1, 2):
        os.close(number)


def bare_environment(home: Path) -> dict[str, str]:
    """The environment of a program started from a desktop, without a path to any Python."""
    if sys.platform == "win32":
        kept = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS")
        own = ("USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "TMP")
        return {key: os.environ[key] for key in kept if key in os.environ} | dict.fromkeys(
            own, str(home)
        )
    return {"HOME": str(home), "PATH": str(home), "LANG": "C.UTF-8", "TMPDIR": str(home)}
