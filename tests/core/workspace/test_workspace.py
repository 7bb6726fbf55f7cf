"""A folder as a workspace: what is in it, changed and undone, as its files say."""

import os
import sqlite3
from contextlib import closing, suppress
from threading import Event, Thread

import pytest
from PIL import Image

from core.errors import StoreError
from core.message import Message
from core.workspace import actions, records
from core.workspace.data import (
    CaptionMode,
    ReviewState,
    ScanStage,
    Sort,
    SortKey,
    WorkspaceOptions,
)
from core.workspace.query import parse_query
from core.workspace.query_error import QueryError
from core.workspace.trash import HAS_WAY_BACK

TAGS = WorkspaceOptions(mode=CaptionMode.TAGS)
PATIENCE = 60
INDEX_SAVED = 1
"""How often saving the index gives way: once for each of its parts."""


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
def opened(open_workspace, folder):
    def opened(roots=None, options=TAGS, scans=True):
        until = ScanStage.FINGERPRINTS if scans else None
        return open_workspace(roots or [folder], options, until)

    return opened


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


def test_caption_of_an_image_that_is_gone_is_refused(opened, folder):
    workspace = opened()
    id = workspace.ids()[1]
    (folder / "2.png").unlink()
    workspace.scan(Event(), lambda progress: None, [folder])
    report = workspace.set_captions({id: "a caption"}, EDIT)
    assert [(one.path, "2.png" in one.reason) for one in report.failures] == [
        (folder / "2.png", True)
    ]
    assert not report.changed


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
    rows = workspace.rows(workspace.ids())
    report = workspace.set_captions({row.id: f"x{row.caption}"[:5] for row in rows}, EDIT)
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


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_images_move_with_their_captions_and_come_back(opened, folder):
    workspace = opened()
    before = files_of(folder)
    two, four = (workspace.row_of(folder / f"{n}.png").id for n in (2, 4))
    workspace.set_review([two], ReviewState.ACCEPTED)
    report = workspace.move_to([two, four], folder / "chosen")
    assert report.changed == (two, four)
    assert (folder / "chosen" / "2.txt").read_bytes() == b"a dog, image 2\n"
    (row,) = workspace.rows([two])
    assert (row.path, row.review) == (folder / "chosen" / "2.png", "accepted")
    assert names(workspace)[-2:] == ["2", "4"]
    workspace.set_captions({two: "moved"}, EDIT)
    assert (folder / "chosen" / "2.txt").read_bytes() == b"moved\n"
    workspace.close()
    tomorrow = opened()
    assert tomorrow.row_of(folder / "chosen" / "2.png").review == "accepted"
    tomorrow.undo()
    assert len(tomorrow.undo().changed) == 2
    assert files_of(folder) == before
    assert tomorrow.row_of(folder / "2.png").review == "accepted"
    assert len(tomorrow.redo().changed) == 2
    assert not (folder / "2.png").exists()


@pytest.mark.parametrize("by", ["us", "another program"])
def test_note_and_review_go_with_an_image(opened, folder, by):
    workspace = opened()
    for name in ("1", "2"):
        workspace.set_note(folder / f"{name}.png", f"note {name}")
    ids = workspace.ids(parse_query("name:1.png or name:2.png"))
    (folder / "inner").mkdir()
    if by == "us":
        workspace.move_to(ids, folder / "inner")
    else:
        for name in ("1", "2"):
            (folder / f"{name}.png").rename(folder / "inner" / f"{name}.png")
        workspace.scan(Event(), lambda progress: None)
    for name in ("1", "2"):
        assert workspace.note(folder / "inner" / f"{name}.png") == f"note {name}"
        assert workspace.note(folder / f"{name}.png") == ""
    known = {str(folder / "inner" / f"{name}.png"): f"note {name}" for name in ("1", "2")}
    assert dict(workspace.image_notes()) == known
    if by == "us":
        workspace.undo()
        assert workspace.note(folder / "1.png") == "note 1"
        assert workspace.note(folder / "inner" / "1.png") == ""


def test_note_at_the_new_place_is_not_replaced(opened, folder):
    workspace = opened()
    workspace.set_note(folder / "1.png", "old")
    (folder / "1.png").rename(folder / "new.png")
    # Written before the image is recognised.
    workspace.scan(Event(), lambda progress: None, until=ScanStage.CAPTIONS)
    workspace.set_note(folder / "new.png", "new")
    workspace.scan(Event(), lambda progress: None)
    assert workspace.note(folder / "new.png") == "new"


