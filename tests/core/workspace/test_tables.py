"""A folder whose captions are in a table or in keywords: found, edited, undone."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.xmp_keywords import keywords_of, with_keywords
from core.message import Message
from core.workspace.bulk import AddTags
from core.workspace.data import CaptionMode, CaptionSource, ScanStage, WorkspaceOptions
from core.workspace.export import gathered, read_captions
from core.workspace.workspace import Workspace
from tests.support.workspaces import scan

EDIT = Message("Edit")
ROOT = Path(__file__).parents[3]
KEPT = WorkspaceOptions(takes_kept_format=True)


def line(name, caption, **others):
    return json.dumps({"file_name": name, "text": caption, **others}) + "\n"


@pytest.fixture
def folder(tmp_path):
    """Six images, of which two are in a subfolder; the last one has no row."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    names = ["1.png", "2.png", "3.png", "4.png", "sub/5.png", "sub/6.png"]
    for name in names:
        Image.new("RGB", (4, 4), "blue").save(folder / name)
    rows = [line(name, f"a dog {name[-5]}", score=1.5) for name in names[:-1]]
    (folder / "metadata.jsonl").write_text("".join(rows))
    return folder


@pytest.fixture
def opened(open_workspace, folder):
    def opened(options=KEPT, scans=True):
        return open_workspace([folder], options, ScanStage.FINGERPRINTS if scans else None)

    return opened


def captions(workspace):
    return [row.caption for row in workspace.rows(workspace.ids())]


def test_table_is_found_where_captions_are_nowhere_else(opened, folder):
    (folder / "README.txt").write_text("about these images")
    workspace = opened()
    assert workspace.options.source == CaptionSource(CaptionFormat.JSONL, table="metadata.jsonl")
    assert captions(workspace) == [f"a dog {number}" for number in range(1, 6)] + [""]
    assert workspace.sources.possible().tables == ("metadata.jsonl",)
    workspace.close()
    (folder / "1.txt").write_text("a cat")
    assert captions(opened())[0] == "a dog 1"


@pytest.mark.parametrize("pattern", ["{stem}", "{name}"])
@pytest.mark.parametrize("kind", ["caption", "xmp", "txt"])
def test_files_are_found_where_captions_are_nowhere_else(opened, folder, kind, pattern):
    (folder / "metadata.jsonl").unlink()
    stem = pattern.format(stem="5", name="5.png")
    made = xmp.described(None, description="a cat", alt_text="") if kind == "xmp" else b"a cat"
    (folder / "sub" / f"{stem}.{kind}").write_bytes(made)
    (folder / "README.txt").write_text("about these images")
    workspace = opened()
    assert workspace.options.source == CaptionSource(CaptionFormat(kind), pattern)
    assert captions(workspace) == ["", "", "", "", "a cat", ""]
    workspace.close()
    # They stay the ones, also once other files are made there.
    (folder / "1.txt").write_text("a dog")
    assert captions(opened())[4] == "a cat"


def test_xmp_files_without_a_description_are_no_captions(opened, folder):
    """As photo programs write them beside all images."""
    (folder / "metadata.jsonl").unlink()
    (folder / "1.xmp").write_bytes(with_keywords(None, ["sea"]))
    workspace = opened()
    assert workspace.options.source == CaptionSource()


def test_files_beside_the_images_come_before_a_table(opened, folder):
    (folder / "1.txt").write_text("a cat")
    workspace = opened()
    assert workspace.options.format is CaptionFormat.TXT
    workspace.sources.choose(CaptionSource.of_table("metadata.jsonl"))
    workspace.close()
    assert captions(opened())[0] == "a dog 1"


def test_edits_change_only_their_rows_and_are_undone_tomorrow(opened, folder):
    table = folder / "metadata.jsonl"
    before = table.read_bytes()
    workspace = opened()
    ids = workspace.ids()
    report = workspace.set_captions({ids[0]: "one", ids[4]: "five", ids[5]: "six"}, EDIT)
    assert report.changed == (ids[0], ids[4], ids[5])
    assert table.read_text() == (
        before.decode().replace("a dog 1", "one").replace("a dog 5", "five")
        + line("sub/6.png", "six")
    )
    assert captions(workspace)[4:] == ["five", "six"]
    assert list(folder.rglob("*.txt")) == []
    workspace.close()
    tomorrow = opened()
    assert [row.is_edited for row in tomorrow.rows(tomorrow.ids())] == [1, 0, 0, 0, 1, 1]
    assert len(tomorrow.undo().changed) == 3
    assert table.read_bytes() == before
    assert captions(tomorrow)[5] == ""
    assert len(tomorrow.redo().changed) == 3
    assert json.loads(table.read_text().splitlines()[-1])["text"] == "six"


