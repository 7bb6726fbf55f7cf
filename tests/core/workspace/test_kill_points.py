"""An edit of several captions, its undo and its redo, killed at every single file operation.

Whatever the operation, the next opening has all captions from before the edit or all from after it,
byte for byte, shows what the files hold, and can still undo and redo.
"""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.workspace_kill_points import HERE, STEPS, opened

ROOT = Path(__file__).parents[3]
SAMPLED = 2

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library, as on Linux")


def killed(shim, root, step, points):
    """Kills the step at these points."""
    command = [sys.executable, "-m", "tests.support.workspace_kill_points", shim, root, step]
    environment = {"LD_PRELOAD": str(shim), "PATH": ""}
    subprocess.run([*command, *points], cwd=ROOT, env=environment, check=True, timeout=1800)


def contents(folder):
    """What is in the folder and those inside it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def captions(workspace):
    return {row.path.name: row.caption for row in workspace.rows(workspace.ids())}


def check(here, before, after):
    """Opens the workspace that was killed twice, and undoes and redoes what can be."""
    images = here / "images"
    workspace = opened(here)
    found = contents(images)
    assert found in (before, after)
    shown = captions(workspace)
    workspace.close()
    workspace = opened(here)
    assert workspace.notes == ()
    assert contents(images) == found
    assert captions(workspace) == shown
    while (report := workspace.undo()) is not None:
        assert (report.conflicts, report.failures) == ((), ())
    first = contents(images)
    while (report := workspace.redo()) is not None:
        assert (report.conflicts, report.failures) == ((), ())
    last = contents(images)
    workspace.close()
    return first, last


def checked(root, step, points):
    """Checks all points, and names those that fail."""
    made, here = root / "made", root / HERE
    before, after = contents(made / "images"), contents(root / "count" / "images")
    made.rename(here)
    expected = check(here, before, before)
    here.rename(made)
    (root / "count").rename(here)
    expected_after = check(here, after, after)
    here.rename(root / "count")
    failed = {}
    for point in points:
        (root / point).rename(here)
        assert not (here / "operations").exists(), "it was not killed"
        try:
            assert check(here, before, after) in (expected, expected_after)
        except AssertionError as error:
            failed[point] = str(error)
        here.rename(root / point)
    assert not failed, "\n\n".join(f"{point}: {why}" for point, why in failed.items())


def points_of(shim, root, step):
    killed(shim, root, step, ["count"])
    operations = int((root / "count" / "operations").read_text())
    assert operations > 10
    return [f"{number}{torn}" for number in range(1, operations + 1) for torn in ("", "t")]


@pytest.mark.parametrize("step", ["edit", "undo-move", "table"])
def test_killed_at_some_operations_captions_are_whole(step, shim, tmp_path):
    points = points_of(shim, tmp_path, step)
    sample = random.Random(step).sample(points, SAMPLED)
    killed(shim, tmp_path, step, sample)
    checked(tmp_path, step, sample)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_operation_captions_are_whole(step, shim, tmp_path):
    points = points_of(shim, tmp_path, step)
    killed(shim, tmp_path, step, points)
    checked(tmp_path, step, points)
