"""Many images that are moved or trashed part by part, and reviewed: seen, stopped, and killed."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from core.captions.formats import CaptionFormat
from core.workspace.data import ReviewState, ScanStage, WorkspaceOptions
from core.workspace.images import Images
from core.workspace.query import parse_query
from core.workspace.scan import Scan
from core.workspace.trash import HAS_WAY_BACK
from tests.support.workspaces import finish, scan

ROOT = Path(__file__).parents[3]
# More than a fast computer moves in one part.
COUNT, MEANT = 1_700, 1_600
PATIENCE = 60
BESIDE = WorkspaceOptions()
TABLE = WorkspaceOptions(format=CaptionFormat.JSONL, table="metadata.jsonl")
BEGIN = {
    "move": lambda workspace, ids, to: workspace.begin_move_to(ids, to),
    "trash": lambda workspace, ids, to: workspace.begin_trash(ids),
}


@pytest.fixture(params=BEGIN)
def kind(request, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    if request.param == "trash" and not HAS_WAY_BACK:
        pytest.skip("the system's trash gives no path back")
    return request.param


@pytest.fixture
def folder(tmp_path):
    """A folder of images, with captions beside them and the same ones in a table."""
    folder = tmp_path / "images"
    folder.mkdir()
    first = folder / "0.png"
    Image.new("RGB", (4, 4), "blue").save(first)
    with (folder / "metadata.jsonl").open("w") as table:
        for number in range(COUNT):
            if number:
                (folder / f"{number}.png").hardlink_to(first)
            (folder / f"{number}.txt").write_text(f"image {number}")
            row = {"file_name": f"{number}.png", "text": f"image {number}"}
            table.write(json.dumps(row) + "\n")
    return folder


@pytest.fixture
def opened(open_workspace, folder):
    return lambda options=BESIDE: open_workspace([folder], options, ScanStage.CAPTIONS)


def rows_of_table(folder):
    lines = (folder / "metadata.jsonl").read_text().splitlines()
    return {Path(json.loads(line)["file_name"]).stem for line in lines}


def gone(workspace, folder):
    """The names of the images that are gone, each with its caption."""
    there = {path.stem for path in folder.glob("*.png")}
    assert there == {path.stem for path in folder.glob("*.txt")}
    listed = workspace.rows(workspace.ids())
    assert {row.path.stem: row.caption for row in listed} == {
        stem: f"image {stem}" for stem in there
    }
    return {str(number) for number in range(COUNT)} - there


def go_on_until_some_are_done(ongoing):
    while not (ongoing.progress and ongoing.progress.is_writing and ongoing.progress.done):
        assert not ongoing.is_done
        ongoing.go_on()


def test_others_read_and_scan_meanwhile(opened, folder, tmp_path, kind):
    workspace = opened()
    ongoing = BEGIN[kind](workspace, workspace.ids()[:MEANT], tmp_path / "to")
    go_on_until_some_are_done(ongoing)
    some = gone(workspace, folder)
    scan(workspace)
    assert gone(workspace, folder) == some
    report = finish(ongoing)
    assert (len(report.changed), report.failures, report.left) == (MEANT, (), 0)
    assert len(some) < MEANT
    assert len(gone(workspace, folder)) == MEANT
    assert len(workspace.undo().changed) == MEANT
    scan(workspace)
    assert gone(workspace, folder) == set()


def test_reviews_of_many_images_are_set_in_parts_and_undone(opened):
    workspace = opened()
    ids = workspace.ids()
    ongoing = workspace.begin_set_review(ids, ReviewState.ACCEPTED)
    assert len(finish(ongoing).changed) == COUNT
    assert workspace.ids(parse_query("state:accepted")) == ids
    assert len(workspace.undo().changed) == COUNT
    assert not workspace.ids(parse_query("state:accepted"))

    stopped = workspace.begin_set_review(ids, ReviewState.ACCEPTED)
    stopped.stop()
    report = finish(stopped)
    assert (len(report.changed), report.left) == (0, COUNT)
    assert not workspace.ids(parse_query("state:accepted"))


@pytest.mark.parametrize("options", [BESIDE, TABLE], ids=["files", "table"])
def test_what_is_stopped_is_done_with_some_and_can_be_undone(
    opened, folder, tmp_path, kind, options
):
    workspace = opened(options)
    ongoing = BEGIN[kind](workspace, workspace.ids()[:MEANT], tmp_path / "to")
    go_on_until_some_are_done(ongoing)
    ongoing.stop()
    report = finish(ongoing)
    some = gone(workspace, folder)
    assert 0 < len(some) == len(report.changed) < MEANT
    assert (report.left, report.failures) == (MEANT - len(some), ())
    if options is TABLE:
        assert rows_of_table(folder) == {str(number) for number in range(COUNT)} - some
    assert len(workspace.undo().changed) == len(some)
    scan(workspace)
    assert gone(workspace, folder) == set()
    assert len(rows_of_table(folder)) == COUNT
    assert workspace.undo_name is None


def test_undo_that_is_stopped_can_be_gone_on_with(opened, folder, tmp_path, kind):
    workspace = opened(TABLE)
    finish(BEGIN[kind](workspace, workspace.ids()[:MEANT], tmp_path / "to"))
    undoing = workspace.begin_undo()
    go_on_until_some_are_done(undoing)
    undoing.stop()
    report = finish(undoing)
    scan(workspace)
    left = gone(workspace, folder)
    assert 0 < len(left) == report.left < MEANT
    assert len(workspace.undo().changed) == len(left)
    scan(workspace)
    assert gone(workspace, folder) == set()
    assert len(rows_of_table(folder)) == COUNT


def test_what_was_killed_is_finished(opened, folder, tmp_path, kind):
    opened().close()
    code = f"""
import os, sys
from pathlib import Path
from core.workspace.workspace import Workspace
from tests.core.workspace import test_ongoing_moves as test
workspace = Workspace.open([Path(sys.argv[1])], Path(sys.argv[2]), test.BESIDE)
ids = workspace.ids()[:test.MEANT]
test.go_on_until_some_are_done(test.BEGIN[{kind!r}](workspace, ids, Path(sys.argv[3])))
os._exit(9)
"""
    command = [sys.executable, "-c", code, folder, tmp_path / "data", tmp_path / "to"]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=PATIENCE).returncode == 9
    workspace = opened()
    assert len(workspace.notes) == 1
    assert len(gone(workspace, folder)) == MEANT
    assert len(workspace.undo().changed) == MEANT
    scan(workspace)
    assert gone(workspace, folder) == set()


def test_image_that_moves_while_its_folder_is_read_is_not_listed_twice(tmp_path):
    old, new = tmp_path / "old" / "0.png", tmp_path / "new" / "0.png"
    for path in (old, new):
        path.parent.mkdir()
    Image.new("RGB", (4, 4)).save(old)
    images = Images([tmp_path])
    id = images.add(images.folder_id(str(old.parent)), old.name)

    class Guard(nullcontext):
        """An edit has the columns until it has moved the image."""

        def __enter__(self):
            if old.exists():
                old.rename(new)
                images.place(id, str(new))

    Scan(images, Guard(), Event(), lambda progress: None).folders([old.parent], is_recursive=True)
    assert list(images.ids) == [id]
    assert images.path(id) == new