def test_half_an_emoji_in_a_row_is_read_and_stays_until_it_is_edited(opened, folder):
    """As programs leave it that cut captions after so many UTF-16 units."""
    table = folder / "metadata.jsonl"
    table.write_text(table.read_text().replace("a dog 1", r"a dog \ud83d"))
    before = table.read_bytes()
    workspace = opened()
    first, second, *_ = workspace.ids()
    assert captions(workspace)[0] == "a dog \ufffd"
    workspace.set_captions({second: "a cat"}, EDIT)
    assert table.read_bytes() == before.replace(b"a dog 2", b"a cat")
    workspace.set_captions({first: "a cow"}, EDIT)
    assert captions(workspace)[0] == "a cow"
    workspace.undo()
    workspace.undo()
    assert table.read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX")
@pytest.mark.parametrize("table", ["metadata.jsonl", "metadata.csv"])
def test_image_whose_name_is_not_unicode_finds_its_caption_again_or_is_refused(
    opened, folder, table
):
    """Two such names must not become one, as they do with a question mark for what is odd."""
    (folder / "metadata.jsonl").unlink()
    odd = [folder / os.fsdecode(name) for name in (b"caf\xe9.png", b"caf\xe8.png")]
    for path in odd:
        (folder / "6.png").write_bytes((folder / "1.png").read_bytes())
        (folder / "6.png").rename(path)
    wanted = WorkspaceOptions(is_recursive=True).reading(table)
    workspace = opened(wanted)
    new = {id: f"a cat {id}" for id in workspace.ids()}
    report = workspace.set_captions(new, EDIT)
    may_have_row = table.endswith("jsonl")
    assert [one.path for one in report.failures] == ([] if may_have_row else sorted(odd))
    known = {row.path: row.caption for row in workspace.rows(workspace.ids())}
    moved = workspace.move_to(
        [id for id in new if workspace.rows([id])[0].path in odd], folder / "sub"
    )
    assert not moved.failures
    workspace.undo()
    workspace.close()
    again = opened(wanted)
    assert {row.path: row.caption for row in again.rows(again.ids())} == known
    assert all(bool(text) == (may_have_row or path not in odd) for path, text in known.items())
    again.undo()
    assert not (folder / table).exists()


def test_row_that_another_program_changed_is_left_and_shown(opened, folder):
    table = folder / "metadata.jsonl"
    workspace = opened()
    ids = workspace.ids()
    theirs = table.read_text().replace("a dog 2", "theirs").replace("1.5", "2.50")
    table.write_text(theirs)
    report = workspace.set_captions({ids[0]: "one", ids[1]: "two"}, EDIT)
    assert report.changed == (ids[0],)
    (conflict,) = report.conflicts
    assert (conflict.id, conflict.ours, conflict.found) == (ids[1], "two", "theirs")
    assert table.read_text() == theirs.replace("a dog 1", "one")
    assert captions(workspace)[1] == "theirs"
    assert workspace.set_captions({ids[1]: "two"}, EDIT, overwrites={ids[1]}).changed == (ids[1],)
    table.write_text(table.read_text().replace('"two"', '"again"'))
    assert workspace.undo().conflicts[0].found == "again"
    assert '"again"' in table.read_text()


def test_scan_reads_what_another_program_changed(opened, folder):
    table = folder / "metadata.jsonl"
    workspace = opened()
    table.write_text(table.read_text().replace("a dog 2", "theirs"))
    scan(workspace)
    assert captions(workspace)[1] == "theirs"
    (folder / "sub" / "metadata.jsonl").write_text(line("6.png", "six"))
    scan(workspace)
    assert captions(workspace)[4:] == ["a dog 5", "six"]
    table.write_text("{")
    scan(workspace)
    rows = workspace.rows(workspace.ids())
    assert "metadata.jsonl" in rows[0].problem
    report = workspace.set_captions({rows[0].id: "one"}, EDIT)
    assert report.failures[0].path == folder / "1.png"
    assert table.read_text() == "{"
    table.unlink()
    scan(workspace)
    assert captions(workspace) == ["", "", "", "", "", "six"]


