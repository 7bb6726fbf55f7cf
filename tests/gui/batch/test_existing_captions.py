"""Captions that the images of a folder run have already: read, shown, searched, kept up to date."""

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from core.batch import Phase
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from gui.batch.filter_bar import FilterBar
from gui.batch.run_controls import RunAction
from gui.batch.undo_dialog import UndoDialog
from tests.gui.batch.folder_page import chosen, click, phase, shown, texts
from tests.gui.batch.test_conflicts import edit_row
from tests.gui.conftest import until

MANY = 120


@pytest.fixture
def many(tmp_path):
    """A folder with far more captions than rows in view; only one of them has a needle."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MANY):
        Image.new("RGB", (8, 6)).save(folder / f"{number:03}.png")
        (folder / f"{number:03}.txt").write_text(f"caption {number} of many\n")
    (folder / "100.txt").write_text("A needle in a haystack\n")
    return folder


def captions(panel):
    return [item.caption for item in panel.model.items]


def test_all_captions_of_a_new_run_are_shown_and_searched(live, many):
    async def story(program, panel):
        await chosen(program, panel, many)
        await until(lambda: all(captions(panel)))
        assert captions(panel)[7] == "caption 7 of many"
        assert shown(panel)[7][1] == "Waiting"
        QTest.keyClicks(panel.filter_bar.find_edit, "needle")
        await until(lambda: [row[0] for row in shown(panel)] == ["100.png"])
        await until(lambda: panel.filter_bar.shown_label.text() == "1 shown")

    live(story)


@pytest.mark.parametrize("existing", [Existing.SKIP, Existing.REPLACE])
def test_a_search_that_began_before_they_were_read_finds_them(live, many, existing):
    async def story(program, panel):
        panel.filter_bar.find_edit.setText("needle")
        await chosen(program, panel, many)
        await until(lambda: [row[0] for row in shown(panel)] == ["100.png"])
        panel.form.existing_box.setCurrentIndex(panel.form.existing_box.findData(existing))
        panel.form.prompt_edit.setPlainText("say 1 words")
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.OVER)
        if existing is Existing.SKIP:
            await until(lambda: all(captions(panel)))
            await until(lambda: [row[0] for row in shown(panel)] == ["100.png"])
        else:
            await until(lambda: shown(panel) == [])

    live(story)


def test_the_search_says_how_many_captions_are_still_to_read(qtbot):
    bar = FilterBar()
    qtbot.addWidget(bar)
    bar.show()
    bar.show_count(300, 300)
    bar.show_unread(1200)
    assert not bar.shown_label.isVisible()
    bar.find_edit.setText("needle")
    bar.show_count(2, 300)
    assert bar.shown_label.text() == "2 shown, 1,200 still to read"
    bar.show_unread(0)
    assert bar.shown_label.text() == "2 shown"
    bar.find_edit.clear()
    bar.show_count(300, 300)
    assert not bar.shown_label.isVisible()


def test_the_captions_are_those_in_the_files_that_the_run_would_write(live, folder):
    (folder / "1.txt").write_text("in the text file\n")
    (folder / "2.png.caption").write_text("in the other one\n")

    async def story(program, panel):
        await chosen(program, panel, folder)
        await until(lambda: captions(panel) == ["in the text file", "", "", ""])
        panel.form.more.name_box.setCurrentText("{name}")
        panel.form.more.suffix_box.setCurrentText(".caption")
        await until(lambda: captions(panel) == ["", "in the other one", "", ""])
        click(panel.form.write_boxes[CaptionFormat.TXT])
        await until(lambda: not any(captions(panel)))

    live(story)


def test_undone_edits_and_runs_show_the_captions_in_the_files_again(live, folder):
    (folder / "1.txt").write_text("mine\n")

    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.prompt_edit.setPlainText("say 1 words")
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.OVER)
        await until(lambda: shown(panel)[0] == ("1.png", "Skipped", "mine"))
        edit_row(panel, 0, "by hand")
        await until(lambda: texts(folder)["1.txt"] == "by hand\n")
        await until(panel.filter_bar.undo_edit_button.isVisible)
        click(panel.filter_bar.undo_edit_button)
        await until(lambda: texts(folder)["1.txt"] == "mine\n")
        await until(lambda: shown(panel)[0] == ("1.png", "Skipped", "mine"))
        known = []
        program.folder_run.edits.changed.connect(lambda *can: known.append(can))
        edit_row(panel, 0, "by hand")
        await until(lambda: texts(folder)["1.txt"] == "by hand\n")
        await until(panel.filter_bar.undo_edit_button.isVisible)
        click(panel.controls.buttons[RunAction.UNDO])
        dialog = panel.findChild(UndoDialog)
        (undo,) = [b for b in dialog.findChildren(QPushButton) if b.text() == "Undo"]
        click(undo)
        await until(lambda: phase(program) is Phase.UNDONE)
        await until(lambda: captions(panel) == ["mine", "", "", ""])
        assert known[-1] == (False, False), "the Edit menu offers neither Undo nor Redo"

    live(story)


def test_images_whose_caption_is_to_be_replaced_show_it_until_then(live, folder):
    (folder / "1.txt").write_text("mine\n")

    async def story(program, panel):
        await chosen(program, panel, folder)
        form = panel.form
        form.existing_box.setCurrentIndex(form.existing_box.findData(Existing.REPLACE))
        form.prompt_edit.setPlainText("hold")
        form.more.slots_box.setValue(1)
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: captions(panel)[0].startswith("Half"))
        QTest.keyClick(panel, Qt.Key.Key_Escape)
        await until(lambda: phase(program) is Phase.PAUSED)
        await until(lambda: shown(panel)[0] == ("1.png", "Waiting", "mine"))

    live(story)
