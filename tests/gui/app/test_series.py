"""Several models and presets over one folder: runs in turn, and their answers side by side."""

import os

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from core.batch import Batch, BatchOptions, Control, Phase, answered_runs
from core.captions.sidecar import Existing
from core.engine import Loading, Ready
from core.locations import locations
from core.transcript import BUILT_IN, ModelChoice
from core.workspace import Preset, Presets
from gui.window.commands import Command
from tests.gui.app.test_caption_again import killed, texts
from tests.gui.app.test_run_beside import folder  # noqa: F401 (a fixture)
from tests.gui.conftest import noticed, until
from tests.support.folder_run import FolderEngine

LEFT = Qt.MouseButton.LeftButton


def partly_done(folder, options):  # noqa: F811
    """A run that was stopped after two of its four images, by an engine called "script"."""
    batch, control, engine = (
        Batch.begin([folder], options, locations().runs),
        Control(),
        FolderEngine(),
    )
    done = []

    def count(request):
        done.append(request)
        if len(done) == 2:
            control.stop_after_this()

    engine.on_answer = count
    batch.run(engine, control)
    batch.close()
    assert len(texts(folder)) == 2


async def chosen(program, folder, prompt):  # noqa: F811
    """A run over the folder is chosen, in which a preset follows that is chosen in the menu."""
    window, panel = program.window, program.window.batch_panel
    await until(lambda: isinstance(program.model.state, Ready))
    await program.folder_jobs.presets.keep(
        Presets((Preset("Five", ("say 5 words",)),), frozenset({"Five"}))
    )
    window.activateWindow()
    window.dialogs.run_chosen.emit([folder])
    await until(lambda: len(program.folder_run.items) == 4 and window.state.workspace.total == 4)
    panel.form.prompt_edit.setPlainText(prompt)
    panel.controls.more_button.setChecked(True)
    row = panel.form.more.then_row
    row.show_then(("model:broken", "model:other"))
    await until(row.add_button.isVisible)
    QTest.mouseClick(row.add_button, LEFT)
    await until(lambda: row.findChild(QMenu, "then_menu") is not None)
    menu = row.findChild(QMenu, "then_menu")
    next(action for action in menu.actions() if action.text() == "Five").trigger()
    menu.close()
    assert row.label.text() == "broken, other, Five"
    return panel


def test_next_models_and_presets_follow_and_their_answers_are_compared(live, folder):  # noqa: F811
    (folder / "0.txt").write_text("by a person\n")

    async def story(program):
        window, run = program.window, program.folder_run
        panel = await chosen(program, folder, "say 3 words")
        window.commands[Command.RUN_START].trigger()
        await until(lambda: run.options is not None and run.options.turn == 4, seconds=60)
        await until(lambda: run.phase is Phase.OVER)
        assert panel.head.title_label.text().startswith("Run 4 of 4")
        assert run.options.existing is Existing.GENERATED
        captions = texts(folder)
        assert captions.pop("0") == "by a person"
        assert [len(text.split()) for text in captions.values()] == [5, 5, 5]
        assert window.state.model.facts.model == "other"
        left_out = "“broken” was left out. broken is not a LLaVA."
        assert any(notice.text.startswith(left_out) for notice in window.state.notices)
        images = sorted(folder.glob("*.png"))
        found = [(one.model, one.prompts) for one in answered_runs(locations().runs, images)]
        assert found == [
            ("other", ("say 5 words",)),
            ("other", ("say 3 words",)),
            (BUILT_IN, ("say 3 words",)),
        ]
        assert all(len(one.captions) == 3 for one in answered_runs(locations().runs, images))

    live(story)


def test_runs_that_follow_wait_for_one_that_was_stopped(live, folder):  # noqa: F811
    async def story(program):
        window, run = program.window, program.folder_run
        await chosen(program, folder, "then hold")
        window.commands[Command.RUN_START].trigger()
        await until(lambda: run.phase is Phase.RUNNING)
        window.hide_run()
        button = window.status_line.run_button
        await until(lambda: button.text().startswith("Run 1 of 4: Captioning"))
        run.stop_now()
        await until(lambda: run.phase is Phase.PAUSED)
        kept = await run.last()
        assert kept.options.then == ("model:broken", "model:other", "preset:Five")
        assert window.state.model.facts.model == BUILT_IN

    live(story)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_runs_that_follow_are_offered_after_the_program_was_killed(live, folder, home):  # noqa: F811
    killed("between", folder)
    assert len(texts(folder)) == 4
    for caption in folder.glob("*.txt"):
        caption.unlink()

    async def story(program):
        window, run = program.window, program.folder_run
        await noticed(window, "2 of 3 runs are still to do.")
        QTest.mouseClick(window.notice_bar.action_button, LEFT)
        await until(lambda: run.options is not None and run.options.turn == 3)
        await until(lambda: run.phase is Phase.OVER)
        assert [len(text.split()) for text in texts(folder).values()] == [3] * 4
        images = sorted(folder.glob("*.png"))
        found = [one.model for one in answered_runs(locations().runs, images)]
        assert found == ["third", "other", BUILT_IN]

    async def next_day(program):
        await until(lambda: program.window.state.run.is_known)
        assert not program.window.state.notices

    live(story)
    live(next_day)


