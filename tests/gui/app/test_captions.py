"""Captions beside the image: read, searched, edited and reviewed, without a model."""

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from itertools import pairwise
from threading import Event

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from core.locations import writable_locations
from core.workspace.data import Draft, ReviewState, WorkspaceOptions
from core.workspace.workspace import Workspace
from gui.window.commands import Command
from gui.window.leave_dialog import UnsavedDialog
from gui.workspace.alt_text_dialog import AltTextDialog
from tests.gui.conftest import focused_widget, noticed, until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def folder(tmp_path):
    """Six images, of which the fourth has no caption."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number, caption in enumerate(("a cat", "a dog", "two cats", "", "a bird", "a Dog again")):
        Image.new("RGB", (40, 30), (40 * number, 80, 90)).save(folder / f"{number}.png")
        if caption:
            (folder / f"{number}.txt").write_text(f"{caption}\n", encoding="utf-8")
    return folder


async def opened(program, folder, caption="a cat"):
    window = program.window
    window.activateWindow()
    window.paths_opened.emit([folder])
    await until(lambda: window.state.workspace.is_known and window.state.workspace.total == 6)
    await until(lambda: program.workspace.counts.unread == 0)
    QTest.mouseClick(window.side_tabs.bar, LEFT, pos=window.side_tabs.bar.tabRect(0).center())
    await until(window.caption_panel.editor.isVisible)
    await until(lambda: window.caption_panel.editor.toPlainText() == caption)
    return window, window.workspace_pane.list, window.caption_panel.editor


def text(folder, number):
    return (folder / f"{number}.txt").read_text(encoding="utf-8")


def listed(window):
    images = window.workspace_pane.list
    rows = [images.rows.image(images.rows.index(n, 0)) for n in range(images.rows.rowCount())]
    return [row.path.stem if row else None for row in rows]


def test_caption_is_written_when_one_leaves_the_image_and_undone_from_the_next(live, folder):
    async def story(program):
        window, images, editor = await opened(program, folder)
        QTest.keyClick(images, KEY.Key_Return)
        assert focused_widget() is editor
        QTest.keyClicks(focused_widget(), " sleeps")
        QTest.keyClick(focused_widget(), KEY.Key_PageDown)
        await until(lambda: editor.toPlainText() == "a dog")
        await until(lambda: text(folder, 0) == "a cat sleeps\n")
        QTest.keyClicks(focused_widget(), "!")
        QTest.keyClick(focused_widget(), KEY.Key_S, CTRL)
        await until(lambda: text(folder, 1) == "a dog!\n")
        images.setFocus()
        await until(lambda: "a dog!" in window.state.workspace.undo)
        QTest.keyClick(focused_widget(), KEY.Key_Z, CTRL)
        await until(lambda: text(folder, 1) == "a dog\n")
        await until(lambda: editor.toPlainText() == "a dog")
        await until(lambda: "a cat sleeps" in window.state.workspace.undo)
        QTest.keyClick(focused_widget(), KEY.Key_Z, CTRL)
        await until(lambda: text(folder, 0) == "a cat\n")
        await until(lambda: window.state.workspace.redo)
        window.commands[Command.REDO].trigger()
        await until(lambda: text(folder, 0) == "a cat sleeps\n")

    live(story)


def test_what_was_typed_is_written_when_the_window_closes(live, folder):
    async def story(program):
        _, _, editor = await opened(program, folder)
        editor.setFocus()
        QTest.keyClicks(editor, "Now ")

    live(story)
    assert "Now" in text(folder, 0)


def test_draft_of_a_killed_program_is_in_the_editor_again(live, folder, home):
    data = writable_locations().data
    data.mkdir(parents=True, exist_ok=True)
    workspace = Workspace.open([folder], data, WorkspaceOptions())
    workspace.scan(Event(), lambda progress: None)
    row = workspace.row_of(folder / "0.png")
    assert row is not None
    workspace.drafts.keep(row.id, Draft("a cat, half wri", "a cat"))
    workspace.close()

    async def story(program):
        await opened(program, folder, "a cat, half wri")
        await until(lambda: text(folder, 0) == "a cat, half wri\n")

    live(story)


@pytest.mark.parametrize("keeps_ours", [True, False])
def test_caption_that_another_program_changed_is_never_overwritten_unseen(live, folder, keeps_ours):
    async def story(program):
        window, images, editor = await opened(program, folder)
        editor.setFocus()
        QTest.keyClicks(editor, "x")
        (folder / "0.txt").write_text("a lion\n", encoding="utf-8")
        images.setFocus()
        panel = window.caption_panel
        await until(panel.conflict_bar.isVisible)
        # The whole sentence is there, in more lines where one is too narrow.
        sentence = panel.conflict_label
        await until(lambda: sentence.height() >= sentence.heightForWidth(sentence.width()) > 0)
        assert panel.found_label.text() == "a lion"
        assert text(folder, 0) == "a lion\n"
        if keeps_ours:
            QTest.mouseClick(panel.ours_button, LEFT)
            await until(lambda: text(folder, 0) == "a catx\n")
        else:
            QTest.mouseClick(panel.theirs_button, LEFT)
            await until(lambda: editor.toPlainText() == "a lion")
            assert text(folder, 0) == "a lion\n"
        await until(lambda: not panel.conflict_bar.isVisible())

    live(story)


async def undecided(program, folder):
    """Another program was quicker than the person, who has not decided yet."""
    window, images, editor = await opened(program, folder)
    editor.setFocus()
    QTest.keyClicks(editor, "x")
    (folder / "0.txt").write_text("a lion\n", encoding="utf-8")
    images.setFocus()
    await until(window.caption_panel.conflict_bar.isVisible)
    return window, editor


async def decided(program, editor, folder):
    """Both captions are shown, also after a pause; theirs has not been overwritten."""
    panel = program.window.caption_panel
    await until(lambda: editor.toPlainText() == "a catx")
    await until(panel.conflict_bar.isVisible)
    assert panel.found_label.text() == "a lion"
    editor.setFocus()
    QTest.keyClick(editor, KEY.Key_S, CTRL)
    await program.workspace.read(lambda workspace: None)
    assert text(folder, 0) == "a lion\n"
    QTest.mouseClick(panel.ours_button, LEFT)
    await until(lambda: text(folder, 0) == "a catx\n")


def test_undecided_captions_are_still_undecided_when_one_comes_back(live, folder):
    async def story(program):
        window, editor = await undecided(program, folder)
        QTest.keyClick(window, KEY.Key_PageDown)
        await until(lambda: editor.toPlainText() == "a dog")
        QTest.keyClick(window, KEY.Key_PageUp)
        await decided(program, editor, folder)

    live(story)


def test_undecided_captions_are_still_undecided_after_a_restart(live, folder):
    async def story(program):
        await undecided(program, folder)

    async def next_day(program):
        _, _, editor = await opened(program, folder, "a catx")
        await decided(program, editor, folder)

    live(story)
    assert text(folder, 0) == "a lion\n"
    live(next_day)


def test_caption_that_met_another_as_one_left_its_image_is_undecided_there(live, folder):
    async def story(program):
        window, _, editor = await opened(program, folder)
        editor.setFocus()
        QTest.keyClicks(editor, "x")
        (folder / "0.txt").write_text("a lion\n", encoding="utf-8")
        QTest.keyClick(editor, KEY.Key_PageDown)
        await until(lambda: editor.toPlainText() == "a dog")
        await until(lambda: "1 caption was changed" in window.notice_bar.text_label.text())
        QTest.keyClick(window, KEY.Key_PageUp)
        await decided(program, editor, folder)

    live(story)


def test_what_is_typed_outlives_its_image(live, folder):
    """As programs replace an image that delete it first."""
    image = folder / "0.png"

    async def story(program):
        window, _, editor = await opened(program, folder)
        editor.setFocus()
        content = image.read_bytes()
        image.unlink()
        await until(lambda: window.state.workspace.total == 5)
        # All that is shown is read anew, and the image is not among it.
        program.workspace.rows_changed.emit(None)
        assert await program.tasks.all_done(asyncio.get_running_loop().time() + 60)
        assert editor.hasFocus()
        QTest.keyClicks(editor, "x")
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: "0.png" in window.notice_bar.text_label.text())
        assert window.caption_panel.state_label.text() == "Not saved yet"
        image.write_bytes(content)
        await until(lambda: window.state.workspace.total == 6)
        await until(lambda: text(folder, 0) == "a catx\n")

    live(story)


def test_draft_is_in_the_editor_before_anything_can_be_typed(live, folder):
    """The workspace is busy, so that one types before the draft of an earlier day is read."""
    busy = Event()

    async def story(program):
        window, _, editor = await opened(program, folder)
        row = await program.workspace.row_of(folder / "1.png")
        program.workspace.keep_draft(row.id, Draft("a dog, half wri", "a dog"))
        editor.setFocus()
        program.workspace.change(lambda workspace: busy.wait(60))
        program.tasks.begin(program.pictures.open_path(folder / "1.png"))
        await until(lambda: window.state.picture.name == "1.png")
        QTest.keyClicks(focused_widget(), "x")
        busy.set()
        await until(lambda: not editor.isReadOnly())
        assert editor.toPlainText() == "a dog, half wrix"
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: text(folder, 1) == "a dog, half wrix\n")

    live(story)


def test_what_was_typed_and_taken_back_is_no_draft(live, folder):
    async def story(program):
        _, _, editor = await opened(program, folder)
        row = await program.workspace.row_of(folder / "0.png")
        editor.setFocus()
        QTest.keyClicks(editor, "x")
        await until_draft(program, row.id, "a catx")
        QTest.keyClick(editor, KEY.Key_Backspace)
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until_draft(program, row.id, None)
        assert text(folder, 0) == "a cat\n"

    live(story)


async def until_draft(program, id, text):
    """Waits until this is kept of what is being written for an image."""
    while True:
        draft = await program.workspace.read(lambda workspace: workspace.drafts.of(id))
        if (draft and draft.text) == text:
            return
        await asyncio.sleep(0.01)


def unwritable(folder, number):
    """A caption file that cannot be written, as its name is another one's."""
    (folder / f"{number}.txt").unlink()
    (folder / f"{number}.txt").symlink_to(folder.parent / "elsewhere.txt")