STORY_OF_A_USER = """
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from core.message import Message
from core.workspace import Workspace, WorkspaceOptions

folder, data, own = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
workspace = Workspace.open([folder], data, WorkspaceOptions().reading("metadata.jsonl"))
workspace.scan(Event(), lambda progress: None)
rows = {row.path.name: row for row in workspace.rows(workspace.ids())}
print("ready", flush=True)
sys.stdin.readline()
for number in range(own, len(rows), 2):
    row = rows[f"{number}.png"]
    report = workspace.set_captions({row.id: f"by {own}"}, Message("Edit"))
    assert report.changed == (row.id,), report
workspace.close()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows replaces no file that is locked")
def test_two_users_who_caption_one_folder_lose_nothing(tmp_path):
    """Each has settings and a database of their own, as on two computers that share a disk."""
    shared = tmp_path / "shared"
    shared.mkdir()
    for number in range(40):
        Image.new("RGB", (4, 4), "blue").save(shared / f"{number}.png")
    with ExitStack() as stack:
        users: list[Any] = []
        for own in ("0", "1"):
            command = [sys.executable, "-c", STORY_OF_A_USER, shared, tmp_path / own, own]
            user = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            users.append(stack.enter_context(user))
        assert [user.stdout.readline() for user in users] == ["ready\n"] * 2
        for user in users:
            user.stdin.write("go\n")
            user.stdin.flush()
        assert [user.wait() for user in users] == [0, 0]
    lines = (shared / "metadata.jsonl").read_text().splitlines()
    texts = {row["file_name"]: row["text"] for row in map(json.loads, lines)}
    assert texts == {f"{number}.png": f"by {number % 2}" for number in range(40)}


@pytest.mark.parametrize("restarts", [False, True])
def test_new_table_is_made_with_the_first_caption(opened, folder, restarts):
    (folder / "metadata.jsonl").unlink()
    workspace = opened()
    assert workspace.options.format is CaptionFormat.TXT
    workspace.sources.choose(CaptionSource.of_table("metadata.csv"))
    workspace.close()
    workspace = opened()
    ids = workspace.ids()
    workspace.set_captions({ids[5]: "six, and more"}, EDIT)
    table = folder / "metadata.csv"
    assert table.read_text() == 'file_name,text\nsub/6.png,"six, and more"\n'
    if restarts:
        workspace.close()
        workspace = opened()
    assert len(workspace.undo().changed) == 1
    assert not table.exists()
    assert len(workspace.redo().changed) == 1
    assert table.exists()


def test_file_name_pattern_is_kept_for_the_folder(opened, folder):
    workspace = opened()
    (folder / "1.png.txt").write_text("by its whole name")
    workspace.sources.choose(CaptionSource(CaptionFormat.TXT, "{name}"))
    workspace.close()
    workspace = opened()
    assert captions(workspace)[0] == "by its whole name"
    workspace.set_captions({workspace.ids()[1]: "two"}, EDIT)
    assert (folder / "2.png.txt").read_text() == "two\n"


def test_tags_of_xmp_files_are_their_keywords(opened, folder):
    workspace = opened()
    workspace.sources.choose(CaptionSource(CaptionFormat.XMP))
    workspace.close()
    described = xmp.described(None, description="A dog, at sea.", alt_text="", extension="png")
    data = with_keywords(described, ["dog", "Paris, France"])
    (folder / "1.xmp").write_bytes(data)
    workspace = opened()
    assert captions(workspace)[0] == "A dog, at sea."
    assert workspace.settle_mode() is CaptionMode.TEXT
    workspace.choose_mode(CaptionMode.TAGS)
    workspace.close()
    workspace = opened()
    assert workspace.settle_mode() is CaptionMode.TAGS
    assert captions(workspace)[0] == "dog, Paris, France"
    ids = workspace.ids()
    workspace.apply(ids[:2], AddTags(("sea",)))
    after = (folder / "1.xmp").read_bytes()
    assert keywords_of(after) == ["dog", "Paris, France", "sea"]
    assert xmp.read(after) == xmp.read(data)
    assert keywords_of((folder / "2.xmp").read_bytes()) == ["sea"]
    workspace.undo()
    assert (folder / "1.xmp").read_bytes() == data
    assert captions(workspace)[:2] == ["dog, Paris, France", ""]


def test_exports_take_the_captions_of_the_table(opened, folder):
    workspace = opened()
    (folder / "1.txt").write_text("beside")
    rows = workspace.rows(workspace.ids())
    paths, known = [row.path for row in rows], {row.path: row.caption for row in rows}
    found = gathered(paths, folder, (CaptionFormat.XMP,), captions=known).items
    assert [item.caption for item in found] == captions(workspace)


def test_import_reads_captions_with_unusual_line_ends(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes('{"file_name": "1.png", "text": "one\u2028two\x85three"}\r\n'.encode())
    assert [one.caption for one in read_captions(file)] == ["one\u2028two\x85three"]


def ids_of(workspace, *names):
    rows = {row.path.name: row.id for row in workspace.rows(workspace.ids())}
    return [rows[name] for name in names]


def rows_in(folder):
    return [json.loads(one) for one in (folder / "metadata.jsonl").read_text().splitlines()]


def contents(*folders):
    return {path: path.read_bytes() for one in folders for path in sorted(one.rglob("*.jsonl"))}


def undone_and_made_again(workspace, *folders, before):
    """Undoes the move, and makes it again, with tables as they were to the byte."""
    after = contents(*folders)
    assert workspace.undo().failures == ()
    assert contents(*folders) == before
    assert workspace.redo().failures == ()
    assert contents(*folders) == after
    assert workspace.undo().failures == ()
    assert contents(*folders) == before


def test_row_goes_with_an_image_that_is_moved_within_reach_of_its_table(opened, folder):
    workspace, table, before = opened(), folder / "metadata.jsonl", contents(folder)
    report = workspace.move_to(ids_of(workspace, "1.png", "3.png"), folder / "sub")
    assert (len(report.changed), report.failures, report.note) == (2, (), None)
    lines = rows_in(folder)
    names = ["sub/1.png", "2.png", "sub/3.png", "4.png", "sub/5.png"]
    assert [one["file_name"] for one in lines] == names
    assert {one["score"] for one in lines} == {1.5}
    scan(workspace)
    assert sorted(captions(workspace)) == ["", *(f"a dog {number}" for number in range(1, 6))]
    workspace.set_captions(dict.fromkeys(ids_of(workspace, "1.png"), "a cat"), EDIT)
    assert "sub/1.png" in table.read_text()
    assert table.read_text().count("1.png") == 1
    workspace.undo()
    undone_and_made_again(workspace, folder, before=before)


@pytest.mark.parametrize(
    "there",
    [
        line("9.png", "here", score=2),
        json.dumps({"image": "9.png", "caption": "here"}),
        line("2.png", "of an image that is gone"),
        None,
    ],
)
def test_row_goes_into_the_table_of_another_folder(opened, folder, tmp_path, there):
    other = tmp_path / "other"
    other.mkdir()
    if there:
        (other / "metadata.jsonl").write_text(there)
    workspace, before = opened(), contents(folder, other)
    report = workspace.move_to(ids_of(workspace, "2.png", "3.png", "6.png"), other)
    assert (len(report.changed), report.failures) == (3, ())
    assert ("new" in str(report.note)) == (there is None)
    left = [row["file_name"] for row in rows_in(folder)]
    assert left == ["1.png", "4.png", "sub/5.png"]
    with_new = Workspace.open([other], tmp_path / "data", WorkspaceOptions(
        format=CaptionFormat.JSONL, table="metadata.jsonl"))  # fmt: skip
    scan(with_new)
    assert captions(with_new) == ["a dog 2", "a dog 3", ""]
    with_new.close()
    rows = rows_in(other)
    has_score = {"score" in row for row in rows if "a dog 3" in row.values()}
    assert has_score == {there is None or "score" in there or "gone" in there}
    undone_and_made_again(workspace, folder, other, before=before)
    assert not list(other.glob("*.png"))


def test_row_goes_and_comes_back_with_an_image_in_the_trash(opened, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    workspace, before = opened(), contents(folder)
    assert workspace.trash(ids_of(workspace, "1.png", "4.png")).failures == ()
    left = [row["file_name"] for row in rows_in(folder)]
    assert left == ["2.png", "3.png", "sub/5.png"]
    undone_and_made_again(workspace, folder, before=before)


def test_row_that_another_program_has_changed_stays(opened, folder, tmp_path):
    workspace, table = opened(), folder / "metadata.jsonl"
    workspace.move_to(ids_of(workspace, "1.png"), folder / "sub")
    mine = table.read_text().replace("a dog 1", "a cat")
    table.write_text(mine)
    report = workspace.undo()
    assert "Another program has changed" in report.failures[0].reason
    assert (folder / "1.png").exists()
    assert table.read_text() == mine


def test_row_of_a_csv_file_goes_with_its_other_cells(opened, folder, tmp_path):
    (folder / "metadata.jsonl").unlink()
    table, other = folder / "metadata.csv", tmp_path / "other"
    other.mkdir()
    mine = 'n;"file_name";text\r\n1;"1.png";"one; two"\r\n\r\n2;2.png;three\r\n3;"3.png";four'
    theirs = "n;file_name;text\n7;7.png;seven\n"
    table.write_bytes(mine.encode())
    (other / "metadata.csv").write_bytes(theirs.encode())
    workspace = opened()
    workspace.move_to(ids_of(workspace, "1.png"), folder / "sub")
    assert table.read_bytes().decode() == mine.replace("1.png", "sub/1.png")
    workspace.move_to(ids_of(workspace, "2.png", "3.png"), other)
    moved = f'{theirs}2;2.png;three\n3;"3.png";four\n'
    assert (other / "metadata.csv").read_bytes().decode().replace("\r\n", "\n") == moved
    workspace.undo()
    workspace.undo()
    assert table.read_bytes().decode() == mine
    assert (other / "metadata.csv").read_bytes().decode() == theirs


def test_all_rows_of_an_image_stay_and_go_with_it(opened, folder, tmp_path):
    table = folder / "metadata.jsonl"
    given = line("1.png", "first") + table.read_text() + line("1.png", "last", by="me")
    table.write_text(given)
    workspace = opened()
    (note,) = workspace.notes
    assert "“metadata.jsonl” has several captions for 1 of its images" in note
    image = workspace.row_of(folder / "1.png")
    assert image is not None
    assert image.caption == "last"
    workspace.set_captions({image.id: "mine"}, EDIT)
    assert table.read_text() == given.replace('"last"', '"mine"')
    workspace.undo()
    assert table.read_text() == given

    for target in (folder / "sub", tmp_path / "elsewhere"):
        target.mkdir(exist_ok=True)
        workspace.move_to(ids_of(workspace, "1.png"), target)
        moved = [json.loads(one) for one in read_rows(target, table) if "1.png" in one]
        assert [one["text"] for one in moved] == ["first", "a dog 1", "last"]
        assert workspace.undo().failures == ()
        assert table.read_text() == given
        assert workspace.redo().failures == ()
        assert workspace.undo().failures == ()
        assert table.read_text() == given

    assert workspace.trash(ids_of(workspace, "1.png")).failures == ()
    assert "1.png" not in table.read_text()
    workspace.undo()
    assert table.read_text() == given


def read_rows(folder, table):
    own = folder / table.name
    return (own if own.exists() else table).read_text().splitlines()


@pytest.mark.parametrize("content", ["file_name,text\n", "file_name,caption\r\n", "file_name,text"])
@pytest.mark.parametrize("restarts", [False, True])
def test_table_that_had_no_rows_stays_when_its_first_is_undone(opened, folder, content, restarts):
    (folder / "metadata.jsonl").unlink()
    table = folder / "metadata.csv"
    table.write_bytes(content.encode())
    workspace = opened(WorkspaceOptions(table="metadata.csv"))
    workspace.set_captions({next(iter(workspace.ids())): "a cat"}, EDIT)
    assert b"a cat" in table.read_bytes()
    if restarts:
        workspace.close()
        workspace = opened(WorkspaceOptions(table="metadata.csv"))
    workspace.undo()
    assert table.read_bytes() == content.encode()


def test_table_of_another_program_in_the_place_of_ours_stays(opened, folder):
    (folder / "metadata.jsonl").unlink()
    table = folder / "metadata.csv"
    workspace = opened(WorkspaceOptions(table="metadata.csv"))
    first = next(iter(workspace.ids()))
    workspace.set_captions({first: "a cat"}, EDIT)
    table.write_text("file_name,text\n")
    scan(workspace)
    workspace.set_captions({first: "a dog"}, EDIT)
    assert "a dog" in table.read_text()
    workspace.close()
    opened(WorkspaceOptions(table="metadata.csv")).undo()
    assert table.read_text() == "file_name,text\n"


def test_rows_go_with_images_whose_trash_has_no_way_back(opened, folder, tmp_path, monkeypatch):
    """As on Windows and macOS, where another package moves the files."""
    trash = tmp_path / "trash"
    trash.mkdir()

    def send(paths):
        for path in paths:
            Path(path).rename(trash / Path(path).name)

    monkeypatch.setitem(sys.modules, "send2trash", SimpleNamespace(send2trash=send))
    monkeypatch.setattr("core.workspace.changes.HAS_WAY_BACK", False)
    given = (folder / "metadata.jsonl").read_text()
    workspace = opened()
    ids = [workspace.row_of(folder / name).id for name in ("1.png", "4.png")]
    report = workspace.trash(ids)
    assert (set(report.changed), report.failures) == (set(ids), ())
    assert sorted(path.name for path in trash.iterdir()) == ["1.png", "4.png"]
    assert (folder / "metadata.jsonl").read_text() == "".join(
        given.splitlines(True)[1:3] + given.splitlines(True)[4:]
    )
    assert len(workspace.ids()) == 4
    workspace.undo()
    assert (folder / "metadata.jsonl").read_text() == given
