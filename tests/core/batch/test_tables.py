"""What the tables of a run hold: skipped images too, paths as chosen, columns as chosen."""

import csv
import io
import json
from dataclasses import replace
from functools import partial

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control
from core.captions.formats import CaptionFormat, TablePaths
from tests.support.folder_run import FolderEngine

TABLES = (CaptionFormat.TXT, CaptionFormat.JSONL, CaptionFormat.CSV)
OPTIONS = BatchOptions(("What?",))


@pytest.fixture
def begin(begin_run):
    return partial(begin_run, OPTIONS)


def ran(batch, engine=None):
    batch.run(engine or FolderEngine(), Control())
    return batch


def json_rows(batch):
    lines = batch.exports[CaptionFormat.JSONL].read_text("utf-8").splitlines()
    return {row["file_name"]: row for row in map(json.loads, lines)}


def csv_rows(batch, separator=","):
    text = batch.exports[CaptionFormat.CSV].read_text("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    return {row["file_name"]: row for row in rows}


def test_tables_have_the_captions_of_skipped_images(begin, folder):
    (folder / "2.txt").write_text("by hand\n")
    batch = ran(begin(writes=TABLES))
    rows = json_rows(batch)
    assert set(rows) == {"1.png", "2.png", "3.png"}
    assert (rows["2.png"]["caption"], rows["2.png"]["existing"]) == ("by hand", True)
    assert "model" not in rows["2.png"]
    assert "existing" not in rows["1.png"]
    cells = csv_rows(batch)
    assert {name: row["existing"] for name, row in cells.items()} == {
        "1.png": "",
        "2.png": "true",
        "3.png": "",
    }
    assert cells["2.png"]["caption"] == "by hand"
    assert cells["2.png"]["tokens"] == ""
    batch.undo()
    assert not any(path.exists() for path in batch.exports.values())
    assert (folder / "2.txt").read_text() == "by hand\n"


def test_skipped_image_that_is_edited_is_in_the_tables_as_edited(begin, folder):
    (folder / "2.txt").write_text("by hand\n")
    batch = ran(begin(writes=TABLES))
    batch.edit(1, "better")
    batch.close()
    row = json_rows(batch)["2.png"]
    assert (row["caption"], row["edited"]) == ("better", True)
    batch = Batch.resume(batch.journal_path)
    batch.undo_edit()
    batch.close()
    row = json_rows(batch)["2.png"]
    assert (row["caption"], row["edited"]) == ("by hand", False)


def test_caption_that_was_skipped_is_in_the_tables_as_it_is_at_the_last_start(begin, folder):
    (folder / "2.txt").write_text("by hand\n")
    batch = ran(begin(writes=TABLES))
    batch.close()
    (folder / "2.txt").write_text("by hand, again\n")
    batch = ran(Batch.resume(batch.journal_path))
    batch.close()
    assert json_rows(batch)["2.png"]["caption"] == "by hand, again"


@pytest.mark.parametrize("paths", TablePaths)
def test_tables_name_images_as_chosen(begin, folder, paths):
    (folder / "inside").mkdir()
    (folder / "1.png").rename(folder / "inside" / "ä 1.png")
    (folder / "2.txt").write_text("by hand\n")
    batch = ran(begin(writes=TABLES, is_recursive=True, table_paths=paths))
    wanted = {"inside/ä 1.png", "2.png", "3.png"}
    for rows in (json_rows(batch), csv_rows(batch)):
        assert set(rows) == wanted
        for name, row in rows.items():
            absolute = str(folder / name)
            assert row["picture"] == (absolute if paths is TablePaths.ABSOLUTE else name)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_separated_as_chosen_and_the_table_is_known_again(begin, folder, separator):
    said = 'one; "two", three\tfour\nfive'
    engine = FolderEngine()
    engine.says = dict.fromkeys(("1.png", "2.png", "3.png"), said)
    batch = ran(begin(writes=TABLES, csv_separator=separator), engine)
    batch.close()
    assert {row["caption"] for row in csv_rows(batch, separator).values()} == {said}
    again = ran(Batch.resume(batch.journal_path))
    again.edit(0, "edited; by hand")
    again.close()
    assert csv_rows(again, separator)["1.png"]["caption"] == "edited; by hand"
    assert {path.name for path in folder.glob("captions*")} == {"captions.csv", "captions.jsonl"}
    assert not again.notes


def test_separator_that_no_reader_expects_is_refused():
    with pytest.raises(ValueError, match=r"comma, semicolon, tab"):
        replace(OPTIONS, csv_separator="|").checked()


def test_run_that_skips_keeps_what_an_earlier_run_wrote_of_how_a_caption_was_made(begin, folder):
    batch = ran(begin(writes=TABLES))
    batch.close()
    first = json_rows(batch)
    (folder / "2.txt").write_text("by hand\n")
    Image.new("RGB", (8, 6), "red").save(folder / "4.png")
    later = ran(begin(writes=TABLES))
    later.close()
    assert later.exports == batch.exports
    rows = json_rows(later)
    assert (rows["1.png"], rows["3.png"]) == (first["1.png"], first["3.png"])
    assert (rows["2.png"]["caption"], rows["2.png"]["existing"]) == ("by hand", True)
    assert rows["4.png"]["caption"] == "4.png: What?"
    assert csv_rows(later)["1.png"]["model"] == "script"


@pytest.mark.parametrize(
    "changes", [{"csv_separator": ";"}, {"table_paths": TablePaths.RELATIVE}], ids=str
)
def test_table_in_another_form_is_no_continuation(begin, folder, changes):
    batch = ran(begin(writes=(CaptionFormat.CSV,)))
    batch.close()
    later = ran(begin(writes=(CaptionFormat.CSV,), **changes))
    assert later.exports[CaptionFormat.CSV].name == "captions-2.csv"
