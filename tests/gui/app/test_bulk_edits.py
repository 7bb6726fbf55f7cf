"""Many captions are edited at once, and many images moved, in the whole program."""

import asyncio
from contextlib import suppress

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QFileDialog,
    QLineEdit,
    QMessageBox,
)

from core.locations import locations
from core.workspace import TRASH_HAS_WAY_BACK, AddTags, CaptionMode, ReviewState
from core.workspace.opening import write_lock
from gui.window.commands import Command
from gui.workspace.bulk_dialog import BulkDialog
from gui.workspace.bulk_fields import BulkKind
from tests.gui.conftest import focused_widget, until
from tests.support.focus_rings import hidden_focus

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
CAPTIONS = ("a cat", "a dog", "two cats", "a bird", "קרן שמש cat")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number, caption in enumerate(CAPTIONS):
        Image.new("RGB", (40, 30), (40 * number, 80, 90)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"{caption}\n", encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _own_trash(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


async def opened(program, folder):
    window, count = program.window, len(list(folder.glob("*.png")))
    window.activateWindow()
    window.paths_opened.emit([folder])
    await until(lambda: window.state.workspace.is_known and window.state.workspace.total == count)
    await until(lambda: program.workspace.counts.unread == 0 and program.workspace.counts.images)
    images = window.workspace_pane.list
    images.setFocus()
    await until(lambda: window.state.workspace.has_focus)
    return window, images


def captions(folder):
    found = []
    for path in sorted(folder.glob("*.txt")):
        with suppress(FileNotFoundError):  # It was moved since.
            found.append(path.read_text(encoding="utf-8").strip())
    return found


def dialog_of(window) -> BulkDialog:
    return next(one for one in window.findChildren(BulkDialog) if one.isVisible())


def field(dialog, name) -> QLineEdit:
    return dialog.findChild(QLineEdit, name)


async def focuses(widget):
    await until(lambda: QApplication.focusWidget() is widget)


async def in_list(window):
    """The list has the focus again, as after a dialog was closed."""
    window.activateWindow()
    window.workspace_pane.list.setFocus()
    await until(lambda: window.state.workspace.has_focus)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


async def press(images, key, modifiers=Qt.KeyboardModifier.NoModifier):
    images.setFocus()
    QTest.keyClick(images, key, modifiers)


def test_replaced_in_the_selection_after_a_preview_and_undone_by_name(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        for _ in range(2):
            QTest.keyClick(images, KEY.Key_Right, SHIFT)
        await until(lambda: window.state.workspace.selected == 3)
        QTest.keyClick(images, KEY.Key_H, CTRL)
        dialog = dialog_of(window)
        await focuses(field(dialog, "bulk_find_edit"))
        QTest.keyClicks(focused_widget(), "CAT")
        QTest.keyClick(focused_widget(), KEY.Key_Tab)
        QTest.keyClicks(focused_widget(), "lion")
        await until(dialog.apply_button.isEnabled)
        assert "2 of 3" in dialog.count_label.text()
        shown = dialog.changes.toPlainText()
        assert "a cat" in shown
        assert "two lions" in shown
        assert "bird" not in shown
        QTest.mouseClick(dialog.apply_button, LEFT)
        await until(lambda: captions(folder)[2] == "two lions")
        assert captions(folder) == ["a lion", "a dog", "two lions", *CAPTIONS[3:]]
        await until(lambda: "2 captions were changed" in dialog.count_label.text())
        assert not dialog.apply_button.isEnabled()
        # Another scope, while the dialog is open.
        window.workspace_pane.list.select_ids(set(program.workspace.ids[3:5]))
        await until(lambda: "1 of 2" in dialog.count_label.text())
        QTest.keyClick(dialog, KEY.Key_Escape)
        await in_list(window)
        # The selection of three was lost after the edit, so it comes back first.
        QTest.keyClick(images, KEY.Key_Z, CTRL)
        await until(lambda: window.state.workspace.selected == 3)
        await until(lambda: "lion" in window.commands[Command.UNDO].text())
        QTest.keyClick(images, KEY.Key_Z, CTRL)
        await until(lambda: captions(folder) == list(CAPTIONS))

    live(story)


def test_wrong_expression_is_named_and_nothing_can_be_applied(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        QTest.keyClick(images, KEY.Key_H, CTRL)
        dialog = dialog_of(window)
        is_regex = dialog.findChild(QAbstractButton, "bulk_regex_box")
        assert is_regex
        is_regex.click()
        field(dialog, "bulk_find_edit").setFocus()
        QTest.keyClicks(field(dialog, "bulk_find_edit"), "(cat")
        await until(lambda: "regular expression is wrong" in dialog.error_label.text())
        assert dialog.error_label.isVisible()
        assert not dialog.apply_button.isEnabled()
        QTest.keyClicks(field(dialog, "bulk_find_edit"), r")s?\b")
        await until(dialog.apply_button.isEnabled)
        assert not dialog.error_label.isVisible()
        assert "3 of 5" in dialog.count_label.text()
        assert hidden_focus(dialog) == []

    live(story)


def test_last_edit_is_repeated_by_one_key_and_captions_are_copied_and_pasted(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        assert not window.commands[Command.REPEAT_EDIT].isEnabled()
        QTest.keyClick(images, KEY.Key_Right, SHIFT)
        QTest.keyClick(images, KEY.Key_H, CTRL | SHIFT)
        dialog = dialog_of(window)
        dialog.kind_box.setCurrentIndex(dialog.kind_box.findData(BulkKind.PREFIX))
        QTest.keyClicks(field(dialog, "prefix_edit"), "photo of")
        await until(dialog.apply_button.isEnabled)
        QTest.keyClick(field(dialog, "prefix_edit"), KEY.Key_Return)
        await until(lambda: captions(folder)[:2] == ["photo of a cat", "photo of a dog"])
        QTest.keyClick(dialog, KEY.Key_Escape)
        await in_list(window)
        QTest.keyClick(images, KEY.Key_End)
        images.select_ids(set())
        await until(
            lambda: window.state.workspace.has_focus and window.state.picture.name[0] == "4"
        )
        await until(window.commands[Command.REPEAT_EDIT].isEnabled)
        QTest.keyClick(images, KEY.Key_Period)
        await until(lambda: captions(folder)[4].startswith("photo of"))
        await until(lambda: window.caption_panel.editor.toPlainText().startswith("photo of"))
        QTest.keyClick(images, KEY.Key_C, CTRL)
        # It is read from the workspace where the editor does not know its file again yet.
        await until(lambda: QGuiApplication.clipboard().text().startswith("photo of"))
        QTest.keyClick(images, KEY.Key_Home)
        await until(lambda: window.state.picture.name[0] == "0")
        await until(lambda: program.caption_editing.id == program.workspace.ids[0])
        QTest.keyClick(images, KEY.Key_V, CTRL | SHIFT)
        await until(lambda: captions(folder)[0] == captions(folder)[4])

    live(story)


def test_copy_and_paste_are_about_the_images_that_keys_have_come_to(live, folder):
    """At once: neither waits until the image is in view, or until an edit is in the list."""

    async def story(program):
        window, images = await opened(program, folder)
        before, editor = captions(folder), window.caption_panel.editor
        QTest.keyClick(images, KEY.Key_Return)
        await until(editor.hasFocus)
        QTest.keyClicks(editor, ", asleep")
        QTest.keyClick(editor, KEY.Key_Escape)
        QTest.keyClick(images, KEY.Key_C, CTRL)
        assert QGuiApplication.clipboard().text() == f"{before[0]}, asleep"
        QTest.keyClick(images, KEY.Key_Right)
        QTest.keyClick(images, KEY.Key_C, CTRL)
        QTest.keyClick(images, KEY.Key_Right)
        QTest.keyClick(images, KEY.Key_V, CTRL | SHIFT)
        QTest.keyClick(images, KEY.Key_Right)
        await until(lambda: captions(folder)[2] == before[1])
        assert captions(folder)[3:] == before[3:]

    live(story)


def test_caption_changed_elsewhere_is_compared_before_it_is_overwritten(live, folder):
    async def story(program):
        window, images = await opened(program, folder)
        await press(images, KEY.Key_H, CTRL | SHIFT)
        dialog = dialog_of(window)
        dialog.kind_box.setCurrentIndex(dialog.kind_box.findData(BulkKind.SUFFIX))
        QTest.keyClicks(field(dialog, "suffix_edit"), "at home")
        await until(dialog.apply_button.isEnabled)
        # As another program writes it, in the moment before.
        (folder / "2.txt").write_text("somebody's own", encoding="utf-8")
        QTest.mouseClick(dialog.apply_button, LEFT)
        await until(lambda: captions(folder)[0] == "a cat at home")
        await until(lambda: "changed by another" in window.notice_bar.text_label.text())
        assert captions(folder)[2] == "somebody's own"
        QTest.mouseClick(window.notice_bar.action_button, LEFT)
        asked = window.findChild(QDialog, "conflict_dialog")
        assert asked.found_edit.toPlainText() == "somebody's own"
        QTest.mouseClick(asked.overwrite_button, LEFT)
        await until(lambda: captions(folder)[2] == "two cats at home")

    live(story)


def test_images_are_trashed_and_moved_with_their_captions_and_come_back(live, folder, tmp_path):
    async def story(program):
        window, images = await opened(program, folder)
        QTest.keyClick(images, KEY.Key_Right, SHIFT)
        await until(lambda: window.state.workspace.selected == 2)
        QTest.keyClick(images, KEY.Key_Delete)
        asked = window.findChild(QMessageBox, "trash_dialog")
        assert "2 images" in asked.text()
        assert "Undo" in asked.informativeText()
        QTest.keyClick(asked, KEY.Key_Return)
        await until(lambda: names(folder)[0] == "2.png")
        await until(lambda: window.state.workspace.total == 3)
        await until(lambda: window.state.picture.name == "2.png")
        await in_list(window)
        await until(lambda: "trash" in window.commands[Command.UNDO].text())
        QTest.keyClick(images, KEY.Key_Z, CTRL)
        await until(lambda: window.state.workspace.total == 5)
        assert captions(folder) == list(CAPTIONS)

        target = tmp_path / "elsewhere"
        target.mkdir()
        await until(lambda: window.state.workspace.is_known)
        QTest.keyClick(images, KEY.Key_F6)
        chooser = window.findChild(QFileDialog, "move_dialog")
        chooser.fileSelected.emit(str(target))
        chooser.close()
        await until(lambda: names(target) == ["2.png", "2.txt"])
        await until(lambda: window.state.workspace.total == 4)
        assert QApplication.activeModalWidget() is None

    live(story)


MANY = 6_000


@pytest.fixture
def large(tmp_path):
    """More images than are edited in a moment."""
    folder = tmp_path / "large"
    folder.mkdir()
    Image.new("RGB", (40, 30), "teal").save(folder / "0.png")
    data = (folder / "0.png").read_bytes()
    for number in range(MANY):
        (folder / f"{number}.png").write_bytes(data)
        (folder / f"{number}.txt").write_text(f"a cat, number {number}\n", encoding="utf-8")
    return folder


async def opened_as_tags(program, folder):
    found = await opened(program, folder)
    await until(lambda: program.workspace.mode is CaptionMode.TAGS)
    return found


def edited(program):
    """What becomes of the edits from now on."""
    reports = []
    program.workspace.edited.connect(reports.append)
    return reports


async def under_way(program):
    """An edit of many captions is made."""
    await until(lambda: program.window.state.workspace.editing is not None)
    assert program.workspace.edits.is_under_way


def test_many_captions_are_edited_beside_what_a_person_does(live, large):
    async def story(program):
        window, images = await opened_as_tags(program, large)
        workspace, reports = program.workspace, edited(program)
        own = images.rows.id_at(images.currentIndex())
        others = [id for id in workspace.ids if id != own]
        program.bulk_editing.apply(others, AddTags(("sea",)))
        await under_way(program)
        # What is read is not kept waiting, and what is written waits.
        assert await workspace.path_of(workspace.ids[-1]) == large / f"{MANY - 1}.png"
        assert not reports
        window.commands[Command.EDIT_CAPTION].trigger()
        path = program.caption_editing.path
        program.caption_editing.type("by hand")
        program.caption_editing.write()
        await until(lambda: len(reports) == 2)
        assert [len(report.changed) for report in reports] == [MANY - 1, 1]
        assert window.state.workspace.editing is None
        await until(lambda: not window.workspace_pane.editing_line.isVisible())
        assert sum(caption.endswith(", sea") for caption in captions(large)) == MANY - 1
        await until(lambda: not program.caption_editing.has_unsaved)
        assert path.with_suffix(".txt").read_text(encoding="utf-8") == "by hand\n"

    live(story)


def test_caption_that_is_typed_while_an_edit_changes_it_is_kept_beside_the_edited_one(live, large):
    typed = "a caption by hand"

    async def story(program):
        await opened_as_tags(program, large)
        workspace, editing, reports = program.workspace, program.caption_editing, edited(program)
        await until(lambda: editing.is_known)
        path, before = editing.path, editing.text
        program.bulk_editing.apply(workspace.ids, AddTags(("sea",)))
        await under_way(program)
        editing.type(typed)
        editing.write()
        # Killed now, the program would find it again.
        draft = await workspace.read(lambda one: one.drafts.of(editing.id))
        assert (draft.text, draft.seen) == (typed, before)
        await until(lambda: len(reports) == 2)
        assert len(reports[0].changed) == MANY
        await until(lambda: editing.found is not None)
        assert (editing.text, editing.found) == (typed, f"{before}, sea")
        assert path.with_suffix(".txt").read_text(encoding="utf-8") == f"{before}, sea\n"
        editing.keep_ours()
        await until(lambda: path.with_suffix(".txt").read_text(encoding="utf-8") == f"{typed}\n")

    live(story)


@pytest.mark.parametrize("by_key", [True, False])
def test_edit_of_many_captions_is_stopped(live, large, by_key):
    async def story(program):
        window, images = await opened_as_tags(program, large)
        reports, line = edited(program), window.workspace_pane.editing_line
        images.selectAll()
        program.bulk_editing.apply(images.selected_ids, AddTags(("sea",)))
        await under_way(program)
        if by_key:
            QTest.keyClick(images, KEY.Key_Escape)
        else:
            line.button.click()
        await until(lambda: reports)
        (report,) = reports
        assert report.left > 0
        assert len(report.changed) + report.left == MANY
        assert "Stopped." in window.state.notices[0].text
        assert sum("sea" in caption for caption in captions(large)) == len(report.changed)
        window.commands[Command.UNDO].trigger()
        if report.changed:
            await until(lambda: len(reports) == 2)
        assert not any("sea" in caption for caption in captions(large))

    live(story)


def test_edit_of_many_captions_is_made_whole_when_the_program_ends(live, large):
    async def story(program):
        _, images = await opened_as_tags(program, large)
        images.selectAll()
        program.bulk_editing.apply(images.selected_ids, AddTags(("sea",)))
        program.bulk_editing.apply(images.selected_ids, AddTags(("sky",)))
        program.workspace.review(images.selected_ids[:1], ReviewState.ACCEPTED)
        await under_way(program)

    async def again(program):
        await opened_as_tags(program, large)
        assert program.workspace.counts.reviews[ReviewState.ACCEPTED] == 1

    live(story)
    assert all(caption.endswith(", sea, sky") for caption in captions(large))
    live(again)


@pytest.mark.skipif(not TRASH_HAS_WAY_BACK, reason="the system's trash gives no path back")
def test_moving_many_images_to_the_trash_is_stopped_and_undone(live, large):
    async def story(program):
        window, images = await opened_as_tags(program, large)
        reports, line = edited(program), window.workspace_pane.editing_line
        program.bulk_editing.trash(program.workspace.ids)
        await under_way(program)
        line.button.click()
        await until(lambda: reports)
        (report,) = reports
        left = sorted(one.stem for one in large.glob("*.png"))
        assert len(left) == report.left == MANY - len(report.changed) > 0
        assert left == sorted(one.stem for one in large.glob("*.txt"))
        await until(lambda: images.rows.rowCount() == len(left))
        window.commands[Command.UNDO].trigger()
        if report.changed:
            await until(lambda: len(reports) == 2)
        assert len(captions(large)) == len(list(large.glob("*.png"))) == MANY
        await until(lambda: images.rows.rowCount() == MANY)

    live(story)


def test_outcome_of_earlier_fields_never_enables_apply(live, folder):
    """The fields change just when their outcome is asked for."""

    async def story(program):
        window, _ = await opened(program, folder)
        window.commands[Command.BULK_REPLACE].trigger()
        dialog = dialog_of(window)
        find = field(dialog, "bulk_find_edit")
        await focuses(find)
        seen = []

        def change_once():
            if find.text() == "cat":
                QTest.keyClicks(find, "xyz")

        def note():
            seen.append((find.text(), dialog.apply_button.isEnabled()))

        dialog.preview_asked.connect(change_once)
        program.window.states.changed.connect(note)
        QTest.keyClicks(find, "cat")
        outcomes = []
        while not outcomes:
            await asyncio.sleep(0)
            note()
            if find.text() == "catxyz" and dialog.count_label.text():
                outcomes.append(dialog.count_label.text())
        assert outcomes == ["0 of 5 captions change."]
        assert not any(is_enabled for _, is_enabled in seen)

    live(story)


async def about_to_remove_cats(window):
    """The dialog, with all filled in, while the caption in view is in its editor."""
    window.commands[Command.EDIT_CAPTION].trigger()
    await until(window.caption_panel.editor.hasFocus)
    window.commands[Command.BULK_REPLACE].trigger()
    dialog = dialog_of(window)
    find = field(dialog, "bulk_find_edit")
    await focuses(find)
    QTest.keyClicks(find, "cat")
    await until(dialog.apply_button.isEnabled)
    return dialog


def test_what_is_typed_while_many_captions_are_edited_stays(live, folder):
    """The caption in view is one of those that the edit is about to change."""

    async def story(program):
        window, _ = await opened(program, folder)
        panel = window.caption_panel
        dialog = await about_to_remove_cats(window)
        dialog.apply_button.click()
        # In the same moment, before the edit has begun.
        QTest.keyClicks(panel.editor, " sleeps")
        await until(lambda: "3 captions were changed" in dialog.count_label.text())
        await until(panel.conflict_bar.isVisible)
        assert panel.editor.toPlainText() == "a cat sleeps"
        assert captions(folder)[0] == "a"
        panel.ours_button.click()
        await until(lambda: captions(folder)[0] == "a cat sleeps")

    live(story)


def test_report_of_another_edit_is_not_taken_for_that_of_the_dialog(live, folder):
    """What is typed is written before the edit, and reported before it."""

    async def story(program):
        window, _ = await opened(program, folder)
        panel = window.caption_panel
        dialog = await about_to_remove_cats(window)
        said = set()
        program.workspace.edited.connect(lambda _: said.add(dialog.count_label.text()))
        QTest.keyClicks(panel.editor, " and a cat")
        dialog.apply_button.click()
        await until(lambda: captions(folder)[0] == "a  and a")
        await until(lambda: "3 captions were changed." in said)
        assert "1 caption was changed." not in said

    live(story)


def test_another_folder_is_opened_while_an_edit_of_the_one_before_goes_on(live, large, folder):
    """The edit goes on until all its captions are written, and an edit of the other folder waits
    for it."""

    async def story(program):
        await opened_as_tags(program, large)
        workspace, editing = program.workspace, program.caption_editing
        # A run that writes captions keeps the edit waiting.
        with write_lock(locations().data):
            program.bulk_editing.apply(workspace.ids, AddTags(("sea",)))
            window, images = await opened(program, folder)
            assert images.rows.rowCount() == len(list(folder.glob("*.png")))
            assert not any("sea" in caption for caption in captions(large))
            await until(lambda: editing.is_known)
            path, before = editing.path, editing.text
            editing.type("by hand")
            editing.write()
            window.workspace_pane.query_line.search_for("cat")
            await until(lambda: workspace.listing.query == "cat" and workspace.ids)
            assert path.with_suffix(".txt").read_text(encoding="utf-8").strip() == before
            assert editing.has_unsaved
        await until(lambda: not editing.has_unsaved)
        assert path.with_suffix(".txt").read_text(encoding="utf-8") == "by hand\n"
        assert all(caption.endswith(", sea") for caption in captions(large))
        # What is read of it then has the edit, which can be undone.
        program.window.paths_opened.emit([large])
        await until(lambda: workspace.counts.images == MANY and workspace.undo_text)
        window.commands[Command.UNDO].trigger()
        await until(lambda: not any("sea" in caption for caption in captions(large)))

    live(story)


def test_folder_is_opened_again_once_the_edit_of_it_has_ended(live, large, folder):
    async def story(program):
        await opened_as_tags(program, large)
        with write_lock(locations().data):
            program.bulk_editing.apply(program.workspace.ids, AddTags(("sea",)))
            await opened(program, folder)
            program.window.paths_opened.emit([large])
        await opened(program, large)
        assert all(caption.endswith(", sea") for caption in captions(large))
        rows = await program.workspace.read(lambda one: one.rows(one.ids()))
        assert sorted(row.caption for row in rows) == sorted(captions(large))

    live(story)


def test_program_ends_once_the_edit_of_a_folder_that_was_left_is_made(live, large, folder):
    async def story(program):
        await opened_as_tags(program, large)
        program.bulk_editing.apply(program.workspace.ids, AddTags(("sea",)))
        await opened(program, folder)

    live(story)
    assert all(caption.endswith(", sea") for caption in captions(large))
