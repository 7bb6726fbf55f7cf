"""Images moved with the files beside them, to a folder or to the trash, and brought back."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pytest

from core.errors import StoreError
from core.workspace import trash
from core.workspace.move import FileMove, SidecarFinder, perform, planned_moves, revert
from core.workspace.removal import wait_for_removal
from tests.support.killed_moves import the_move

needs_posix = pytest.mark.skipif(os.name == "nt", reason="the trash of Linux")


def fill(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(f"content of {name}")
    return [folder / name for name in names]


def held(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files_in(folder)}


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def do(plan):
    for moves in plan.values():
        for move in moves:
            perform(move)


def undo(plan):
    for moves in reversed(plan.values()):
        for move in reversed(moves):
            revert(move)


@pytest.fixture
def other_disk():
    """A folder on another disk."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no other disk")
    folder = Path(tempfile.mkdtemp(dir=shared))
    yield folder
    shutil.rmtree(folder)


def test_image_goes_with_all_that_belongs_to_it_and_comes_back(tmp_path):
    names = ["a.jpg", "a.TXT", "a.xmp", "a.jpg.pp3", "a.json", "a b.txt", "b.jpg", "b.txt", "a.md"]
    fill(tmp_path / "from", *names)
    before = held(tmp_path)
    plan = dict(
        planned_moves(SidecarFinder([tmp_path / "from" / "a.jpg"]), tmp_path / "new" / "to")
    )
    do(plan)
    assert {path.name for path in (tmp_path / "new" / "to").iterdir()} == {
        *("a.jpg", "a.TXT", "a.xmp", "a.jpg.pp3", "a.json"),
    }
    assert {path.name for path in (tmp_path / "from").iterdir()} == {
        *("a b.txt", "b.jpg", "b.txt", "a.md"),
    }
    undo(plan)
    assert held(tmp_path) == before


@pytest.mark.parametrize(
    ("pattern", "caption", "moved"),
    [
        ("{stem}", "a.txt", "a (2).txt"),
        ("{name}", "a.jpg.txt", "a (2).jpg.txt"),
        ("caption of {stem}", "caption of a.txt", "caption of a (2).txt"),
    ],
)
def test_taken_names_get_a_number_image_and_caption_the_same(tmp_path, pattern, caption, moved):
    (picture, _) = fill(tmp_path / "from", "a.jpg", caption)
    fill(tmp_path / "to", "A.JPG" if sys.platform in ("win32", "darwin") else "a.jpg")
    there = held(tmp_path / "to")
    plan = dict(planned_moves(SidecarFinder([picture], pattern), tmp_path / "to"))
    do(plan)
    assert held(tmp_path / "to").items() >= there.items()
    assert {path.name for path in (tmp_path / "to").iterdir()} - set(there) == {"a (2).jpg", moved}
    undo(plan)
    assert held(tmp_path / "to") == there


def test_images_of_one_name_from_two_folders_do_not_meet(tmp_path):
    pictures = fill(tmp_path / "one", "a.jpg", "a.txt")[:1]
    pictures += fill(tmp_path / "two", "A.jpg", "A.txt")[:1]
    plan = dict(planned_moves(SidecarFinder(pictures), tmp_path / "to"))
    do(plan)
    names = sorted(path.name for path in (tmp_path / "to").iterdir())
    assert names == ["A (2).jpg", "A (2).txt", "a.jpg", "a.txt"]


def test_caption_that_another_image_needs_is_copied(tmp_path):
    jpg, png, _ = fill(tmp_path / "from", "a.jpg", "a.png", "a.txt")
    before = held(tmp_path)
    plan = dict(planned_moves(SidecarFinder([jpg]), tmp_path / "to"))
    do(plan)
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a.jpg", "a.txt"]
    assert sorted(path.name for path in (tmp_path / "from").iterdir()) == ["a.png", "a.txt"]
    undo(plan)
    assert held(tmp_path) == before
    plan = dict(planned_moves(SidecarFinder([jpg, png]), tmp_path / "to"))
    do(plan)
    assert not files_in(tmp_path / "from")
    assert len(files_in(tmp_path / "to")) == 3
    undo(plan)
    assert held(tmp_path) == before


