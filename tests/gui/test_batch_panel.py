"""Folder runs in the whole window: real widgets, real files, a scripted engine."""

import asyncio
import time

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QMessageBox, QPushButton

from core.batch import find_runs
from core.batch_plan import Item, ItemState, Phase
from core.settings import locations
from core.transcript import ModelChoice, Ready
from gui.app import Program
from gui.batch_list import BatchList, CaptionEdit
from gui.batch_rows import CAPTION, PICTURE, BatchModel
from gui.model_thread import ModelThread
from gui.preview import PreviewMaker
from gui.theme import Theme
from tests.gui.conftest import until


@pytest.fixture
def folder(tmp_path):
    """Pictures 1.png to 4.png."""
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in range(1, 5):
        Image.new("RGB", (40, 30), (60 * number, 80, 90)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def live(run, loop, qapp, tmp_path, monkeypatch, checkpoint):
    """Run a story inside a whole living program; its end is part of every test."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))

    def live(story):
        program = Program(qapp, loop, locations(), time.perf_counter(), ModelThread(checkpoint))

        async def life():
            living = asyncio.create_task(program.life([]))
            try:
                with program.notices.catching(loop):
                    await until(lambda: isinstance(program.model.state, Ready))
                    await story(program, program.window.batch_panel)
            finally:
                program.quit()
                is_clean = await living
            return is_clean

        assert run(life())
        program.window.deleteLater()

    return live


def click(button):
    assert button.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


async def chosen(program, panel, *paths):
    program.window.folder_run_chosen.emit(list(paths))
    await until(lambda: panel.start_button.isVisible() and panel.start_button.isEnabled())


async def begun(program, panel, folder, prompt="say 2 words"):
    await chosen(program, panel, folder)
    panel.form.prompt_edit.setPlainText(prompt)
    click(panel.start_button)


def phase(program):
    return program.folder_run.phase


def shown(panel):
    """Name, state and caption of each row."""
    model = panel.model
    return [
        tuple(model.index(row, column).data() for column in range(3))
        for row in range(model.rowCount())
    ]


def texts(folder):
    return {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))}


def test_folder_is_captioned_row_by_row_and_the_end_says_what_was_written(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        assert shown(panel) == [(f"{n}.png", "Done", "word0 word1") for n in range(1, 5)]
        assert texts(folder) == {f"{n}.txt": "word0 word1\n" for n in range(1, 5)}
        box = panel.summary_box
        assert box.isVisible()
        assert box.headline_label.text().endswith(": 4 captioned")
        assert box.written_label.text() == "Written beside each image as {stem}.txt."
        assert panel.undo_button.isVisible()
        assert not panel.retry_button.isVisible()

    live(story)


def test_dropping_a_folder_offers_the_run(live, folder):
    async def story(program, panel):
        program.window.paths_opened.emit([folder])
        await until(lambda: program.window.notice_bar.isVisible())
        click(program.window.notice_bar.action_button)
        await until(lambda: len(panel.model.items) == 4)
        assert panel.isVisible()
        assert panel.form.prompt_edit.toPlainText()
        await until(lambda: program.session.picture is not None)

    live(story)


def test_caption_is_seen_as_it_comes_and_stopped_inside(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder, "hold")
        await until(lambda: "Half an" in shown(panel)[0][2])
        assert shown(panel)[0][1] == "Looking …"
        click(panel.stop_button)
        await until(lambda: phase(program) is Phase.PAUSED)
        assert [state for _, state, _ in shown(panel)] == ["Waiting"] * 4
        assert texts(folder) == {}
        assert panel.resume_button.isVisible()

    live(story)


def test_pause_finishes_the_caption_under_way_and_going_on_does_the_rest(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder, "say 20 words at 100")
        await until(lambda: shown(panel)[0][1] == "Looking …")
        click(panel.pause_button)
        await until(lambda: phase(program) is Phase.PAUSED)
        assert [state for _, state, _ in shown(panel)] == ["Done", *["Waiting"] * 3]
        click(panel.resume_button)
        await until(lambda: phase(program) is Phase.OVER)
        assert len(texts(folder)) == 4

    live(story)


def test_broken_picture_is_a_row_and_is_retried(live, folder):
    (folder / "2.png").write_text("words")

    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        assert shown(panel)[1][1] == "Failed"
        assert "not a picture" in shown(panel)[1][2]
        panel.state_box.setCurrentIndex(panel.state_box.findData(ItemState.FAILED))
        assert [name for name, *_ in shown(panel)] == ["2.png"]
        panel.state_box.setCurrentIndex(0)
        Image.new("RGB", (4, 4)).save(folder / "2.png")
        click(panel.retry_button)
        await until(lambda: phase(program) is Phase.OVER and len(texts(folder)) == 4)

    live(story)


def test_caption_is_edited_in_place_and_saved_at_once(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        panel.list.setCurrentIndex(panel.model.index(1, PICTURE))
        QTest.keyClick(panel.list, Qt.Key.Key_F2)
        editor = panel.list.findChild(CaptionEdit)
        editor.setPlainText("By my own hand")
        QTest.keyClick(editor, Qt.Key.Key_Return)
        await until(lambda: shown(panel)[1] == ("2.png", "Edited", "By my own hand"))
        assert texts(folder)["2.txt"] == "By my own hand\n"

    live(story)


def test_undo_asks_and_brings_the_folder_back(live, folder):
    (folder / "1.txt").write_text("mine")

    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.existing_box.setCurrentIndex(1)
        panel.form.write_boxes["csv"].setChecked(True)
        panel.form.prompt_edit.setPlainText("say 1 words")
        click(panel.start_button)
        await until(lambda: phase(program) is Phase.OVER)
        assert (folder / "captions.csv").exists()
        click(panel.undo_button)
        dialog = panel.findChild(QMessageBox)
        (undo,) = [b for b in dialog.findChildren(QPushButton) if b.text() == "Undo"]
        click(undo)
        await until(lambda: phase(program) is Phase.UNDONE)
        assert texts(folder) == {"1.txt": "mine"}
        assert not (folder / "captions.csv").exists()
        assert panel.progress_label.text() == "Undone: 4 as they were before"

    live(story)


def test_closing_asks_and_the_closed_run_is_offered_and_goes_on(live, folder):
    async def closing(program, panel):
        await begun(program, panel, folder, "hold")
        await until(lambda: "Half an" in shown(panel)[0][2])
        program.window.close()
        dialog = program.window.findChild(QMessageBox, "leave_run_dialog")
        assert program.window.isVisible()
        (leave,) = [b for b in dialog.findChildren(QPushButton) if "Stop" in b.text()]
        click(leave)
        assert not program.window.isVisible()

    async def going_on(program, panel):
        await until(lambda: program.window.notice_bar.isVisible())
        click(program.window.notice_bar.action_button)
        await until(lambda: shown(panel) and "Half an" in shown(panel)[0][2])
        assert panel.form.prompt_edit.toPlainText() == "hold"
        assert len(shown(panel)) == 4

    live(closing)
    live(going_on)
    assert not find_runs(locations().runs)[0].is_over


def test_question_during_a_run_is_refused_with_the_reason(live, folder):
    async def story(program, panel):
        await program.session.open_paths([folder / "1.png"])
        await begun(program, panel, folder, "hold")
        await until(lambda: "Half an" in shown(panel)[0][2])
        await program.session.ask("What?")
        assert "Pause it, then ask" in program.window.notice_bar.text_label.text()
        panel.stopped.emit()
        await until(lambda: phase(program) is Phase.PAUSED)

    live(story)


def test_loading_another_model_ends_the_run_so_that_it_can_go_on(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder, "hold")
        await until(lambda: "Half an" in shown(panel)[0][2])
        await program.session.load_model(ModelChoice("another"))
        await until(lambda: phase(program) is Phase.PAUSED)
        assert isinstance(program.model.state, Ready)

    live(story)


def test_prompt_must_be_there(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder, "  ")
        assert "no prompt" in panel.notice_bar.text_label.text()
        assert phase(program) is Phase.CHOOSING

    live(story)


def test_folders_inside_are_taken_when_wanted(live, folder):
    (folder / "sub").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "sub" / "5.png")

    async def story(program, panel):
        await chosen(program, panel, folder)
        assert "4 images in “holiday”" in panel.title_label.text()
        click(panel.form.recursive_box)
        await until(lambda: len(panel.model.items) == 5)

    live(story)


def test_row_is_opened_by_enter_and_the_panel_comes_back(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        panel.list.setCurrentIndex(panel.model.index(2, PICTURE))
        QTest.keyClick(panel.list, Qt.Key.Key_Return)
        await until(lambda: program.session.picture is not None)
        assert program.session.picture.name == "3.png"
        assert not panel.isVisible()
        program.window.last_run_action.trigger()
        await until(panel.isVisible)
        assert len(shown(panel)) == 4

    live(story)


# The list by itself


@pytest.fixture
def previews(qapp):
    maker = PreviewMaker()
    yield maker
    maker.close()


@pytest.fixture
def rows(qtbot, qapp, previews):
    theme = Theme(qapp, "light")
    view_parent = QLineEdit()
    qtbot.addWidget(view_parent)
    model = BatchModel(previews, view_parent)
    view = BatchList(theme, model)
    qtbot.addWidget(view)
    return view, model


def test_hundred_thousand_rows_are_ready_at_once_and_need_no_thumbnail(rows, qtbot, folder):
    view, model = rows
    items = [Item(folder / f"{number}.png") for number in range(100_000)]
    started = time.perf_counter()
    model.replace(items)
    view.resize(600, 400)
    view.show()
    view.scrollToBottom()
    view.grab()
    assert time.perf_counter() - started < 2
    assert model.rowCount() == 100_000
    assert len(model._thumbnails) < 40


def test_rows_are_found_by_the_words_of_their_captions(rows, folder):
    _, model = rows
    model.replace([Item(folder / "1.png", ItemState.DONE, "A Cat"), Item(folder / "2.png")])
    model.choose(None, "cat")
    assert [model.index(row, CAPTION).data() for row in range(model.rowCount())] == ["A Cat"]
    model.choose(ItemState.WAITING, "")
    assert model.item(model.index(0, 0)).path.name == "2.png"


def test_thumbnails_are_made_off_the_windows_thread(rows, qtbot, folder, previews):
    view, model = rows
    made = []
    previews.made.connect(lambda key, image: made.append(image))
    model.replace([Item(folder / f"{number}.png") for number in range(1, 5)])
    view.resize(600, 400)
    view.show()
    qtbot.waitUntil(lambda: len(made) == 4)
    assert all(isinstance(image, QImage) and not image.isNull() for image in made)


def test_captions_are_edited_only_while_there_is_a_run(rows, folder):
    _, model = rows
    model.replace([Item(folder / "1.png")])
    assert not model.flags(model.index(0, CAPTION)) & Qt.ItemFlag.ItemIsEditable
    model.let_edit(True)
    assert model.flags(model.index(0, CAPTION)) & Qt.ItemFlag.ItemIsEditable
