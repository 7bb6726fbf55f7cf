"""What must hold on every screen and dialog, in both themes: for eyes, keys and screen readers."""

import sys

import pytest

from tests.support.configured_screens import run_on

LAPTOP = (0, 0, 1366, 768)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the platform is configured by a path"
)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("accessible", id="all that takes the focus and every list has a name"),
        pytest.param(
            "contrast", id="text is at 4.5 to 1, disabled text at 3 to 1", marks=pytest.mark.slow
        ),
        pytest.param("focus", id="the focus is seen", marks=pytest.mark.slow),
    ],
)
def test_on_every_screen(tmp_path, kind):
    folder = str(tmp_path / "work")
    faults = run_on(tmp_path, "tests.support.screen_faults", [folder, kind], LAPTOP)
    assert not faults, "\n".join(faults)
