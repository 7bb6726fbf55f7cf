"""A folder run beside its images: chosen from the list, its captions in the list at once."""

import shlex
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from core.batch import BatchOptions, ItemState, Phase
from core.captions.sidecar import Existing
from core.engine import Ready
from core.terminal.options import CaptionOptions, parse
from gui.window.commands import Command
from tests.gui.conftest import until
from tests.support.layout import cut_off

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
        rows = window.batch_panel.list  # The room would be empty without them.
        await until(lambda: rows.isVisible() and rows.hasFocus())
        await until(lambda: rows.visualRect(rows.model().index(0, 0)).bottom() < rows.height())
        await until(lambda: not cut_off(window))
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


@pytest.mark.parametrize("is_undone", [False, True])
def test_what_is_typed_as_a_run_changes_the_caption_in_view_is_typed_over_what_it_wrote(
    live, folder, is_undone
):
    (folder / "0.txt").write_text("before\n", encoding="utf-8")

    async def story(program):
        window, run, workspace = program.window, program.folder_run, program.workspace
        editor = window.caption_panel.editor
        await until(lambda: isinstance(program.model.state, Ready))
        window.activateWindow()
        window.paths_opened.emit([folder])
        await until(lambda: window.state.workspace.is_known and window.state.workspace.total == 4)
        await until(lambda: not workspace.counts.unread)
        window.commands[Command.EDIT_CAPTION].trigger()
        await until(lambda: editor.toPlainText() == "before")

        def type_once(number, item):
            if item.path.name == "0.png" and item.state in wanted:
                wanted.clear()
                window.show_conversation()
                editor.setFocus()
                QTest.keyClicks(editor, "x")

        wanted = set() if is_undone else {ItemState.DONE}
        run.items.changed.connect(type_once)
        options = BatchOptions(("say 2 words",), existing=Existing.REPLACE)
        await run.choose([folder], True, options)
        await run.start(options)
        await until(lambda: run.phase is Phase.OVER)
        if is_undone:
            await until(lambda: editor.toPlainText() == "word0 word1")
            wanted.add(ItemState.UNDONE)
            await run.undo(keeps_edits=False)
        expected = "before" if is_undone else "word0 word1"
        await until(lambda: sorted(editor.toPlainText()) == sorted(f"x{expected}"))
        assert not window.caption_panel.conflict_bar.isVisible()
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        written = folder / "0.txt"
        await until(lambda: sorted(written.read_text().strip()) == sorted(f"x{expected}"))
        assert not window.caption_panel.conflict_bar.isVisible()

    live(story)


def test_caption_that_a_run_wrote_meanwhile_is_said_to_be_the_models(live, folder):
    (folder / "0.txt").write_text("before\n", encoding="utf-8")

    async def story(program):
        window, run = program.window, program.folder_run
        panel = window.caption_panel
        await until(lambda: isinstance(program.model.state, Ready))
        window.paths_opened.emit([folder])
        await until(lambda: window.state.workspace.is_known and window.state.workspace.total == 4)
        await until(lambda: not program.workspace.counts.unread)
        window.commands[Command.EDIT_CAPTION].trigger()
        await until(lambda: panel.editor.toPlainText() == "before")

        def type_early(number, item):
            if item.path.name == "0.png" and item.state is ItemState.WORKING:
                panel.editor.insertPlainText("mine ")

        run.items.changed.connect(type_early)
        options = BatchOptions(("say 2 words",), existing=Existing.REPLACE)
        await run.choose([folder], True, options)
        await run.start(options)
        await until(lambda: run.phase is Phase.OVER)
        await until(lambda: window.state.workspace.found == "word0 word1")
        await until(lambda: "model" in panel.conflict_label.text())
        assert "mine" in panel.editor.toPlainText()

    live(story)
