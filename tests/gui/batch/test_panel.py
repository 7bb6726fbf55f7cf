"""Folder runs in the whole window: real widgets, real files, a scripted engine."""

import asyncio
import gc
import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise
from types import SimpleNamespace

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox, QPushButton

from core.batch import Doubt, Item, ItemState, Phase, find_runs
from core.captions.formats import CaptionFormat
from core.captions.wording import Replacement
from core.engine import Ready
from core.locations import locations
from core.transcript import ModelChoice
from gui.batch.caption_list import BatchList
from gui.batch.cells import CaptionEdit
from gui.batch.row_filter import SortKey, StateFilter
from gui.batch.rows import BatchModel, Column
from gui.batch.run_controls import RunAction, offered_actions
from gui.session.inbox import _SLICE_SECONDS, Inbox
from gui.widgets.preview import PreviewMaker
from gui.widgets.theme import Theme
from gui.window.availability import STEP, ZOOM
from gui.window.commands import Command
from tests.gui.batch.folder_page import (
    begun,
    chosen,
    click,
    counted,
    is_said,
    over,
    phase,
    shown,
    texts,
)
from tests.gui.conftest import until


def test_images_that_cannot_be_shown_are_named_when_a_folder_is_chosen(live, folder):
    (folder / "y.psd").write_bytes(b"8BPS\0\1" + bytes(50))
    nothing = folder / "nothing"
    nothing.mkdir()
    (nothing / "x.psd").write_bytes(b"8BPS\0\1" + bytes(50))
    left_out = "Skipped images that Onlooker cannot show: 1 × Photoshop document without a preview."

    async def story(program, panel):
        said = []
        program.folder_run.noticed.connect(said.append)
        await chosen(program, panel, folder)
        assert said == [left_out]
        await program.folder_run.choose([nothing])
        assert said[1] == f"There are no images here. {left_out} Choose another folder."

    live(story)


def test_warning_about_an_image_is_in_its_row_and_in_the_summary(live, folder):
    noise = Image.effect_noise((90, 80), 80)
    noise.save(folder / "2.png")
    data = (folder / "2.png").read_bytes()
    (folder / "2.png").write_bytes(data[: len(data) // 2])
    note = "The file is damaged or incomplete. Only a part of it could be read."

    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: panel.summary_box.isVisible())
        model = panel.model
        tips = [
            model.index(row, Column.STATE).data(Qt.ItemDataRole.ToolTipRole) for row in range(4)
        ]
        assert tips == [None, note, None, None]
        row = model.index(1, Column.STATE)
        assert row.data(Qt.ItemDataRole.AccessibleTextRole) == f"Done. {note}"
        assert note in model.index(1, Column.CAPTION).data(Qt.ItemDataRole.ToolTipRole)
        box = panel.summary_box
        assert box.noted_label.text().replace("\u200b", "") == f"Warnings: 1 × {note}"
        assert box.noted_label.isVisible()

    live(story)


def test_folder_is_captioned_row_by_row_and_the_end_says_what_was_written(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        assert shown(panel) == [(f"{n}.png", "Done", "word0 word1") for n in range(1, 5)]
        assert texts(folder) == {f"{n}.txt": "word0 word1\n" for n in range(1, 5)}
        box = panel.summary_box
        assert box.isVisible()
        assert box.headline_label.text().endswith(": 4 captioned")
        assert box.written_label.text() == "Written beside each image as .txt."
        assert panel.controls.buttons[RunAction.UNDO].isVisible()
        assert not panel.controls.buttons[RunAction.RETRY_FAILED].isVisible()

    live(story)


def test_folder_that_is_opened_is_looked_at_and_its_run_offered(live, folder):
    """However it is opened: a model is not needed to look, edit, search or export."""

    async def story(program, panel):
        window = program.window
        window.drop_zone.paths_dropped.emit([folder])
        await until(lambda: window.notice_bar.isVisible())
        await until(lambda: window.state.workspace.total == 4 and program.session.picture)
        assert not panel.isVisible()
        click(window.notice_bar.action_button)
        await until(lambda: len(panel.model.items) == 4)
        assert panel.isVisible()
        assert panel.form.prompt_edit.toPlainText()
        assert window.drop_zone.picture_view.isVisible()
        # What the run is about is closed with it; the next folder is looked at again.
        window.drop_zone.paths_dropped.emit([folder / "2.png"])
        assert not panel.isVisible()
        await until(lambda: program.session.picture.name == "2.png")

    live(story)


def test_folder_to_caption_is_listed_beside_its_run(live, folder):
    async def story(program, panel):
        window = program.window
        await chosen(program, panel, folder)
        await until(lambda: window.state.workspace.total == 4 and program.session.picture)
        assert panel.isVisible()
        assert window.workspace_pane.isVisible()
        # The image that comes does not take the focus from the form.
        assert panel.isAncestorOf(window.focusWidget())
        assert not window.state.notices

    live(story)


def test_folder_is_dropped_on_the_run_and_on_its_fields(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        (folder / "more").mkdir()
        Image.new("RGB", (4, 4)).save(folder / "more" / "5.png")
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(folder / "more"))])
        # As Qt does it: what takes no drop hands it to what it lies in.
        for field in (panel.form.prompt_edit, panel.filter_bar.find_edit, panel.list):
            assert not field.acceptDrops()
        copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        none = Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(
            program.window, QDragEnterEvent(QPoint(9, 9), copy, mime, left, none)
        )
        assert panel.drag_overlay.isVisible()
        assert panel.drag_overlay.text == "Drop to open the folder"
        QApplication.sendEvent(program.window, QDropEvent(QPointF(9, 9), copy, mime, left, none))
        assert not panel.drag_overlay.isVisible()
        await until(lambda: program.session.picture and program.session.picture.name == "5.png")
        assert not panel.isVisible()

    live(story)


