"""Several prompts of a folder run, by mouse and by keys: a line break is a line break."""

import asyncio

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QScrollArea

from core.batch import Phase, find_runs
from core.captions.formats import CaptionFormat
from core.locations import locations
from core.transcript import ModelChoice
from core.vocabulary import Vocabulary
from gui.batch.run_controls import RunAction
from gui.window.commands import Command
from tests.gui.batch.folder_page import chosen, click, over, phase, texts
from tests.gui.batch.test_conflicts import edit_row
from tests.gui.conftest import focused_widget, until

TWO_LINES = "say 2\nwords"


def retype(edit, text):
    """Writes over what is in a field, key by key."""
    edit.selectAll()
    QTest.keyClicks(edit, text.split("\n", maxsplit=1)[0])
    for line in text.split("\n")[1:]:
        QTest.keyClick(edit, Qt.Key.Key_Return)
        QTest.keyClicks(edit, line)


def test_line_break_is_part_of_the_prompt_in_the_run_and_when_it_is_opened_again(live, folder):
    async def yesterday(program, panel):
        await chosen(program, panel, folder)
        prompts = panel.form.prompt_list
        retype(prompts.edits[0], TWO_LINES)
        click(prompts.add_button)
        assert prompts.edits[1].hasFocus()
        QTest.keyClicks(focused_widget(), "say 1 words")
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.OVER)
        assert texts(folder)["1.txt"] == "word0 word1\nword0\n"
        (kept,) = find_runs(locations().runs)
        assert kept.options.prompts == (TWO_LINES, "say 1 words")

    async def today(program, panel):
        await until(program.window.commands[Command.LAST_RUN].isEnabled)
        program.window.commands[Command.LAST_RUN].trigger()
        await until(lambda: phase(program) is Phase.OVER)
        click(panel.controls.buttons[RunAction.NEW_RUN])
        await until(panel.form.isVisible)
        edits = panel.form.prompt_list.edits
        assert [edit.toPlainText() for edit in edits] == [TWO_LINES, "say 1 words"]
        # One goes on writing where the prompt ends.
        for edit, wanted in zip(
            edits, (f"{TWO_LINES}, please", "say 1 words, please"), strict=True
        ):
            await until(edit.isVisible)
            if edit is edits[1]:
                edit.setFocus()
            QTest.keyClicks(focused_widget(), ", please")
            assert edit.toPlainText() == wanted

    live(yesterday)
    live(today)


def test_a_trial_takes_several_prompts_and_hands_them_to_the_run(live, folder, checkpoint):
    async def story(program, panel):
        await chosen(program, panel, folder)
        retype(panel.form.prompt_edit, TWO_LINES)
        click(panel.controls.buttons[RunAction.TRY_FIRST])
        one, other = panel.trial_page.variants
        assert one.prompt_list.prompts == (TWO_LINES,)
        other.prompt_list.show_prompts(["say 3\nwords"])
        click(other.prompt_list.add_button)
        QTest.keyClicks(focused_widget(), "say 1 words")
        click(panel.trial_page.try_button)

        def asked():
            return {request.turns[-1].prompt for request in checkpoint.engines[-1].requests}

        await until(lambda: asked() == {TWO_LINES, "say 3\nwords", "say 1 words"})
        await until(lambda: not program.folder_run.trial.is_running)
        click(other.use_button)
        assert panel.form.prompt_list.prompts == ("say 3\nwords", "say 1 words")

    live(story)


def test_any_prompt_is_removed_and_the_next_added_field_has_its_text_again(live, folder):
    async def remove_and_add(prompts, removed):
        prompts.show_prompts(["a", "b\nb", "c"])

        def remove_buttons():
            buttons = prompts.findChildren(QAbstractButton)
            named = (b for b in buttons if b.accessibleName().startswith("Remove Prompt"))
            return [button for button in named if button.isVisible()]

        await until(lambda: len(remove_buttons()) == 3)
        remove = remove_buttons()
        remove[removed].setFocus()
        QTest.keyClick(remove[removed], Qt.Key.Key_Space)
        left = ["a", "b\nb", "c"]
        gone = left.pop(removed)
        assert prompts.prompts == tuple(left)
        assert QApplication.focusWidget() in prompts.edits
        click(prompts.add_button)
        assert prompts.prompts == (*left, gone)
        assert [edit.accessibleName() for edit in prompts.edits] == [
            f"Prompt {number} for each image" for number in (1, 2, 3)
        ]

    async def story(program, panel):
        await chosen(program, panel, folder)
        for removed in (0, 1, 2):
            await remove_and_add(panel.form.prompt_list, removed)

    live(story)