def writable(folder, number, caption=""):
    (folder / f"{number}.txt").unlink()
    (folder / f"{number}.txt").write_text(caption, encoding="utf-8")


async def closed_with(program, button):
    """Closes the window, and answers what is asked about captions that could not be saved."""
    window = program.window
    window.close()
    await until(lambda: window.findChild(UnsavedDialog) is not None)
    dialog = window.findChild(UnsavedDialog)
    asked = f"{dialog.text()} {dialog.informativeText()}"
    (chosen,) = (one for one in dialog.buttons() if one.text() == button)
    QTest.mouseClick(chosen, LEFT)
    return asked


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_caption_that_cannot_be_saved_is_said_at_closing_and_comes_back(live, folder):
    unwritable(folder, 0)

    async def story(program):
        window, _, editor = await opened(program, folder, "")
        editor.setFocus()
        QTest.keyClicks(editor, "a cow")
        asked = await closed_with(program, "Close anyway")
        assert "“0.png” could not be saved" in asked
        assert "is kept" in asked
        await until(lambda: not window.isVisible())

    async def next_day(program):
        window = program.window
        window.paths_opened.emit([folder / "1.png", folder])
        await noticed(window, "“0.png” is not in its caption file")
        writable(folder, 0)
        QTest.mouseClick(window.notice_bar.action_button, LEFT)
        await until(lambda: text(folder, 0) == "a cow\n")

    live(story)
    live(next_day)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_window_closes_once_what_could_not_be_saved_is(live, folder):
    """The image that one has left by then, and the one in view."""
    unwritable(folder, 0)
    unwritable(folder, 1)

    async def story(program):
        window, _, editor = await opened(program, folder, "")
        for word in ("a cow", "a hen"):
            editor.setFocus()
            QTest.keyClicks(editor, word)
            QTest.keyClick(editor, KEY.Key_PageDown)
            await until(lambda: editor.toPlainText() in ("", "two cats"))
            await until(lambda: not editor.isReadOnly())
        assert "2 captions" in await closed_with(program, "Cancel")
        await until(lambda: window.findChild(UnsavedDialog) is None)
        assert window.isVisible()
        for number in (0, 1):
            writable(folder, number)
        window.close()
        await until(lambda: not window.isVisible())

    live(story)
    assert text(folder, 0) == "a cow\n"
    assert text(folder, 1) == "a hen\n"


