"""Files dragged from another program with a real mouse, on a display of their own."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.support.configured_screens import ROOT

IMAGES = [f"{number} שלום é 🐧.png" for number in range(3)]


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("xvfb-run") and shutil.which("xdotool")), reason="needs Xvfb and xdotool"
)
def test_files_of_another_program_are_dropped_on_the_window(tmp_path):
    environment = os.environ | {
        "QT_QPA_PLATFORM": "xcb",
        "ONLOOKER_HOME": str(tmp_path / "home"),
    }
    display = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24"]
    command = [*display, sys.executable, "-m", "tests.support.real_drops", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name: drop["opened"] for name, drop in found.items()} == {
        "an image": [IMAGES[:1]],
        "several images": [IMAGES[1:]],
        "a folder": [["holiday"]],
        "an image on localhost": [IMAGES[:1]],
        "an image on this host": [IMAGES[:1]],
        "a page": [],
    }
    assert all(drop["invited"] and not drop["still invited"] for drop in found.values())
    # A move would make the other program delete its files.
    assert {drop["ending"] for drop in found.values()} == {"CopyAction"}
    # It may come before the next file is dropped.
    offer = "These images can be captioned in one run."
    notices = [set(drop["notices"]) - {offer} for drop in found.values()]
    assert [bool(others) for others in notices] == [False] * 5 + [True]
