"""An edit of many captions that is made part by part: seen, read beside, stopped, and killed."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from core.message import Message
from core.workspace.actions import Actions, ActionState, Step
from core.workspace.bulk import AddTags
from core.workspace.data import CaptionMode, ScanStage, WorkspaceOptions
from core.workspace.opening import FILE_NAME, open_database
from core.workspace.workspace import Workspace
from tests.support.workspaces import finish

ROOT = Path(__file__).parents[3]
# More steps than come into the database at a time.
COUNT = 8_000
TAG = AddTags(("a new tag",))
PATIENCE = 60


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    first = folder / "0.png"
    Image.new("RGB", (4, 4), "blue").save(first)
    for number in range(COUNT):
        (folder / f"{number}.png").write_bytes(first.read_bytes())
        (folder / f"{number}.txt").write_bytes(b"a dog, image %d\n" % number)
    return folder


@pytest.fixture
def opened(open_workspace, folder):
    options = WorkspaceOptions(mode=CaptionMode.TAGS)
    return lambda: open_workspace([folder], options, ScanStage.CAPTIONS)


def changed(folder):
    """The names of the files that have the tag."""
    return {path.stem for path in folder.glob("*.txt") if b"a new tag" in path.read_bytes()}


def names(workspace, ids):
    return {row.path.stem for row in workspace.rows(ids)}


def moment_of(progress, has_begun):
    """What an edit does just now."""
    if progress.is_writing:
        return "half made" if progress.done > COUNT // 2 else "begun"
    return "keeping" if has_begun and not progress.done else "looking"


def go_on_until(ongoing, moment):
    has_begun = False
    while not (ongoing.progress and moment_of(ongoing.progress, has_begun) == moment):
        has_begun |= bool(ongoing.progress and ongoing.progress.done)
        assert not ongoing.is_done
        ongoing.go_on()


def test_others_read_beside_an_edit_and_wait_to_write_until_it_is_done(opened, folder):
    workspace = opened()
    ids = workspace.ids()
    ongoing = workspace.begin_apply(ids, TAG)
    go_on_until(ongoing, "half made")
    with ThreadPoolExecutor() as pool:
        rows = pool.submit(workspace.rows, ids).result(PATIENCE)
        assert {"a new tag" in row.caption for row in rows} == {True, False}
        own = pool.submit(workspace.set_captions, {ids[-1]: "by hand"}, Message("Edit"))
        assert len(finish(ongoing).changed) == COUNT
        assert own.result(PATIENCE).changed == (ids[-1],)
    assert changed(folder) == names(workspace, ids[:-1])
    assert (workspace.undo().changed, workspace.undo_name) == ((ids[-1],), TAG.name)
    assert len(workspace.undo().changed) == COUNT
    assert changed(folder) == set()


@pytest.mark.parametrize("moment", ["looking", "keeping"])
def test_edit_that_is_stopped_before_its_first_caption_is_none(opened, folder, moment):
    workspace = opened()
    ids = workspace.ids()
    workspace.set_captions({ids[0]: "by hand"}, Message("By hand"))
    workspace.undo()
    ongoing = workspace.begin_apply(ids, TAG)
    go_on_until(ongoing, moment)
    ongoing.stop()
    report = finish(ongoing)
    assert (report.changed, report.left) == ((), COUNT)
    assert changed(folder) == set()
    assert (workspace.undo_name, workspace.redo_name) == (None, "By hand")


def test_edit_that_is_stopped_can_be_undone_and_the_undo_too(opened, folder):
    workspace = opened()
    ongoing = workspace.begin_apply(workspace.ids(), TAG)
    go_on_until(ongoing, "half made")
    ongoing.stop()
    report = finish(ongoing)
    assert changed(folder) == names(workspace, report.changed)
    assert (len(report.changed) + report.left, report.failures) == (COUNT, ())

    undoing = workspace.begin_undo()
    go_on_until(undoing, "begun")
    undoing.stop()
    undone = finish(undoing)
    assert 0 < len(undone.changed) < len(report.changed)
    left = set(report.changed) - set(undone.changed)
    assert changed(folder) == names(workspace, left)
    assert undone.left == len(left)
    assert set(workspace.undo().changed) == left
    assert changed(folder) == set()
    assert workspace.undo_name is None


def test_what_was_seen_and_kept_is_the_same_after_the_next_opening(opened, folder):
    workspace = opened()
    ids = workspace.ids()
    finish(workspace.begin_apply(ids, TAG))
    rows = workspace.rows(ids)
    workspace.close()
    again = opened()
    assert [(row.caption, row.is_edited) for row in again.rows(again.ids())] == [
        (row.caption, row.is_edited) for row in rows
    ]
    assert all(row.is_edited for row in rows)


@pytest.mark.parametrize(
    ("moment", "notes", "count"),
    [("looking", 0, 0), ("keeping", 0, 0), ("half made", 1, COUNT)],
)
def test_killed_edit_is_made_whole_or_was_none(opened, folder, tmp_path, moment, notes, count):
    opened().close()
    code = f"""
