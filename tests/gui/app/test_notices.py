"""Notices, the title and the speed go with what they say, in the whole window."""

from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.batch import BatchOptions, Phase
from core.engine import Failed, Ready
from core.transcript import ModelChoice
from gui.batch.run_controls import RunAction
from gui.window.commands import Command
from tests.gui.conftest import until


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in range(2):
        Image.new("RGB", (40, 30), (90 * number, 80, 90)).save(folder / f"{number}.png")
    return folder


def said(window) -> str:
    """What the notice where the focus is says, or else the one elsewhere; "" if there is none."""
    bars = [window.notice_bar, window.batch_panel.notice_bar]
    if not window.state.is_conversation:
        bars.reverse()
    texts = (bar.text_label.text().replace("\u200b", "") for bar in bars if bar.isVisible())
    return next(texts, "")


def escape(window):
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Escape)


async def ready(program):
    await until(lambda: isinstance(program.model.state, Ready))
    program.window.activateWindow()


def test_run_is_offered_only_beside_the_images_that_it_is_about(live, folder, picture_file):
    async def story(program):
        await ready(program)
        program.window.paths_opened.emit([folder])
        await until(lambda: "captioned in one run" in said(program.window))
        program.window.paths_opened.emit([picture_file])
        await until(lambda: program.window.windowTitle() == "red.png — Onlooker")
        assert said(program.window) == ""

    live(story)


def test_unfinished_run_is_offered_until_it_is_open(live, folder):
    async def leave_unfinished(program):
        await ready(program)
        await program.folder_run.choose([folder])
        program.tasks.begin(program.folder_run.start(BatchOptions(("hold",))))
        await until(lambda: program.folder_run.phase is Phase.RUNNING)
        program.window.leave()

    async def go_on(program):
        await ready(program)
        await until(lambda: "unfinished" in said(program.window))
        program.window.commands[Command.LAST_RUN].trigger()
        await until(lambda: program.folder_run.phase is Phase.PAUSED)
        program.window.hide_run()
        assert said(program.window) == ""
        await until(lambda: program.window.windowTitle() == "0.png — Onlooker")

    live(leave_unfinished)
    live(go_on)


def test_what_is_said_of_a_run_goes_with_the_next_thing_that_is_done_with_it(live, folder):
    async def story(program):
        await ready(program)
        window, empty = program.window, folder.parent / "empty"
        empty.mkdir()
        window.dialogs.run_chosen.emit([empty])
        await until(lambda: "no images here" in said(window))
        (empty / "1.png").write_bytes((folder / "1.png").read_bytes())
        window.batch_panel.form.recursive_box.click()
        await until(lambda: window.batch_panel.model.items)
        assert said(window) == ""
        window.batch_panel.form.prompt_edit.setPlainText("hold")
        window.commands[Command.RUN_START].trigger()
        await until(lambda: program.folder_run.phase is Phase.RUNNING)
        window.dialogs.run_chosen.emit([folder])
        await until(lambda: "in progress" in said(window))
        window.batch_panel.controls.buttons[RunAction.STOP_NOW].click()
        await until(lambda: program.folder_run.phase is Phase.PAUSED)
        assert said(window) == ""

    live(story)


def test_failed_load_is_said_until_a_model_is_loaded(live):
    async def story(program):
        await ready(program)
        await program.loaded_model.load(ModelChoice("broken"))
        assert isinstance(program.model.state, Failed)
        assert "not a LLaVA" in said(program.window)
        program.window.commands[Command.BUILT_IN_MODEL].trigger()
        await until(lambda: isinstance(program.model.state, Ready))
        assert said(program.window) == ""

    live(story)


def test_notices_stack_and_esc_closes_the_newest(live):
    async def story(program):
        await ready(program)
        window = program.window
        for text in ("One.", "Two.", "Three."):
            window.show_notice(text)
        assert window.notice_bar.more_label.text() == "2 more notices"
        for text in ("Three.", "Two.", "One."):
            assert said(window) == text
            escape(window)
        assert said(window) == ""

    live(story)


def test_speed_is_that_of_this_conversation_and_of_the_loaded_model(live, picture_file):
    async def story(program):
        await ready(program)
        window, speed = program.window, program.window.status_line.speed_label
        await program.pictures.open_paths([picture_file])
        await program.session.ask("say 40 words at 1000")
        assert speed.text().endswith("tokens/s")
        window.commands[Command.NEW].trigger()
        assert speed.text() == ""
        await program.session.ask("say 40 words at 1000")
        assert speed.text().endswith("tokens/s")
        await program.loaded_model.load(ModelChoice("other"))
        assert speed.text() == ""

    live(story)


def test_share_of_a_run_in_view_is_in_the_title_with_the_image_or_the_folder(
    live, folder, picture_file
):
    async def story(program):
        await ready(program)
        window = program.window
        await program.pictures.open_paths([picture_file])
        window.dialogs.run_chosen.emit([folder])
        await until(lambda: window.batch_panel.model.items)
        program.tasks.begin(program.folder_run.start(BatchOptions(("hold",))))
        await until(lambda: window.windowTitle().startswith("0% — "))
        window.activateWindow()
        window.batch_panel.focus_first()
        await until(lambda: window.windowTitle() == "0% — holiday — Onlooker")
        await until(lambda: window.drop_zone.has_picture)
        window.show_conversation()
        await until(lambda: window.windowTitle() == "0% — 0.png — Onlooker")
        window.hide_run()
        assert window.windowTitle() == "0.png — Onlooker"
        program.folder_run.stop_now()
        await until(lambda: program.folder_run.phase is Phase.PAUSED)

    live(story)


def test_question_about_to_be_refused_by_a_run_is_said_until_the_run_pauses(live, folder):
    async def story(program):
        await ready(program)
        window = program.window
        await program.pictures.open_paths([folder / "0.png"])
        await program.folder_run.choose([folder])
        program.tasks.begin(program.folder_run.start(BatchOptions(("hold",))))
        await until(lambda: program.model.is_used_exclusively)
        await program.session.ask("What?")
        assert "Pause it, then ask" in said(window)
        assert window.prompt_box.text == "What?"
        program.folder_run.stop_now()
        await until(lambda: program.folder_run.phase is Phase.PAUSED)
        assert said(window) == ""

    live(story)