def test_what_can_be_kept_nowhere_stays_in_the_editor(live, folder):
    """The disk with the program's own files is full."""

    async def story(program):
        window, _, editor = await opened(program, folder)
        with closing(sqlite3.connect(writable_locations().data / "workspace.sqlite")) as database:
            for table in ("record", "action"):
                database.execute(
                    f"CREATE TRIGGER full_{table} BEFORE INSERT ON {table} BEGIN"
                    " SELECT RAISE(ABORT, 'full'); END"
                )
            editor.setFocus()
            QTest.keyClicks(editor, "x")
            QTest.keyClick(editor, KEY.Key_PageDown)
            await until(lambda: editor.toPlainText() == "a dog")
            await until(lambda: "full" in window.notice_bar.text_label.text())
            database.execute("DROP TRIGGER full_record")
            database.execute("DROP TRIGGER full_action")
        QTest.keyClick(window, KEY.Key_PageUp)
        await until(lambda: text(folder, 0) == "a catx\n")

    live(story)


def test_spaces_that_keep_words_together_stay_in_what_is_edited(live, folder):
    """As French has them before an exclamation mark."""
    (folder / "0.txt").write_text("Un\u00a0chat\u00a0!\n", encoding="utf-8")

    async def story(program):
        window, _, editor = await opened(program, folder, "Un chat !")
        window.commands[Command.ALT_TEXT].trigger()
        await until(lambda: window.findChild(AltTextDialog) is not None)
        dialog = window.findChild(AltTextDialog)
        QTest.keyClick(dialog, KEY.Key_Escape)
        await until(lambda: window.findChild(AltTextDialog) is None)
        editor.setFocus()
        QTest.keyClicks(editor, "x")
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: text(folder, 0) == "Un\u00a0chat\u00a0!x\n")
        window.commands[Command.ALT_TEXT].trigger()
        await until(lambda: window.findChild(AltTextDialog) is not None)
        dialog = window.findChild(AltTextDialog)
        QTest.keyClicks(dialog.long_edit, "y")
        QTest.keyClick(dialog, KEY.Key_Escape)
        await until(lambda: text(folder, 0) == "Un\u00a0chat\u00a0!x\n\ny\n")

    live(story)


