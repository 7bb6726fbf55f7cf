"""The summary of a folder run: true after edits, undos and restarts, with how long it took."""

import re

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from core.batch import Phase
from gui.batch.run_controls import RunAction
from gui.batch.undo_dialog import UndoDialog
from gui.window.commands import Command
from tests.gui.batch.folder_page import begun, click, counted, phase, shown, texts
from tests.gui.batch.test_conflicts import edit_row
from tests.gui.conftest import until
from tests.support.tiers import slowly

# The first image takes a bit more than a second.
SLOWLY = "say 15 words at 10 once"


def headline(panel):
    return panel.summary_box.headline_label.text()


def confirm_undo(panel):
    click(panel.controls.buttons[RunAction.UNDO])
    dialog = panel.findChild(UndoDialog)
    (undo,) = [b for b in dialog.findChildren(QPushButton) if b.text() == "Undo"]
    click(undo)


def test_hand_edits_and_undos_count_the_same_at_once_and_after_a_restart(live, folder):
    (folder / "1.txt").write_text("mine\n")

    async def today(program, panel):
        await begun(program, panel, folder)
        await until(panel.summary_box.isVisible)
        assert counted(panel) == "Finished: 3 captioned, 1 skipped"
        await until(lambda: panel.model.items[0].caption == "mine")
        edit_row(panel, 0, "by hand")
        await until(lambda: counted(panel) == "Finished: 3 captioned, 1 edited by hand")
        edit_row(panel, 1, "by hand too")
        await until(lambda: counted(panel) == "Finished: 2 captioned, 2 edited by hand")
        click(panel.filter_bar.undo_edit_button)
        await until(lambda: counted(panel) == "Finished: 3 captioned, 1 edited by hand")

    async def tomorrow(program, panel):
        await until(program.window.commands[Command.LAST_RUN].isEnabled)
        program.window.commands[Command.LAST_RUN].trigger()
        await until(panel.summary_box.isVisible)
        assert counted(panel) == "Finished: 3 captioned, 1 edited by hand"
        assert panel.progress.label.text() == "Finished: 3 captioned  ·  1 edited by hand"
        assert texts(folder)["1.txt"] == "by hand\n"

    live(today)
    live(tomorrow)


async def edited_beside(program, number, before, typed):
    """What is typed beside an image, and not in its row, is written."""
    window = program.window
    images, editor = window.workspace_pane.list, window.caption_panel.editor
    if not editor.isVisible():
        bar = window.side_tabs.bar
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(0).center())
    await until(editor.isVisible)
    await until(lambda: program.workspace.counts.unread == 0 and len(program.workspace.ids) == 4)
    images.setFocus()
    QTest.keyClick(images, Qt.Key.Key_Home)
    for _ in range(number):
        QTest.keyClick(images, Qt.Key.Key_Right)
    await until(lambda: editor.toPlainText() == before)
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(editor, typed)
    QTest.keyClick(editor, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)


def test_caption_edited_beside_its_image_is_one_by_hand_of_the_run(live, folder):
    async def today(program, panel):
        window = program.window
        window.activateWindow()
        window.paths_opened.emit([folder])
        await begun(program, panel, folder)
        await until(panel.summary_box.isVisible)
        await until(lambda: program.workspace.counts.with_caption == 4)
        before = panel.model.items[0].caption
        await edited_beside(program, 0, before, " by hand")
        await until(lambda: counted(panel) == "Finished: 3 captioned, 1 edited by hand")
        assert panel.model.items[0].caption == f"{before} by hand"
        assert panel.progress.label.text() == "Finished: 3 captioned  ·  1 edited by hand"
        window.commands[Command.UNDO].trigger()
        await until(lambda: counted(panel) == "Finished: 4 captioned")
        assert panel.model.items[0].caption == before
        window.commands[Command.REDO].trigger()
        await until(lambda: counted(panel) == "Finished: 3 captioned, 1 edited by hand")

    async def tomorrow(program, panel):
        window = program.window
        window.activateWindow()
        window.paths_opened.emit([folder])
        before = texts(folder)["2.txt"].strip()
        await edited_beside(program, 1, before, " too")  # The run is not open.
        await until(lambda: texts(folder)["2.txt"] == f"{before} too\n")
        await until(window.commands[Command.LAST_RUN].isEnabled)
        window.commands[Command.LAST_RUN].trigger()
        await until(panel.summary_box.isVisible)
        await until(lambda: counted(panel) == "Finished: 2 captioned, 2 edited by hand")
        assert panel.model.items[1].caption == f"{before} too"

    live(today)
    live(tomorrow)


@pytest.mark.parametrize("is_paused", [slowly(False), True])
def test_how_long_the_run_took_stays_after_undos_and_a_restart(live, folder, checkpoint, is_paused):
    first = []

    async def today(program, panel):
        await begun(program, panel, folder, f"when released {SLOWLY}")
        await until(lambda: any(state == "Looking…" for _, state, _ in shown(panel)))
        if is_paused:
            QTest.keyClick(panel, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
            await until(lambda: phase(program) is Phase.ENDING)
        checkpoint.release.set()
        if is_paused:
            await until(lambda: phase(program) is Phase.PAUSED)
            click(panel.controls.buttons[RunAction.RESUME])
        await until(panel.summary_box.isVisible)
        first.append(headline(panel))
        assert re.fullmatch(r"Finished after [1-9]\d* s: 4 captioned", first[0])
        edit_row(panel, 0, "by hand")
        await until(lambda: headline(panel).endswith("1 edited by hand"))
        assert headline(panel).startswith(first[0].partition(":")[0])
        click(panel.filter_bar.undo_edit_button)
        await until(lambda: headline(panel) == first[0])

    async def tomorrow(program, panel):
        await until(program.window.commands[Command.LAST_RUN].isEnabled)
        program.window.commands[Command.LAST_RUN].trigger()
        await until(panel.summary_box.isVisible)
        assert headline(panel) == first[0]
        confirm_undo(panel)
        await until(lambda: headline(panel).startswith("Undone: 4 images are as before the run"))
        assert re.search(r"the run took [1-9]\d* s$", headline(panel))
        assert panel.summary_box.isVisible()
        assert texts(folder) == {}
        assert not program.folder_run.edits.can_redo

    live(today)
    live(tomorrow)
