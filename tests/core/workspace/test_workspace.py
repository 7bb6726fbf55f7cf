"""A folder as a workspace: what is in it, changed and undone, as its files say."""

from threading import Event

import pytest
from PIL import Image

from core.message import Message
from core.workspace.data import CaptionMode, ReviewState, Sort, SortKey, WorkspaceOptions
from core.workspace.query import parse_query
from core.workspace.workspace import Workspace

TAGS = WorkspaceOptions(mode=CaptionMode.TAGS)


@pytest.fixture
def folder(tmp_path):
    """Ten images; those with an even number have a caption."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(1, 11):
        Image.new("RGB", (4 + number, 4), "blue").save(folder / f"{number}.png")
        if number % 2 == 0:
            (folder / f"{number}.txt").write_bytes(b"a dog, image %d\n" % number)
    return folder


@pytest.fixture
def opened(folder, tmp_path):
    workspaces = []

    def opened(roots=None, options=TAGS, scans=True):
        workspace = Workspace.open(roots or [folder], tmp_path / "data", options)
        workspaces.append(workspace)
        if scans:
            workspace.scan(Event(), lambda progress: None)
        return workspace

    yield opened
    for workspace in workspaces:
        workspace.close()


EDIT = Message("Edit")


def names(workspace, query="", sort=None):
    ids = workspace.ids(parse_query(query), sort or Sort())
    return [row.path.stem for row in workspace.rows(ids)]


def test_scan_finds_images_with_captions_and_sizes(opened):
    workspace = opened()
    assert names(workspace) == [str(n) for n in range(1, 11)]
    rows = workspace.rows(workspace.ids())
    assert [row.caption for row in rows[:2]] == ["", "a dog, image 2"]
    assert [(row.width, row.height) for row in rows[:2]] == [(5, 4), (6, 4)]
    assert (workspace.counts.images, workspace.counts.with_caption) == (10, 5)
    assert workspace.counts.unread == 0


def test_index_is_there_at_once_at_the_next_opening(opened):
    workspace = opened()
    rows = workspace.rows(workspace.ids())
    workspace.close()
    again = opened(scans=False)
    assert again.rows(again.ids()) == rows


def test_captions_are_written_and_undone_also_tomorrow(opened, folder):
    workspace = opened()
    ids = workspace.ids()
    before = {path.name: path.read_bytes() for path in folder.glob("*.txt")}
    report = workspace.set_captions({ids[0]: "one", ids[1]: "two"}, EDIT)
    assert report.changed == (ids[0], ids[1])
    assert (folder / "1.txt").read_bytes() == b"one\n"
    assert (folder / "2.txt").read_bytes() == b"two\n"
    assert [row.caption for row in workspace.rows(ids[:2])] == ["one", "two"]
    workspace.close()
    tomorrow = opened()
    assert tomorrow.undo_name == EDIT
    assert len(tomorrow.undo().changed) == 2
    assert {path.name: path.read_bytes() for path in folder.glob("*.txt")} == before
    assert len(tomorrow.redo().changed) == 2
    assert (folder / "1.txt").read_bytes() == b"one\n"


def test_bulk_edit_overwrites_in_place(opened, folder):
    workspace = opened()
    report = workspace.change_captions(workspace.ids(), lambda caption: f"x{caption}"[:5], EDIT)
    assert len(report.changed) == 10
    assert (folder / "2.txt").read_bytes() == b"xa do\n"
    assert len(workspace.undo().changed) == 10
    assert (folder / "2.txt").read_bytes() == b"a dog, image 2\n"
    assert not (folder / "1.txt").exists()


def test_caption_changed_outside_is_not_overwritten(opened, folder):
    workspace = opened()
    two = workspace.row_of(folder / "2.png").id
    (folder / "2.txt").write_text("by another program\n")
    report = workspace.set_captions({two: "ours"}, EDIT)
    (conflict,) = report.conflicts
    assert (conflict.ours, conflict.found) == ("ours", "by another program")
    assert (folder / "2.txt").read_text() == "by another program\n"
    assert workspace.set_captions({two: "ours"}, EDIT, overwrites={two}).changed == (two,)
    assert (folder / "2.txt").read_text() == "ours\n"


def test_review_is_kept_and_undone(opened):
    workspace = opened()
    ids = workspace.ids()
    workspace.set_review(ids[:3], ReviewState.ACCEPTED)
    assert workspace.counts.unreviewed == 7
    workspace.close()
    again = opened()
    assert [row.review for row in again.rows(again.ids()[2:4])] == ["accepted", "unreviewed"]
    again.undo()
    assert again.counts.unreviewed == 10


def test_query_and_sort(opened):
    workspace = opened()
    assert names(workspace, "DOG image") == ["2", "4", "6", "8", "10"]
    assert names(workspace, "dog", Sort(SortKey.SIZE, is_descending=True))[0] == "10"
