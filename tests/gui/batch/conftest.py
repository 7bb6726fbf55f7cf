"""A folder of four images, and stories inside the whole living program."""

import time

import pytest
from PIL import Image

from core.engine import Ready
from core.locations import locations
from gui.app.program import Program
from gui.session.model_thread import ModelThread
from tests.gui.conftest import until
from tests.support.living_program import live_through


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
    """Run a story inside a whole living program, in which a run shows its rows; its end is part of
    every test."""
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))

    def live(story):
        program = Program(qapp, loop, locations(), time.perf_counter(), ModelThread(checkpoint))

        async def whole():
            await until(lambda: isinstance(program.model.state, Ready))
            program.window.batch_panel.head.rows_button.click()
            await story(program, program.window.batch_panel)

        live_through(program, whole, run)

    return live
