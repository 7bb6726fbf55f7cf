"""Captions whose files another program has changed: asked about, in the whole window."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.batch import Phase
from gui.batch.cells import CaptionEdit
from gui.batch.conflict_dialog import ConflictDialog
from gui.batch.rows import Column
from gui.widgets.notice import NoticeActionKind
from gui.window.commands import Command
from tests.gui.batch.folder_page import click, over, phase, shown, texts
from tests.gui.conftest import until


def edit_row(panel, row, text):
    """Types a caption into a row, by keys alone."""
    panel.list.setFocus()
    panel.list.setCurrentIndex(panel.model.index(row, Column.PICTURE))
    QTest.keyClick(panel.list, Qt.Key.Key_F2)
    editor = panel.list.findChild(CaptionEdit)
    editor.selectAll()
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, Qt.Key.Key_Return)


async def asked(panel):
    """The dialog that asks which text is to stay."""
    await until(lambda: panel.findChild(ConflictDialog) is not None)
    return panel.findChild(ConflictDialog)


async def closed(panel):
    await until(lambda: panel.findChild(ConflictDialog) is None)


def test_an_edit_asks_before_it_replaces_what_another_program_wrote(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        (folder / "2.txt").write_text("elsewhere\n")
        edit_row(panel, 1, "by hand")
        dialog = await asked(panel)
        assert dialog.found_edit.toPlainText() == "elsewhere"
        assert dialog.caption_edit.toPlainText() == "by hand"
        assert texts(folder)["2.txt"] == "elsewhere\n"
        click(dialog.overwrite_button)
        await until(lambda: texts(folder)["2.txt"] == "by hand\n")
        await closed(panel)
        await until(panel.filter_bar.undo_edit_button.isVisible)
        click(panel.filter_bar.undo_edit_button)
        await until(lambda: texts(folder)["2.txt"] == "elsewhere\n")
        await until(lambda: shown(panel)[1][2] == "elsewhere")
        await until(lambda: program.folder_run.edits.can_redo)
        await program.folder_run.edits.redo()
        assert texts(folder)["2.txt"] == "by hand\n"
        assert shown(panel)[1][2] == "by hand"

    live(story)


def test_the_text_of_the_file_is_kept_and_shown(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        (folder / "2.txt").write_text("elsewhere\n")
        edit_row(panel, 1, "by hand")
        dialog = await asked(panel)
        QTest.keyClick(dialog, Qt.Key.Key_Return)
        await until(lambda: shown(panel)[1][1:] == ("Edited", "elsewhere"))
        assert texts(folder)["2.txt"] == "elsewhere\n"
        await closed(panel)

    live(story)


@pytest.mark.parametrize("by_command", [False, True])
def test_what_was_written_is_not_lost_where_the_file_is_kept(live, folder, by_command):
    async def story(program, panel):
        await over(program, panel, folder)
        (folder / "2.txt").write_text("elsewhere\n")
        edit_row(panel, 1, "by hand")
        QTest.keyClick(await asked(panel), Qt.Key.Key_Return)
        await until(lambda: panel.notice_bar.action_kind is NoticeActionKind.REDO_EDIT)
        await closed(panel)
        redo = program.window.commands[Command.REDO]
        await until(redo.isEnabled)
        if by_command:
            redo.trigger()
        else:
            click(panel.notice_bar.action_button)
        await until(lambda: texts(folder)["2.txt"] == "by hand\n")
        await until(lambda: not panel.notice_bar.isVisible())
        await until(program.window.commands[Command.UNDO].isEnabled)
        program.window.commands[Command.UNDO].trigger()
        await until(lambda: texts(folder)["2.txt"] == "elsewhere\n")

    live(story)


def test_cancelling_brings_back_the_editor_with_what_was_written(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        (folder / "2.txt").write_text("elsewhere\n")
        edit_row(panel, 1, "by hand")
        QTest.keyClick(await asked(panel), Qt.Key.Key_Escape)
        await closed(panel)
        await until(lambda: panel.list.findChild(CaptionEdit) is not None)
        assert panel.list.findChild(CaptionEdit).toPlainText() == "by hand"
        assert texts(folder)["2.txt"] == "elsewhere\n"

    live(story)


def test_replacing_in_many_captions_asks_once_for_those_changed_elsewhere(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        for number in (1, 2, 3):
            (folder / f"{number}.txt").write_text(f"elsewhere {number}\n")
        click(panel.filter_bar.replace_button)
        panel.replace_bar.find_edit.setText("word0")
        panel.replace_bar.by_edit.setText("start")
        await until(lambda: panel.replace_bar.replace_button.text() == "Replace in 4 captions")
        click(panel.replace_bar.replace_button)
        dialog = await asked(panel)
        assert texts(folder)["4.txt"] == "start word1\n"
        click(dialog.keep_button)
        assert dialog.found_edit.toPlainText() == "elsewhere 2"
        dialog.all_box.setChecked(True)
        click(dialog.overwrite_button)
        await until(lambda: texts(folder)["3.txt"] == "start word1\n")
        assert texts(folder)["2.txt"] == "start word1\n"
        assert texts(folder)["1.txt"] == "elsewhere 1\n"
        await closed(panel)
        notice = "Replaced in 3 captions. Undo edit restores them."
        await until(lambda: panel.notice_bar.text_label.text() == notice)
        assert panel.notice_bar.isVisible()
        await program.folder_run.edits.undo()
        assert [texts(folder)[f"{number}.txt"] for number in (1, 2, 3, 4)] == [
            "elsewhere 1\n",
            "elsewhere 2\n",
            "elsewhere 3\n",
            "word0 word1\n",
        ]

    live(story)


def test_undoing_an_edit_asks_before_it_replaces_what_another_program_wrote(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        edit_row(panel, 1, "by hand")
        await until(lambda: texts(folder)["2.txt"] == "by hand\n")
        (folder / "2.txt").write_text("elsewhere\n")
        await until(panel.filter_bar.undo_edit_button.isVisible)
        click(panel.filter_bar.undo_edit_button)
        dialog = await asked(panel)
        assert dialog.caption_edit.toPlainText() == "word0 word1"
        click(dialog.overwrite_button)
        await until(lambda: texts(folder)["2.txt"] == "word0 word1\n")
        await closed(panel)
        assert phase(program) is Phase.OVER

    live(story)
