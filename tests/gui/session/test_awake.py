"""Keeping the computer awake, by a program that may end by itself."""

import sys

import psutil
import pytest
from PySide6.QtCore import QProcess

from gui.session.awake import Awake

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks Windows itself")


def running(awake):
    """The programs that keep the computer awake now."""
    found = awake.findChildren(QProcess)
    return [one for one in found if one.state() is QProcess.ProcessState.Running]


@pytest.mark.parametrize(
    "words", [["sh", "-c", "exit 1"], ["/no/such/program"], ["sh", "-c", "kill -9 $$"], []]
)
def test_system_that_refuses_is_asked_again_for_the_next_run(qtbot, words):
    awake = Awake(words=lambda: words)
    for _ in range(3):
        awake.set_on(True)
        qtbot.waitUntil(lambda: not awake.findChildren(QProcess))
        awake.set_on(False)
    words[:] = ["sleep", "600"]
    awake.set_on(True)
    qtbot.waitUntil(lambda: len(running(awake)) == 1)
    awake.set_on(False)
    qtbot.waitUntil(lambda: not awake.findChildren(QProcess))


def test_computer_may_sleep_again_once_the_run_is_over(qtbot):
    awake = Awake(words=lambda: ["sleep", "600"])
    awake.set_on(True)
    awake.set_on(True)
    qtbot.waitUntil(lambda: len(running(awake)) == 1)
    pid = running(awake)[0].processId()
    awake.set_on(False)
    qtbot.waitUntil(lambda: not psutil.pid_exists(pid))
    awake.set_on(True)
    qtbot.waitUntil(lambda: len(running(awake)) == 1)
    awake.set_on(False)
    qtbot.waitUntil(lambda: not awake.findChildren(QProcess))
