"""Answers and questions paged through in the window, and taken back, by mouse and by keys."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.engine import Ready
from core.transcript import ModelChoice
from core.vocabulary import Vocabulary
from gui.window.commands import Command
from tests.gui.conftest import until


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def type_and_enter(edit, text):
    edit.setFocus()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


async def ask(program, text):
    count = len(program.session.transcript.exchanges)
    type_and_enter(program.window.prompt_box.prompt_edit, text)
    await until(lambda: len(program.session.transcript.exchanges) > count)
    await until(lambda: not program.session.is_answering)


def view_at(program, index):
    return program.window.transcript_view.view_at(index)


async def answered(program, act):
    """Until the answer that `act` asks for is there."""
    begun = []
    program.session.answer_begun.connect(begun.append)
    act()
    await until(lambda: begun and not program.session.is_answering)


async def regenerate(program):
    """By the button of the last exchange."""
    button = program.window.transcript_view.exchange_views[-1].body.again_button
    await answered(program, lambda: click(button))


async def edit(program, index, text):
    view = view_at(program, index)
    click(view.body.edit_button)
    editor = view.body.question_edit.edit
    editor.selectAll()
    await answered(program, lambda: type_and_enter(editor, text))


def shown(program):
    views = program.window.transcript_view.exchange_views
    return [(view.prompt, view.body.answer_text.toPlainText()) for view in views]


def pages(pager):
    return pager.label.text() if pager.isVisible() else ""


@pytest.fixture
def talk(live, picture_file):
    """A story about a picture that is open, with a model."""

    def talk(story):
        async def whole(program):
            await until(lambda: isinstance(program.model.state, Ready) and program.session.picture)
            await story(program)

        live(whole, paths=[picture_file])

    return talk


def test_answers_are_paged_through_and_the_one_shown_is_copied(talk):
    async def story(program):
        await ask(program, "new every 1")
        assert pages(view_at(program, 0).body.answer_pager) == ""
        await regenerate(program)
        await regenerate(program)
        view = view_at(program, 0)
        pager = view.body.answer_pager
        assert (pages(pager), shown(program)) == ("3/3", [("new every 1", "Answer 2.")])
        assert pages(view.body.question_pager) == ""
        assert not pager.on_button.isEnabled()
        click(pager.back_button)
        assert (pages(pager), shown(program)) == ("2/3", [("new every 1", "Answer 1.")])
        pager.back_button.setFocus()
        QTest.keyClick(pager.back_button, Qt.Key.Key_Space)
        assert (pages(pager), shown(program)) == ("1/3", [("new every 1", "Answer 0.")])
        # At the end the focus is not lost, but on the way back.
        assert QApplication.focusWidget() is pager.on_button
        click(view.body.copy_button)
        assert QGuiApplication.clipboard().text() == "Answer 0."

    talk(story)


def test_undo_after_a_question_was_sent_or_edited_is_about_the_conversation(talk):
    async def story(program):
        prompt = program.window.prompt_box.prompt_edit
        await ask(program, "say 2 words")
        await edit(program, 0, "say 1 words")
        assert [question for question, _ in shown(program)] == ["say 1 words"]
        prompt.setFocus()
        QTest.keyClick(prompt, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        await until(lambda: [asked for asked, _ in shown(program)] == ["say 2 words"])
        assert prompt.toPlainText() == ""

    talk(story)


def test_what_pages_has_a_name_and_a_tool_tip(talk):
    async def story(program):
        await ask(program, "new every 1")
        await regenerate(program)
        await edit(program, 0, "say 1 words")
        body = view_at(program, 0).body
        assert pages(body.question_pager) == "2/2"
        click(body.question_pager.back_button)
        for pager in (body.question_pager, body.answer_pager):
            assert pager.isVisible()
            for button in pager.buttons:
                middle = pager.label.geometry().center().y()
                assert abs(button.geometry().center().y() - middle) <= 1
                assert button.accessibleName()
                assert button.toolTip()
                assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert body.answer_pager.label.accessibleName() == "Answer 2 of 2"
        assert body.question_pager.label.accessibleName() == "Question 1 of 2"

    talk(story)


def test_a_model_with_nothing_else_to_say_says_so_until_another_answer_is_shown(talk):
    async def story(program):
        await ask(program, "say 2 words")
        await regenerate(program)
        note = view_at(program, 0).body.note_label
        assert (note.isVisible(), note.text()) == (
            True, "The model has no other answer.",
        )  # fmt: skip
        assert shown(program) == [("say 2 words", "word0 word1")]
        assert program.window.prompt_box.ask_button.text() == "Ask"
        assert view_at(program, 0).body.again_button.isVisible()
        await ask(program, "say 3 words")
        assert not view_at(program, 1).body.note_label.isVisible()

    talk(story)


def test_an_edited_question_is_gone_back_from_with_all_that_followed(talk):
    async def story(program):
        for prompt in ("say 1 words", "say 2 words", "say 3 words"):
            await ask(program, prompt)
        before = shown(program)
        await edit(program, 1, "say 4 words")
        after = shown(program)
        assert [prompt for prompt, _ in after] == ["say 1 words", "say 4 words"]
        pager = view_at(program, 1).body.question_pager
        assert pages(pager) == "2/2"
        click(pager.back_button)
        assert (shown(program), pages(pager)) == (before, "1/2")
        again = [view.body.again_button.isVisible() for view in
                 program.window.transcript_view.exchange_views]  # fmt: skip
        assert again == [False, False, True]
        program.session.undo()
        assert shown(program) == after
        program.session.undo()
        assert shown(program) == before
        program.session.redo()
        assert shown(program) == after

    talk(story)


def test_paging_moves_nothing_above_and_leaves_the_exchange_where_it_is(talk):
    async def story(program):
        for number in range(1, 9):
            await ask(program, f"say {number * 30} words")
        view = program.window.transcript_view
        await edit(program, 3, "say 5 words")
        for number in range(1, 4):
            await ask(program, f"say {number * 100} words")
        bar = view.scroll_area.verticalScrollBar()
        bar.setValue(view_at(program, 3).y() - 60)
        pager = view_at(program, 3).body.question_pager
        tops = []
        for button in (pager.back_button, pager.on_button, pager.back_button):
            at = view_at(program, 3).mapTo(view, view_at(program, 3).rect().topLeft()).y()
            tops.append(at)
            click(button)
        assert len(set(tops)) == 1

    talk(story)


def test_stopping_a_try_keeps_what_came_as_an_answer_of_its_own(talk):
    async def story(program):
        await ask(program, "then hold")
        click(view_at(program, 0).body.again_button)
        await until(lambda: program.session.is_answering and program.session.conversation.pieces)
        click(program.window.prompt_box.ask_button)
        await until(lambda: not program.session.is_answering)
        assert shown(program) == [("then hold", "Half an")]
        assert pages(view_at(program, 0).body.answer_pager) == "2/2"

    talk(story)


def test_branches_are_there_when_the_conversation_is_reopened(talk):
    async def story(program):
        await ask(program, "new every 1")
        await regenerate(program)
        await edit(program, 0, "say 1 words")
        program.session.new_conversation()
        (kept,) = program.session.recent_conversations()
        await program.session.reopen(kept.id)
        body = view_at(program, 0).body
        assert pages(body.question_pager) == "2/2"
        click(body.question_pager.back_button)
        assert pages(body.answer_pager) == "2/2"
        assert shown(program) == [("new every 1", "Answer 1.")]

    talk(story)


def test_an_answer_to_words_that_the_model_does_not_know_is_marked_then_and_later(talk, checkpoint):
    checkpoint.facts = {"vocabulary": Vocabulary(("say", "words"))}
    mark = "The model does not know “Wo”, so its answer may be wrong."

    def note(program, index):
        label = view_at(program, index).body.note_label
        return label.text() if label.isVisible() else ""

    async def story(program):
        await ask(program, "say 2 words")
        await ask(program, "Wo")
        assert [note(program, index) for index in (0, 1)] == ["", mark]
        checkpoint.facts = {}  # Another model is loaded, which reads everything.
        await program.model.load(ModelChoice("other"))
        await edit(program, 1, "say 1 words")
        assert note(program, 1) == ""
        click(view_at(program, 1).body.question_pager.back_button)
        assert note(program, 1) == mark
        program.session.new_conversation()
        (kept,) = program.session.recent_conversations()
        await program.session.reopen(kept.id)
        await until(lambda: view_at(program, 0))
        assert [note(program, index) for index in (0, 1)] == ["", mark]

    talk(story)


def test_nothing_of_an_edited_question_is_cut_beside_its_pager(talk):
    async def story(program):
        await ask(program, "say 2 words")
        for count in range(2, 14):  # Some of them just fit without the pager.
            await edit(program, 0, "word " * count)
            body = view_at(program, 0).body
            assert body.question_pager.isVisible()
            label = body.question_label
            await until(lambda label=label: label.height() >= label.heightForWidth(label.width()))
            end = body.mapTo(view_at(program, 0), body.rect().bottomLeft()).y()
            assert end <= view_at(program, 0).height()

    talk(story)


def test_words_that_the_model_does_not_know_are_named_while_a_question_is_edited(talk, checkpoint):
    checkpoint.facts = {"vocabulary": Vocabulary(("say", "words"))}

    async def story(program):
        await program.model.load(ModelChoice("other"))
        await ask(program, "say 2 words")
        view = view_at(program, 0)
        click(view.body.edit_button)
        editor = view.body.question_edit
        editor.edit.setPlainText("Wo")
        await until(editor.unknown_words.isVisible)
        assert editor.unknown_words.text() == "The model may not understand “Wo”"
        inside = editor.unknown_words.geometry()
        assert editor.rect().contains(inside)
        editor.edit.setPlainText("say words")
        await until(lambda: not editor.unknown_words.isVisible())

    talk(story)


def test_keys_and_the_menu_page_through_the_versions_of_the_exchange_with_the_focus(talk):
    async def story(program):
        window, alt = program.window, Qt.KeyboardModifier.AltModifier
        commands = [window.commands[c] for c in (Command.PREVIOUS_VERSION, Command.NEXT_VERSION)]
        window.activateWindow()
        await ask(program, "new every 1")
        assert not any(command.isEnabled() for command in commands)
        await regenerate(program)
        assert [command.isEnabled() for command in commands] == [True, False]
        edit_ = window.prompt_box.prompt_edit
        edit_.setFocus()
        QTest.keyClick(edit_, Qt.Key.Key_PageUp, alt)
        assert shown(program) == [("new every 1", "Answer 0.")]
        assert [command.isEnabled() for command in commands] == [False, True]
        assert QApplication.focusWidget() is edit_
        QTest.keyClick(edit_, Qt.Key.Key_PageDown, alt)
        assert shown(program) == [("new every 1", "Answer 1.")]
        await ask(program, "say 1 words")
        await edit(program, 1, "say 2 words")
        commands[0].trigger()
        assert shown(program)[1] == ("say 1 words", "word0")
        assert [command.isEnabled() for command in commands] == [False, True]
        view_at(program, 0).body.copy_button.setFocus()
        assert [command.isEnabled() for command in commands] == [True, False]
        commands[0].trigger()
        assert shown(program) == [("new every 1", "Answer 0.")]

    talk(story)


def test_what_is_being_written_over_a_question_is_not_lost_when_another_branch_is_shown(talk):
    async def story(program):
        for prompt in ("say 1 words", "say 2 words"):
            await ask(program, prompt)
        await edit(program, 0, "say 3 words")
        click(view_at(program, 0).body.question_pager.back_button)
        for index, draft in enumerate(("over the first", "over the second")):
            view = view_at(program, index)
            click(view.body.edit_button)
            editor = view.body.question_edit.edit
            editor.selectAll()
            QTest.keyClicks(editor, draft)
        program.session.undo()
        assert shown(program) == [("say 3 words", "word0 word1 word2")]
        assert view_at(program, 0).body.question_edit.edit.toPlainText() == "over the first"
        assert program.window.prompt_box.text == "over the second"

    talk(story)


async def edit_question(program):
    await edit(program, 0, "say 2 words")


async def strike_out(program):
    program.session.strike(0, (0, 3), is_struck=True)


@pytest.mark.parametrize("change", [edit_question, regenerate, strike_out])
def test_undo_takes_back_what_was_changed_last_in_the_prompt_or_in_the_conversation(talk, change):
    ctrl, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

    async def story(program):
        window, prompt = program.window, program.window.prompt_box.prompt_edit
        window.activateWindow()
        await ask(program, "new every 1")
        before = shown(program)
        QTest.keyClicks(prompt, "older")
        await change(program)
        after = shown(program)
        window.prompt_box.focus_prompt()
        QTest.keyClicks(prompt, " newer")

        def undone(keys=ctrl):
            QTest.keyClick(prompt, Qt.Key.Key_Z, keys)
            return prompt.toPlainText(), shown(program)

        # What is typed on from old words is one step with them.
        assert undone() == ("", after)
        assert undone() == ("", before)
        assert undone() == ("", before)
        assert undone(ctrl | shift) == ("", after)
        assert undone(ctrl | shift) == ("older newer", after)
        assert undone() == ("", after)
        QTest.keyClicks(prompt, "last")
        program.session.strike(0, (4, 5), is_struck=True)
        assert prompt.toPlainText() == "last"
        assert undone()[0] == "last"
        assert undone()[0] == ""

    talk(story)