def test_fault_in_the_workspace_is_said(live, folder):
    async def story(program):
        window, _, _ = await opened(program, folder)
        program.workspace.change(lambda workspace: workspace.rows(1))
        await until(lambda: "log has the details" in window.notice_bar.text_label.text())

    live(story)


def test_what_is_typed_early_is_written_to_the_image_in_view(live, folder):
    """The workspace is busy, so that the caption of the image in view is not known for a while."""
    busy = Event()

    async def story(program):
        window, _, editor = await opened(program, folder)
        editor.setFocus()
        program.workspace.change(lambda workspace: busy.wait(60))
        program.tasks.begin(program.pictures.open_path(folder / "1.png"))
        await until(lambda: window.state.picture.name == "1.png")
        for letter in " early":
            QTest.keyClicks(focused_widget(), letter)
        await until(lambda: not editor.toPlainText())
        busy.set()
        await until(lambda: editor.toPlainText() == "a dog early")
        assert not window.prompt_box.text
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: text(folder, 1) == "a dog early\n")
        assert text(folder, 0) == "a cat\n"

    live(story)


def test_what_is_typed_early_goes_to_no_other_image(live, folder):
    busy = Event()

    async def story(program):
        window, _, editor = await opened(program, folder)
        editor.setFocus()
        program.workspace.change(lambda workspace: busy.wait(60))
        program.tasks.begin(program.pictures.open_path(folder / "1.png"))
        await until(lambda: window.state.picture.name == "1.png")
        QTest.keyClicks(focused_widget(), "for a dog")
        program.tasks.begin(program.pictures.open_path(folder / "2.png"))
        await until(lambda: window.state.picture.name == "2.png")
        busy.set()
        await until(lambda: editor.toPlainText() == "two cats")
        assert window.prompt_box.text == "for a dog"

    live(story)


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_caption_that_cannot_be_written_stays_to_be_written(live, folder):
    (folder / "0.txt").unlink()
    (folder / "0.txt").symlink_to(folder.parent / "elsewhere.txt")

    async def story(program):
        window, _, editor = await opened(program, folder, "")
        state = window.caption_panel.state_label
        QTest.keyClick(window, KEY.Key_F4)
        assert "leads out of the folder" in editor.placeholderText()
        QTest.keyClicks(editor, "a cow")
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: "leads out of the folder" in window.notice_bar.text_label.text())
        await until(lambda: state.text() == "Not saved yet")
        QTest.keyClick(window, KEY.Key_PageDown)
        await until(lambda: editor.toPlainText() == "a dog")
        assert "No caption yet" in editor.placeholderText()
        QTest.keyClick(window, KEY.Key_PageUp)
        await until(lambda: editor.toPlainText() == "a cow")
        assert state.text() == "Not saved yet"
        (folder / "0.txt").unlink()
        (folder / "0.txt").write_text("")
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: text(folder, 0) == "a cow\n")
        await until(lambda: not state.text())

    live(story)


