"""An edit of several captions, its undo and its redo, killed at every single file operation.

Whatever the operation, the next opening has all captions from before the edit or all from after it,
byte for byte, shows what the files hold, and can still undo and redo. So it is when not only the
program ended there but the computer went off, and what was not synced is lost in part.
"""

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.kill_shim import EVERY, POWER, POWER_AT_END, SOME, chosen_points
from tests.support.workspace_kill_points import FURTHER_STEPS, HERE, LOG, STEPS, opened

ROOT = Path(__file__).parents[3]
SAMPLED = 2
SAMPLED_STEPS = ("edit", "undo-move", "table", "move-rows")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library, as on Linux")


def killed(shim, root, which, *steps):
    """Kills each of these steps at the points that `which` stands for."""
    command = [sys.executable, "-m", "tests.support.workspace_kill_points", shim, root, which]
    environment = {"LD_PRELOAD": str(shim), "PATH": ""}
    subprocess.run([*command, *steps], cwd=ROOT, env=environment, check=True, timeout=1800)


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


def unsynced(here):
    """The caption files that are not on the disk yet, and the size that is there of the database's
    log."""
    lost, size = set(), 0
    for line in (here / LOG).read_text().splitlines():
        match line.split("\t"):
            case ["W" | "U", path]:
                lost.add(path)
            case ["R", old, new]:
                lost |= {new} if old in lost else set()
            case ["F", length, path]:
                lost.discard(path)
                size = int(length) if path.endswith("-wal") else size
            case ["S"]:
                lost.clear()
    return [Path(path) for path in sorted(lost) if path.endswith((".txt", ".xmp", ".csv"))], size


def cut_power(here, before, chosen):
    """Makes of what a killed program left what may be on the disk after a power cut."""
    lost, size = unsynced(here)
    for path in lost:
        old = before.get(path.name)
        contents = [old, None]
        if path.exists():
            new = path.read_bytes()
            kept = bytes(map(chosen.choice, zip(old or b"", new, strict=False)))
            contents = [old, new, kept.ljust(len(new), b"\0"), *([new[:9]] if old is None else [])]
        content = chosen.choice(contents)
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
    database = here / "data" / "workspace.sqlite"
    database.with_name(database.name + "-shm").unlink(missing_ok=True)
    wal = database.with_name(database.name + "-wal")
    if wal.exists():
        wal.write_bytes(wal.read_bytes()[:size])
    if not database.exists():
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        if connection.execute("PRAGMA user_version").fetchone()[0]:  # The tables were synced.
            connection.execute("UPDATE action SET mark = 'another boot' WHERE mark != ''")


def checked(folder, step, which):
    """Checks all points of a step that was killed in this folder, and names those that fail."""
    root = folder / step
    points = chosen_points(which, step, root / "count")
    chosen = random.Random(step)
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
        if which.startswith(POWER):
            cut_power(here, before, chosen)
        try:
            assert check(here, before, after) in (expected, expected_after)
        except AssertionError as error:
            failed[point] = str(error)
        here.rename(root / point)
    assert not failed, "\n\n".join(f"{point}: {why}" for point, why in failed.items())


@pytest.fixture(scope="module")
def sampled(shim, tmp_path_factory):
    """A folder in which some steps were killed at a few points, in one process, since its start
    takes longer."""
    folder = tmp_path_factory.mktemp("sampled")
    killed(shim, folder, f"{SOME}{SAMPLED}", *SAMPLED_STEPS)
    return folder


@pytest.mark.parametrize("step", SAMPLED_STEPS)
def test_killed_at_some_operations_captions_are_whole(step, sampled):
    checked(sampled, step, f"{SOME}{SAMPLED}")


@pytest.mark.parametrize("step", ["edit"])
def test_after_a_power_cut_at_some_operations_captions_are_whole(step, shim, tmp_path):
    killed(shim, tmp_path, POWER_AT_END, step)
    checked(tmp_path, step, POWER_AT_END)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["edit", "undo", "redo", "table", "keywords", "import"])
def test_after_a_power_cut_at_every_operation_captions_are_whole(step, shim, tmp_path):
    killed(shim, tmp_path, POWER, step)
    checked(tmp_path, step, POWER)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS | FURTHER_STEPS)
def test_killed_at_every_operation_captions_are_whole(step, shim, tmp_path):
    killed(shim, tmp_path, EVERY, step)
    checked(tmp_path, step, EVERY)
