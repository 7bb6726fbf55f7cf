"""Folders as they are found: whatever is in them is a row with a problem, never a crash, and no
file outside is read or written."""

import os
import sys
from contextlib import closing
from threading import Event

import pytest
from PIL import Image

from core.captions.formats import CaptionFormat
from core.message import Message
from core.workspace.data import Draft, ReviewState, WorkspaceOptions
from core.workspace.query import parse_query
from core.workspace.workspace import Workspace

EDIT = Message("Edit")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="of POSIX systems")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (4, 4), "blue").save(folder / "good.png")
    (folder / "good.txt").write_text("good")
    return folder


def scanned(folder, **options):
    workspace = Workspace.open([folder], folder.parent / "data", WorkspaceOptions(**options))
    workspace.scan(Event(), lambda progress: None)
    return closing(workspace)


def add(folder, name="bad.png"):
    Image.new("RGB", (4, 4), "red").save(folder / name)
    return folder / name


def row_at(workspace, path):
    row = workspace.row_of(path)
    assert row is not None
    return row


def undone(workspace):
    report = workspace.undo()
    assert report is not None
    return report


def check_only_bad_fails(folder, bad, **options):
    """The row has the problem, an edit of both changes only the good one, and can be undone."""
    with scanned(folder, **options) as workspace:
        row = row_at(workspace, bad)
        assert row.problem
        assert not row.has_caption
        ids = workspace.ids()
        report = workspace.set_captions(dict.fromkeys(ids, "changed"), EDIT)
        assert [failure.path for failure in report.failures] == [bad]
        assert (folder / "good.txt").read_text() == "changed"
        assert undone(workspace).failures == ()
        assert (folder / "good.txt").read_text() == "good"
        assert workspace.counts.failed == 1
        assert list(workspace.ids(parse_query("is:failed"))) == [row.id]
    with scanned(folder, **options) as workspace:  # From the index.
        assert row_at(workspace, bad).problem == row.problem


@POSIX
def test_pipe_in_the_place_of_a_caption(folder):
    bad = add(folder)
    os.mkfifo(folder / "bad.txt")
    check_only_bad_fails(folder, bad)


def test_folder_in_the_place_of_a_caption(folder):
    bad = add(folder)
    (folder / "bad.txt").mkdir()
    check_only_bad_fails(folder, bad)


@POSIX
def test_link_that_leads_out_of_the_folder(folder):
    outside = folder.parent / "secret.txt"
    outside.write_text("secret")
    bad = add(folder)
    (folder / "bad.txt").symlink_to(outside)
    check_only_bad_fails(folder, bad)
    assert outside.read_text() == "secret"


@POSIX
def test_link_within_the_folder_is_followed(folder):
    add(folder, "linked.png")
    (folder / "real").mkdir()
    (folder / "real" / "file.txt").write_text("linked")
    (folder / "linked.txt").symlink_to(folder / "real" / "file.txt")
    with scanned(folder) as workspace:
        row = row_at(workspace, folder / "linked.png")
        assert row.caption == "linked"
        workspace.set_captions({row.id: "changed"}, EDIT)
        assert (folder / "linked.txt").is_symlink()
        assert (folder / "real" / "file.txt").read_text() == "changed"


def test_huge_caption(folder):
    bad = add(folder)
    with (folder / "bad.txt").open("wb") as file:
        file.truncate(10**10 if sys.platform == "linux" else 2_000_000)
    check_only_bad_fails(folder, bad)


def test_image_in_the_place_of_a_caption(folder):
    bad = add(folder)
    (folder / "bad.txt").write_bytes(bad.read_bytes())
    check_only_bad_fails(folder, bad)


def test_uncertain_encoding(folder):
    bad = add(folder)
    (folder / "bad.txt").write_bytes(b"\x81\x8d\x8f\x90\x9d")
    check_only_bad_fails(folder, bad)


def test_two_images_that_share_a_caption_file(folder):
    bad = add(folder, "good.webp")
    check_only_bad_fails(folder, bad)
    # A third image, which comes later and before them in the order, takes nothing from the first.
    add(folder, "good.bmp")
    with scanned(folder) as workspace:
        captions = {row.path.name: row.caption for row in workspace.rows(workspace.ids())}
    assert captions == {"good.png": "good", "good.bmp": "", "good.webp": ""}
    with scanned(folder, pattern="{name}") as workspace:
        assert workspace.counts.failed == 0


def test_broken_xmp_file(folder):
    bad = add(folder)
    (folder / "bad.xmp").write_text("<not xmp")
    with scanned(folder, format=CaptionFormat.XMP) as workspace:
        row = row_at(workspace, bad)
        assert "XMP" in row.problem
        report = workspace.set_captions({row.id: "new"}, EDIT)
        assert [failure.path for failure in report.failures] == [bad]
    assert (folder / "bad.xmp").read_text() == "<not xmp"