@pytest.mark.parametrize("reviewed", ["first.png", "second.png"])
def test_of_equal_images_in_a_renamed_folder_each_keeps_its_review(tmp_path, opened, reviewed):
    old, new = tmp_path / "images" / "old", tmp_path / "images" / "new"
    old.mkdir(parents=True)
    for name in ("first.png", "second.png"):
        Image.new("RGB", (4, 4), "red").save(old / name)
    workspace = opened()
    row = workspace.row_of(old / reviewed)
    assert row is not None
    workspace.set_review([row.id], ReviewState.REJECTED)
    old.rename(new)
    workspace.scan(Event(), lambda progress: None)
    reviews = {
        row.path.name: row.review
        for row in workspace.rows(workspace.ids(parse_query("name:*")))
        if row.path.parent == new
    }
    unreviewed = ({"first.png", "second.png"} - {reviewed}).pop()
    assert reviews == {reviewed: ReviewState.REJECTED, unreviewed: ReviewState.UNREVIEWED}
    # One that is then renamed alone is still found.
    (new / reviewed).rename(new / "third.png")
    workspace.scan(Event(), lambda progress: None)
    row = workspace.row_of(new / "third.png")
    assert row is not None
    assert row.review == ReviewState.REJECTED


def test_images_move_out_of_the_workspace_and_come_back(opened, folder, tmp_path):
    workspace = opened()
    before = files_of(folder)
    ids = workspace.ids()
    workspace.move_to(ids[:2], tmp_path / "elsewhere")
    assert names(workspace) == [str(n) for n in range(3, 11)]
    assert workspace.undo().changed
    workspace.scan(Event(), lambda progress: None)
    assert files_of(folder) == before
    assert names(workspace) == [str(n) for n in range(1, 11)]