def test_image_that_is_there_already_stays(tmp_path):
    (picture, _) = fill(tmp_path / "from", "a.jpg", "a.txt")
    link = tmp_path / "link"
    with suppress(OSError):
        link.symlink_to(tmp_path / "from")
    for folder in (tmp_path / "from", link):
        assert (
            dict(planned_moves(SidecarFinder([picture]), folder)) == {picture: []}
            or not folder.exists()
        )


def test_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    (picture,) = fill(tmp_path / "from", "a.jpg")
    (move,) = dict(planned_moves(SidecarFinder([picture]), tmp_path / "to"))[picture]
    fill(tmp_path / "to", "a.jpg")
    (tmp_path / "to" / "a.jpg").write_text("another")
    for is_resumed in (False, True):
        with pytest.raises(StoreError, match=r"there is another file “a\.jpg”"):
            perform(move, is_resumed=is_resumed)
    assert held(tmp_path) == {"from/a.jpg": "content of a.jpg", "to/a.jpg": "another"}
    (tmp_path / "to" / "a.jpg").unlink()
    perform(move)
    picture.write_text("a new one")
    with pytest.raises(StoreError, match=r"there is another file “a\.jpg”"):
        revert(move)
    assert held(tmp_path) == {"from/a.jpg": "a new one", "to/a.jpg": "content of a.jpg"}


def test_what_is_gone_is_said_so(tmp_path):
    (picture,) = fill(tmp_path / "from", "a.jpg")
    (move,) = dict(planned_moves(SidecarFinder([picture]), tmp_path / "to"))[picture]
    picture.unlink()
    for attempt in (perform, revert):
        with pytest.raises(StoreError, match="no longer in"):
            attempt(move)
    assert not files_in(tmp_path)


def test_file_goes_to_another_disk_and_back(tmp_path, other_disk):
    (picture, _) = fill(tmp_path / "from", "a.jpg", "a.txt")
    os.utime(picture, (1_000_000, 1_000_000))
    before = held(tmp_path)
    plan = dict(planned_moves(SidecarFinder([picture]), other_disk / "to"))
    do(plan)
    assert sorted(path.name for path in files_in(other_disk)) == ["a.jpg", "a.txt"]
    assert (other_disk / "to" / "a.jpg").stat().st_mtime == 1_000_000
    assert not files_in(tmp_path)
    undo(plan)
    assert held(tmp_path) == before
    assert not files_in(other_disk)


KILLED = [f"{kind}-{verb}" for kind in ("move", "copy", "trash") for verb in ("perform", "revert")]


