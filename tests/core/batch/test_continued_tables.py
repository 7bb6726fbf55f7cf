"""Tables that a second run over a folder continues, if nobody has changed them."""

import csv
import json
import os
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, find_runs
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from tests.support.folder_run import FolderEngine

TABLES = (CaptionFormat.CSV, CaptionFormat.JSONL)
OPTIONS = BatchOptions(("What is it?",), writes=TABLES)
CANNOT_BE = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are text")


@pytest.fixture
def folder(tmp_path):
    """Pictures 1.png and 2.png."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    add_picture(folder, "1.png")
    add_picture(folder, "2.png")
    return folder


@pytest.fixture
def ran(folder, tmp_path):
    """Runs to the end and closes; returns the journal."""

    def ran(**changes):
        options = replace(OPTIONS, **changes)
        with closing(Batch.begin([folder], options, tmp_path / "journals")) as batch:
            batch.run(FolderEngine(), Control())
            assert batch.notes == []
            return batch.journal_path

    return ran


def add_picture(folder, name):
    Image.new("RGB", (8, 6), "red").save(folder / "new.png")
    os.rename(folder / "new.png", os.fsencode(folder) + b"/" + os.fsencode(name))  # noqa: PTH104


def tables(folder):
    return {path.name: path.read_bytes() for path in folder.glob("captions*")}


def saying(answer):
    engine = FolderEngine()
    engine.says = {"1.png": answer, "2.png": answer}
    return engine


def captions(folder):
    """The captions in each table, in order, without what differs between the formats."""
    with (folder / "captions.csv").open(encoding="utf-8-sig", newline="") as file:
        by_csv = [row["caption"] for row in csv.DictReader(file)]
    lines = (folder / "captions.jsonl").read_text().splitlines()
    captions = [json.loads(line)["caption"] for line in lines]
    assert [one.split(":")[-1] for one in by_csv] == [one.split(":")[-1] for one in captions]
    return captions


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(b"caf\xe9.png", marks=CANNOT_BE),
        pytest.param(b"=2+3.png", id="formula"),
        pytest.param(b"a, b; c.png", id="separators"),
        pytest.param(b"two\nlines.png", marks=CANNOT_BE),
    ],
)
def test_second_run_continues_the_tables_and_undo_gives_them_back(ran, folder, name):
    add_picture(folder, os.fsdecode(name))
    first = ran()
    before = tables(folder)
    assert set(before) == {"captions.csv", "captions.jsonl"}
    second = ran(prompts=("And where?",), existing=Existing.REPLACE)
    assert set(tables(folder)) == set(before)
    assert len(captions(folder)) == 3
    assert all(caption.endswith("And where?") for caption in captions(folder))
    for journal, left in ((second, before), (first, {})):
        with closing(Batch.resume(journal)) as batch:
            assert batch.undo() == []
        assert tables(folder) == left


def test_rows_of_images_that_a_later_run_does_not_caption_stay(ran, folder):
    ran(writes=(*TABLES, CaptionFormat.TXT))
    add_picture(folder, "0.png")
    journal = ran(writes=(*TABLES, CaptionFormat.TXT), prompts=("And where?",))
    expected = ["1.png: What is it?", "2.png: What is it?", "0.png: And where?"]
    assert captions(folder) == expected
    with closing(Batch.resume(journal)) as batch:
        batch.edit(0, "by hand")
    assert captions(folder) == [*expected[:2], "by hand"]
    third = ran(existing=Existing.REPLACE)
    assert captions(folder) == [*expected[:2], "0.png: What is it?"]
    with closing(Batch.resume(third)) as batch:
        batch.undo()
    assert captions(folder) == [*expected[:2], "by hand"]


def test_run_without_a_caption_leaves_the_tables_as_they_were(ran, folder):
    ran(writes=(*TABLES, CaptionFormat.TXT))
    before = tables(folder)
    ran(writes=(*TABLES, CaptionFormat.TXT))
    assert tables(folder) == before


@pytest.mark.parametrize("change", [b"mine", b"\n"])
def test_table_that_somebody_has_changed_is_not_continued(ran, folder, change):
    ran()
    changed = tables(folder)["captions.csv"] + change
    (folder / "captions.csv").write_bytes(changed)
    journal = ran()
    assert tables(folder)["captions.csv"] == changed
    with closing(Batch.resume(journal)) as batch:
        assert batch.exports[CaptionFormat.CSV] == folder / "captions-2.csv"
        assert batch.undo() == []
    assert tables(folder)["captions.csv"] == changed


def test_table_of_a_run_that_is_open_is_not_continued(ran, folder):
    first = ran()
    with closing(Batch.resume(first)) as batch:
        ran()
        assert batch.notes == []
    assert set(tables(folder)) == {
        f"captions{one}.{kind}" for one in ("", "-2") for kind in ("csv", "jsonl")
    }


def test_run_whose_tables_a_later_one_continues_leaves_them_alone(ran, folder, tmp_path):
    first, second = ran(), ran(prompts=("And where?",))
    before = tables(folder)
    with closing(Batch.resume(first)) as batch:
        assert any("captions.csv" in note for note in batch.notes)
        batch.edit(0, "by hand")
        assert batch.exports == {}
    assert tables(folder) == before
    with closing(Batch.resume(second)) as batch:
        assert batch.undo() == []
    with closing(Batch.resume(first)) as batch:
        assert batch.notes == []
        batch.edit(1, "too")
    assert captions(folder) == ["by hand", "too"]
    assert len(find_runs(tmp_path / "journals")) == 2


def test_tables_of_other_folders_are_not_continued(ran, folder, tmp_path):
    ran()
    before = tables(folder)
    with closing(Batch.begin([folder / "1.png"], OPTIONS, tmp_path / "journals")) as batch:
        batch.run(FolderEngine(), Control())
    assert len(tables(folder)) == 4
    assert tables(folder).items() >= before.items()


def test_run_that_never_wrote_its_table_leaves_it_to_the_next(folder, tmp_path):
    for _ in range(2):
        with closing(Batch.begin([folder], OPTIONS, tmp_path / "journals")) as batch:
            assert batch.exports[CaptionFormat.CSV] == folder / "captions.csv"
        assert tables(folder) == {}


@pytest.mark.parametrize("cut", [1, 2, 40, 290, 310, 600])
@pytest.mark.parametrize("answer", ['a "b" c', 'one\r\ntwo, "three"\r\nfour', "no marks"])
def test_second_run_continues_tables_whose_last_row_a_crash_has_torn(folder, tmp_path, cut, answer):
    with closing(Batch.begin([folder], OPTIONS, tmp_path / "journals")) as batch:
        batch.run(saying(answer), Control())
    torn = {name: data[:-cut] for name, data in tables(folder).items()}
    for name, data in torn.items():
        (folder / name).write_bytes(data)
    again = replace(OPTIONS, prompts=("And where?",), existing=Existing.REPLACE)
    with closing(Batch.begin([folder], again, tmp_path / "journals")) as batch:
        batch.run(saying("other words"), Control())
        assert batch.notes == []
        assert set(tables(folder)) == set(torn)
        assert captions(folder) == ["other words"] * 2
        assert batch.undo() == []
    assert tables(folder) == torn


def test_tables_hold_captions_of_any_length(ran, folder):
    (folder / "1.txt").write_text("word " * 100_000)
    first = ran(writes=(CaptionFormat.TXT, *TABLES))
    assert len(captions(folder)[0]) == 499_999
    second = ran(writes=(CaptionFormat.TXT, *TABLES), existing=Existing.APPEND)
    for journal in (second, first):
        with closing(Batch.resume(journal)) as batch:
            assert batch.undo() == []
    assert tables(folder) == {}


@pytest.mark.parametrize("name", ["captions.csv", "captions.jsonl"])
def test_file_that_is_far_too_large_for_a_table_is_not_read(ran, folder, name):
    first = ran()
    with (folder / name).open("ab") as file:
        file.truncate(10**12)  # Takes no space, and reading it would take all memory.
    second = ran(prompts=("And where?",))
    assert (folder / f"captions-2.{name.split('.')[1]}").exists()
    with closing(Batch.resume(second)) as batch:
        assert batch.undo() == []
    with closing(Batch.resume(first)) as batch:
        assert batch.undo() == [folder / name]
    assert (folder / name).stat().st_size == 10**12


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("changes", [{}, {"csv_separator": "\t"}], ids=["same", "other form"])
def test_empty_table_of_a_run_that_was_killed_at_its_begin_is_used(
    ran, folder, tmp_path, kind, changes
):
    journal = ran(writes=(kind,))
    # What the run left that was killed before it wrote a row.
    first = journal.read_bytes().splitlines(keepends=True)[0]
    journal.write_bytes(first)
    table = folder / f"captions.{kind}"
    table.write_bytes(b"")
    ran(writes=(kind,), **changes)
    assert list(tables(folder)) == [table.name]
    (kept, _) = find_runs(tmp_path / "journals")
    with closing(Batch.resume(kept.journal)) as batch:
        batch.undo()
    assert tables(folder) == {}


def test_empty_table_that_no_run_has_made_is_left(ran, folder):
    (folder / "captions.csv").touch()
    ran(writes=(CaptionFormat.CSV,))
    assert sorted(tables(folder)) == ["captions-2.csv", "captions.csv"]
    assert (folder / "captions.csv").read_bytes() == b""
