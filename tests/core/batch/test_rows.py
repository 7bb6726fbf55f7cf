"""A run over a folder whose captions are in a table: its rows are written, and nothing else."""

import json
import os
from contextlib import closing

import pytest

from core.batch import Batch, BatchOptions, CaptionsBeside, Control, ItemState
from core.captions.sidecar import Existing
from core.errors import StoreError
from tests.support.folder_run import FolderEngine

PROMPT = "What is it?"
OPTIONS = BatchOptions((PROMPT,), writes=(), tables=("metadata.jsonl",))
TABLE = (
    b'{"file_name": "1.png", "text": "mine", "score": 1.50}\n'
    b"\n"
    b'{"score": 2, "file_name": "2.png"}\n'
    b'{"file_name": "elsewhere.png", "text": "also mine"}'
)


@pytest.fixture
def table(folder):
    """1.png has a caption there, 2.png a row without one, and 3.png no row."""
    path = folder / "metadata.jsonl"
    path.write_bytes(TABLE)
    return path


def rows(path):
    lines = filter(str.strip, path.read_text().splitlines())
    return {row["file_name"]: row for row in map(json.loads, lines)}


def texts(path):
    return {name: row.get("text") for name, row in rows(path).items()}


def said(name, prompt=PROMPT):
    return f"{name}.png: {prompt}"


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".png")


def test_captions_are_written_into_rows_and_taken_back(begin_run, table, folder):
    batch = begin_run(OPTIONS)
    assert batch.caption_beside(0) == "mine"
    tally = batch.run(FolderEngine(), Control(), slots=2)
    assert (tally.done, tally.skipped, tally.failed) == (2, 1, 0)
    assert files(folder) == ["metadata.jsonl"]
    expected = {"1.png": "mine", "2.png": said(2), "3.png": said(3), "elsewhere.png": "also mine"}
    assert texts(table) == expected
    assert table.read_bytes().startswith(TABLE[: TABLE.index(b"\n")])
    assert (rows(table)["1.png"]["score"], rows(table)["2.png"]["score"]) == (1.5, 2)
    assert batch.undo() == []
    assert table.read_bytes() == TABLE


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("captions.csv", '﻿image;caption;n\r\n1.png;"mine; “und”";7\r\n2.png;;8\r\n'.encode()),
        ("metadata.csv", "text,file_name\nfr\xfcher,1.png\n".encode("cp1252")),
        ("metadata.jsonl", b""),
    ],
)
def test_table_of_any_form_is_as_before_once_the_run_is_undone(begin_run, folder, name, content):
    path = folder / name
    if content:
        path.write_bytes(content)
    options = BatchOptions((PROMPT,), writes=(), tables=(name,), existing=Existing.REPLACE)
    batch = begin_run(options)
    assert batch.run(FolderEngine(), Control()).done == 3
    assert files(folder) == [name]
    found = CaptionsBeside(options, [folder], [item.path for item in batch.items])
    assert [found.read(item.path) for item in batch.items] == [said(1), said(2), said(3)]
    assert path.read_bytes()[:3] == content[:3] or not content
    assert batch.undo() == []
    assert path.exists() == bool(content)
    assert not content or path.read_bytes() == content


@pytest.mark.parametrize("existing", [Existing.SKIP, Existing.REPLACE])
@pytest.mark.parametrize("content", ["file_name,text\n", None])
def test_table_without_rows_is_as_before_when_a_run_is_undone_on_another_day(
    begin_run, folder, existing, content
):
    path = folder / "metadata.csv"
    if content is not None:
        path.write_text(content)
    with closing(begin_run(OPTIONS, tables=(path.name,), existing=existing)) as batch:
        assert batch.run(FolderEngine(), Control()).done == 3
    with closing(Batch.resume(batch.journal_path)) as resumed:
        assert resumed.undo() == []
    assert (path.read_text() if path.exists() else None) == content


def test_only_what_the_model_wrote_is_replaced(begin_run, table):
    with closing(begin_run(OPTIONS)) as batch:
        batch.run(FolderEngine(), Control())
    table.write_text(table.read_text().replace(said(3), "three by hand"))
    again = begin_run(OPTIONS, existing=Existing.GENERATED, prompts=("And now?",))
    assert again.run(FolderEngine(), Control()).done == 1
    expected = {"1.png": "mine", "2.png": said(2, "And now?"), "3.png": "three by hand"}
    assert texts(table) | expected == texts(table)


def test_caption_that_was_replaced_in_other_ways_is_made_anew_alone(begin_run, table):
    with closing(begin_run(OPTIONS, existing=Existing.REPLACE)) as batch:
        assert batch.run(FolderEngine(), Control()).done == 3
    with closing(begin_run(OPTIONS, existing=Existing.STALE)) as batch:
        assert batch.run(FolderEngine(), Control()).skipped == 3
    added = begin_run(OPTIONS, existing=Existing.APPEND, separator=", ", prompts=("More?",))
    added.run(FolderEngine(), Control())
    assert texts(table)["1.png"] == f"{said(1)}, {said(1, 'More?')}"


