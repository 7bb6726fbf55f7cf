"""Copies of an image, which have the same content: the original keeps what is known of it, as long
as it is not known to be gone."""

import shutil
from contextlib import closing
from threading import Event

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, answered_runs
from core.captions.sidecar import Existing
from core.workspace.data import ReviewState, WorkspaceOptions
from core.workspace.workspace import Workspace
from tests.support.disks import Disk
from tests.support.folder_run import FolderEngine


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A disk with an image, and a folder on another one."""
    disk = Disk(tmp_path / "disk", monkeypatch)
    (disk.folder / "photos").mkdir()
    Image.new("RGB", (4, 4), "blue").save(disk.folder / "photos" / "1.png")
    (tmp_path / "copies").mkdir()
    return disk


@pytest.fixture
def original(disk):
    return disk.folder / "photos" / "1.png"


@pytest.fixture
def opened(tmp_path):
    workspaces = []

    def opened(folder):
        for one in workspaces:
            one.close()
        workspaces[:] = [Workspace.open([folder], tmp_path / "data", WorkspaceOptions())]
        workspaces[0].scan(Event(), lambda progress: None)
        return workspaces[0]

    yield opened
    for one in workspaces:
        one.close()


def known(workspace, path):
    """The review and the note of an image."""
    row = workspace.row_of(path)
    assert row is not None
    return row.review, workspace.note(path)


KNOWN, NOTHING = (ReviewState.REJECTED, "in 1987"), (ReviewState.UNREVIEWED, "")


@pytest.fixture
def reviewed(opened, original):
    workspace = opened(original.parent)
    workspace.set_review(workspace.ids(), ReviewState.REJECTED)
    workspace.set_note(original, "in 1987")


@pytest.mark.usefixtures("reviewed")
@pytest.mark.parametrize("leaves_mount_point", [True, False])
def test_copy_is_given_nothing_while_the_disk_of_the_original_is_not_connected(
    tmp_path, opened, disk, original, leaves_mount_point
):
    copy = shutil.copy(original, tmp_path / "copies" / "1.png")
    disk.disconnect(leaves_mount_point=leaves_mount_point)
    assert known(opened(copy.parent), copy) == NOTHING
    disk.connect()
    assert known(opened(copy.parent), copy) == NOTHING
    assert known(opened(original.parent), original) == KNOWN


@pytest.mark.usefixtures("reviewed")
def test_only_image_of_a_folder_that_is_moved_away_is_found_again(tmp_path, opened, original):
    moved = original.rename(tmp_path / "copies" / "other name.png")
    assert known(opened(moved.parent), moved) == KNOWN


@pytest.mark.usefixtures("reviewed")
def test_image_in_a_renamed_folder_is_found_again(opened, original):
    folder = original.parent.rename(original.parent.with_name("renamed"))
    assert known(opened(folder), folder / original.name) == KNOWN


def test_disk_is_known_of_an_image_that_was_moved_to_it(tmp_path, opened, disk, original):
    local = tmp_path / "copies"
    original.rename(local / "1.png")
    workspace = opened(local)
    workspace.set_review(workspace.ids(), ReviewState.REJECTED)
    workspace.set_note(local / "1.png", "in 1987")
    workspace.move_to(workspace.ids(), original.parent)
    shutil.copy(original, local / "1.png")
    disk.disconnect(leaves_mount_point=False)
    assert known(opened(local), local / "1.png") == NOTHING
    disk.connect()
    assert known(opened(original.parent), original) == KNOWN


def test_another_image_of_equal_size_in_bytes_at_the_old_name_takes_nothing(tmp_path, opened):
    old, new = tmp_path / "old", tmp_path / "new"
    for path, colour in ((old / "1.bmp", "blue"), (new / "1.bmp", "red")):
        path.parent.mkdir()
        Image.new("RGB", (4, 4), colour).save(path)
    workspace = opened(old)
    workspace.set_review(workspace.ids(), ReviewState.REJECTED)
    workspace.set_note(old / "1.bmp", "in 1987")
    (old / "1.bmp").rename(new / "2.bmp")
    workspace = opened(new)
    assert known(workspace, new / "2.bmp") == KNOWN
    assert known(workspace, new / "1.bmp") == NOTHING


@pytest.mark.parametrize("by", ["us", "another program", "a folder"])
def test_answers_of_earlier_runs_follow_an_image_that_was_moved(tmp_path, opened, by):
    folder, runs = tmp_path / "images", tmp_path / "runs"
    elsewhere = tmp_path / "elsewhere"
    folder.mkdir()
    Image.new("RGB", (4, 4), "blue").save(folder / "1.png")
    old, new = folder / "1.png", elsewhere / "1.png"

    def caption(path, text):
        engine = FolderEngine()
        engine.says[path.name] = text
        options = BatchOptions(("What?",), existing=Existing.REPLACE)
        with closing(Batch.begin([path], options, runs)) as batch:
            batch.run(engine, Control())

    def answers(path):
        found = answered_runs(runs, [path], workspace.answers.moves())
        return [one.captions[path] for one in found]

    caption(old, "first")
    workspace = opened(folder)
    workspace.answers.note({old: "first"})
    if by == "us":
        workspace.move_to(workspace.ids(), elsewhere)
    elif by == "another program":
        elsewhere.mkdir()
        old.rename(new)
    else:
        folder.rename(elsewhere)
    folder.mkdir(exist_ok=True)
    workspace = opened(elsewhere)
    assert answers(new) == ["first"]
    # Another image has the name now.
    Image.new("RGB", (4, 4), "red").save(old)
    assert answers(old) == []
    caption(old, "another image")
    assert answers(old) == ["another image"]
    caption(new, "second")
    assert answers(new) == ["second", "first"]
