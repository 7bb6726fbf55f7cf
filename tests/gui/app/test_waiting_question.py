"""A question that is asked without a model waits for one, in the whole window."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.engine import Absent, Failed, Loading, Ready
from core.transcript import BUILT_IN, ModelChoice
from gui.conversation.prompt_offer import ModelOffer
from gui.models.dialog import ModelsDialog
from gui.window.commands import Command
from tests.gui.app.test_program import drop, transcript_text, type_and_enter
from tests.gui.conftest import focused_widget, until


async def without_a_model(program, picture_file, model=BUILT_IN):
    await until(lambda: isinstance(program.model.state, Ready))
    if model != BUILT_IN:
        await program.loaded_model.load(ModelChoice(model))
    program.window.commands[Command.UNLOAD].trigger()
    await until(lambda: isinstance(program.model.state, Absent))
    drop(program, picture_file)
    await until(lambda: program.window.drop_zone.has_picture)


async def asked_without_a_model(program, picture_file):
    await without_a_model(program, picture_file)
    type_and_enter(program, "What is it?")
    await until(lambda: program.question.prompt)


def choose(program, offer):
    button = program.window.prompt_box.model_buttons[offer]
    assert button.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("offer", [ModelOffer.BUILT_IN, ModelOffer.LAST])
def test_question_is_asked_once_the_model_that_is_chosen_is_loaded(live, picture_file, offer):
    async def story(program):
        await without_a_model(program, picture_file, "other")
        type_and_enter(program, "say 2 words")
        await until(lambda: program.question.prompt)
        assert "say 2 words" in transcript_text(program)
        assert program.window.prompt_box.text == ""
        choose(program, offer)
        await until(lambda: "word1" in transcript_text(program))
        await until(lambda: not program.session.is_answering)
        assert transcript_text(program).count("say 2 words") == 1
        assert not program.window.prompt_box.models_row.isVisible()
        wanted = BUILT_IN if offer is ModelOffer.BUILT_IN else "other"
        assert program.model.state.facts.model == wanted

    live(story)


def test_models_are_a_click_away(live, picture_file):
    async def story(program):
        await without_a_model(program, picture_file)
        choose(program, ModelOffer.CHOOSE)
        await until(lambda: program.window.findChild(ModelsDialog) is not None)
        assert program.window.findChild(ModelsDialog).isVisible()
        program.window.findChild(ModelsDialog).close()

    live(story)


def test_esc_takes_the_question_back_into_the_box(live, picture_file):
    async def story(program):
        await asked_without_a_model(program, picture_file)
        QTest.keyClick(focused_widget(), Qt.Key.Key_Escape)
        assert program.window.prompt_box.text == "What is it?"
        assert transcript_text(program) == ""
        program.window.commands[Command.BUILT_IN_MODEL].trigger()
        await until(lambda: isinstance(program.model.state, Ready))
        assert not program.session.is_answering

    live(story)


def test_question_is_in_the_box_again_if_loading_fails(live, picture_file):
    async def story(program):
        await asked_without_a_model(program, picture_file)
        await program.loaded_model.load(ModelChoice("broken"))
        assert isinstance(program.model.state, Failed)
        assert program.window.prompt_box.text == "What is it?"
        # It is no dead end either: the question can wait for another model.
        QTest.keyClick(program.window.prompt_box.prompt_edit, Qt.Key.Key_Return)
        await until(lambda: program.question.prompt)
        choose(program, ModelOffer.BUILT_IN)
        await until(lambda: "A red square." in transcript_text(program))
        await until(lambda: not program.session.is_answering)

    live(story)


def test_question_asked_while_a_model_loads_survives_its_failure(live, picture_file, checkpoint):
    async def story(program):
        await without_a_model(program, picture_file)
        program.tasks.begin(program.loaded_model.load(ModelChoice("slow")))
        await until(lambda: isinstance(program.model.state, Loading))
        type_and_enter(program, "What is it?")
        await until(lambda: program.question.prompt)
        await program.loaded_model.load(ModelChoice("broken"))
        assert program.window.prompt_box.text == "What is it?"

    live(story)


def test_question_comes_back_when_another_image_is_opened(live, picture_file):
    async def story(program):
        await asked_without_a_model(program, picture_file)
        drop(program, picture_file)
        await until(lambda: not program.question.prompt)
        assert program.window.prompt_box.text == "What is it?"

    live(story)


def test_question_that_comes_back_overwrites_nothing(live, picture_file):
    async def story(program):
        await asked_without_a_model(program, picture_file)
        QTest.keyClicks(program.window.prompt_box.prompt_edit, "And where?")
        await program.loaded_model.load(ModelChoice("broken"))
        assert program.window.prompt_box.text == "What is it?\nAnd where?"

    live(story)


# A question that is asked again


async def answered(program, *prompts):
    for number, prompt in enumerate(prompts, 1):
        type_and_enter(program, prompt)
        await until(lambda number=number: len(program.session.transcript.exchanges) == number)
        await until(lambda: not program.session.is_answering)


def questions(program):
    return [view.prompt for view in program.window.transcript_view.exchange_views]


async def unloaded(program):
    program.window.commands[Command.UNLOAD].trigger()
    await until(lambda: isinstance(program.model.state, Absent))


def edit(program, index, text):
    view = program.window.transcript_view.exchange_views[index]
    view.body.edit_button.click()
    view.body.question_edit.edit.setPlainText(text)
    QTest.keyClick(view.body.question_edit.edit, Qt.Key.Key_Return)


@pytest.mark.parametrize("is_edited", [False, True])
def test_asking_again_without_a_model_waits_for_one(live, picture_file, is_edited):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        await answered(program, "new every 1", "say 2 words")
        await unloaded(program)
        if is_edited:
            edit(program, 0, "say 3 words")
        else:
            program.window.commands[Command.REGENERATE].trigger()
        await until(lambda: program.question.prompt)
        # It is seen in the place where its answer will be.
        waits = ["say 3 words"] if is_edited else ["new every 1", "say 2 words"]
        assert questions(program) == waits
        assert program.window.transcript_view.is_answering
        assert not program.window.commands[Command.UNDO].isEnabled()
        choose(program, ModelOffer.BUILT_IN)
        await until(lambda: not program.question.prompt)
        await until(lambda: not program.session.is_answering)
        assert questions(program) == waits
        assert "word1" in transcript_text(program)
        answers = program.session.transcript.tree.nodes
        assert len(answers) == (3 if is_edited else 2)

    live(story)


@pytest.mark.parametrize("is_edited", [False, True])
def test_asking_again_that_is_taken_back_leaves_all_as_it_was(live, picture_file, is_edited):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        await answered(program, "say 1 words", "say 2 words")
        before = transcript_text(program)
        await unloaded(program)
        if is_edited:
            edit(program, 0, "say 3 words")
        else:
            program.window.commands[Command.REGENERATE].trigger()
        await until(lambda: program.question.prompt)
        program.window.commands[Command.STOP].trigger()
        await until(lambda: not program.question.prompt)
        assert transcript_text(program) == before
        editor = program.window.transcript_view.exchange_views[0].body.question_edit
        assert (editor.edit.toPlainText() if editor else "") == ("say 3 words" if is_edited else "")
        assert program.window.prompt_box.text == ""

    live(story)
