"""Answers of several runs side by side, and alternative texts, in the whole program."""

from threading import Event

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QPlainTextEdit, QPushButton, QWidget

from core.batch import Batch, BatchOptions, Control
from core.captions.sidecar import Existing
from core.locations import locations
from gui.window.commands import Command
from gui.workspace.alt_text_dialog import AltTextDialog
from gui.workspace.compare_dialog import CompareDialog
from tests.gui.app.test_captions import folder, opened, text  # noqa: F401 (fixture)
from tests.gui.conftest import until
from tests.support.folder_run import FolderEngine
from tests.support.layout import cut_off

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
FIRST = {"0.png": "a red cat", "1.png": "a dog", "2.png": "same"}
SECOND = {"0.png": "a blue cat", "1.png": "two dogs 🐕 here", "2.png": "same"}


@pytest.fixture
def compared(tmp_path, home):
    """Three images that two runs have captioned; about the last one they agree."""
    root = tmp_path / "compared"
    root.mkdir()
    for name in FIRST:
        Image.new("RGB", (40, 30), "red").save(root / name)
    answered(root, "First?", FIRST)
    answered(root, "Second?", SECOND)
    return root


def answered(root, prompt, said):
    """A run with this prompt, in which a model said this of the images."""
    options = BatchOptions((prompt,), existing=Existing.REPLACE)
    batch = Batch.begin([root], options, locations().runs)
    engine = FolderEngine()
    engine.says.update(said)
    batch.run(engine, Control())
    batch.close()


async def comparison_of(program, root):
    window = program.window
    window.paths_opened.emit([root])
    await until(lambda: window.state.workspace.is_known and window.state.workspace.total == 3)
    await until(lambda: program.workspace.counts.unread == 0)
    await until(lambda: window.state.picture.name == "0.png")
    window.commands[Command.COMPARE_ANSWERS].trigger()
    await until(lambda: window.findChild(CompareDialog) is not None)
    return window.findChild(CompareDialog)


def marked(column):
    return [one.cursor.selectedText() for one in column.text.extraSelections()]


def test_answers_are_picked_and_merged_by_keys_and_undone(live, compared):
    async def story(program):
        dialog = await comparison_of(program, compared)
        await until(lambda: dialog.name_label.text() == "0.png")
        assert [column.answer for column in dialog.columns] == ["a blue cat", "a red cat", None]
        assert [marked(column) for column in dialog.columns[:2]] == [["blue"], ["red"]]
        assert "1 of 2" in dialog.what_label.text()
        buttons = [(column.use_button, column.add_button) for column in dialog.columns]
        assert len({one.accessibleName() for pair in buttons for one in pair}) == 6
        QTest.keyClick(dialog.columns[0].text, KEY.Key_2)
        await until(lambda: text(compared, 0) == "a red cat\n")
        await until(lambda: dialog.name_label.text() == "1.png")
        assert marked(dialog.columns[0]) == ["two dogs 🐕 here"]
        QTest.mouseClick(dialog.columns[1].add_button, LEFT)
        assert dialog.editor.toPlainText() == "two dogs 🐕 here a dog"
        QTest.keyClicks(dialog.editor, " 2")  # Typed, not picked.
        QTest.keyClick(dialog.editor, KEY.Key_PageUp)
        await until(lambda: text(compared, 1) == "two dogs 🐕 here a dog 2\n")
        await until(lambda: dialog.editor.toPlainText() == "a red cat")
        QTest.mouseClick(dialog.undo_button, LEFT)
        await until(lambda: text(compared, 1) == "two dogs 🐕 here\n")
        QTest.mouseClick(dialog.undo_button, LEFT)
        await until(lambda: dialog.editor.toPlainText() == "a blue cat")

    live(story)