@pytest.mark.parametrize("slots", [1, 0])
def test_caption_is_seen_as_it_comes_and_stopped_inside(live, folder, slots):
    async def story(program, panel):
        await begun(program, panel, folder, "hold", slots=slots)
        await until(lambda: is_said(panel, "Half an"))
        assert [state for _, state, caption in shown(panel) if caption] == ["Looking…"]
        click(panel.controls.buttons[RunAction.STOP_NOW])
        await until(lambda: phase(program) is Phase.PAUSED)
        assert [state for _, state, _ in shown(panel)] == ["Waiting"] * 4
        assert texts(folder) == {}
        assert panel.controls.buttons[RunAction.RESUME].isVisible()

    live(story)


def test_pause_finishes_the_caption_under_way_and_going_on_does_the_rest(live, folder, checkpoint):
    async def story(program, panel):
        await begun(program, panel, folder, "when released say 20 words")
        await until(lambda: shown(panel)[0][1] == "Looking…")
        click(panel.controls.buttons[RunAction.PAUSE])
        await until(lambda: phase(program) is Phase.ENDING)
        checkpoint.release.set()
        await until(lambda: phase(program) is Phase.PAUSED)
        assert [state for _, state, _ in shown(panel)] == ["Done", *["Waiting"] * 3]
        click(panel.controls.buttons[RunAction.RESUME])
        await until(lambda: phase(program) is Phase.OVER)
        assert len(texts(folder)) == 4

    live(story)


def test_broken_picture_is_a_row_and_is_retried(live, folder):
    (folder / "2.png").write_text("words")

    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        assert shown(panel)[1][1] == "Failed"
        assert "not an image" in shown(panel)[1][2]
        panel.filter_bar.state_box.setCurrentIndex(
            panel.filter_bar.state_box.findData(ItemState.FAILED)
        )
        assert [name for name, *_ in shown(panel)] == ["2.png"]
        panel.filter_bar.state_box.setCurrentIndex(0)
        Image.new("RGB", (4, 4)).save(folder / "2.png")
        click(panel.controls.buttons[RunAction.RETRY_FAILED])
        await until(lambda: phase(program) is Phase.OVER and len(texts(folder)) == 4)

    live(story)


def test_caption_is_edited_in_place_and_saved_at_once(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        panel.list.setCurrentIndex(panel.model.index(1, Column.PICTURE))
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
        panel.form.write_boxes[CaptionFormat.CSV].setChecked(True)
        panel.form.prompt_edit.setPlainText("say 1 words")
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.OVER)
        assert (folder / "captions.csv").exists()
        click(panel.controls.buttons[RunAction.UNDO])
        dialog = panel.findChild(QMessageBox)
        (undo,) = [b for b in dialog.findChildren(QPushButton) if b.text() == "Undo"]
        click(undo)
        await until(lambda: phase(program) is Phase.UNDONE)
        assert texts(folder) == {"1.txt": "mine"}
        assert not (folder / "captions.csv").exists()
        assert panel.progress.label.text() == "Undone, 4 images are as before the run"

    live(story)


