"""Windows on real screens of Qt's offscreen platform, whose sizes and scales are configured."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LARGE, SMALL = (0, 0, 1366, 768), (1366, 0, 700, 420)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the platform is configured by a path, Qt called by its symbols"
)


def configured(folder, *screens):
    """Write the platform's configuration; returns the value of QT_QPA_PLATFORM."""
    names = ("x", "y", "width", "height")
    config = {
        "screens": [
            {"name": f"screen {number}", "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
            | dict(zip(names, screen, strict=True))
            for number, screen in enumerate(screens)
        ]
    }
    path = folder / "screens.json"
    path.write_text(json.dumps(config))
    return f"offscreen:configfile={path}"


def run_on(folder, module, argument, *screens, scale="1"):
    """Run a module of the tests on these screens; returns what it printed."""
    environment = os.environ | {
        "QT_QPA_PLATFORM": configured(folder, *screens),
        "QT_SCALE_FACTOR": scale,
        "ONLOOKER_HOME": str(folder / "home"),
    }
    command = [sys.executable, "-m", module, argument]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("screen", "scale"),
    [
        pytest.param((0, 0, 1366, 768), "2", id="a laptop at 200 %"),
        pytest.param((0, 0, 640, 400), "1", id="640 x 400"),
        pytest.param((0, 0, 1366, 768), "1.5", id="a laptop at 150 %"),
    ],
)
def test_every_page_and_dialog_is_on_the_screen_and_all_of_it_can_be_reached(
    tmp_path, screen, scale
):
    folder = str(tmp_path / "work")
    faults = run_on(tmp_path, "tests.support.small_screen", folder, screen, scale=scale)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("step", "screens"),
    [
        ("restore", [LARGE]),
        ("resolution", [LARGE]),
        ("removal", [LARGE, (1366, 0, 1920, 1080)]),
        ("crossing", [LARGE, SMALL]),
    ],
)
def test_window_stays_on_a_screen_that_changes(tmp_path, step, screens):
    shown = run_on(tmp_path, "tests.support.changing_screens", step, *screens)
    left, top, right, bottom = shown["after"]["frame"]
    area = shown["after"]["area"]
    assert (area[0] <= left, area[1] <= top) == (True, True), shown
    assert (right <= area[2], bottom <= area[3]) == (True, True), shown
    # A window that is restored fills the screen as before, since it was larger.
    assert step == "restore" or shown["before"] != shown["after"]