def test_what_others_write_meanwhile_is_kept(begin_run, table):
    """Also in rows that the run is about to replace, and in rows of other images."""
    batch = begin_run(OPTIONS, existing=Existing.REPLACE)
    engine = FolderEngine()

    def write(request):
        if request.picture.path.name == "1.png":
            mine = table.read_text().replace('"mine"', '"mine, and later"')
            table.write_text(f'{mine}\n{{"file_name": "new.png", "text": "new"}}\n')

    engine.on_answer = write
    tally = batch.run(engine, Control())
    assert (tally.done, tally.skipped) == (2, 1)
    found = texts(table)
    assert (found["1.png"], found["2.png"]) == ("mine, and later", said(2))
    assert (found["new.png"], found["elsewhere.png"]) == ("new", "also mine")
    table.write_text(table.read_text().replace(said(2), "two by hand"))
    assert batch.undo() == [table]
    assert [item.state for item in batch.items][1:] == [ItemState.DONE, ItemState.UNDONE]
    found = texts(table)
    assert (found["2.png"], found["new.png"], found.get("3.png")) == ("two by hand", "new", None)


def test_run_is_resumed_and_edited(begin_run, table, journals):
    control = Control()
    batch = begin_run(OPTIONS, existing=Existing.REPLACE)
    engine = FolderEngine()
    engine.on_answer = lambda request: control.stop_after_this()
    batch.run(engine, control)
    batch.close()
    mine = table.read_text().replace("also mine", "still mine")
    table.write_text(mine)
    with closing(Batch.resume(batch.journal_path)) as resumed:
        engine = FolderEngine()
        resumed.run(engine, Control())
        assert [name for name, _ in engine.asked] == ["2.png", "3.png"]
        resumed.edit_all({0: "one by hand", 2: "three by hand"})
        assert texts(table)["3.png"] == "three by hand"
        resumed.undo_edit()
        assert texts(table)["1.png"] == said(1)
        resumed.redo_edit()
        table.write_text(table.read_text().replace("one by hand", "one by another"))
        (conflict,) = resumed.edit(0, "mine again").conflicts
        assert (conflict.found, conflict.caption) == ("one by another", "mine again")
        resumed.undo(keeps_edits=False)
    assert texts(table) == {"1.png": "one by another", "2.png": None, "elsewhere.png": "still mine"}


def test_row_is_found_in_the_nearest_table(begin_run, table, folder):
    inner = folder / "inner"
    inner.mkdir()
    os.link(folder / "1.png", inner / "4.png")
    os.link(folder / "1.png", inner / "5.png")
    table.write_bytes(b'{"file_name": "inner/4.png"}\n')
    options = {"tables": (str(table),), "existing": Existing.REPLACE}
    with closing(begin_run(OPTIONS, inner / "4.png", folder / "2.png", **options)) as batch:
        assert batch.run(FolderEngine(), Control()).done == 2
    assert texts(table) == {"inner/4.png": said(4), "2.png": said(2)}
    (inner / "metadata.jsonl").write_bytes(b'{"file_name": "5.png"}\n')
    with closing(begin_run(OPTIONS, is_recursive=True, **options)) as batch:
        assert batch.run(FolderEngine(), Control()).done == 5
    assert texts(inner / "metadata.jsonl") == {"5.png": said(5)}
    assert set(texts(table)) == {"1.png", "2.png", "3.png", "inner/4.png"}


def test_damaged_table_ends_the_run_before_it_begins(begin_run, table, journals):
    table.write_bytes(b'{"file_name": "1.png"')
    with pytest.raises(StoreError, match=r"“metadata.jsonl” is not a table of captions"):
        begin_run(OPTIONS)
    assert not list(journals.glob("*.jsonl"))
    table.write_bytes(b'{"file_name": "1.png", "text": 5}\n')
    batch = begin_run(OPTIONS, existing=Existing.REPLACE)
    assert batch.run(FolderEngine(), Control()).failed == 1
    assert "is not text" in batch.items[0].reason
    assert rows(table)["1.png"]["text"] == 5


def test_what_a_model_wrote_earlier_and_is_there_again_is_the_models(begin_run, table):
    with closing(begin_run(OPTIONS)) as batch:
        batch.run(FolderEngine(), Control())
    earlier = table.read_text()
    with closing(begin_run(OPTIONS, existing=Existing.REPLACE, prompts=("And now?",))) as batch:
        batch.run(FolderEngine(), Control())
    table.write_text(earlier)
    last = begin_run(OPTIONS, existing=Existing.GENERATED, prompts=("And then?",))
    assert last.run(FolderEngine(), Control()).done == 2
    assert texts(table)["1.png"] == "mine"
    assert texts(table)["3.png"] == said(3, "And then?")


@pytest.mark.parametrize("places", [{"writes": ("txt",)}, {"tables": ("captions.csv",)}])
def test_nothing_is_undone_while_the_disk_is_away(begin_run, folder, tmp_path, places):
    """Files that cannot be seen are not taken for gone, or changed by somebody else."""
    batch = begin_run(BatchOptions((PROMPT,), **({"writes": ()} | places)))
    assert batch.run(FolderEngine(), Control()).done == 3
    batch.edit(0, "by hand", lambda number, item: None)
    written = files(folder)
    away = tmp_path / "away"
    folder.rename(away)
    folder.mkdir()  # A mount point stays.
    for undo in (batch.undo, lambda: batch.undo_edit(lambda number, item: None)):
        with pytest.raises(StoreError, match="is not there"):
            undo()
    folder.rmdir()
    away.rename(folder)
    assert files(folder) == written
    assert batch.undo_edit(lambda number, item: None).count == 1
    assert batch.undo() == []
    assert files(folder) == []
