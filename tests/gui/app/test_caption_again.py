"""Selected images captioned again: what a person wrote is kept, and one undo takes all back."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from core.batch import Phase
from core.engine import Ready
from gui.batch.run_controls import RunAction
from gui.batch.undo_dialog import UndoDialog
from gui.window.commands import Command
from gui.workspace.again_dialog import AgainDialog
from tests.gui.app.test_run_beside import folder  # noqa: F401 (a fixture)
from tests.gui.conftest import until

ROOT = Path(__file__).parents[3]
KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def texts(folder):  # noqa: F811
    found = {}
    for path in sorted(folder.glob("*.txt")):
        with suppress(FileNotFoundError):  # It was removed since.
            found[path.stem] = path.read_text().strip()
    return found


def killed(kind, folder):  # noqa: F811
    """Runs a program on the folder until it is killed; see `tests.support.killed_program`."""
    command = [sys.executable, "-m", "tests.support.killed_program", kind, str(folder)]
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=300)
    assert ended.returncode == -signal.SIGKILL


async def captioned(program, folder, prompt):  # noqa: F811
    """A run over the whole folder."""
    window = program.window
    await until(lambda: isinstance(program.model.state, Ready))
    window.activateWindow()
    window.dialogs.run_chosen.emit([folder])
    await until(lambda: window.state.workspace.total == 4 and window.batch_panel.model.items)
    window.batch_panel.form.prompt_edit.setPlainText(prompt)
    window.commands[Command.RUN_START].trigger()
    await until(lambda: program.folder_run.phase is Phase.OVER)
    await until(lambda: program.workspace.counts.with_caption == 4)
    return window.workspace_pane.list


async def asked(program, images):
    """Select all images, and open the dialog."""
    program.window.activateWindow()
    images.setFocus()
    await until(lambda: program.window.state.workspace.has_focus)
    QTest.keyClick(images, KEY.Key_A, CTRL)
    await until(lambda: program.window.state.workspace.selected == 4)
    await until(program.window.commands[Command.CAPTION_AGAIN].isEnabled)
    QTest.keyClick(images, KEY.Key_G, CTRL | ALT)
    await until(lambda: program.window.findChild(AgainDialog) is not None)
    return program.window.findChild(AgainDialog)


def again(dialog):
    QTest.mouseClick(dialog.findChild(QPushButton, "again_button"), LEFT)


def test_what_a_person_wrote_is_kept_unless_they_say_so_and_undone_at_once(live, folder):  # noqa: F811
    async def story(program):
        run, panel = program.folder_run, program.window.batch_panel
        images = await captioned(program, folder, "say 3 words")
        made = texts(folder)
        assert len(made) == 4
        (folder / "1.txt").write_text("by a person\n")
        program.workspace.reading.read_again()

        def caption_of(row):
            known = images.rows.image(images.rows.index(row, 0))
            return known.caption if known else ""

        await until(lambda: caption_of(1) == "by a person")
        panel.form.prompt_edit.setPlainText("say 5 words")
        dialog = await asked(program, images)
        assert dialog.prompt_label.text() == "say 5 words"
        assert "1 caption that a person wrote" in dialog.kept_label.text()
        listed = [dialog.list.item(row).text() for row in range(dialog.list.count())]
        assert [text.split(":")[0] for text in listed] == ["0.png", "2.png", "3.png"]
        again(dialog)
        await until(lambda: len(texts(folder)["3"].split()) == 5 and run.phase is Phase.OVER)
        assert texts(folder)["1"] == "by a person"
        assert "1 × Edited by hand" in panel.summary_box.skipped_label.text().replace("\u200b", "")
        await until(lambda: caption_of(3) == texts(folder)["3"])

        panel.controls.buttons[RunAction.UNDO].click()
        await until(lambda: panel.findChild(UndoDialog))
        undo = panel.findChild(UndoDialog)
        next(one for one in undo.buttons() if one.text().endswith("Undo")).click()
        await until(lambda: run.phase is Phase.UNDONE)
        assert texts(folder) == made | {"1": "by a person"}

        dialog = await asked(program, images)
        dialog.person_box.click()
        assert not dialog.kept_label.isVisible()
        again(dialog)
        await until(lambda: len(texts(folder)["1"].split()) == 5 and run.phase is Phase.OVER)

    live(story)


async def undone(program, images, folder, made):  # noqa: F811
    await until(lambda: program.workspace.undo_text == "Caption again")
    program.window.activateWindow()
    images.setFocus()
    await until(lambda: program.window.state.workspace.has_focus)
    await until(program.window.commands[Command.UNDO].isEnabled)
    QTest.keyClick(images, KEY.Key_Z, CTRL)
    await until(lambda: texts(folder) == made)


def test_it_is_undone_as_an_edit_is_also_after_a_restart(live, folder):  # noqa: F811
    made, anew = {}, {}

    async def captioned_again(program):
        images = await captioned(program, folder, "say 3 words")
        made.update(texts(folder))
        program.window.batch_panel.form.prompt_edit.setPlainText("say 5 words")
        again(await asked(program, images))
        await until(lambda: all(len(text.split()) == 5 for text in texts(folder).values()))
        anew.update(texts(folder))
        await undone(program, images, folder, made)
        await until(program.window.commands[Command.REDO].isEnabled)
        QTest.keyClick(images, KEY.Key_Z, CTRL | SHIFT)
        await until(lambda: texts(folder) == anew)

    async def restarted(program):
        await until(lambda: isinstance(program.model.state, Ready))
        images = program.window.workspace_pane.list
        program.window.paths_opened.emit([folder])
        await until(lambda: program.workspace.counts.with_caption == 4)
        await undone(program, images, folder, made)
        # What is back is the model's, and may be replaced.
        await until(lambda: program.workspace.redo_text == "Caption again")
        program.window.batch_panel.form.prompt_edit.setPlainText("say 7 words")
        dialog = await asked(program, images)
        assert not dialog.kept_label.isVisible()
        again(dialog)
        await until(lambda: len(texts(folder)["3"].split()) == 7)

    live(captioned_again)
    live(restarted)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_it_is_undone_as_an_edit_though_the_program_was_killed(live, folder, home):  # noqa: F811
    for number in range(4):
        (folder / f"{number}.txt").write_text(f"made {number}\n")
    made = texts(folder)
    killed("again", folder)
    assert len(texts(folder).items() - made.items()) == 1

    async def story(program):
        program.window.paths_opened.emit([folder])
        await undone(program, program.window.workspace_pane.list, folder, made)
        await until(lambda: not program.workspace.undo_text)

    async def next_day(program):
        program.window.paths_opened.emit([folder])
        await until(lambda: program.workspace.redo_text == "Caption again")
        assert not program.workspace.undo_text

    live(story)
    live(next_day)