def test_caption_of_a_low_window_covers_nothing_and_is_not_covered(live, folder):
    """1366×768 at 200 %, with a notice."""

    async def story(program):
        window, _, editor = await opened(program, folder)
        panel = window.caption_panel
        window.show_notice("The folder run is unfinished. It can be resumed at any time.")
        window.resize(683, 344)
        parts = [editor, panel.source_button, window.notice_bar, window.prompt_box]

        def is_in_order():
            rects = [QRect(one.mapTo(window, QPoint()), one.size()) for one in parts]
            return all(a.bottom() < b.top() for a, b in pairwise(rects))

        await until(is_in_order)
        assert editor.height() >= 32
        window.resize(1000, 700)
        await until(panel.review_row.isVisible)

    live(story)


def test_change_by_another_program_is_shown(live, folder):
    async def story(program):
        window, _images, editor = await opened(program, folder)
        partial = folder / "0.txt.new"
        partial.write_text("a tiger\n", encoding="utf-8")
        time.sleep(0.01)
        partial.replace(folder / "0.txt")
        await until(lambda: editor.toPlainText() == "a tiger")
        assert not window.state.workspace.is_modified

    live(story)


def test_what_another_program_writes_into_files_that_were_there_is_shown(live, folder):
    async def story(program):
        window, images, editor = await opened(program, folder)
        program.workspace.reading.least_pause_ms = 50
        # Into the file itself, as most programs write: the system says nothing of its folder.
        (folder / "0.txt").write_text("a tiger\n", encoding="utf-8")
        (folder / "2.txt").write_text("three tigers\n", encoding="utf-8")
        program.workspace.reading.read_again()
        await until(lambda: editor.toPlainText() == "a tiger")
        for text in ("a lion", "a wolf"):
            (folder / "0.txt").write_text(f"{text}\n", encoding="utf-8")
            await until(lambda text=text: editor.toPlainText() == text)
        window.workspace_pane.query_line.search_for("tigers")
        await until(lambda: images.rows.rowCount() == 1)
        assert not window.state.workspace.is_modified

    live(story)


def test_query_lists_what_it_finds_and_a_fault_in_it_is_shown(live, folder):
    async def story(program):
        window, _images, _editor = await opened(program, folder)
        QTest.keyClick(focused_widget(), KEY.Key_F, CTRL)
        QTest.keyClicks(focused_widget(), "dog")
        await until(lambda: listed(window) == ["1", "5"])
        assert window.workspace_pane.count_label.text() == "2 of 6"
        QTest.keyClicks(focused_widget(), " zebra")
        await until(lambda: listed(window) == [])
        assert window.workspace_pane.list.accessibleDescription() == "No image matches."
        for _ in " zebra":
            QTest.keyClick(focused_widget(), KEY.Key_Backspace)
        await until(lambda: listed(window) == ["1", "5"])
        assert not window.workspace_pane.list.accessibleDescription()
        QTest.keyClicks(focused_widget(), " (")
        await until(window.workspace_pane.query_line.error_label.isVisible)
        assert listed(window) == ["1", "5"]
        window.workspace_pane.query_line.edit.clear()
        await until(lambda: len(listed(window)) == 6)
        assert not window.workspace_pane.query_line.error_label.isVisible()

    live(story)


