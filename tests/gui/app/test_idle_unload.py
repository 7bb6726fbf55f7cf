from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.engine import Absent, Failed, Loading, Ready
from core.transcript import ModelChoice, Precision
from gui.window.commands import Command
from tests.gui.app.test_program import drop, transcript_text, type_and_enter
from tests.gui.conftest import until


def test_model_that_is_too_large_loads_in_fewer_bits_by_one_click(live, checkpoint):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.window.dialogs.model_folder_chosen.emit(Path("large"))
        await until(lambda: isinstance(program.model.state, Failed))
        bar = program.window.notice_bar
        assert "needs 15.3 GB" in bar.text_label.text()
        assert bar.action_button.text() == "Load in 8 bits"
        QTest.mouseClick(bar.action_button, Qt.MouseButton.LeftButton)
        await until(lambda: isinstance(program.model.state, Ready))
        assert program.model.choice == ModelChoice("large", dtype=Precision.BITS_8)

    live(story)
    assert [engine.is_closed for engine in checkpoint.engines] == [True, True]


def test_idle_model_is_let_go_of_and_comes_back_with_the_next_question(
    live, picture_file, checkpoint
):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.settings.rest_minutes = 5
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))
        await until(lambda: not program.session.is_answering)
        idle = program.idle_unload.timer
        assert 250_000 < idle.remainingTime() < 320_000  # Qt counts coarsely.
        idle.start(0)
        await until(lambda: isinstance(program.model.state, Absent))
        assert "after 5 minutes" in program.window.notice_bar.text_label.text()
        assert checkpoint.engines[-1].is_closed
        type_and_enter(program, "say 5 words")
        await until(lambda: "word4" in transcript_text(program))

    live(story)
    assert len(checkpoint.engines) == 2


def test_model_at_work_does_not_count_as_idle(live, picture_file, checkpoint):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.settings.rest_minutes = 1
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "hold")
        await until(lambda: "Half an" in transcript_text(program))
        idle = program.idle_unload.timer
        idle.start(0)
        await until(lambda: idle.remainingTime() > 50_000)
        assert isinstance(program.model.state, Ready)

    live(story)
    assert len(checkpoint.engines) == 1


def test_model_that_was_unloaded_by_hand_stays_so(live, picture_file, checkpoint):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.window.commands[Command.UNLOAD].trigger()
        await until(lambda: isinstance(program.model.state, Absent))
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "say 3 words")
        await until(lambda: program.question.prompt)
        assert not isinstance(program.model.state, Ready | Loading)

    live(story)
    assert len(checkpoint.engines) == 1


def test_model_that_misses_a_part_leads_to_where_it_is_to_be_had(live):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.window.dialogs.model_folder_chosen.emit(Path("towerless"))
        await until(lambda: isinstance(program.model.state, Failed))
        bar = program.window.notice_bar
        asked = []
        program.window.commands[Command.MODELS].triggered.connect(lambda: asked.append(True))
        assert bar.action_button.text() == "Show models"
        QTest.mouseClick(bar.action_button, Qt.MouseButton.LeftButton)
        assert asked == [True]

    live(story)