@POSIX
def test_names_that_are_not_unicode(folder):
    name = os.fsdecode(b"caf\xe9\xff.png")
    add(folder, name)
    with scanned(folder) as workspace:
        row = row_at(workspace, folder / name)
        assert len(workspace.set_captions({row.id: "a café"}, EDIT).changed) == 1
        assert len(workspace.ids(parse_query("name:caf*"))) == 1
    with scanned(folder) as workspace:
        assert row_at(workspace, folder / name).caption == "a café"
        assert len(undone(workspace).changed) == 1
    assert not (folder / os.fsdecode(b"caf\xe9\xff.txt")).exists()


@POSIX
@pytest.mark.skipif(os.name != "nt" and os.geteuid() == 0, reason="root may read everything")
def test_folder_that_may_not_be_read(folder):
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0)
    with scanned(folder) as workspace:
        assert workspace.counts.images == 1
        assert "closed" in "".join(workspace.notes)
    (folder / "closed").chmod(0o700)


@POSIX
def test_image_that_is_a_pipe_and_links_that_go_round(folder):
    os.mkfifo(folder / "pipe.png")
    (folder / "round").symlink_to(folder)
    (folder / "self.png").symlink_to("self.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    with scanned(folder) as workspace:
        rows = {row.path.name: row for row in workspace.rows(workspace.ids())}
        assert {"good.png", "pipe.png", "gone.png"} <= rows.keys()
        assert (rows["pipe.png"].width, rows["good.png"].width) == (0, 4)


def test_damaged_index_is_made_anew(folder):
    with scanned(folder):
        pass
    (index,) = (folder.parent / "data" / "workspaces").glob("*.sqlite")
    for content in (b"", b"SQLite format 3\0" + bytes(5000), index.read_bytes()[:5000]):
        index.write_bytes(content)
        with scanned(folder) as workspace:
            assert [row.caption for row in workspace.rows(workspace.ids())] == ["good"]


def test_images_that_come_go_and_change_are_noticed(folder):
    with scanned(folder) as workspace:
        add(folder, "new.png")
        (folder / "new.txt").write_text("new")
        (folder / "good.png").unlink()
        workspace.scan(Event(), lambda progress: None)
        assert [row.caption for row in workspace.rows(workspace.ids())] == ["new"]
        Image.new("RGB", (9, 9), "red").save(folder / "new.png")
        (folder / "new.txt").unlink()
        workspace.scan(Event(), lambda progress: None, [folder])
        (row,) = workspace.rows(workspace.ids())
        assert (row.width, row.has_caption) == (9, False)


def test_review_is_found_again_by_content(folder):
    add(folder, "moved.png")
    with scanned(folder) as workspace:
        row = row_at(workspace, folder / "moved.png")
        workspace.set_review([row.id], ReviewState.REJECTED)
        workspace.drafts.keep(row.id, Draft("half a cap", "a caption"))
    (folder / "inner").mkdir()
    (folder / "moved.png").rename(folder / "inner" / "renamed.png")
    with scanned(folder) as workspace:
        row = row_at(workspace, folder / "inner" / "renamed.png")
        assert row.review == "rejected"
        assert workspace.drafts.of(row.id) == Draft("half a cap", "a caption")


def test_scan_that_is_stopped_goes_on_later(folder):
    stop = Event()
    stop.set()
    with closing(Workspace.open([folder], folder.parent / "data", WorkspaceOptions())) as workspace:
        workspace.scan(stop, lambda progress: None)
        assert workspace.counts.with_caption == 0
        workspace.scan(Event(), lambda progress: None)
        assert workspace.counts.with_caption == 1


def test_scan_of_one_folder_leaves_those_inside_it_alone(folder):
    (folder / "inner").mkdir()
    add(folder / "inner", "deep.png")
    with scanned(folder) as workspace:
        deep = row_at(workspace, folder / "inner" / "deep.png")
        workspace.scan(Event(), lambda progress: None, [folder])
        assert row_at(workspace, deep.path) == deep
        deep.path.unlink()
        (folder / "inner").rmdir()
        workspace.scan(Event(), lambda progress: None, [folder / "inner"])
        assert [row.path.name for row in workspace.rows(workspace.ids())] == ["good.png"]


def test_single_images_keep_their_ids_and_bring_no_others(folder):
    for name in ("a.png", "b.png", "c.png"):
        add(folder, name)
    (folder / "b.txt").write_text("a caption")
    roots = [folder / "c.png", folder / "b.png", folder / "gone.png"]
    data = folder.parent / "data"
    with closing(Workspace.open(roots, data, WorkspaceOptions())) as workspace:
        workspace.scan(Event(), lambda progress: None)
        rows = workspace.rows(workspace.ids())
        assert {row.path.name: row.caption for row in rows} == {"b.png": "a caption", "c.png": ""}
        workspace.set_captions({rows[0].id: "changed"}, EDIT)
        workspace.scan(Event(), lambda progress: None)
        assert [row.id for row in workspace.rows(workspace.ids())] == [row.id for row in rows]
    with closing(Workspace.open(roots[1:], data, WorkspaceOptions())) as workspace:
        assert undone(workspace).name == EDIT
