"""A database of reviews, drafts, notes and edits that an earlier Onlooker wrote is kept whole.

`tests/data/workspace_6` has the sixth version of the tables: four images in
/tmp/onlooker-sample/images, whose captions are tags. One edit added a tag to two of them, three
were reviewed, one was moved to a subfolder, and a last edit was undone.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from core.workspace.data import CaptionMode, Draft, ReviewState, WorkspaceOptions
from core.workspace.opening import VERSION
from core.workspace.workspace import Workspace

SAMPLE = Path(__file__).parents[2] / "data" / "workspace_6" / "workspace.sqlite"
PLACE = "/tmp/onlooker-sample/images"
STATES = {
    "a": ReviewState.ACCEPTED,
    "b": ReviewState.REJECTED,
    "c": ReviewState.NEEDS_WORK,
    "d": ReviewState.UNREVIEWED,
}


@pytest.fixture
def home(tmp_path):
    """The images as they were when the database was written, and the database."""
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    for number, name in enumerate("abcd"):
        folder = images / "sub" if name == "d" else images
        (folder / f"{name}.ppm").write_bytes(b"P6 1 1 255\n" + bytes([number] * 3))
        tags = f"cat {name}, mat, dog\n" if name in "ab" else f"cat {name}, mat\n"
        (folder / f"{name}.txt").write_bytes(tags.encode())
    (tmp_path / "data").mkdir()
    shutil.copy(SAMPLE, tmp_path / "data")
    return tmp_path


def move_paths(database, place):
    """Makes the database one about images at another place."""
    changed = {
        "record": ("folder",),
        "action": ("folders",),
        "step": ("image", "path", "before", "after"),
        "note": ("path",),
        "folder_options": ("folders",),
    }
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, columns in changed.items():
            for column in columns:
                connection.create_function("moved", 1, lambda value: moved(value, place))
                connection.execute(f"UPDATE {table} SET {column} = moved({column})")


def moved(value, place):
    if isinstance(value, bytes):
        return value.replace(PLACE.encode(), place.encode())
    return value.replace(PLACE, place) if isinstance(value, str) else value


def opened(home):
    workspace = Workspace.open([home / "images"], home / "data", WorkspaceOptions())
    workspace.scan(Event(), lambda progress: None)
    return workspace


def check_records(workspace):
    rows = {row.path.stem: row for row in workspace.rows(workspace.ids())}
    assert {name: row.review for name, row in rows.items()} == STATES
    assert {name for name, row in rows.items() if row.is_edited} == {"a", "b"}
    assert rows["c"].doubt == 0.75
    assert workspace.drafts.of(rows["b"].id) == Draft("half a sen")
    assert workspace.drafts.of(rows["a"].id) is None
    assert workspace.answers.of(rows["c"].id) == "cat c, mat"
    return rows


def files(home):
    found = (home / "images").rglob("*.*")
    return {path.relative_to(home / "images").as_posix(): path.read_bytes() for path in found}


def test_states_drafts_and_notes_of_an_earlier_version_are_kept(home):
    move_paths(home / "data" / SAMPLE.name, (home / "images").as_posix())
    for _ in range(2):  # Also once the tables have been brought up to date.
        with closing(opened(home)) as workspace:
            assert workspace.notes == ()
            check_records(workspace)
            assert workspace.note(home / "images") == "of 1987"
            assert workspace.note(home / "images" / "c.ppm") == "☃"
            assert workspace.settle_mode() is CaptionMode.TAGS
    with closing(sqlite3.connect(home / "data" / SAMPLE.name)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_edits_of_an_earlier_version_are_undone_and_redone(home):
    move_paths(home / "data" / SAMPLE.name, (home / "images").as_posix())
    before = files(home)
    with closing(opened(home)) as workspace:
        assert workspace.redo_name == "Edit"
        redone = workspace.redo()
        assert redone is not None
        assert redone.failures == ()
        assert files(home) == {**before, "b.txt": b"a bird\n"}
        undone = workspace.undo()
        assert undone is not None
        assert not undone.conflicts
        assert files(home) == before
        names = []
        while (report := workspace.undo()) is not None:
            assert (report.failures, report.conflicts) == ((), ())
            names.append(str(report.name))
        assert names == [
            *("Move to “sub”", "Mark as needs work", "Reject", "Accept", "Add tag “dog”"),
        ]
        assert {row.review for row in workspace.rows(workspace.ids())} == {ReviewState.UNREVIEWED}
    assert {name: text for name, text in files(home).items() if name.endswith(".txt")} == {
        f"{name}.txt": f"cat {name}, mat\n".encode() for name in "abcd"
    }


def test_records_of_an_earlier_version_are_found_by_the_content_of_images(home):
    with closing(opened(home)) as workspace:
        check_records(workspace)
