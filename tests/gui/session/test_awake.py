"""Programs of the system that are run beside this one, and may end by themselves."""

import os
import sys

import psutil
import pytest
import shiboken6
from PySide6.QtCore import QProcess

from gui.session.awake import Awake
from gui.session.power import Power

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


@pytest.mark.qt_log_ignore("Destroyed while process .* is still running")
def test_end_of_the_program_ends_what_keeps_the_computer_awake(qtbot):
    awake = Awake(words=lambda: ["sleep", "600"])
    awake.set_on(True)
    qtbot.waitUntil(lambda: len(running(awake)) == 1)
    pid = running(awake)[0].processId()
    shiboken6.delete(awake)
    assert not psutil.pid_exists(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="logind is asked by a program of its own")
@pytest.mark.qt_log_ignore("Destroyed while process .* is still running")
def test_program_may_end_while_the_system_is_asked_what_it_can_do(qtbot, tmp_path, monkeypatch):
    for name in ("busctl", "systemctl"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\nexec sleep 600\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    power = Power()
    found = []
    power.found.connect(found.append)
    power.ask()
    qtbot.waitUntil(lambda: len(running(power)) == 2)
    shiboken6.delete(power)
    assert found == []