@pytest.mark.parametrize("runs", [0, 1])
def test_without_two_answers_one_sentence_and_one_button_say_what_to_do(live, tmp_path, home, runs):
    root = tmp_path / "alone"
    root.mkdir()
    for name in FIRST:
        Image.new("RGB", (40, 30), "red").save(root / name)
    if runs:
        answered(root, "First?", FIRST)

    async def story(program):
        dialog = await comparison_of(program, root)
        await until(dialog.nothing.isVisible)
        assert ("a second preset" in dialog.nothing.text_label.text()) is bool(runs)
        shown = [one for one in dialog.findChildren(QWidget) if one.isVisible()]
        assert not [one for one in shown if isinstance(one, QPlainTextEdit | QComboBox)]
        buttons = {one for one in shown if isinstance(one, QPushButton)}
        assert buttons == {dialog.nothing.run_button, dialog.close_button}
        assert cut_off(dialog) == []
        dialog.resize(dialog.minimumSize())
        await until(lambda: cut_off(dialog) == [])
        QTest.keyClick(dialog, KEY.Key_Return)
        await until(program.window.batch_panel.isVisible)
        await until(lambda: program.window.findChild(CompareDialog) is None)
        assert set(program.window.state.run.roots) == {root}

    live(story)


def test_runs_are_told_apart_by_their_time_however_narrow_the_window(live, compared):
    async def story(program):
        dialog = await comparison_of(program, compared)
        await until(lambda: dialog.name_label.text() == "0.png")
        dialog.resize(dialog.minimumSize())
        for column in dialog.columns[:2]:
            await until(lambda box=column.box: box.shown_text != box.currentText())
            assert column.box.shown_text.endswith(column.box.currentText()[-3:])
            assert column.box.shown_text[:3] == column.box.currentText()[:3]
        dialog.close()

    live(story)


def test_column_without_a_run_leaves_its_room_to_the_others(live, compared):
    async def story(program):
        dialog = await comparison_of(program, compared)
        await until(lambda: dialog.name_label.text() == "0.png")
        first, _, third = dialog.columns
        parts = (third.text, third.use_button, third.add_button)
        assert not any(part.isVisible() for part in parts)
        await until(lambda: first.width() > 1.5 * third.width())
        assert first.box.y() == third.box.y()
        assert third.box.width() >= third.box.fontMetrics().horizontalAdvance("None") + 24
        third.box.setCurrentIndex(third.box.count() - 1)
        await until(lambda: third.answer == "a blue cat")
        assert all(part.isVisible() for part in parts)
        await until(lambda: first.width() < 1.5 * third.width())
        dialog.close()

    live(story)


def test_runs_with_one_model_and_prompt_are_told_apart(live, compared):
    for said in ("a third cat", "a fourth cat"):
        answered(compared, "First?", {"0.png": said})

    async def story(program):
        dialog = await comparison_of(program, compared)
        await until(lambda: dialog.name_label.text() == "0.png")
        box = dialog.columns[0].box
        labels = [box.itemText(place) for place in range(box.count())]
        assert len(labels) == len(set(labels)) == 5
        assert dialog.columns[0].answer == "a fourth cat"
        dialog.columns[1].box.setCurrentIndex(1)
        await until(lambda: dialog.columns[1].answer == "a third cat")
        assert [marked(column) for column in dialog.columns[:2]] == [["fourth"], ["third"]]
        QTest.keyClick(dialog.columns[0].text, KEY.Key_2)
        await until(lambda: text(compared, 0) == "a third cat\n")

    live(story)


def test_alt_text_is_decorative_or_has_a_long_description(live, folder):  # noqa: F811
    async def story(program):
        window, _images, _editor = await opened(program, folder)

        async def dialog():
            window.commands[Command.ALT_TEXT].trigger()
            await until(lambda: window.findChild(AltTextDialog) is not None)
            return window.findChild(AltTextDialog)

        shown = await dialog()
        assert shown.text_edit.toPlainText() == "a cat"
        QTest.keyClicks(shown.text_edit, "x" * 121)
        assert shown.count_label.property("class") == "error"
        shown.text_edit.undo()
        QTest.keyClicks(shown.long_edit, "It sits.")
        QTest.keyClick(shown, KEY.Key_Escape)
        await until(lambda: text(folder, 0) == "a cat\n\nIt sits.\n")
        await until(lambda: window.findChild(AltTextDialog) is None)
        shown = await dialog()
        assert shown.long_edit.toPlainText() == "It sits."
        QTest.keyClick(shown.decorative_box, KEY.Key_Space)
        QTest.mouseClick(shown.close_button, LEFT)
        await until(lambda: text(folder, 0) == "decorative\n")

    live(story)