@pytest.mark.parametrize("reopens", ["by the notice", "by hand"])
def test_run_of_another_day_goes_on_with_its_model(live, folder, home, reopens):  # noqa: F811
    """As one that was killed in the terminal, whose model the window does not start with."""
    options = BatchOptions(
        ("say 3 words",),
        existing=Existing.REPLACE,
        model="other",
        then=("model:third",),
        turn=2,
    )
    partly_done(folder, options)

    async def story(program):
        window, run = program.window, program.folder_run
        await until(lambda: isinstance(program.model.state, Ready))
        await noticed(window, "is unfinished.")
        assert window.state.model.facts.model == BUILT_IN
        if reopens == "by the notice":
            QTest.mouseClick(window.notice_bar.action_button, LEFT)
        else:
            window.commands[Command.LAST_RUN].trigger()
            await until(lambda: run.phase is Phase.PAUSED)
            window.commands[Command.RUN_RESUME].trigger()
        await until(lambda: run.options is not None and run.options.turn == 3)
        await until(lambda: run.phase is Phase.OVER)
        images = sorted(folder.glob("*.png"))
        third, second = answered_runs(locations().runs, images)
        assert third.model == "third"
        assert second.model == "script, other"
        assert len(second.captions) == len(third.captions) == 4

    live(story)


def test_run_goes_on_with_the_model_that_is_loaded_while_it_is_paused(live, folder):  # noqa: F811
    async def story(program):
        window, run = program.window, program.folder_run
        await until(lambda: isinstance(program.model.state, Ready))
        options = BatchOptions(("then hold",), existing=Existing.REPLACE)
        await run.choose([folder], options=options)
        program.tasks.begin(run.start(options, 1))
        await until(lambda: texts(folder))
        run.stop_now()
        await until(lambda: run.phase is Phase.PAUSED)
        await program.model.load(ModelChoice("other"))
        window.show_batch_panel()
        window.commands[Command.RUN_RESUME].trigger()
        await until(lambda: run.phase is Phase.RUNNING)
        assert window.state.model.facts.model == "other"
        run.stop_now()
        await until(lambda: run.phase is Phase.PAUSED)

    live(story)


def test_run_whose_model_cannot_be_loaded_goes_on_with_another_on_request(live, folder, home):  # noqa: F811
    partly_done(folder, BatchOptions(("say 3 words",), existing=Existing.REPLACE, model="broken"))

    async def story(program):
        window, run = program.window, program.folder_run
        await until(lambda: isinstance(program.model.state, Ready))
        await noticed(window, "is unfinished.")
        QTest.mouseClick(window.notice_bar.action_button, LEFT)
        reason = "This run was begun with “broken”, which cannot be loaded. broken is not a LLaVA."
        await until(lambda: any(one.text.startswith(reason) for one in window.state.notices))
        assert run.phase is Phase.PAUSED
        await program.model.load(ModelChoice("other"))
        window.commands[Command.RUN_RESUME].trigger()
        await until(lambda: run.phase is Phase.OVER)
        (found,) = answered_runs(locations().runs, sorted(folder.glob("*.png")))
        assert found.model == "script, other"

    live(story)


def test_cancelling_the_loading_leaves_the_rest_to_be_done(live, folder):  # noqa: F811
    async def story(program):
        window, run = program.window, program.folder_run
        panel = await chosen(program, folder, "say 3 words")
        panel.form.more.then_row.show_then(("model:slow", "preset:Five"))
        window.commands[Command.RUN_COPY_COMMAND].trigger()
        commands = QGuiApplication.clipboard().text().split("; ")
        assert ["--model=slow" in one for one in commands] == [False, True, True]
        assert ["say 5 words" in one for one in commands] == [False, False, True]
        said = "3 commands for the terminal are copied"
        assert any(notice.text.startswith(said) for notice in window.state.notices)
        window.commands[Command.RUN_START].trigger()
        await until(lambda: isinstance(program.model.state, Loading))
        window.status_line.cancel_button.click()
        left = "Loading was cancelled. 2 of 3 runs are still to do."
        await until(lambda: any(notice.text == left for notice in window.state.notices))
        assert run.options.turn == 1
        assert not any("left out" in notice.text for notice in window.state.notices)

    live(story)


def test_images_that_are_removed_between_two_runs_are_left_out_of_the_next(live, folder):  # noqa: F811
    (folder / "0.txt").write_text("by a person\n")

    async def story(program):
        window, run = program.window, program.folder_run
        panel = await chosen(program, folder, "say 3 words")
        panel.form.more.then_row.show_then(("model:other", "preset:Five"))

        def remove(phase):
            turn = run.options.turn if run.options else 0
            if phase is Phase.OVER and turn < 3:
                (folder / f"{turn}.png").unlink()

        run.phase_changed.connect(remove)
        window.commands[Command.RUN_START].trigger()
        await until(lambda: run.options is not None and run.options.turn == 3, seconds=60)
        await until(lambda: run.phase is Phase.OVER)
        found = answered_runs(locations().runs, [folder / "3.png"])
        assert [one.model for one in found] == ["other", "other", BUILT_IN]
        assert len(texts(folder)["3"].split()) == 5
        assert texts(folder)["0"] == "by a person"

    live(story)


def test_runs_that_follow_one_that_captioned_nothing_caption_nothing(live, folder):  # noqa: F811
    for number in range(4):
        (folder / f"{number}.txt").write_text("by a person\n")

    async def story(program):
        window, run = program.window, program.folder_run
        panel = await chosen(program, folder, "say 3 words")
        panel.form.more.then_row.show_then(("preset:Five",))
        window.commands[Command.RUN_START].trigger()
        await noticed(window, "The runs that follow were left out")
        # What it did is still in view.
        assert (run.options.turn, len(run.items), run.phase) == (1, 4, Phase.OVER)
        assert set(texts(folder).values()) == {"by a person"}

    live(story)
