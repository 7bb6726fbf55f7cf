"""What a person writes in a row of a folder run stays, whatever becomes of the row meanwhile."""

import asyncio
from contextlib import closing
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QWidget

from core.batch import Doubt, ItemState, Phase
from core.captions.wording import Replacement
from core.locations import locations
from core.workspace.data import Draft
from core.workspace.opening import open_database
from core.workspace.records import Records
from gui.batch.cells import CaptionEdit
from gui.batch.conflict_dialog import ConflictDialog
from gui.batch.row_filter import SortKey, StateFilter
from gui.batch.rows import Column
from gui.widgets.notice import NoticeActionKind
from gui.window.commands import Command
from gui.window.leave_dialog import UnsavedDialog
from tests.gui.batch.folder_page import click, over, phase, shown, texts
from tests.gui.batch.test_caption_list import captions, theme  # noqa: F401 (fixtures)
from tests.gui.conftest import noticed, until


def open_editor(view):
    return next((one for one in view.findChildren(CaptionEdit) if one.isVisible()), None)


def the_editor(view):
    """The editor that is open."""
    editor = open_editor(view)
    assert editor is not None
    return editor


def write(view, text):
    """Types over the caption of the first row, and leaves the editor open."""
    view.setCurrentIndex(view.model().index(0, Column.PICTURE))
    QTest.keyClick(view, Qt.Key.Key_F2)
    editor = the_editor(view)
    editor.selectAll()
    QTest.keyClicks(editor, text)
    return editor


def is_captioned(model, item):
    model.change(0, replace(item, state=ItemState.WORKING, caption=""))
    model.change(0, replace(item, state=ItemState.WORKING, caption="a piece"))
    model.change(0, replace(item, state=ItemState.DONE, caption="a caption by the run"))


