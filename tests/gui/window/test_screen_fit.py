"""Windows on real screens of Qt's offscreen platform, whose sizes and scales are configured.

That all can be reached on 640 x 400 is looked at in tests/gui/app/test_every_screen.py, with what
else must hold there.
"""

import sys

import pytest

from tests.support.configured_screens import run_on
from tests.support.tiers import slowly

LARGE, SMALL = (0, 0, 1366, 768), (1366, 0, 700, 420)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the platform is configured by a path, Qt called by its symbols"
)


@pytest.mark.parametrize(
    ("walk", "scale"),
    [
        pytest.param("main", "2", id="a laptop at 200 %", marks=pytest.mark.slow),
        pytest.param("main", "1.5", id="a laptop at 150 %", marks=pytest.mark.slow),
        pytest.param("workspace", "2", id="captions at 200 %", marks=pytest.mark.slow),
    ],
)
def test_every_page_and_dialog_is_on_the_screen_and_all_of_it_can_be_reached(tmp_path, walk, scale):
    arguments = [str(tmp_path / "work"), walk, "reach"]
    faults = run_on(tmp_path, "tests.support.screen_faults", arguments, LARGE, scale=scale)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("step", "screens"),
    [
        slowly("restore", [LARGE]),
        slowly("resolution", [LARGE]),
        ("removal", [LARGE, (1366, 0, 1920, 1080)]),
        slowly("crossing", [LARGE, SMALL]),
    ],
)
def test_window_stays_on_a_screen_that_changes(tmp_path, step, screens):
    shown = run_on(tmp_path, "tests.support.changing_screens", [step], *screens)
    left, top, right, bottom = shown["after"]["frame"]
    area = shown["after"]["area"]
    assert (area[0] <= left, area[1] <= top) == (True, True), shown
    assert (right <= area[2], bottom <= area[3]) == (True, True), shown
    # A window that is restored fills the screen as before, since it was larger.
    assert step == "restore" or shown["before"] != shown["after"]
