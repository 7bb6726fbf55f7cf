"""A folder run beside its images: chosen from the list, its captions in the list at once."""

import shlex
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from core.batch import Phase
from core.engine import Ready
from core.terminal.options import CaptionOptions, parse
from gui.window.commands import Command
from tests.gui.conftest import until

KEY = Qt.Key
ALT = Qt.KeyboardModifier.AltModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "my holiday"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (40, 30), (40 * number, 80, 90)).save(folder / f"{number}.png")
    return folder


def test_selected_images_are_captioned_and_their_captions_listed_and_the_command_copied(
    live, folder
):
    async def story(program):
        window, workspace = program.window, program.workspace
        window.activateWindow()
        window.paths_opened.emit([folder])
        await until(lambda: window.state.workspace.is_known and window.state.workspace.total == 4)
        await until(lambda: workspace.counts.images == 4 and not workspace.counts.unread)
        images = window.workspace_pane.list
        images.setFocus()
        await until(lambda: window.state.workspace.has_focus)
        QTest.keyClick(images, KEY.Key_Right, SHIFT)
        await until(lambda: window.state.workspace.selected == 2)
        QTest.keyClick(images, KEY.Key_G, CTRL | SHIFT)
        await until(lambda: program.folder_run.phase is Phase.CHOOSING)
        await until(lambda: len(program.folder_run.items) == 2)
        window.batch_panel.form.prompt_edit.setPlainText("say 3 words")

        window.commands[Command.RUN_COPY_COMMAND].trigger()
        found = parse(shlex.split(QGuiApplication.clipboard().text())[1:])
        assert isinstance(found, CaptionOptions)
        assert [Path(path).name for path in found.paths] == ["0.png", "1.png"]
        assert found.prompt == "say 3 words"

        window.commands[Command.RUN_START].trigger()
        await until(lambda: program.folder_run.phase is Phase.OVER)
        await until(lambda: workspace.counts.with_caption == 2)
        window.show_conversation()
        written = (folder / "1.txt").read_text(encoding="utf-8").strip()

        def listed():
            row = images.rows.image(images.rows.index(1, 0))
            return row.caption if row else ""

        await until(lambda: listed() == written)
        window.activateWindow()
        images.setFocus()
        window.commands[Command.LAST_RUN].trigger()
        await until(window.batch_panel.isVisible)
        images.setFocus()
        QTest.keyClick(images, KEY.Key_Left, ALT)
        await until(lambda: not window.batch_panel.isVisible())
        assert images.hasFocus()

        answers = {folder / "1.png": written}
        await workspace.read(lambda open: open.answers.note(answers, {folder / "1.png": 0.9}))
        window.activateWindow()
        images.setFocus()
        await until(lambda: window.state.workspace.has_focus)
        QTest.keyClick(images, KEY.Key_Home)
        await until(lambda: window.state.picture.name == "0.png")
        first = await workspace.row_of(folder / "0.png")
        await until(lambda: program.caption_editing.id == first.id)
        await until(window.commands[Command.NEXT_DOUBTFUL].isEnabled)
        QTest.keyClick(images, KEY.Key_D)
        await until(lambda: window.state.picture.name == "1.png")

    live(story)


def test_run_in_a_low_window_is_offered_and_followed_in_the_status_line(live, folder):
    async def story(program):
        window, run = program.window, program.folder_run
        button = window.status_line.run_button
        window.resize(640, 400)
        await until(lambda: isinstance(program.model.state, Ready))
        window.paths_opened.emit([folder])
        await until(lambda: button.text() == "Caption all")
        assert button.isVisible()
        assert not window.notice_bar.isVisible()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        await until(lambda: len(run.items) == 4 and run.phase is Phase.CHOOSING)
        assert window.batch_panel.isVisible()
        assert not button.isVisible()
        window.batch_panel.form.prompt_edit.setPlainText("hold")
        window.commands[Command.RUN_START].trigger()
        await until(lambda: run.phase is Phase.RUNNING)
        QTest.mouseClick(window.batch_panel.head.close_button, Qt.MouseButton.LeftButton)
        await until(lambda: button.text() == "Captioning 0 of 4")
        assert not window.batch_panel.isVisible()
        button.setFocus()
        QTest.keyClick(button, KEY.Key_Return)
        await until(window.batch_panel.isVisible)
        assert not button.isVisible()
        window.hide_run()
        run.stop_now()
        await until(lambda: button.text() == "Run paused at 0 of 4")

    live(story)
