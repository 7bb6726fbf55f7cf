"""A model's folder that hangs or fills memory is chosen in the real window, which stays alive."""

# ruff: noqa: F811 (fixtures)

import asyncio
import shutil
import time
from pathlib import Path

import psutil
import pytest

from core.engine import Failed, Ready
from gui.window.commands import Command
from tests.gui.conftest import loop, run, until  # noqa: F401 (fixtures)
from tests.support.hostile_models import HOSTILE
from tests.support.tiers import slowly
from tests.test_journeys import drop, home, live, model, pictures  # noqa: F401


async def longest_pause(is_over) -> float:
    """The longest time in which the window's loop did nothing, until `is_over()`."""
    longest, last = 0.0, time.monotonic()
    while not is_over():
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        slowly("template: power", "The chat template of “model” "),
        slowly(
            "tokenizer: replaces by much",
            "The tokenizer of “model” is unsafe (it replaces a few letters with 5,000,000)",
        ),
        ("settings: a gigabyte", "“config.json” in “model” is larger than 8 MB"),
    ],
)
def test_chosen_model_that_does_harm_is_a_sentence_and_another_one_is_loaded(
    live, chat_folders, tmp_path, pictures, name, cause
):
    kind, change = HOSTILE[name]
    folder = Path(shutil.copytree(chat_folders[kind], tmp_path / "model"))
    change(folder)

    async def story(program):
        window = program.window
        window.dialogs.model_folder_chosen.emit(folder)
        await until(lambda: not isinstance(program.model.state, Ready))
        pause = await longest_pause(lambda: isinstance(program.model.state, Failed))
        assert pause < 10, "the window hung"  # It would for as long as the trial, or for good.
        await until(window.notice_bar.isVisible)
        shown = window.notice_bar.text_label.text().replace("\u200b", "")
        assert shown == str(program.model.state.error)
        assert cause in shown
        assert psutil.Process().children() == []

        window.commands[Command.BUILT_IN_MODEL].trigger()
        await until(lambda: isinstance(program.model.state, Ready))
        drop(program, pictures[0])
        await until(lambda: window.drop_zone.has_picture)

    live(story)


def test_trial_is_cancelled_by_closing_the_window(live, chat_folders, tmp_path):
    folder = Path(shutil.copytree(chat_folders["gemma3"], tmp_path / "model"))
    HOSTILE["template: power"][1](folder)

    async def story(program):
        program.window.dialogs.model_folder_chosen.emit(folder)
        await until(lambda: psutil.Process().children())

    live(story)
    assert psutil.Process().children() == []
