"""What must hold on every screen and dialog, in both themes: for eyes, keys and screen readers."""

import sys

import pytest

from tests.support.configured_screens import run_on

LAPTOP = (0, 0, 1366, 768)
# In a low window, most pages scroll.
LOW = (0, 0, 640, 400)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the platform is configured by a path"
)


@pytest.mark.parametrize(
    ("kinds", "display"),
    [
        pytest.param(
            *(("accessible", "reach"), LOW),
            id="all can be reached and what takes the focus has a name; only what is seen shows",
        ),
        pytest.param(
            *(("contrast",), LAPTOP),
            id="text is at 4.5 to 1, disabled text at 3 to 1",
            marks=pytest.mark.slow,
        ),
        pytest.param(*(("focus",), LAPTOP), id="the focus is seen", marks=pytest.mark.slow),
    ],
)
def test_on_every_screen(tmp_path, kinds, display):
    folder = str(tmp_path / "work")
    faults = run_on(tmp_path, "tests.support.screen_faults", [folder, *kinds], display)
    assert not faults, "\n".join(faults)
