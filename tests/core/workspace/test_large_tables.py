"""A table with very many captions is changed part by part, and read again only once it changes."""

import csv
import json
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import pytest

from core.captions.formats import CaptionFormat
from core.captions.open_tables import OpenTables
from core.captions.table import all_of
from core.message import Message
from core.workspace.bulk import AddTags
from core.workspace.data import CaptionMode, WorkspaceOptions
from core.workspace.made_tables import MadeTables
from core.workspace.opening import open_database
from core.workspace.workspace import Workspace
from tests.core.workspace.test_ongoing import PATIENCE
from tests.support.workspaces import finish, scan

COUNT = 9_000
TAG = AddTags(("a new tag",))
SOURCES = {
    "metadata.jsonl": WorkspaceOptions(
        mode=CaptionMode.TAGS, format=CaptionFormat.JSONL, table="metadata.jsonl"
    ),
    "metadata.csv": WorkspaceOptions(
        mode=CaptionMode.TAGS, format=CaptionFormat.CSV, table="metadata.csv"
    ),
}


def written(path, captions):
    """Another program writes the table."""
    rows = [{"file_name": name, "text": text} for name, text in captions.items()]
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            writer = csv.DictWriter(file, ["file_name", "text"])
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(f"{json.dumps(row)}\n" for row in rows)


def read(path):
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["file_name"]: row["text"] for row in rows}


@pytest.fixture(params=SOURCES)
def table(request, tmp_path):
    """The table of a folder of images, of which nothing but the names is read."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number}.png").touch()
    path = folder / request.param
    written(path, {f"{number}.png": f'a dog, the "{number}"' for number in range(COUNT)})
    return path


@pytest.fixture
def workspace(table, tmp_path):
    workspace = Workspace.open([table.parent], tmp_path / "data", SOURCES[table.name])
    scan(workspace)
    yield workspace
    workspace.close()


def begun(workspace):
    """A tag is being written, and the table is not written yet."""
    ongoing = workspace.begin_apply(workspace.ids(), TAG)
    while not (ongoing.progress and ongoing.progress.is_writing):
        assert not ongoing.is_done
        ongoing.go_on()
    assert not ongoing.progress.done
    return ongoing


def test_others_read_while_a_table_is_changed(workspace, table):
    before = table.read_bytes()
    ongoing = begun(workspace)
    with ThreadPoolExecutor() as pool:
        assert len(pool.submit(workspace.rows, workspace.ids()).result(PATIENCE)) == COUNT
    assert table.read_bytes() == before
    assert len(finish(ongoing).changed) == COUNT
    assert all(caption.endswith(", a new tag") for caption in read(table).values())
    rows = workspace.rows(workspace.ids())
    assert {row.path.name: row.caption for row in rows} == read(table)
    assert len(workspace.undo().changed) == COUNT
    assert table.read_bytes() == before


def test_edit_of_a_table_is_stopped_as_a_whole(workspace, table):
    before = table.read_bytes()
    ongoing = begun(workspace)
    ongoing.stop()
    report = finish(ongoing)
    assert (report.changed, report.left) == ((), COUNT)
    assert table.read_bytes() == before
    assert workspace.undo_name is None


def test_row_that_another_program_writes_meanwhile_stays(workspace, table):
    ongoing = begun(workspace)
    captions = read(table)
    captions["7.png"] = "by another program"
    captions["new.png"] = "another row"
    written(table, captions)
    report = finish(ongoing)
    assert [conflict.path.name for conflict in report.conflicts] == ["7.png"]
    assert len(report.changed) == COUNT - 1
    found = read(table)
    assert (found["7.png"], found["new.png"]) == ("by another program", "another row")
    assert found["8.png"] == 'a dog, the "8", a new tag'


def test_what_other_programs_do_with_tables_is_read(workspace, table):
    """Also with each folder looked through, as when one comes back to the window."""
    scan(workspace)
    (one, two) = workspace.ids()[:2]
    workspace.set_captions({one: "by hand"}, Message("Edit"))
    captions = read(table)
    captions["1.png"] = "by another program"
    written(table, captions)
    scan(workspace)
    assert [row.caption for row in workspace.rows([one, two])] == ["by hand", "by another program"]
    for name in ("sub", "sub2"):
        inner = table.parent / name
        inner.mkdir()
        (inner / "a.png").touch()
        scan(workspace)
        assert workspace.row_of(inner / "a.png").caption == ""
        written(inner / table.name, {"a.png": "of its own table"})
        scan(workspace)
        assert workspace.row_of(inner / "a.png").caption == "of its own table"
        (inner / table.name).unlink()
        scan(workspace)
        assert workspace.row_of(inner / "a.png").caption == ""
    table.write_bytes(b"{ no table")
    scan(workspace)
    assert workspace.row_of(table.parent / "1.png").problem
    written(table, captions)
    scan(workspace)
    assert workspace.row_of(table.parent / "1.png").caption == "by another program"


@pytest.fixture
def tables(tmp_path):
    connection, _ = open_database(tmp_path / "data")
    with closing(connection):
        yield OpenTables(MadeTables(connection))


def taken_away(tables, table, numbers):
    """How the rows of these images go out of a table, as where the images are moved."""
    found = tables.table(str(table))
    lines = [found.line(f"{number}.png") for number in numbers]
    return [(line, None) for line in lines], [(None, line) for line in lines]


def test_rows_are_moved_in_parts_and_come_back_where_they_were(tables, table):
    path, before = str(table), table.read_bytes()
    numbers = range(0, COUNT, 2)
    away, back = taken_away(tables, table, numbers)
    for changes, left in ((away, COUNT - len(numbers)), (back, COUNT)):
        content = table.read_bytes()
        parts = 0
        for _ in tables.put_lines_in_parts(path, changes):
            assert table.read_bytes() == content
            parts += 1
        assert parts >= len(changes) / 1_000
        assert len(read(table)) == left
    assert table.read_bytes() == before


@pytest.mark.parametrize("is_at_end", [True, False])
def test_row_that_another_program_writes_while_rows_are_moved_stays(tables, table, is_at_end):
    away, _ = taken_away(tables, table, range(1_000))
    putting = tables.put_lines_in_parts(str(table), away)
    next(putting)
    if is_at_end:
        deque(islice(putting, 3), maxlen=0)
    captions = read(table)
    captions |= {"7.png": "by another program", "8999.png": "theirs", "new.png": "another row"}
    written(table, captions)
    assert all_of(putting) == [7]
    found = read(table)
    assert len(found) == COUNT + 1 - 999
    assert [found[f"{name}.png"] for name in ("7", "8999", "new")] == [
        *("by another program", "theirs", "another row")
    ]