@pytest.mark.parametrize("keeps_ours", [True, False])
def test_alt_text_that_met_another_caption_is_undecided(live, folder, keeps_ours):  # noqa: F811
    async def story(program):
        window, _, editor = await opened(program, folder)
        window.commands[Command.ALT_TEXT].trigger()
        await until(lambda: window.findChild(AltTextDialog) is not None)
        dialog = window.findChild(AltTextDialog)
        QTest.keyClicks(dialog.long_edit, "It sits.")
        (folder / "0.txt").write_text("a lion\n")
        QTest.keyClick(dialog, KEY.Key_Escape)
        panel = window.caption_panel
        await until(panel.conflict_bar.isVisible)
        assert editor.toPlainText() == "a cat\n\nIt sits."
        assert text(folder, 0) == "a lion\n"
        await until(lambda: window.findChild(AltTextDialog) is None)
        QTest.mouseClick(panel.ours_button if keeps_ours else panel.theirs_button, LEFT)
        stays = "a cat\n\nIt sits." if keeps_ours else "a lion"
        await until(lambda: text(folder, 0) == f"{stays}\n")
        await until(lambda: not panel.conflict_bar.isVisible())
        assert editor.toPlainText() == stays

    live(story)


def test_undo_takes_back_what_is_typed_before_an_edit_of_another_image(live, compared):
    async def story(program):
        dialog = await comparison_of(program, compared)
        await until(lambda: dialog.name_label.text() == "0.png")
        QTest.keyClick(dialog.columns[0].text, KEY.Key_2)
        await until(lambda: dialog.name_label.text() == "1.png")
        QTest.keyClicks(dialog.editor, "x")
        QTest.mouseClick(dialog.undo_button, LEFT)
        assert dialog.editor.toPlainText() == "two dogs 🐕 here"
        dialog.editor.undo()
        assert dialog.editor.toPlainText() == "xtwo dogs 🐕 here"
        QTest.mouseClick(dialog.undo_button, LEFT)
        await program.workspace.read(lambda workspace: None)
        assert text(compared, 0) == "a red cat\n"
        QTest.mouseClick(dialog.undo_button, LEFT)
        await until(lambda: text(compared, 0) == "a blue cat\n")

    live(story)


def test_answer_is_picked_for_the_image_in_view_alone(live, compared):
    """The workspace is busy, so that the next image is not shown yet."""
    busy = Event()

    async def story(program):
        dialog = await comparison_of(program, compared)
        await until(lambda: dialog.name_label.text() == "0.png")
        program.workspace.change(lambda workspace: busy.wait(60))
        # The first is the caption as it is.
        QTest.keyClick(dialog.columns[0].text, KEY.Key_1)
        QTest.keyClick(dialog.columns[0].text, KEY.Key_2)
        busy.set()
        await until(lambda: dialog.name_label.text() == "1.png")
        await program.workspace.read(lambda workspace: None)
        assert text(compared, 0) == "a blue cat\n"

    live(story)


def test_image_that_was_removed_meanwhile_is_passed_over(live, compared):
    async def story(program):
        dialog = await comparison_of(program, compared)
        await until(lambda: dialog.name_label.text() == "0.png")
        (compared / "1.png").unlink()
        await until(lambda: program.workspace.counts.images == 2)
        QTest.keyClicks(dialog.editor, "x")
        QTest.mouseClick(dialog.next_button, LEFT)
        await until(lambda: "1 of 1" in dialog.what_label.text())
        assert dialog.name_label.text() == "0.png"
        assert dialog.editor.toPlainText().startswith("x")
        QTest.keyClick(dialog.columns[0].text, KEY.Key_2)
        await until(lambda: text(compared, 0) == "a red cat\n")
        (compared / "0.png").unlink()
        await until(lambda: program.workspace.counts.images == 1)
        dialog.show_again()
        await until(lambda: "no longer there" in dialog.what_label.text())
        assert not dialog.editor.isEnabled()

    live(story)


def test_caption_as_it_is_is_that_on_the_disk_by_now(live, compared):
    async def story(program):
        dialog = await comparison_of(program, compared)
        await until(lambda: dialog.name_label.text() == "0.png")
        now = dialog.columns[2]
        now.box.setCurrentIndex(now.box.count() - 1)
        await until(lambda: now.answer is not None)
        (compared / "1.txt").write_text("by another program\n")
        await program.workspace.read_written([compared / "1.png"])
        QTest.mouseClick(dialog.next_button, LEFT)
        await until(lambda: dialog.name_label.text() == "1.png")
        assert now.answer == dialog.editor.toPlainText() == "by another program"

    live(story)