import os, sys
from pathlib import Path
from core.workspace.workspace import Workspace
from core.workspace.data import CaptionMode, WorkspaceOptions
from tests.core.workspace import test_ongoing as test
options = WorkspaceOptions(mode=CaptionMode.TAGS)
workspace = Workspace.open([Path(sys.argv[1])], Path(sys.argv[2]), options)
test.go_on_until(workspace.begin_apply(workspace.ids(), test.TAG), {moment!r})
os._exit(9)
"""
    command = [sys.executable, "-c", code, folder, tmp_path / "data"]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=PATIENCE).returncode == 9
    workspace = opened()
    assert len(workspace.notes) == notes
    assert len(changed(folder)) == count
    assert bool(workspace.undo_name) is bool(count)
    report = workspace.apply(workspace.ids(), TAG)
    assert len(report.changed) == COUNT - count
    assert (report.failures, report.conflicts) == ((), ())


def steps_kept(tmp_path):
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME)) as connection:
        return connection.execute("SELECT count(*) FROM step").fetchone()[0]


def test_undone_edit_goes_from_the_database_beside_others(opened, tmp_path):
    workspace = opened()
    first = workspace.ids()[0]
    workspace.apply(workspace.ids(), TAG)
    workspace.undo()
    workspace.set_captions({first: "by hand"}, Message("By hand"))
    assert (workspace.undo_name, workspace.redo_name) == ("By hand", None)
    workspace.close()
    # What the end of the program has left goes after the next opening, some hundred at least.
    for _ in range(COUNT // 100):
        if steps_kept(tmp_path) == 1:
            break
        again = Workspace.open([tmp_path / "images"], tmp_path / "data", WorkspaceOptions())
        assert (again.undo_name, again.redo_name, again.notes) == ("By hand", None, ())
        again.close()
    assert steps_kept(tmp_path) == 1


def test_database_can_be_written_between_the_parts_of_what_is_forgotten(tmp_path):
    forgotten = []
    connection, _ = open_database(tmp_path)
    with closing(connection), closing(sqlite3.connect(tmp_path / FILE_NAME, timeout=0)) as other:
        actions = Actions(connection, forgotten.extend)
        many = [Step(f"/{n}.png", f"/{n}.txt", b"", b"a cat", number=n) for n in range(COUNT)]
        undone = actions.begin(Message("Many"), many, [tmp_path], "")
        actions.set_state(undone, ActionState.UNDONE, "")
        made = actions.begin(Message("One"), many[:1], [tmp_path], "")
        assert forgotten == [undone.id]
        left = [actions.count(undone)]
        for _ in actions.forget_in_parts(undone.id):
            other.execute("UPDATE action SET at = at")
            other.commit()
            left.append(actions.count(undone))
        assert max(before - after for before, after in pairwise(left)) <= COUNT / 10
        assert (left[-1], actions.count(made), actions.recent([tmp_path])) == (0, 1, [made])