def test_hand_edits_are_undone_too_when_wanted(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        panel.edited.emit(0, "By my own hand")
        await until(lambda: panel.filter_bar.undo_edit_button.isVisible())
        click(panel.controls.buttons[RunAction.UNDO])
        dialog = panel.findChild(QMessageBox)
        dialog.edits_box.setChecked(True)
        (undo,) = [b for b in dialog.findChildren(QPushButton) if b.text() == "Undo"]
        click(undo)
        await until(lambda: phase(program) is Phase.UNDONE)
        assert texts(folder) == {}

    live(story)


def test_run_of_yesterday_is_summed_up_and_undone(live, folder):
    async def yesterday(program, panel):
        await over(program, panel, folder)

    async def today(program, panel):
        await until(program.window.commands[Command.LAST_RUN].isEnabled)
        program.window.commands[Command.LAST_RUN].trigger()
        await until(lambda: panel.summary_box.isVisible())
        assert counted(panel) == "Finished: 4 captioned"
        panel.undo_asked.emit(True)
        await until(lambda: phase(program) is Phase.UNDONE)

    live(yesterday)
    assert len(texts(folder)) == 4
    live(today)
    assert texts(folder) == {}


def test_closing_asks_and_the_closed_run_is_offered_and_goes_on(live, folder):
    async def closing(program, panel):
        await begun(program, panel, folder, "hold")
        await until(lambda: is_said(panel, "Half an"))
        program.window.close()
        dialog = program.window.findChild(QMessageBox, "leave_run_dialog")
        assert program.window.isVisible()
        (leave,) = [b for b in dialog.findChildren(QPushButton) if "Stop" in b.text()]
        click(leave)
        assert not program.window.isVisible()

    async def going_on(program, panel):
        await until(lambda: program.window.notice_bar.isVisible())
        click(program.window.notice_bar.action_button)
        await until(lambda: is_said(panel, "Half an"))
        assert panel.form.prompt_edit.toPlainText() == "hold"
        assert len(shown(panel)) == 4

    live(closing)
    live(going_on)
    assert not find_runs(locations().runs)[0].is_over


def test_question_during_a_run_is_refused_with_the_reason(live, folder):
    async def story(program, panel):
        await program.pictures.open_paths([folder / "1.png"])
        await begun(program, panel, folder, "hold")
        await until(lambda: is_said(panel, "Half an"))
        program.window.show_conversation()
        await program.session.ask("What?")
        assert "Pause it, then ask" in program.window.notice_bar.text_label.text()
        panel.action_asked.emit(RunAction.STOP_NOW)
        await until(lambda: phase(program) is Phase.PAUSED)

    live(story)


def test_loading_another_model_ends_the_run_so_that_it_can_go_on(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder, "hold")
        await until(lambda: is_said(panel, "Half an"))
        await program.loaded_model.load(ModelChoice("another"))
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
        assert "4 images in “holiday”" in panel.head.title_label.text()
        click(panel.form.recursive_box)
        await until(lambda: len(panel.model.items) == 5)

    live(story)


def test_chosen_images_have_no_folders_inside(live, folder):
    async def story(program, panel):
        box = panel.form.recursive_box
        program.window.dialogs.run_chosen.emit(sorted(folder.glob("*.png"))[:2])
        await until(lambda: len(panel.model.items) == 2)
        assert not box.isEnabled()
        await chosen(program, panel, folder)
        await until(box.isEnabled)

    live(story)


def test_row_is_opened_by_enter_and_the_panel_comes_back(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        panel.list.setCurrentIndex(panel.model.index(2, Column.PICTURE))
        QTest.keyClick(panel.list, Qt.Key.Key_Return)
        await until(lambda: program.session.picture and program.session.picture.name == "3.png")
        # It is the current one of the list, which stays.
        assert panel.isVisible()
        await until(lambda: program.window.state.picture.index == 2)
        assert program.window.state.workspace.total == 4
        click(panel.head.close_button)
        assert not panel.isVisible()
        await until(program.window.commands[Command.LAST_RUN].isEnabled)
        program.window.commands[Command.LAST_RUN].trigger()
        await until(panel.isVisible)
        assert len(shown(panel)) == 4

    live(story)


# Tried first


def captions(panel):
    """What the trial's rows say, a list for each picture."""
    return [
        [re.sub("<[^>]*>", "", label.text()) for label in result.caption_labels]
        for result in panel.trial_page.results.values()
    ]


def test_two_ways_are_tried_side_by_side_and_one_is_taken_for_the_run(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.prompt_edit.setPlainText("say 2 words")
        click(panel.controls.buttons[RunAction.TRY_FIRST])
        page = panel.trial_page
        page.variants[1].prompt_edit.setPlainText("say 3 words")
        page.variants[1].temperature_box.setValue(0.5)
        click(page.try_button)
        await until(lambda: page.try_button.text() == "Try" and len(captions(panel)) == 4)
        assert captions(panel) == [["word0 word1", "word0 word1 word2"]] * 4
        first = next(iter(page.results.values()))
        assert re.search(r"<span[^>]*>word2</span>", first.caption_labels[1].text())
        assert "<span" not in first.caption_labels[0].text()
        assert texts(folder) == {}
        click(page.variants[1].use_button)
        assert panel.form.prompt_edit.toPlainText() == "say 3 words"
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.OVER)
        assert texts(folder)["1.txt"] == "word0 word1 word2\n"
        assert program.folder_run.options.sampling.temperature == 0.5

    live(story)


def test_trial_shows_what_is_noted_of_an_image(live, folder):
    Image.new("RGB", (8, 6), "red").save(folder / "1.png", icc_profile=b"no profile" * 20)

    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.prompt_edit.setPlainText("say 2 words")
        click(panel.controls.buttons[RunAction.TRY_FIRST])
        panel.trial_page.variants[1].prompt_edit.clear()
        click(panel.trial_page.try_button)
        await until(lambda: captions(panel) == [["word0 word1"]] * 4)
        labels = {
            result.path.name: result.notes_label for result in panel.trial_page.results.values()
        }
        assert labels["1.png"].isVisible()
        assert labels["1.png"].text() == "The colour profile is damaged and was ignored."
        assert not labels["2.png"].isVisible()

    live(story)


def test_trial_is_seen_as_it_comes_and_stopped_inside_a_caption(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.prompt_edit.setPlainText("hold")
        click(panel.controls.buttons[RunAction.TRY_FIRST])
        panel.trial_page.variants[1].prompt_edit.clear()
        QTest.keyClick(panel.trial_page, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        await until(lambda: captions(panel) and captions(panel)[0] == ["Half an "])
        click(panel.trial_page.back_button)
        await until(lambda: not program.folder_run.trial.is_running)
        assert panel.controls.buttons[RunAction.START].isVisible()
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: is_said(panel, "Half an"))

    live(story)


# Replaced


def test_replacement_is_shown_first_then_saved_and_taken_back(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        QTest.keyClick(panel.list, Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier)
        bar = panel.replace_bar
        QTest.keyClicks(bar.find_edit, "WORD1")
        QTest.keyClicks(bar.by_edit, "end")
        await until(lambda: bar.replace_button.text() == "Replace in 4 captions")
        assert texts(folder)["1.txt"] == "word0 word1\n"
        QTest.keyClick(bar.by_edit, Qt.Key.Key_Return)
        await until(lambda: texts(folder)["4.txt"] == "word0 end\n")
        await until(lambda: panel.filter_bar.undo_edit_button.isVisible())
        assert [row[1:] for row in shown(panel)] == [("Edited", "word0 end")] * 4
        click(panel.filter_bar.undo_edit_button)
        await until(lambda: texts(folder)["4.txt"] == "word0 word1\n")
        await until(lambda: shown(panel)[3][1] == "Done")
        await until(lambda: not panel.filter_bar.undo_edit_button.isVisible())

    live(story)


def test_replacement_is_only_done_where_it_is_shown(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        panel.filter_bar.find_edit.setText("2.png")
        click(panel.filter_bar.replace_button)
        panel.replace_bar.find_edit.setText("word0")
        await until(lambda: panel.replace_bar.replace_button.text() == "Replace in 1 caption")
        click(panel.replace_bar.replace_button)
        await until(lambda: texts(folder)["2.txt"] == "word1\n")
        assert [text for name, text in texts(folder).items() if name != "2.txt"] == [
            "word0 word1\n"
        ] * 3

    live(story)


def test_esc_in_the_replacement_closes_it_and_stops_no_run(live, folder):
    (folder / "1.txt").write_text("mine")

    async def story(program, panel):
        await begun(program, panel, folder, "hold")
        await until(lambda: is_said(panel, "Half an"))
        panel.replace_bar.open_bar()
        QTest.keyClick(panel.replace_bar.find_edit, Qt.Key.Key_Escape)
        assert not panel.replace_bar.isVisible()
        assert phase(program) is Phase.RUNNING

    live(story)


# What is shown


def test_notice_of_an_empty_folder_goes_when_another_is_chosen(live, folder, tmp_path):
    (tmp_path / "empty").mkdir()

    async def story(program, panel):
        program.window.dialogs.run_chosen.emit([tmp_path / "empty"])
        await until(lambda: panel.notice_bar.isVisible())
        assert "no images here" in panel.notice_bar.text_label.text()
        program.window.dialogs.run_chosen.emit([folder])
        await until(lambda: len(shown(panel)) == 4)
        assert not panel.notice_bar.isVisible()

    live(story)


def test_title_says_how_far_the_run_is(live, folder):
    (folder / "1.txt").write_text("mine")

    async def story(program, panel):
        await begun(program, panel, folder, "hold")
        await until(lambda: program.window.windowTitle() == "25% — holiday — Onlooker")
        click(panel.controls.buttons[RunAction.STOP_NOW])
        await until(lambda: phase(program) is Phase.PAUSED)
        assert program.window.windowTitle() == "25% — holiday — Onlooker"
        click(panel.controls.buttons[RunAction.NEW_RUN])
        await until(lambda: program.window.windowTitle() == "holiday — Onlooker")

    live(story)


def test_stopping_after_this_one_sums_up_and_can_be_gone_on_with(live, folder, checkpoint):
    (folder / "2.png").write_text("words")
    (folder / "1.txt").write_text("mine")

    async def story(program, panel):
        await begun(program, panel, folder, "when released say 20 words")
        # The third is the first to be asked about.
        await until(lambda: shown(panel)[2][1] == "Looking…")
        click(panel.controls.buttons[RunAction.STOP_AFTER_THIS])
        await until(lambda: phase(program) is Phase.ENDING)
        checkpoint.release.set()
        await until(lambda: panel.summary_box.isVisible())
        box = panel.summary_box
        assert box.headline_label.text().startswith("Stopped")
        assert "1 captioned, 1 failed, 1 skipped, 1 still to do" in box.headline_label.text()
        assert "“2.png” is a text file, not an image" in box.failed_label.text()
        assert box.skipped_label.text() == "Skipped: 1 × Already has a caption."
        assert panel.controls.buttons[RunAction.RETRY_FAILED].isVisible()
        checkpoint.release.clear()
        click(panel.controls.buttons[RunAction.RESUME])
        await until(lambda: not box.isVisible())
        checkpoint.release.set()
        await until(lambda: phase(program) is Phase.OVER and box.isVisible())
        assert box.headline_label.text().startswith("Finished")

    live(story)


def test_new_run_over_the_same_images_is_offered_at_the_end(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        click(panel.controls.buttons[RunAction.NEW_RUN])
        await until(
            lambda: (
                panel.controls.buttons[RunAction.START].isVisible()
                and panel.controls.buttons[RunAction.START].isEnabled()
            )
        )
        panel.form.existing_box.setCurrentIndex(1)
        panel.form.prompt_edit.setPlainText("say 1 words")
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: texts(folder) == {f"{n}.txt": "word0\n" for n in range(1, 5)})

    live(story)


def test_what_is_beside_a_skipped_picture_is_shown_and_can_be_edited(live, folder):
    (folder / "2.txt").write_text("My own words.")

    async def story(program, panel):
        await over(program, panel, folder)
        await until(lambda: shown(panel)[1][1:] == ("Skipped", "My own words."))
        panel.list.setCurrentIndex(panel.model.index(1, Column.PICTURE))
        QTest.keyClick(panel.list, Qt.Key.Key_F2)
        editor = panel.list.findChild(CaptionEdit)
        assert editor.toPlainText() == "My own words."
        QTest.keyClick(editor, Qt.Key.Key_Escape)
        assert texts(folder)["2.txt"] == "My own words."

    live(story)


def test_what_is_seldom_wanted_is_folded_away_and_does_what_it_says(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        assert not panel.form.more.beginning_edit.isVisible()
        click(panel.controls.more_button)
        form = panel.form
        assert form.more.beginning_edit.isVisible()
        form.prompt_list.show_prompts(["say 1 words", "say 2 words"])
        form.more.suffix_box.setCurrentIndex(1)
        form.more.name_box.setCurrentText("{name}")
        form.more.beginning_edit.setText("Look:")
        form.more.banned_edit.setText("stock photo, watermark")
        form.more.slots_box.setValue(1)
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.OVER)
        assert (folder / "1.png.caption").read_text() == "Look: word0\nLook: word0 word1\n"
        sampling = program.folder_run.options.sampling
        assert sampling.banned_words == ("stock photo", "watermark")

    live(story)


def test_names_of_caption_files_hold_for_xmp_and_are_shown_before_the_run(live, folder):
    (folder / "1.xmp").write_text("<not XMP")

    async def story(program, panel):
        await chosen(program, panel, folder)
        click(panel.controls.more_button)
        form = panel.form
        for kind in (CaptionFormat.TXT, CaptionFormat.XMP):
            click(form.write_boxes[kind])
        assert form.more.name_box.isEnabled()
        assert not form.more.suffix_box.isEnabled()
        assert form.more.example_label.text() == "→ IMG_1.xmp"
        form.more.name_box.setCurrentText("{name}")
        assert form.more.example_label.text() == "→ IMG_1.jpg.xmp"
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.OVER)
        assert sorted(path.name for path in folder.glob("*.xmp")) == [
            "1.png.xmp",
            "1.xmp",
            "2.png.xmp",
            "3.png.xmp",
            "4.png.xmp",
        ]

    live(story)


def test_images_that_would_share_a_caption_file_are_named_when_the_run_begins(live, folder):
    Image.new("RGB", (40, 30)).save(folder / "1.jpg")

    async def story(program, panel):
        await chosen(program, panel, folder)
        click(panel.controls.buttons[RunAction.START])
        await until(panel.notice_bar.isVisible)
        assert (
            "1 image would write the caption file of another" in panel.notice_bar.text_label.text()
        )
        await until(lambda: phase(program) is Phase.OVER)
        assert (
            sum(
                "“1.jpg” and “1.png”" in row[2] or "“1.png” and “1.jpg”" in row[2]
                for row in shown(panel)
            )
            == 1
        )

    live(story)


def test_name_that_is_none_is_refused_with_the_reason(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.more.name_box.setCurrentText("captions/all")
        click(panel.controls.buttons[RunAction.START])
        assert "is not a valid name for captions" in panel.notice_bar.text_label.text()
        assert phase(program) is Phase.CHOOSING

    live(story)


def test_caption_that_is_being_written_is_kept_when_the_window_closes(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        panel.list.setCurrentIndex(panel.model.index(0, Column.PICTURE))
        QTest.keyClick(panel.list, Qt.Key.Key_F2)
        panel.list.findChild(CaptionEdit).setPlainText("Half a thought")
        program.window.close()

    live(story)
    assert texts(folder)["1.txt"] == "Half a thought\n"


def test_tab_keeps_a_caption_and_goes_on_to_the_next(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        panel.list.setCurrentIndex(panel.model.index(0, Column.PICTURE))
        QTest.keyClick(panel.list, Qt.Key.Key_F2)
        editor = panel.list.findChild(CaptionEdit)
        editor.setPlainText("One")
        QTest.keyClick(editor, Qt.Key.Key_End)
        QTest.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
        QTest.keyClicks(editor, "Two")
        QTest.keyClick(editor, Qt.Key.Key_Tab)
        await until(lambda: "Two" in texts(folder)["1.txt"])
        assert panel.list.currentIndex().row() == 1
        assert panel.list.state() == panel.list.State.EditingState
        assert texts(folder)["1.txt"] == "One\nTwo\n"

    live(story)


def test_keys_of_the_image_do_nothing_behind_the_run(live, folder):
    async def story(program, panel):
        window = program.window
        await program.pictures.open_paths([folder])
        assert window.commands[Command.NEXT_PICTURE].isEnabled()
        await over(program, panel, folder)
        # Page Down is about the rows of the run while they have the focus.
        assert not any(window.commands[command].isEnabled() for command in STEP)
        assert all(window.commands[command].isEnabled() for command in ZOOM)
        window.resize(640, 400)
        await until(lambda: not window.drop_zone.isVisible())
        assert not any(window.commands[command].isEnabled() for command in (*STEP, *ZOOM))
        click(panel.head.close_button)
        await until(lambda: window.drop_zone.isVisible())
        assert window.commands[Command.NEXT_PICTURE].isEnabled()

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


@pytest.mark.no_cover  # It measures time.
def test_hundred_thousand_rows_are_ready_at_once_and_need_no_thumbnail(rows, qtbot, folder):
    view, model = rows
    items = [Item(folder / f"{number}.png") for number in range(100_000)]
    started = time.thread_time()
    model.set_items(items)
    view.resize(600, 400)
    view.show()
    view.scrollToBottom()
    view.grab()
    assert time.thread_time() - started < 1
    assert model.rowCount() == 100_000
    assert len(model.thumbnails) < 40


def test_rows_are_found_by_the_words_of_their_captions(rows, folder):
    _, model = rows
    model.set_items([Item(folder / "1.png", ItemState.DONE, "A Cat"), Item(folder / "2.png")])
    model.set_filter(StateFilter.ALL, "cat")
    assert [model.index(row, Column.CAPTION).data() for row in range(model.rowCount())] == ["A Cat"]
    model.set_filter(StateFilter.WAITING, "")
    assert model.item(model.index(0, 0)).path.name == "2.png"


def test_thumbnails_are_made_off_the_windows_thread(rows, qtbot, folder, previews):
    view, model = rows
    made = []
    previews.made.connect(lambda key, image: made.append(image))
    model.set_items([Item(folder / f"{number}.png") for number in range(1, 5)])
    view.resize(600, 400)
    view.show()
    qtbot.waitUntil(lambda: len(made) == 4)
    assert all(isinstance(image, QImage) and not image.isNull() for image in made)


def test_captions_are_edited_only_while_there_is_a_run(rows, folder):
    _, model = rows
    model.set_items([Item(folder / "1.png")])
    assert not model.flags(model.index(0, Column.CAPTION)) & Qt.ItemFlag.ItemIsEditable
    model.set_editable(True)
    assert model.flags(model.index(0, Column.CAPTION)) & Qt.ItemFlag.ItemIsEditable


CAPTIONED = "A red circle lies at the upper left. Below it is a yellow triangle, number {}."


@pytest.mark.no_cover  # It measures time.
def test_hundred_thousand_captions_are_looked_through_in_slices(rows, qtbot, folder):
    _, model = rows
    path = folder / "1.png"
    model.set_items([Item(path, ItemState.DONE, CAPTIONED.format(n)) for n in range(100_000)])
    stretches = []
    work_on = model._filter_slice

    def timed():
        began = time.thread_time()
        work_on()
        stretches.append(time.thread_time() - began)

    model._filter_slice = timed
    model._slice_timer.timeout.disconnect()
    model._slice_timer.timeout.connect(timed)
    with qtbot.waitSignal(model.counted, check_params_cb=lambda count: count == 1111):
        model.set_filter(StateFilter.ALL, "number 99")
    with qtbot.waitSignal(model.counted, check_params_cb=lambda count: count > 0):
        model.set_filter(StateFilter.ALL, "")
        model.show_replacement(Replacement("circle", "square"))
    assert model.rowCount() == 100_000
    assert max(stretches) < 0.05


def test_thousands_of_rows_are_sorted_by_doubt_and_the_unknown_come_last(rows, qtbot, folder):
    _, model = rows
    path, most = folder / "1.png", 3_500
    model.set_items([Item(path, ItemState.DONE, f"cat {n}") for n in range(most)])
    known = [n for n in range(most) if n % 5]
    model.show_doubts([Doubt(n, f"cat {n}", "cat", n * 7 % 100 / 100, 1) for n in known])
    with qtbot.waitSignal(model.counted, check_params_cb=lambda count: count == most):
        model.sort_by(SortKey.DOUBT)
    expected = sorted(known, key=lambda n: (-(n * 7 % 100), n))
    assert list(model.numbers) == [*expected, *range(0, most, 5)]
    assert [model.row(number) for number in model.numbers] == list(range(most))


def test_rows_of_a_folder_go_once_another_is_chosen(live, folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (folder / "1.png").rename(other / "9.png")

    def names():
        rows = (thing for thing in gc.get_objects() if type(thing) is Item)
        return {row.path.name for row in rows if row.path.parent in (folder, other)}

    async def story(program, panel):
        await chosen(program, panel, folder)
        assert names() == {"2.png", "3.png", "4.png"}
        await chosen(program, panel, other)
        await until(lambda: names() == {"9.png"})

    live(story)


def test_reader_stays_where_he_was_when_a_filter_is_applied_again(rows, qtbot, folder):
    view, model = rows
    path = folder / "1.png"
    items = [Item(path, ItemState.DONE, f"cat {n}") for n in range(200)]
    model.set_items(items)
    view.resize(600, 400)
    view.show()
    model.set_filter(StateFilter.ALL, "cat")
    view.setCurrentIndex(model.index(100, Column.PICTURE))
    view.scrollTo(model.index(100, Column.PICTURE))
    place = view.verticalScrollBar().value()
    model.change(150, Item(path, ItemState.DONE, "dog"))
    qtbot.waitUntil(lambda: model.rowCount() == 199)
    assert model.number(view.currentIndex()) == 100
    assert view.verticalScrollBar().value() == place


def test_rows_stay_while_one_is_written_in(rows, qtbot, folder):
    view, model = rows
    path = folder / "1.png"
    model.set_items([Item(path, ItemState.DONE, "cat 0"), Item(path, ItemState.DONE, "cat 1")])
    model.set_editable(True)
    view.resize(600, 400)
    view.show()
    model.set_filter(StateFilter.ALL, "cat")
    view.edit(model.index(1, Column.CAPTION))
    model.change(0, Item(path, ItemState.DONE, "dog"))
    qtbot.wait(500)
    assert model.rowCount() == 2
    view.finish_editing()
    qtbot.waitUntil(lambda: model.rowCount() == 1)


def test_pictures_in_sight_get_their_thumbnails_before_those_scrolled_past(
    rows, qtbot, folder, previews
):
    _, model = rows
    made = []
    previews.made.connect(lambda key, image: made.append(key[1].name))
    paths = [folder / f"{number}.png" for number in (1, 2, 3, 4)]
    for path in paths:
        model.thumbnails.get(path)
    qtbot.waitUntil(lambda: len(made) == 4)
    assert made.index("4.png") < made.index("3.png")


def test_window_stays_responsive_while_very_many_rows_change(run, qapp):
    taken, beats = [], []
    # Each takes as long as a row does.
    inbox = Inbox(lambda number, thing: taken.append(number + 0 * sum(range(200))))
    timer = QTimer(interval=0)
    timer.timeout.connect(lambda: beats.append(len(taken)))

    async def story():
        timer.start()
        await asyncio.to_thread(lambda: [inbox.put(n, "changed") for n in range(100_000)])
        await inbox.emptied()
        timer.stop()

    run(story())
    assert taken == list(range(100_000))
    assert len(set(beats)) > 5


def test_window_stays_responsive_although_rows_change_all_the_time(run, qapp, monkeypatch):
    """A slice of ten rows each, by this clock; other threads add more in every slice."""
    taken, beats = [], []
    clock = count()
    monkeypatch.setattr(
        "gui.session.inbox.time",
        SimpleNamespace(perf_counter=lambda: next(clock) * _SLICE_SECONDS / 10),
    )

    def take(number, thing):
        taken.append(number)
        with ThreadPoolExecutor(1) as producer:
            producer.submit(inbox.put, number + 1, "changed")

    async def story():
        inbox.put(0, "changed")
        timer.start()
        await until(lambda: len(beats) > 20)
        timer.stop()

    inbox = Inbox(take)
    timer = QTimer(interval=0)
    timer.timeout.connect(lambda: beats.append(len(taken)))
    run(story())
    assert max(after - before for before, after in pairwise(beats)) <= 20


@pytest.mark.parametrize("phase", list(Phase))
def test_run_that_is_under_way_can_be_ended_and_no_other_can(phase):
    offered = offered_actions(phase, {ItemState.DONE: 3, ItemState.FAILED: 1})
    assert (RunAction.STOP_NOW in offered) == (phase in (Phase.RUNNING, Phase.ENDING))
    assert (RunAction.UNDO in offered) == (phase in (Phase.PAUSED, Phase.OVER))
    assert not offered & {RunAction.UNDO, RunAction.RETRY_FAILED} or RunAction.NEW_RUN in offered


def test_nothing_to_undo_or_retry_is_offered_where_there_is_nothing():
    assert offered_actions(Phase.OVER, {ItemState.SKIPPED: 2}) == {RunAction.NEW_RUN}
