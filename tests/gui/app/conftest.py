"""A whole living program over scripted engines, with files of its own."""

import time

import pytest
from PIL import Image

from core.locations import writable_locations
from gui.app.program import Program
from gui.session.model_thread import ModelThread
from tests.gui.conftest import until
from tests.support.living_program import live_through


@pytest.fixture
def picture_file(tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), "red").save(path)
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Where the program keeps its files."""
    folder = tmp_path / "home"
    monkeypatch.setenv("ONLOOKER_HOME", str(folder))
    return folder


@pytest.fixture
def live(run, loop, qapp, home, checkpoint):
    """Run a story inside a whole living program; its end is part of every test."""

    def live(story, paths=()):
        program = Program(
            qapp, loop, writable_locations(), time.perf_counter(), ModelThread(checkpoint)
        )

        async def whole():
            await until(program.window.isVisible)
            await story(program)

        live_through(program, whole, run, paths=paths)

    return live
