"""Keeps the computer awake while a folder run works; the screen may turn off."""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QProcess
from shiboken6 import isValid

# From Windows' header winbase.h.
_CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x00000001

translate = QCoreApplication.translate

log = logging.getLogger(__name__)


class Awake(QObject):
    """Does nothing where the system has no way. A helper process ends with this program, even if
    the program is killed."""

    def __init__(self, parent: QObject | None = None, words: Callable[[], list[str]] | None = None):
        """`words` returns the command that keeps the computer awake as long as it runs, [] if there
        is none; that of this system by default."""
        super().__init__(parent)
        self._words = words or _command
        self._process: QProcess | None = None
        self._is_on = False

    def set_on(self, is_on: bool) -> None:
        """Keep the computer awake from now on, or not any more."""
        if is_on == self._is_on:
            return
        self._is_on = is_on
        if sys.platform == "win32":
            flags = _CONTINUOUS | (_SYSTEM_REQUIRED if is_on else 0)
            ctypes.windll.kernel32.SetThreadExecutionState(flags)
        elif is_on:
            self._begin(self._words())
        elif self._process is not None:
            self._process.closeWriteChannel()
            self._process.kill()
            self._process = None

    def _begin(self, words: list[str]) -> None:
        if not words:
            return
        process = self._process = QProcess(self)
        process.finished.connect(partial(self._on_ended, process))
        process.errorOccurred.connect(partial(self._on_ended, process))
        log.info("Keeping the computer awake by %s", words[0])
        process.start(words[0], words[1:])

    def _on_ended(self, process: QProcess, *_: object) -> None:
        """The system may refuse, or end it: then there is nothing left to be ended."""
        if not isValid(process):  # Its end is that of this object, which was deleted.
            return
        if process.state() is QProcess.ProcessState.NotRunning:
            if process is self._process:
                self._process = None
            process.deleteLater()


def _command() -> list[str]:
    """Returns what keeps this system awake as long as it runs; nothing if there is none."""
    if sys.platform == "darwin":
        return ["/usr/bin/caffeinate", "-i", "-w", str(os.getpid())]
    inhibit, cat = shutil.which("systemd-inhibit"), shutil.which("cat")
    if not inhibit or not cat or not Path("/run/systemd/system").exists():
        return []
    # `cat` ends once this program, which holds the other end of its pipe, is gone.
    reason = translate("Awake", "Captioning a folder")
    why = ["--who=Onlooker", f"--why={reason}", "--what=idle:sleep", "--mode=block"]
    return [inhibit, *why, cat]