CHANGES = {
    "captioned": is_captioned,
    "failed": lambda model, item: model.change(0, replace(item, state=ItemState.FAILED)),
    "doubted": lambda model, item: model.show_doubts([Doubt(0, item.caption, "caption", 0.5)]),
    "sorted": lambda model, item: model.sort_by(SortKey.DOUBT),
    "filtered": lambda model, item: model.set_filter(StateFilter.ALL, "no such word"),
    "replaced": lambda model, item: model.show_replacement(Replacement("caption", "x")),
    "reset": lambda model, item: model.set_items([item]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_being_written_outlives_changes_of_its_row(captions, change):  # noqa: F811
    view, model = captions("the caption")
    model.set_editable(True)
    edits = []
    model.edited.connect(lambda number, text: edits.append((number, text)))
    write(view, "by hand")
    CHANGES[change](model, model.items[0])
    if editor := open_editor(view):
        assert editor.toPlainText() == "by hand"
        QTest.keyClick(editor, Qt.Key.Key_Return)
    assert edits == [(0, "by hand")]


def test_caption_that_nobody_changed_follows_its_row(captions):  # noqa: F811
    view, model = captions("the\u00a0caption")
    model.set_editable(True)
    edits = []
    model.edited.connect(lambda number, text: edits.append(text))
    view.setCurrentIndex(model.index(0, Column.PICTURE))
    QTest.keyClick(view, Qt.Key.Key_F2)
    model.change(0, replace(model.items[0], caption="another\u00a0one"))
    assert the_editor(view).toPlainText().split() == ["another", "one"]
    QTest.keyClick(the_editor(view), Qt.Key.Key_Return)
    assert edits == []
    QTest.keyClick(view, Qt.Key.Key_F2)
    QTest.keyClicks(the_editor(view), "!")
    QTest.keyClick(the_editor(view), Qt.Key.Key_Return)
    assert edits == ["another\u00a0one!"]


def draft_of(image):
    """What is kept of what is being written for an image."""
    connection, _ = open_database(locations().data)
    with closing(connection):
        return Records(connection).get(str(image)).draft


def test_what_is_being_written_is_kept_while_one_types_on(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        editor = write(panel.list, "a")
        while draft_of(folder / "1.png") is None:  # A draft after a pause would never come.
            QTest.keyClicks(editor, "b")
            await asyncio.sleep(0.05)
        kept = draft_of(folder / "1.png")
        assert kept
        assert editor.toPlainText().startswith(kept)
        QTest.keyClick(editor, Qt.Key.Key_Escape)
        await until(lambda: draft_of(folder / "1.png") is None)

    live(story)


def test_what_is_written_is_no_draft(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        editor = write(panel.list, "by hand")
        await until(lambda: draft_of(folder / "1.png") == "by hand")
        QTest.keyClick(editor, Qt.Key.Key_Return)
        await until(lambda: texts(folder)["1.txt"] == "by hand\n")
        await until(lambda: draft_of(folder / "1.png") is None)

    live(story)


def test_what_is_undecided_in_the_captions_editor_stands_above_what_is_typed_in_its_row(
    live, folder
):
    async def story(program, panel):
        await over(program, panel, folder)
        connection, _ = open_database(locations().data)
        with closing(connection):
            Records(connection).set_draft(str(folder / "1.png"), Draft("undecided", "before"))
        editor = write(panel.list, "by hand")
        await until(lambda: draft_of(folder / "1.png") == "undecided\n\nby hand")
        QTest.keyClicks(editor, "!")
        await until(lambda: draft_of(folder / "1.png") == "undecided\n\nby hand!")
        QTest.keyClick(editor, Qt.Key.Key_Return)
        await until(lambda: texts(folder)["1.txt"] == "by hand!\n")
        await until(lambda: draft_of(folder / "1.png") == "undecided")

    live(story)


@pytest.mark.parametrize("button", ["Keep the file", "Replace the file's text"])
def test_text_that_is_decided_about_is_no_draft(live, folder, button):
    async def story(program, panel):
        dialog = await conflict(program, panel, folder)
        await until(lambda: draft_of(folder / "1.png") == "by hand")
        click(next(one for one in dialog.findChildren(QPushButton) if one.text() == button))
        await until(lambda: draft_of(folder / "1.png") is None)

    live(story)


async def conflict(program, panel, folder):
    """What a person wrote, and the dialog that says that another program was quicker."""
    await over(program, panel, folder)
    (folder / "1.txt").write_text("elsewhere\n")
    editor = write(panel.list, "by hand")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    await until(lambda: panel.findChild(ConflictDialog) is not None)
    return panel.findChild(ConflictDialog)


def test_text_that_was_brought_back_stays_while_another_window_is_in_front(live, folder):
    """As the dialog itself is, where the window system says so only once it is closed."""

    async def story(program, panel):
        dialog = await conflict(program, panel, folder)
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        await until(lambda: open_editor(panel.list) is not None)
        program.window.activateWindow()
        editor = the_editor(panel.list)
        await until(editor.hasFocus)
        other = QWidget()
        other.show()
        other.activateWindow()
        await until(lambda: not program.window.isActiveWindow())
        assert open_editor(panel.list) is editor
        assert editor.toPlainText() == "by hand"
        other.close()
        other.deleteLater()

    live(story)


def test_what_is_typed_is_in_the_file_before_another_program_is_used(live, folder, qapp):
    async def story(program, panel):
        await over(program, panel, folder)
        editor = write(panel.list, "by hand")
        program.window.activateWindow()
        await until(lambda: qapp.applicationState() == Qt.ApplicationState.ApplicationActive)
        qapp.applicationStateChanged.emit(Qt.ApplicationState.ApplicationInactive)
        await until(lambda: texts(folder)["1.txt"] == "by hand\n")
        assert open_editor(panel.list) is editor

    live(story)


def hide_row(panel):
    panel.filter_bar.find_edit.setText("no such word")


def show_replacement(panel):
    panel.filter_bar.replace_button.click()
    panel.replace_bar.find_edit.setText("word0")


def fold_away(panel):
    panel.window().hide_run()


@pytest.mark.parametrize("obstacle", [hide_row, show_replacement, fold_away])
def test_cancelling_brings_the_text_back_over_whatever_is_in_its_way(live, folder, obstacle):
    async def story(program, panel):
        dialog = await conflict(program, panel, folder)
        obstacle(panel)
        is_in_the_way = {
            hide_row: lambda: not shown(panel),
            show_replacement: lambda: panel.model.replacement is not None,
            fold_away: lambda: not panel.isVisible(),
        }
        await until(is_in_the_way[obstacle])
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        await until(lambda: open_editor(panel.list) is not None)
        assert the_editor(panel.list).toPlainText() == "by hand"

    live(story)


def test_text_of_a_row_that_is_being_captioned_is_offered_until_it_can_be_edited(live, folder):
    async def story(program, panel):
        bar, window = program.window.notice_bar, program.window
        dialog = await conflict(program, panel, folder)
        panel.model.change(0, replace(panel.model.items[0], state=ItemState.WORKING))
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        await until(lambda: bar.action_kind is NoticeActionKind.EDIT_CAPTION)
        assert "1.png" in bar.text_label.text()
        await until(lambda: panel.findChild(ConflictDialog) is None)
        assert window.isVisible()
        click(bar.action_button)
        await until(lambda: bar.action_kind is NoticeActionKind.EDIT_CAPTION)
        panel.model.change(0, replace(panel.model.items[0], state=ItemState.DONE))
        click(bar.action_button)
        await until(lambda: open_editor(panel.list) is not None)
        assert the_editor(panel.list).toPlainText() == "by hand"
        assert texts(folder)["1.txt"] == "elsewhere\n"

    live(story)


def test_text_that_cannot_be_written_is_offered(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        (folder / "1.txt").unlink()
        (folder / "1.txt").mkdir()
        QTest.keyClick(write(panel.list, "by hand"), Qt.Key.Key_Return)
        bar = program.window.notice_bar
        await until(lambda: bar.action_kind is NoticeActionKind.EDIT_CAPTION)
        assert "1.txt" in bar.text_label.text()
        (folder / "1.txt").rmdir()
        click(bar.action_button)
        await until(lambda: open_editor(panel.list) is not None)
        assert the_editor(panel.list).toPlainText() == "by hand"
        QTest.keyClick(the_editor(panel.list), Qt.Key.Key_Return)
        await until(lambda: texts(folder).get("1.txt") == "by hand\n")

    live(story)


@pytest.mark.parametrize("is_row_open", [True, False])
def test_text_that_cannot_be_written_is_said_at_closing_and_comes_back(live, folder, is_row_open):
    async def story(program, panel):
        await over(program, panel, folder)
        # Another image is in view, also when the folder is opened again.
        await program.pictures.open_path(folder / "2.png")
        await until(lambda: program.caption_editing.path == folder / "2.png")
        (folder / "1.txt").unlink()
        (folder / "1.txt").mkdir()
        editor, window = write(panel.list, "by hand"), program.window
        if not is_row_open:
            QTest.keyClick(editor, Qt.Key.Key_Return)
            await until(lambda: window.state.has_unsaved)
        window.close()
        await until(lambda: window.findChild(UnsavedDialog) is not None)
        dialog = window.findChild(UnsavedDialog)
        assert "“1.png” could not be saved" in dialog.text()
        assert "is kept" in dialog.informativeText()
        (leave,) = (one for one in dialog.buttons() if one.text() == "Close anyway")
        click(leave)
        await until(lambda: not window.isVisible())

    async def next_day(program, panel):
        window = program.window
        window.paths_opened.emit([folder / "2.png", folder])
        await noticed(window, "“1.png” is not in its caption file")
        (folder / "1.txt").rmdir()
        (folder / "1.txt").write_text("say two\n", encoding="utf-8")
        click(window.notice_bar.action_button)
        await until(lambda: window.caption_panel.editor.toPlainText() == "by hand")

    live(story)
    live(next_day)


def test_text_that_met_another_as_the_window_closed_is_one_redo_away(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        (folder / "1.txt").write_text("elsewhere\n")
        write(panel.list, "by hand")
        program.window.close()

    async def next_day(program, panel):
        await until(program.window.commands[Command.LAST_RUN].isEnabled)
        program.window.commands[Command.LAST_RUN].trigger()
        await until(lambda: phase(program) is Phase.OVER)
        await until(lambda: program.folder_run.edits.can_redo)
        await program.folder_run.edits.redo()
        assert texts(folder)["1.txt"] == "by hand\n"

    live(story)
    assert texts(folder)["1.txt"] == "elsewhere\n"
    live(next_day)


def test_text_in_an_open_row_is_written_before_another_run_is_chosen(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        write(panel.list, "by hand")
        program.window.dialogs.run_chosen.emit([folder])
        await until(lambda: phase(program) is Phase.CHOOSING)
        assert texts(folder)["1.txt"] == "by hand\n"

    live(story)
