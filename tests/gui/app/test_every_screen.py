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


REACHED = "all can be reached and what takes the focus has a name; only what is seen shows"
READ, SEEN = "text is at 4.5 to 1, disabled text at 3 to 1", "the focus is seen"


def rule(walk, kinds, display, name):
    """Of all, the rule that is broken most often is in the usual tests, for the main walk."""
    is_usual = (walk, name) == ("main", REACHED)
    marks = [] if is_usual else [pytest.mark.slow]
    return pytest.param(walk, kinds, display, id=f"{walk}: {name}", marks=marks)


@pytest.mark.parametrize(
    ("walk", "kinds", "display"),
    [
        rule(walk, *rest)
        for walk in ("main", "workspace", "models", "menus")
        for rest in (
            (("accessible", "reach"), LOW, REACHED),
            (("contrast",), LAPTOP, READ),
            (("focus",), LAPTOP, SEEN),
        )
    ],
)
def test_on_every_screen(tmp_path, walk, kinds, display):
    arguments = [str(tmp_path / "work"), walk, *kinds]
    faults = run_on(tmp_path, "tests.support.screen_faults", arguments, display)
    assert not faults, "\n".join(faults)