@pytest.mark.skipif(not HAS_WAY_BACK, reason="the system's trash gives no path back")
def test_images_come_back_from_the_trash(opened, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    workspace = opened()
    before = files_of(folder)
    workspace.trash(workspace.ids()[:3])
    assert names(workspace) == [str(n) for n in range(4, 11)]
    assert not (folder / "2.txt").exists()
    assert len(workspace.undo().changed) == 3
    workspace.scan(Event(), lambda progress: None)
    assert files_of(folder) == before
    assert workspace.row_of(folder / "2.png").caption == "a dog, image 2"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_undo_that_cannot_be_written_can_be_tried_again(opened, folder):
    workspace = opened()
    workspace.set_captions(dict.fromkeys(workspace.ids()[:4], "changed"), EDIT)
    (folder / "2.txt").chmod(0o400)
    report = workspace.undo()
    assert (len(report.changed), len(report.failures)) == (3, 1)
    (folder / "2.txt").chmod(0o600)
    assert len(workspace.undo().changed) == 1
    assert workspace.undo() is None


def test_statistics_count_tags_words_sizes_and_lengths(opened):
    workspace = opened()
    found = workspace.statistics()
    assert (found.images, found.unread) == (10, 0)
    assert (found.tags[0].value, found.tags[0].count) == ("a dog", 5)
    assert ("dog", 5) in [(word.value, word.count) for word in found.words]
    assert len(found.sizes) == 10
    assert sum(bar.count for bar in found.lengths) == 5
    for size in found.sizes[:3]:
        assert len(workspace.ids(parse_query(f"size:{size.value}"))) == size.count
    few = workspace.statistics(workspace.ids(parse_query("image 2")))
    assert [tag.value for tag in few.tags] == ["a dog", "image 2"]


def test_tags_are_counted_once_until_a_caption_is_another(opened, folder):
    workspace = opened()
    assert workspace.tags()["a dog"] == 5
    assert workspace.tags() is workspace.tags()
    workspace.set_captions({workspace.ids()[1]: "a cat"}, EDIT)
    assert (workspace.tags()["a dog"], workspace.tags()["a cat"]) == (4, 1)
    assert workspace.statistics().tags[0].count == 4
    workspace.undo()
    assert workspace.tags()["a dog"] == 5
    (folder / "2.png").unlink()
    workspace.scan(Event(), lambda progress: None)
    assert workspace.tags()["a dog"] == 4


def test_counting_is_given_up_where_nobody_wants_it(opened):
    class OutdatedError(Exception):
        pass

    def give_way():
        raise OutdatedError

    with pytest.raises(OutdatedError):
        opened().statistics(give_way=give_way)


def test_what_a_model_wrote_is_kept_beside_what_a_person_changed(opened, folder):
    workspace = opened()
    one = workspace.row_of(folder / "1.png").id
    (folder / "1.txt").write_text("by the model\n")
    workspace.answers.note({folder / "1.png": "by the model"}, {folder / "1.png": 0.75})
    assert workspace.read_again([folder / "1.png"]) == [one]
    assert names(workspace, "doubt:>0.5") == ["1"]
    workspace.set_captions({one: "by a person"}, EDIT)
    assert names(workspace, "is:edited") == ["1"]
    assert workspace.answers.of(one) == "by the model"
    others = set(workspace.ids()) - {one}
    assert one not in workspace.answers.untouched(workspace.ids())
    workspace.undo()
    assert names(workspace, "is:edited") == []
    # Captions that were there before any model wrote may be a person's.
    without = {id for id in others if not workspace.rows([id])[0].has_caption}
    assert set(workspace.answers.untouched(workspace.ids())) == {one, *without}


def test_only_what_no_list_shows_gives_way(opened):
    workspace = opened(scans=False)
    stages, asked = [None], []
    workspace.scan(
        Event(),
        lambda progress: stages.append(progress.stage),
        give_way=lambda: asked.append(stages[-1]),
    )
    # Before each size and fingerprint, and the parts of the index that are saved after these.
    assert len(asked) == 10 + 10 + 3 * INDEX_SAVED
    assert not {None, ScanStage.FOLDERS} & set(asked)


def test_captions_from_the_far_future_are_read(opened, folder):
    """Some file systems know years in which a nanosecond is no number of 64 bits."""
    for year in (2200, 2400):
        (folder / "4.txt").write_text(f"in {year}")
        moment = (year - 1970) * 31_556_952
        with suppress(OSError):  # Others do not.
            os.utime(folder / "4.txt", (moment, moment))
        workspace = opened()
        assert names(workspace, f"in {year}") == ["4"]
        workspace.close()


def test_what_is_known_is_looked_at_again_when_nobody_is_at_work(opened, folder):
    opened().close()
    (folder / "11.txt").write_text("new")
    Image.new("RGB", (4, 4)).save(folder / "11.png")
    workspace = opened(scans=False)
    asked = []
    workspace.scan(
        Event(),
        lambda progress: None,
        give_way=lambda: asked.append(workspace.counts.images),
        until=ScanStage.CAPTIONS,
    )
    # The folder, and the captions of the images that were there, not that of the new one.
    assert asked[:11] == [10] + 10 * [11]
    assert len(asked) == 11 + INDEX_SAVED
    assert names(workspace, "new") == ["11"]


def test_others_read_the_workspace_whenever_a_scan_gives_way(opened):
    opened().close()
    workspace = opened(scans=False)
    ids, seen = workspace.ids(), []

    def look():
        seen.append(len(workspace.rows(ids)) + len(workspace.ids(None, Sort(SortKey.LENGTH))))

    def give_way():
        looking = Thread(target=look, daemon=True)
        looking.start()
        looking.join(PATIENCE)
        assert not looking.is_alive()

    workspace.scan(Event(), lambda progress: None, give_way=give_way)
    assert seen
    assert set(seen) == {20}


def test_similar_images_are_found_on_demand(opened, folder):
    Image.radial_gradient("L").save(folder / "a.png")
    Image.radial_gradient("L").resize((64, 64)).save(folder / "b.jpg")
    Image.linear_gradient("L").rotate(90).save(folder / "c.png")
    workspace = opened()
    with pytest.raises(QueryError, match="not been looked for"):
        workspace.ids(parse_query("is:near-duplicate"))
    workspace.scan(Event(), lambda progress: None, until=ScanStage.SIMILARITY)
    assert names(workspace, "is:near-duplicate") == ["a", "b"]
    workspace.close()
    again = opened(scans=False)
    again.scan(Event(), lambda progress: None, until=ScanStage.SIMILARITY)
    assert names(again, "is:near-duplicate") == ["a", "b"]


@pytest.mark.skipif(not HAS_WAY_BACK, reason="the system's trash gives no path back")
def test_images_that_come_back_from_the_trash_are_known_to_be_similar(
    opened, folder, tmp_path, monkeypatch
):
    """Also if folders are read again right after they have been looked for."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    for name in ("a", "b", "c"):
        Image.radial_gradient("L").resize((64, 64)).save(folder / f"{name}.png")
    workspace = opened()
    workspace.find_similar(Event(), lambda progress: None)
    found = ["a", "b", "c"]
    assert names(workspace, "is:near-duplicate") == found
    workspace.trash([workspace.row_of(folder / f"{name}.png").id for name in ("a", "b")])
    workspace.undo()
    workspace.find_similar(Event(), lambda progress: None)
    sizes = [row.width for row in workspace.rows(workspace.ids())]
    workspace.scan(Event(), lambda progress: None, until=ScanStage.FOLDERS)
    assert [row.width for row in workspace.rows(workspace.ids())] == sizes
    workspace.find_similar(Event(), lambda progress: None)
    assert names(workspace, "is:near-duplicate") == found


def test_damaged_database_is_put_aside_and_said(opened, tmp_path):
    opened().close()
    (tmp_path / "data" / "workspace.sqlite").write_bytes(b"no database" * 1000)
    workspace = opened()
    assert "damaged" in workspace.notes[0]
    assert (tmp_path / "data" / "workspace damaged.sqlite").read_bytes().startswith(b"no")
    assert workspace.set_review(workspace.ids(), ReviewState.ACCEPTED).changed


def test_database_of_a_newer_program_is_left_alone(opened, tmp_path):
    opened().close()
    with closing(sqlite3.connect(tmp_path / "data" / "workspace.sqlite")) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer"):
        opened()


def test_database_of_the_first_version_still_opens(opened, folder, tmp_path):
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "workspace.sqlite")) as database:
        database.executescript(f"{records.TABLES}{actions.TABLES}PRAGMA user_version = 1;")
        with database:
            database.execute(
                "INSERT INTO record (folder, name, review) VALUES (?, ?, 'rejected')",
                (os.fsencode(folder), b"1.png"),
            )
    workspace = opened()
    assert names(workspace, "state:rejected") == ["1"]
    workspace.set_note(folder, "the expedition of 1987")
    assert workspace.note(folder) == "the expedition of 1987"
    workspace.set_note(folder, "")
    assert workspace.note(folder) == ""


@pytest.mark.parametrize(
    ("caption", "mode"),
    [
        ("1girl, solo, long hair, looking at viewer", CaptionMode.TAGS),
        ("A dog runs on the beach, and a man throws a ball, far away.", CaptionMode.TEXT),
        ("a dog", CaptionMode.TEXT),
    ],
)
def test_mode_is_guessed_from_the_captions(opened, folder, caption, mode):
    for path in folder.glob("*.txt"):
        path.write_text(caption)
    assert opened().guessed_mode() == mode


def test_first_caption_with_a_comma_does_not_make_a_folder_one_of_tags(opened, folder):
    for path in folder.glob("*.txt"):
        path.unlink()
    workspace = opened()
    ids = workspace.ids()
    assert len(ids) >= 3
    for number, id in enumerate(ids[:3], 1):
        workspace.set_captions({id: "a dog, asleep"}, EDIT)
        expected = CaptionMode.TAGS if number == 3 else CaptionMode.TEXT
        assert workspace.settle_mode() is expected


def test_edit_whose_end_could_not_be_kept_is_not_made_again_over_later_ones(
    opened, folder, tmp_path
):
    """As where the disk of the database is full, and has room again later."""
    workspace = opened()
    id = workspace.ids()[1]
    before = (folder / "2.txt").read_bytes()
    with closing(sqlite3.connect(tmp_path / "data" / "workspace.sqlite")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON action BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(StoreError):
            workspace.set_captions({id: "two"}, EDIT)
        database.execute("DROP TRIGGER full")
    assert (folder / "2.txt").read_bytes() == b"two\n"
    workspace.set_captions({id: "a dog, image 2"}, EDIT, seen={id: "two"})
    assert (folder / "2.txt").read_bytes() == before
    workspace.close()
    again = opened()
    assert (folder / "2.txt").read_bytes() == before
    assert again.rows([id])[0].caption == "a dog, image 2"
