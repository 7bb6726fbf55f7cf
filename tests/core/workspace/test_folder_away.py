"""A folder whose disk is not connected for a while: nothing in it is taken for gone."""

import shutil
from threading import Event

import pytest
from PIL import Image

from core.message import Message
from core.workspace.data import WorkspaceOptions
from core.workspace.workspace import Workspace

EDIT = Message("Edit")
OPTIONS = {"text": WorkspaceOptions(), "table": WorkspaceOptions(table="metadata.csv")}


@pytest.fixture(params=OPTIONS)
def kind(request):
    return request.param


@pytest.fixture
def folder(tmp_path, kind):
    """Two images, of which the second has no caption."""
    folder = tmp_path / "disk"
    folder.mkdir()
    for number in (1, 2):
        Image.new("RGB", (4, 4), "blue").save(folder / f"{number}.png")
    if kind == "text":
        (folder / "1.txt").write_text("a cat\n")
    else:
        (folder / "metadata.csv").write_text("file_name,text\n1.png,a cat\n")
    return folder


@pytest.fixture
def workspace(folder, tmp_path, kind):
    workspace = Workspace.open([folder], tmp_path / "data", OPTIONS[kind])
    workspace.scan(Event(), lambda progress: None)
    yield workspace
    workspace.close()


@pytest.fixture(params=["gone", "empty"])
def disk(request, folder, tmp_path):
    """Takes the disk away, and connects it again. Its mount point may stay, empty."""

    class Disk:
        def take(self):
            folder.rename(tmp_path / "away")
            if request.param == "empty":
                folder.mkdir()

        def connect(self):
            shutil.rmtree(folder, ignore_errors=True)
            (tmp_path / "away").rename(folder)

    return Disk()


def files(folder):
    return {
        path.name: path.read_text() for path in sorted(folder.glob("*.*")) if path.suffix != ".png"
    }


def captions(workspace):
    return [row.caption for row in workspace.rows(workspace.ids())]


def test_caption_is_not_said_to_be_changed(workspace, folder, disk):
    disk.take()
    ids = list(workspace.ids())
    workspace.read_again([folder / "1.png", folder / "2.png"])
    assert captions(workspace) == ["a cat", ""]
    report = workspace.set_captions({ids[0]: "a dog", ids[1]: "a cow"}, EDIT)
    assert (report.conflicts, report.changed) == ((), ())
    assert ["is not there" in str(one.reason) for one in report.failures] == [True, True]
    disk.connect()
    report = workspace.set_captions({ids[0]: "a dog", ids[1]: "a cow"}, EDIT)
    assert len(report.changed) == 2
    assert captions(workspace) == ["a dog", "a cow"]


def test_edit_can_be_undone_and_redone_once_the_disk_is_back(workspace, folder, disk):
    before = files(folder)
    workspace.set_captions(dict(zip(workspace.ids(), ("a dog", "a cow"), strict=True)), EDIT)
    after = files(folder)
    assert after != before
    for act, expected in ((workspace.undo, before), (workspace.redo, after)):
        disk.take()
        report = act()
        assert report is not None
        assert (report.conflicts, report.changed) == ((), ())
        assert len(report.failures) == 2
        disk.connect()
        report = act()
        assert report is not None
        assert (report.failures, len(report.changed)) == ((), 2)
        assert files(folder) == expected


def test_image_that_was_deleted_is_in_the_way_of_no_other_undo(workspace, folder):
    first, second = workspace.ids()
    workspace.set_captions({first: "a dog"}, EDIT)
    workspace.set_captions({second: "a cow"}, EDIT)
    for path in folder.glob("2.*"):
        path.unlink()
    workspace.undo()
    workspace.undo()
    assert "a cat" in "".join(files(folder).values())
