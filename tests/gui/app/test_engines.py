"""The window's part about graphics cards: see `engine_stories`, which run in another process."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gui.app.engines_wiring import LOOK_AFTER_MS
from gui.app.program import Program
from gui.engines.panel import EnginePanel
from gui.engines.state import Stage
from gui.window.commands import Command
from tests.gui.conftest import until
from tests.support import driver_library

ROOT = Path(__file__).parents[3]
STORIES = Path(__file__).with_name("engine_stories.py")
NAMES = [
    node.name
    for node in ast.parse(STORIES.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
]


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory) -> dict[str, list[str]]:
    """What went wrong in each story that is asked for, [] for nothing."""
    asked = {item.name for item in request.session.items}
    names = [name for name in NAMES if f"test_story[{name}]" in asked]
    folder = tmp_path_factory.mktemp("stories")
    drivers = driver_library.build(tmp_path_factory.mktemp("drivers"))
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-n", "0", "--tb=short", f"--junitxml={report}"]
    run = subprocess.run(
        [*command, *(f"{STORIES}::{name}" for name in names)],
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(drivers)},
        capture_output=True,
        text=True,
    )
    assert report.exists(), run.stdout + run.stderr
    found: dict[str, list[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = (case.get("name") or "").partition("[")[0]
        texts = [part.text or "" for part in case if part.tag in ("failure", "error")]
        found.setdefault(name, []).extend(texts)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_story(outcomes, name):
    assert outcomes[name] == []


def test_from_source_nothing_is_offered_and_it_is_said_whose_pytorch_it_is(live):
    async def story(program: Program):
        await program.engine_packs.look()
        assert program.engine_packs.state.stage is Stage.FROM_SOURCE
        assert program.window.notice_bar.notice is None
        program.window.commands[Command.ENGINES].trigger()
        await until(lambda: program.window.findChildren(EnginePanel))
        (panel,) = program.window.findChildren(EnginePanel)
        assert "installed with Python" in panel.sentence_label.text()
        assert not any(button.isVisible() for button in panel.buttons)

    live(story)


@pytest.mark.slow
def test_program_that_ends_before_it_has_looked_does_not_look_later(live, qtbot):
    async def story(program: Program):
        pass

    live(story)
    qtbot.wait(LOOK_AFTER_MS + 200)  # A coroutine that nobody awaits fails the test.


@pytest.mark.slow
def test_restarted_program_opens_a_window_of_its_own_on_the_same_image(tmp_path, home):
    image = ROOT / "resources" / "samples"
    path = sorted(image.glob("*.png"))[0]
    log = tmp_path / "log"
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.restarting_program", str(path)],
        cwd=ROOT,
        env={
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "ONLOOKER_ENGINE": "cpu",
            "RESTART_LOG": str(log),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    first, second = log.read_text().splitlines()
    assert first == f"{path} engine=cpu"
    assert second == f"{path} engine="
