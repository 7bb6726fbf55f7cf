"""What the computer does after a folder run: chosen for one run, and cancelled by any key."""

import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.batch import Phase
from gui.app.after_run_wiring import AfterRunWiring
from gui.batch.after_run import AfterRun
from gui.batch.countdown_dialog import CountdownDialog
from gui.window.commands import Command
from tests.gui.app.test_run_beside import folder  # noqa: F401 (fixture)
from tests.gui.conftest import until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stands in for Linux's programs")


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The file with what `systemctl` was asked to do; logind allows sleep, and refuses the rest."""
    programs = tmp_path / "bin"
    programs.mkdir()
    log = tmp_path / "asked"
    answers = 'case "$*" in *CanSuspend) echo \'s "yes"\' ;; *) echo \'s "no"\' ;; esac'
    for name, script in (("busctl", answers), ("systemctl", f'echo "$@" >> "{log}"')):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return log


def test_computer_sleeps_after_the_run_unless_a_key_is_pressed(live, folder, asked):  # noqa: F811
    async def story(program):
        window, run = program.window, program.folder_run
        box = window.batch_panel.form.more.after_box

        window.paths_opened.emit([folder])
        await until(lambda: window.state.workspace.is_known)

        async def finished(action):
            window.commands[Command.GENERATE if not run.items else Command.RUN_NEW].trigger()
            await until(lambda: run.phase is Phase.CHOOSING)
            await until(lambda: len(run.items) == 4)
            await until(lambda: box.has_choice)
            assert box.choice is AfterRun.NOTHING
            box.setCurrentIndex(box.findData(action))
            await until(window.commands[Command.RUN_START].isEnabled)
            window.commands[Command.RUN_START].trigger()
            await until(lambda: run.phase is Phase.OVER)
            return window.findChild(CountdownDialog)

        dialog = await finished(AfterRun.SLEEP)
        assert [box.itemData(row) for row in range(box.count())] == ["nothing", "sleep"]
        assert "60 seconds" in dialog.text_label.text()
        QTest.keyClick(dialog, KEY.Key_Space)
        await until(lambda: window.findChild(CountdownDialog) is None)
        assert not asked.exists()
        program.findChild(AfterRunWiring).countdown_seconds = 1
        assert await finished(AfterRun.SLEEP) is not None
        await until(lambda: asked.exists() and asked.read_text() == "suspend\n")

    live(story)