def test_image_that_an_edit_takes_out_of_the_filter_stays_until_the_next_step(live, folder):
    async def story(program):
        window, _images, editor = await opened(program, folder)
        window.workspace_pane.query_line.edit.setText("cat")
        await until(lambda: listed(window) == ["0", "2"])
        editor.setFocus()
        editor.selectAll()
        QTest.keyClicks(editor, "a lion")
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: text(folder, 0) == "a lion\n")
        await until(lambda: "a lion" in window.state.workspace.undo)
        assert listed(window) == ["0", "2"]
        QTest.keyClick(editor, KEY.Key_PageDown)
        await until(lambda: listed(window) == ["2"])

    live(story)


@pytest.mark.parametrize(("key", "name"), [(KEY.Key_PageUp, "5.png"), (KEY.Key_PageDown, "1.png")])
def test_one_goes_on_in_what_is_found_from_the_end_that_the_key_leads_to(live, folder, key, name):
    """The image in view is not listed, as several are selected that are not all found."""

    async def story(program):
        window, images, _ = await opened(program, folder)
        images.setFocus()
        QTest.keyClick(images, KEY.Key_A, CTRL)
        QTest.keyClicks(window.workspace_pane.query_line.edit, "dog")
        await until(lambda: listed(window) == ["1", "5"])
        await until(lambda: not images.currentIndex().isValid())
        QTest.keyClick(window, key)
        await until(lambda: window.state.picture.name == name)

    live(story)


def test_images_are_reviewed_with_single_keys(live, folder):
    async def story(program):
        window, images, editor = await opened(program, folder)
        images.setFocus()
        QTest.keyClick(focused_widget(), KEY.Key_A)
        await until(lambda: window.state.workspace.review is ReviewState.ACCEPTED)
        assert window.caption_panel.review_row.buttons[ReviewState.ACCEPTED].isChecked()
        QTest.keyClick(focused_widget(), KEY.Key_U)
        await until(lambda: editor.toPlainText() == "a dog")
        QTest.keyClick(focused_widget(), KEY.Key_R)
        await until(lambda: window.state.workspace.unreviewed == 4)
        QTest.keyClick(focused_widget(), KEY.Key_C)
        await until(lambda: window.state.picture.name == "3.png")
        # The next key goes on from there.
        assert images.currentIndex().row() == 3
        QTest.keyClick(focused_widget(), KEY.Key_K)
        await until(lambda: editor.toPlainText() == "two cats")
        QTest.keyClick(focused_widget(), KEY.Key_N)
        await until(lambda: window.state.workspace.review is ReviewState.NEEDS_WORK)
        # A second click on the button takes it back.
        button = window.caption_panel.review_row.buttons[ReviewState.NEEDS_WORK]
        QTest.mouseClick(button, LEFT)
        await until(lambda: window.state.workspace.unreviewed == 4)
        assert window.prompt_box.text == ""

    live(story)


def test_asking_goes_to_the_conversation(live, folder):
    async def story(program):
        window, _images, _editor = await opened(program, folder)
        await until(lambda: window.state.model.facts)
        window.prompt_box.focus_prompt()
        QTest.keyClicks(window.prompt_box.prompt_edit, "say 2 words")
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_Return)
        await until(lambda: window.transcript_view.isVisible())
        await until(lambda: window.state.conversation.answers == 1)

    live(story)