def test_a_single_prompt_cannot_be_removed_and_an_empty_field_is_used_first(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        prompts = panel.form.prompt_list
        names = [b.accessibleName() for b in prompts.findChildren(QAbstractButton) if b.isVisible()]
        assert not any(name.startswith("Remove") for name in names)
        click(prompts.add_button)
        click(prompts.add_button)
        assert len(prompts.edits) == 2
        assert len(prompts.prompts) == 1

    live(story)


@pytest.mark.parametrize("size", [(760, 700), (760, 500), (640, 400)])
def test_nothing_above_the_list_moves_when_more_options_open_or_close(live, folder, size):
    async def story(program, panel):
        program.window.resize(*size)
        await chosen(program, panel, folder)
        form, more = panel.form, panel.controls.more_button
        watched = [more, *panel.controls.buttons.values(), *form.write_boxes.values(), form]

        def places():
            return [
                (part.mapToGlobal(QPoint()), part.size()) for part in watched if part.isVisible()
            ]

        before = places()
        for is_open in (True, False, True):
            click(more)
            await asyncio.sleep(0.05)
            assert form.more.prefix_edit.isVisible() == is_open
            assert places() == before
        assert form.more.height() >= form.more.sizeHint().height()

    live(story)


def test_the_form_is_as_high_as_its_prompts_need(live, folder):
    async def story(program, panel):
        program.window.resize(760, 700)
        await chosen(program, panel, folder)
        form = panel.form
        height = form.height()
        form.prompt_list.show_prompts(["a", "b"])
        await until(lambda: form.height() > height)
        form.prompt_list.show_prompts(["a"])
        await until(lambda: form.height() == height)
        form.prompt_edit.setPlainText("a\nb\nc\nd")
        await until(lambda: form.height() > height)
        form.prompt_edit.setPlainText("a")
        await until(lambda: form.height() == height)
        assert form.prompt_edit.mapTo(form, QPoint()).y() == 0
        for count in (1, 2, 3, 5):
            form.prompt_edit.setPlainText("\n".join("x" * count))
            await until(lambda: form.prompt_edit.verticalScrollBar().maximum() == 0)

    live(story)


@pytest.mark.parametrize(("size", "scrolls"), [((1180, 760), 0), ((640, 400), 1)])
@pytest.mark.parametrize("shows_rows", [False, True])
def test_options_of_a_run_scroll_as_one_page_and_only_where_they_have_no_room(
    live, folder, size, scrolls, shows_rows
):
    async def story(program, panel):
        program.window.resize(*size)
        await chosen(program, panel, folder)
        panel.head.rows_button.setChecked(shows_rows)
        click(panel.controls.more_button)
        await until(panel.form.more.prefix_edit.isVisible)
        areas = [area for area in panel.findChildren(QScrollArea) if area.isVisible()]

        def scrolled():
            bars = [bar for area in areas for bar in (area.verticalScrollBar(),) if bar.maximum()]
            return len(bars), sum(area.horizontalScrollBar().maximum() for area in areas)

        for prompts in (["a"], ["a", "b"], ["a\nb\nc"]):
            panel.form.prompt_list.show_prompts(prompts)
            await asyncio.sleep(0.05)
            await until(lambda: scrolled() == (scrolls, 0))

    live(story)


def test_the_focus_goes_to_the_list_and_not_to_the_button_in_the_place_of_pause(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.prompt_edit.setPlainText("hold")
        panel.form.more.slots_box.setValue(1)
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.RUNNING)
        pause = panel.controls.buttons[RunAction.PAUSE]
        pause.setFocus()
        QTest.keyClick(pause, Qt.Key.Key_Space)
        await until(lambda: phase(program) is Phase.ENDING)
        assert panel.list.hasFocus()
        assert pause.isVisible()
        click(panel.controls.buttons[RunAction.STOP_NOW])
        await until(lambda: phase(program) is Phase.PAUSED)
        assert panel.list.hasFocus()

    live(story)


def test_tab_goes_through_the_prompts_before_what_stands_below_them(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        form = panel.form
        form.prompt_list.show_prompts(["a", "b", "c"])
        click(panel.controls.more_button)
        remove = form.prompt_list.findChildren(QAbstractButton)
        await until(lambda: all(button.isVisible() for button in remove))
        form.prompt_edit.setFocus()
        seen = []
        for _ in range(14):
            seen.append(QApplication.focusWidget())
            QTest.keyClick(seen[-1], Qt.Key.Key_Tab)
        edits = [widget for widget in seen if widget in form.prompt_list.edits]
        assert edits == form.prompt_list.edits
        assert seen.index(edits[-1]) < seen.index(form.write_boxes[CaptionFormat.TXT])
        assert all(widget.accessibleName() or widget.text() for widget in seen)

    live(story)


def test_no_text_is_cut_in_its_button_or_label(live, folder):
    async def story(program, panel):
        window = program.window
        window.resize(760, 700)
        await chosen(program, panel, folder)
        click(panel.controls.more_button)

        async def check():
            for size in ((640, 400), (760, 500), (760, 700)):
                window.resize(*size)
                await until(lambda size=size: window.size().toTuple() == size)
                await asyncio.sleep(0.02)
                check_labels()

        def check_labels():
            parts = [*panel.findChildren(QAbstractButton), *panel.findChildren(QLabel)]
            cut = [
                (part.text(), part.width(), part.sizeHint().width())
                for part in parts
                if part.isVisible()
                and not (isinstance(part, QLabel) and part.wordWrap())
                and part.width() < part.sizeHint().width()
            ]
            assert cut == []

        await check()
        click(panel.controls.more_button)
        panel.form.prompt_edit.setPlainText("say 2 words")
        click(panel.controls.buttons[RunAction.START])
        await until(panel.summary_box.isVisible)
        edit_row(panel, 0, "by hand")
        await until(panel.filter_bar.undo_edit_button.isVisible)
        panel.filter_bar.find_edit.setText("word")
        await until(panel.filter_bar.shown_label.isVisible)
        await check()

    live(story)


def test_esc_goes_back_from_the_trial_to_the_run_and_loses_no_prompt(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        click(panel.controls.buttons[RunAction.TRY_FIRST])
        other = panel.trial_page.variants[1].prompt_edit
        assert other.hasFocus()
        retype(other, "say 3 words")
        QTest.keyClick(other, Qt.Key.Key_Escape)
        assert panel.form.isVisible()
        assert not panel.trial_page.isVisible()
        assert panel.isAncestorOf(focused_widget())
        click(panel.controls.buttons[RunAction.TRY_FIRST])
        assert other.toPlainText() == "say 3 words"

    live(story)


def test_words_that_the_model_does_not_know_are_named(live, folder, checkpoint):
    checkpoint.facts = {"vocabulary": Vocabulary(("say", "words", "in"))}

    async def story(program, panel):
        await program.model.load(ModelChoice("other"))
        await chosen(program, panel, folder)
        note = panel.form.unknown_words
        panel.form.prompt_edit.setPlainText("say {name} words in {exif:Model}")
        panel.form.prompt_list.add_button.click()
        panel.form.prompt_list.edits[1].setPlainText("Wo")
        await until(lambda: note.text() == "The model may not understand “Wo”")
        await until(note.isVisible)
        checkpoint.facts = {}
        await program.model.load(ModelChoice("third"))
        assert not note.isVisible()

    live(story)


def test_new_run_begins_in_the_prompt(live, folder):
    async def story(program, panel):
        await over(program, panel, folder)
        program.window.activateWindow()
        button = panel.controls.buttons[RunAction.NEW_RUN]
        button.setFocus()
        click(button)
        await until(panel.controls.buttons[RunAction.START].isVisible)
        assert program.window.focusWidget() is panel.form.prompt_edit

    live(story)


def test_reason_why_there_is_no_run_goes_once_it_is_mended(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.prompt_edit.setPlainText("")
        click(panel.controls.buttons[RunAction.START])
        assert panel.notice_bar.isVisible()
        panel.form.prompt_edit.setPlainText("say 2 words")
        assert not panel.notice_bar.isVisible()
        panel.form.more.name_box.setCurrentText("captions/all")
        click(panel.controls.buttons[RunAction.START])
        assert "is not a valid name" in panel.notice_bar.text_label.text()
        panel.form.more.name_box.setCurrentText("{name}")
        await until(lambda: not panel.notice_bar.isVisible())

    live(story)
