"""Puts the computer to sleep or shuts it down, as its system allows.

On Linux logind is asked through `busctl` what this person may do, and `systemctl` does it; on a Mac
`pmset` and `osascript`; on Windows its own functions and `shutdown`.
"""

from __future__ import annotations

import ctypes
import logging
import shutil
import sys
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, QProcess, Signal
from shiboken6 import isValid

from gui.batch.after_run import AfterRun

log = logging.getLogger(__name__)

_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_QUESTIONS = {AfterRun.SLEEP: "CanSuspend", AfterRun.SHUT_DOWN: "CanPowerOff"}
_LINUX = {
    AfterRun.SLEEP: ("systemctl", "suspend"),
    AfterRun.SHUT_DOWN: ("systemctl", "poweroff"),
}
_MAC = {
    AfterRun.SLEEP: ("pmset", "sleepnow"),
    AfterRun.SHUT_DOWN: ("osascript", "-e", 'tell application "System Events" to shut down'),
}
_WINDOWS = {AfterRun.SHUT_DOWN: ("shutdown", "/s", "/t", "0")}


class Power(QObject):
    """`found(AfterRun)`: the computer can do this. `failed(str)`: it did not; the reason, which may
    be empty."""

    found = Signal(object)
    failed = Signal(str)

    def ask(self) -> None:
        """Finds out what the computer can do; `found` follows for each, or nothing."""
        if sys.platform == "linux":
            if shutil.which("systemctl"):
                for action, question in _QUESTIONS.items():
                    words = ["busctl", "--system", "call", *_LOGIND, question]
                    self._run(words, partial(self._on_answered, action))
            return
        commands = _MAC if sys.platform == "darwin" else _WINDOWS
        for action, (program, *_) in commands.items():
            if shutil.which(program):
                self.found.emit(action)
        if sys.platform == "win32" and _is_true(ctypes.windll.powrprof.IsPwrSuspendAllowed()):
            self.found.emit(AfterRun.SLEEP)

    def do(self, action: AfterRun) -> None:
        """Does it; `failed` follows if the system refuses."""
        if sys.platform == "win32" and action is AfterRun.SLEEP:
            # Not hibernation, no force, and timers may wake the computer.
            if not _is_true(ctypes.windll.powrprof.SetSuspendState(False, False, False)):
                self.failed.emit("")
            return
        commands = {"linux": _LINUX, "darwin": _MAC}.get(sys.platform, _WINDOWS)
        self._run(list(commands[action]), self._on_done)

    def _run(self, words: list[str], on_finished: Callable[[QProcess, bool], None]) -> None:
        log.info("Running %s", " ".join(words))
        process = QProcess(self)
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.finished.connect(partial(self._on_finished, process, on_finished))
        process.errorOccurred.connect(partial(self._on_error, process, on_finished))
        process.start(words[0], words[1:])

    def _on_finished(
        self,
        process: QProcess,
        on_finished: Callable[[QProcess, bool], None],
        code: int,
        status: QProcess.ExitStatus,
    ) -> None:
        if not isValid(process):  # Its end is that of this object, which was deleted.
            return
        on_finished(process, code == 0 and status is QProcess.ExitStatus.NormalExit)
        process.deleteLater()

    def _on_error(
        self,
        process: QProcess,
        on_finished: Callable[[QProcess, bool], None],
        error: QProcess.ProcessError,
    ) -> None:
        if error is QProcess.ProcessError.FailedToStart:  # Nothing else follows.
            on_finished(process, False)
            process.deleteLater()

    def _on_answered(self, action: AfterRun, process: QProcess, is_done: bool) -> None:
        if is_done and '"yes"' in _output(process):
            self.found.emit(action)

    def _on_done(self, process: QProcess, is_done: bool) -> None:
        if not is_done:
            self.failed.emit(_output(process) or process.errorString())


def _is_true(returned: int) -> bool:
    """Returns what a BOOLEAN of Windows says: it is one byte, and the others are left as they
    were."""
    return bool(returned & 0xFF)


def _output(process: QProcess) -> str:
    return bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace").strip()