def test_captions_stand_in_the_files_that_were_chosen_for_the_folder(live, folder):
    (folder / "0.caption").write_text("a cat, elsewhere\n", encoding="utf-8")

    async def story(program):
        window, _images, editor = await opened(program, folder)
        button = window.caption_panel.source_button
        QTest.mouseClick(button, LEFT)
        menu = button.findChild(QMenu, "source_menu")
        await until(menu.isVisible)
        (action,) = [one for one in menu.actions() if ".caption" in one.text()]
        QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
        await until(lambda: editor.toPlainText() == "a cat, elsewhere")
        assert button.text() == ".caption"
        editor.setFocus()
        editor.selectAll()
        QTest.keyClicks(editor, "written there")
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: (folder / "0.caption").read_text() == "written there\n")
        assert text(folder, 0) == "a cat\n"
        # Opened again, the folder has them there.
        window.paths_opened.emit([folder / "1.png"])
        await until(lambda: not window.state.workspace.has_list)
        window.paths_opened.emit([folder])
        await until(lambda: window.state.workspace.total == 6)
        await until(lambda: window.state.workspace.source.format == "caption")
        await until(lambda: editor.toPlainText() == "written there")

    live(story)


def test_table_of_captions_is_found_edited_and_left_for_files(live, folder):
    for path in folder.glob("*.txt"):
        path.unlink()
    table = folder / "metadata.csv"
    table.write_text("x,file_name,text\n1,0.png,a cat\n2,1.png,a dog\n")

    async def story(program):
        window, _images, editor = await opened(program, folder)
        await until(lambda: editor.toPlainText() == "a cat")
        button = window.caption_panel.source_button
        assert button.text() == "metadata.csv"
        editor.setFocus()
        editor.selectAll()
        QTest.keyClicks(editor, "two, cats")
        QTest.keyClick(editor, KEY.Key_S, CTRL)
        await until(lambda: '1,0.png,"two, cats"\n2,1.png,a dog' in table.read_text())
        await until(lambda: window.state.workspace.possible_sources.tables == ("metadata.csv",))
        # Another program writes into the file that is there.
        table.write_text(table.read_text().replace("two, cats", "theirs"))
        await until(lambda: editor.toPlainText() == "theirs")
        QTest.mouseClick(button, LEFT)
        menu = button.findChild(QMenu, "source_menu")
        await until(menu.isVisible)
        (action,) = [one for one in menu.actions() if ".txt" in one.text()]
        assert not action.isChecked()
        QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
        await until(lambda: window.state.workspace.source.format == "txt")
        await until(lambda: window.state.workspace.possible_sources.example == "0.png")
        await until(lambda: button.isEnabled() and editor.toPlainText() == "")
        QTest.mouseClick(button, LEFT)
        menu = button.findChild(QMenu, "source_menu")
        await until(menu.isVisible)
        (action,) = [one for one in menu.actions() if one.text() == "Named like 0.png.txt"]
        QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
        await until(lambda: button.text() == "0.png.txt")

    live(story)


def test_tokens_of_the_model_and_of_clip_are_counted_while_one_types(live, folder):
    async def story(program):
        window, _, editor = await opened(program, folder)
        counter = window.caption_panel.counter
        await until(lambda: "102 tokens" in counter.count_label.text())
        await until(lambda: counter.clip_label.text() == "4 of 77 CLIP tokens")
        assert counter.count_label.text().startswith("5 characters")
        assert counter.toolTip().startswith("5 characters  ·  2 words  ·  102 tokens")
        assert not counter.clip_label.property("warns")
        editor.setFocus()
        editor.insertPlainText(" dog" * 75)
        await until(lambda: counter.clip_label.text() == "79 of 77 CLIP tokens, 2 too many")
        assert counter.clip_label.property("warns")
        await until(lambda: "177 tokens" in counter.count_label.text())
        window.commands[Command.UNLOAD].trigger()
        await until(lambda: "tokens" not in counter.count_label.text())
        assert counter.clip_label.isVisible()
        editor.selectAll()
        QTest.keyClick(editor, KEY.Key_Delete)
        await until(lambda: not counter.clip_label.isVisible())

    live(story)


def test_query_for_tokens_follows_the_model(live, folder):
    async def story(program):
        window, _, _ = await opened(program, folder)
        window.workspace_pane.query_line.searched.emit("tokens:>102")
        await until(lambda: listed(window) == ["5"])
        window.commands[Command.UNLOAD].trigger()
        await until(lambda: "Load a model" in window.state.workspace.query_error)
        window.commands[Command.BUILT_IN_MODEL].trigger()
        await until(lambda: not window.state.workspace.query_error)
        await until(lambda: listed(window) == ["5"])

    live(story)