@needs_posix
@pytest.mark.parametrize("is_other_disk", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_killed_move_can_be_finished_and_taken_back(tmp_path, request, is_other_disk):
    root = tmp_path / "root"
    other = request.getfixturevalue("other_disk") if is_other_disk else tmp_path / "other"
    script = [sys.executable, "-m", "tests.support.killed_moves"]
    subprocess.run([*script, str(root), str(other), *KILLED], check=True)
    for what in KILLED:
        points = int((root / what / "points").read_text())
        assert points >= 1
        for point in range(points):
            move = the_move(root, other, what, point)
            # Some are finished first, others taken back first; doing it again changes nothing.
            for is_forward in [True, False, True][point % 2 :]:
                for _ in range(2):
                    if is_forward:
                        perform(move, is_resumed=True)
                    else:
                        revert(move)
            assert move.target.read_bytes() == b"content"
            assert move.source.exists() == move.is_copy
            revert(move)
            wait_for_removal()
            assert [path.name for path in files_in(root / what / str(point))] == ["a.jpg"]
            assert not files_in(other / what / str(point))


@needs_posix
def test_deleted_image_is_in_the_trash_of_the_desktop_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    pictures = [fill(tmp_path / name, "ä b%.jpg", "ä b%.txt")[0] for name in ("one", "two")]
    before = held(tmp_path)
    plan = dict(trash.planned_deletions(SidecarFinder(pictures)))
    do(plan)
    assert not files_in(tmp_path / "one")
    bin = tmp_path / "data" / "Trash"
    assert sorted(path.name for path in (bin / "files").iterdir()) == [
        *("ä b%.2.jpg", "ä b%.2.txt", "ä b%.jpg", "ä b%.txt"),
    ]
    for path in (bin / "files").iterdir():
        head, where, moment = (bin / "info" / f"{path.name}.trashinfo").read_text().splitlines()
        assert head == "[Trash Info]"
        original = Path(unquote(where.removeprefix("Path=")))
        assert before[original.relative_to(tmp_path).as_posix()] == path.read_text()
        assert moment.startswith("DeletionDate=20")
        assert len(moment) == len("DeletionDate=2026-01-01T00:00:00")
    undo(plan)
    assert not any((bin / "info").iterdir())
    wait_for_removal()
    assert held(tmp_path) == before
    assert not (bin / "expunged").exists()


@needs_posix
def test_what_a_killed_program_left_to_be_removed_goes_with_the_next(tmp_path, monkeypatch):
    """GNOME has a folder beside it, which is not ours."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    bin = tmp_path / "data" / "Trash"
    pictures = fill(tmp_path / "one", "a.jpg", "b.jpg")
    plan = dict(trash.planned_deletions(SidecarFinder(pictures)))
    do(plan)
    (bin / "expunged").mkdir()
    others = fill(bin / "expunged" / "onlooker", "c.jpg.trashinfo", "a.jpg.trashinfo")
    (theirs,) = fill(bin / "expunged" / "1234", "d.jpg")
    undo(plan)
    wait_for_removal()
    assert not others[0].parent.exists()
    assert theirs.exists()
    assert set(held(tmp_path / "one")) == {"a.jpg", "b.jpg"}


@needs_posix
def test_trash_in_which_nothing_can_be_put_away_is_tidied_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    plan = dict(trash.planned_deletions(SidecarFinder(fill(tmp_path / "one", "a.jpg"))))
    do(plan)
    (tmp_path / "data" / "Trash" / "expunged").write_text("no folder")
    undo(plan)
    assert not any((tmp_path / "data" / "Trash" / "info").iterdir())
    assert set(held(tmp_path / "one")) == {"a.jpg"}


@needs_posix
def test_deleting_one_of_two_images_leaves_the_caption_of_both(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    jpg, *_ = fill(tmp_path / "one", "a.jpg", "a.png", "a.txt")
    do(dict(trash.planned_deletions(SidecarFinder([jpg]))))
    assert set(held(tmp_path / "one")) == {"a.png", "a.txt"}


@needs_posix
def test_file_on_another_disk_goes_to_the_trash_of_that_disk(tmp_path, monkeypatch, other_disk):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (picture,) = fill(other_disk / "from", "a.jpg")
    plan = dict(trash.planned_deletions(SidecarFinder([picture])))
    (move,) = plan[picture]
    bin = move.target.parent.parent
    existed = bin.exists()
    try:
        do(plan)
        top = bin.parent
        assert top == other_disk.parent
        assert bin.name == f".Trash-{os.getuid()}"
        assert f"Path={picture.relative_to(top)}\n" in move.info_path.read_text()
        undo(plan)
        assert held(other_disk) == {"from/a.jpg": "content of a.jpg"}
        assert not move.info_path.exists()
    finally:
        if not existed:
            shutil.rmtree(bin, ignore_errors=True)


@needs_posix
def test_trash_in_the_same_second_does_not_mix_two_files(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for text in ("first", "second"):
        (picture,) = fill(tmp_path / "one", "a")
        picture.write_text(text)
        plan = dict(trash.planned_deletions(SidecarFinder([picture])))
        do(plan)
    undo(plan)
    assert held(tmp_path / "one") == {"a": "second"}


def test_journal_keeps_any_name(tmp_path):
    odd = os.fsdecode(b"\xff\n\xe4.jpg") if os.name != "nt" else "ä.jpg"
    move = FileMove(tmp_path / odd, tmp_path / "to" / odd, trash_info="x")
    assert FileMove.from_json(json.loads(json.dumps(move.to_json()))) == move
