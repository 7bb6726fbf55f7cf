"""A folder run writes where the captions of the folder are, unless a person chooses otherwise."""

import json
import shlex

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from core.batch import Phase
from core.captions.formats import CaptionFormat
from core.engine import Ready
from core.terminal.options import CaptionOptions, parse
from core.workspace import CaptionSource
from gui.batch.run_controls import RunAction
from gui.batch.undo_dialog import UndoDialog
from gui.window.commands import Command
from gui.workspace.again_dialog import AgainDialog
from tests.gui.app.test_caption_again import again
from tests.gui.app.test_run_beside import folder  # noqa: F401 (a fixture)
from tests.gui.conftest import until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


async def opened(program, folder):  # noqa: F811
    """All images of the folder are selected, and the list has the focus."""
    window = program.window
    await until(lambda: isinstance(program.model.state, Ready))
    window.activateWindow()
    window.paths_opened.emit([folder])
    await until(lambda: window.state.workspace.total == 4 and window.state.workspace.is_known)
    await until(lambda: not program.workspace.counts.unread)
    images = window.workspace_pane.list
    images.setFocus()
    await until(lambda: window.state.workspace.has_focus)
    QTest.keyClick(images, KEY.Key_A, CTRL)
    await until(lambda: window.state.workspace.selected == 4)
    return images


async def chosen(program, images):
    await until(program.window.commands[Command.GENERATE].isEnabled)
    QTest.keyClick(images, KEY.Key_G, CTRL | SHIFT)
    await until(lambda: program.folder_run.phase is Phase.CHOOSING)
    await until(lambda: len(program.folder_run.items) == 4)
    return program.window.batch_panel.form


def test_run_names_files_as_the_folder_has_them(live, folder):  # noqa: F811
    async def story(program):
        form = program.window.batch_panel.form
        images = await opened(program, folder)
        assert not form.source_line.isVisibleTo(form)
        program.workspace.choose_source(CaptionSource(CaptionFormat.CAPTION, "{name}"))
        state = program.window.states
        await until(lambda: state.state.workspace.source.pattern == "{name}")
        # The folder is opened anew.
        await until(lambda: state.state.workspace.total == 4 and state.state.workspace.is_known)
        images.setFocus()
        await until(lambda: state.state.workspace.has_focus)
        await chosen(program, images)
        line = form.source_line
        assert (form.options.writes, form.options.name) == ((CaptionFormat.CAPTION,), "{name}")
        assert "IMG_1.jpg.caption" in line.label.text()
        assert line.take_button.isHidden()
        QTest.mouseClick(form.write_boxes[CaptionFormat.TXT], LEFT)
        QTest.mouseClick(form.write_boxes[CaptionFormat.XMP], LEFT)
        assert form.options.writes == (CaptionFormat.XMP,)
        assert "This folder has captions named" in line.label.text()
        QTest.mouseClick(line.take_button, LEFT)
        assert form.options.writes == (CaptionFormat.CAPTION,)
        form.prompt_edit.setPlainText("say 3 words")
        program.window.commands[Command.RUN_START].trigger()
        await until(lambda: program.folder_run.phase is Phase.OVER)
        assert sorted(path.name for path in folder.glob("*.caption"))[0] == "0.png.caption"

    live(story)


def test_run_writes_the_rows_of_the_folders_table(live, folder):  # noqa: F811
    table = folder / "metadata.jsonl"
    before = b'{"file_name": "1.png", "text": "mine", "score": 5}\n{"file_name": "2.png"}\n'
    table.write_bytes(before)

    def texts():
        rows = map(json.loads, table.read_text().splitlines())
        return {row["file_name"]: row.get("text", "") for row in rows}

    async def story(program):
        window, run = program.window, program.folder_run
        panel = window.batch_panel
        images = await opened(program, folder)
        form = await chosen(program, images)
        assert (form.options.writes, form.options.tables) == ((), (str(table),))
        assert form.source_line.table_box.text() == "Table of this folder (metadata.jsonl)"
        form.prompt_edit.setPlainText("say 3 words")
        window.commands[Command.RUN_COPY_COMMAND].trigger()
        command = parse(shlex.split(QGuiApplication.clipboard().text())[1:])
        assert isinstance(command, CaptionOptions)
        assert command.folder_run
        assert command.folder_run.asked.tables == ("metadata.jsonl",)

        window.commands[Command.RUN_START].trigger()
        await until(lambda: run.phase is Phase.OVER)
        await until(lambda: program.workspace.counts.with_caption == 4)
        made = texts()
        assert made["1.png"] == "mine"
        assert len(made) == 4
        assert all(len(text.split()) == 3 for name, text in made.items() if name != "1.png")
        assert not [*folder.glob("*.txt"), *folder.glob("captions*")]

        form.prompt_edit.setPlainText("say 5 words")
        images.setFocus()
        await until(lambda: window.state.workspace.has_focus)
        await until(window.commands[Command.CAPTION_AGAIN].isEnabled)
        QTest.keyClick(images, KEY.Key_G, CTRL | ALT)
        await until(lambda: window.findChild(AgainDialog) is not None)
        again(window.findChild(AgainDialog))
        await until(lambda: run.phase is Phase.OVER and len(texts()["3.png"].split()) == 5)
        assert texts()["1.png"] == "mine"

        panel.controls.buttons[RunAction.UNDO].click()
        await until(lambda: panel.findChild(UndoDialog))
        dialog = panel.findChild(UndoDialog)
        next(one for one in dialog.buttons() if one.text().endswith("Undo")).click()
        await until(lambda: run.phase is Phase.UNDONE)
        assert texts() == made

    live(story)
