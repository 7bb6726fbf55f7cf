"""Journals that are damaged, odd or out of order, and what a run makes of an earlier one."""

import json
import os
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.batch import Batch, BatchOptions, Control, ItemState, find_runs, unreadable_journals
from core.batch.journal import read_lines
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.errors import StoreError
from core.transcript import Sampling
from tests.support.folder_run import FolderEngine

OPTIONS = BatchOptions(("What is it?",))


@pytest.fixture
def ran(folder, journals):
    """Runs to the end and closes; gives the journal."""

    def ran(engine=None, **changes):
        with closing(Batch.begin([folder], replace(OPTIONS, **changes), journals)) as batch:
            batch.run(engine or FolderEngine(), Control())
            return batch.journal_path

    return ran


def damage(journal, kind, picture, change):
    """Changes the line of this kind about the picture."""
    lines = journal.read_bytes().splitlines(keepends=True)
    for index, line in enumerate(lines):
        values = json.loads(line)
        if values["kind"] == kind and values.get("picture", "").endswith(picture):
            lines[index] = change(line)
    journal.write_bytes(b"".join(lines))


DAMAGES = {
    "cut": lambda line: line[: len(line) * 2 // 3] + b"\n",
    "bytes": lambda line: line[:-20] + b"\xff\x00\xfe" + line[-17:],
    "key": lambda line: line.replace(b'"files"', b'"fil\x7fs"'),
    "type": lambda line: line.replace(b'"caption": "', b'"caption": 5, "c": "'),
}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("number", [1, 3])
def test_image_of_a_damaged_line_is_listed_as_unknown(ran, how, number):
    journal = ran()
    damage(journal, "item", f"{number}.png", DAMAGES[how])
    with closing(Batch.resume(journal)) as batch:
        item = batch.items[number - 1]
        assert item.state is ItemState.FAILED
        assert "unknown" in item.reason
        assert [one.state for one in batch.items].count(ItemState.DONE) == 2
        assert any("damaged" in note for note in batch.notes)


@pytest.mark.parametrize("path", ["", ".", "/", "a\0b"], ids=["none", "dot", "root", "zero"])
@pytest.mark.parametrize("kind", ["item", "edit"])
def test_line_with_a_path_that_no_file_has_is_damaged(folder, journals, kind, path):
    with closing(Batch.begin([folder], OPTIONS, journals)) as batch:
        batch.run(FolderEngine(), Control())
        batch.edit(1, "by hand")

    def spoilt(line):
        values = json.loads(line)
        del values["crc"]
        values["files"][0]["path"] = path
        return json.dumps(values).encode() + b"\n"

    damage(batch.journal_path, kind, "2.png", spoilt)
    with closing(Batch.resume(batch.journal_path)) as again:
        # An edit after it says what became of the image.
        is_known = kind == "item"
        assert again.items[1].state is (ItemState.DONE if is_known else ItemState.FAILED)
        assert any("damaged" in note for note in again.notes)
        assert again.undo(keeps_edits=False) == [folder / "2.txt"]
    # The edit is undone where it is known.
    left = "2.png: What is it?" if is_known else "by hand"
    assert (folder / "2.txt").read_text() == f"{left}\n"


def test_unknown_image_is_not_given_back_by_undo_and_named(ran, folder):
    journal = ran()
    damage(journal, "item", "2.png", DAMAGES["cut"])
    with closing(Batch.resume(journal)) as batch:
        assert batch.undo() == [folder / "2.txt"]
        assert batch.tally.undone == 2
        assert "unknown" in batch.items[1].reason
    with closing(Batch.resume(journal)) as batch:
        assert batch.tally.undone == 2
        assert "unknown" in batch.items[1].reason
    assert sorted(path.name for path in folder.glob("*.txt")) == ["2.txt"]


def test_unknown_image_is_dealt_with_when_it_is_retried(ran, folder):
    journal = ran()
    damage(journal, "item", "2.png", DAMAGES["cut"])
    (folder / "2.txt").unlink()
    with closing(Batch.resume(journal)) as batch:
        assert batch.retry_failed() == 1
        assert batch.run(FolderEngine(), Control()).done == 3


def test_damaged_line_without_a_name_makes_the_image_without_a_line_unknown(ran):
    journal = ran()
    damage(journal, "item", "2.png", lambda line: b"\x00" * 300 + b"\n")
    with closing(Batch.resume(journal)) as batch:
        assert [item.state for item in batch.items].count(ItemState.DONE) == 2
        assert "unknown" in batch.items[1].reason
    # The damaged line stays in the journal, also where it is the last one.
    assert journal.read_bytes().count(b"\x00" * 300) == 1


def test_damaged_last_line_is_not_taken_for_a_torn_one(ran):
    journal = ran()
    with journal.open("ab") as file:
        file.write(b'{"kind": "edit", "picture": "1.png", "caption": \x00}\n')
    before = journal.read_bytes()
    with closing(Batch.resume(journal)) as batch:
        assert any("damaged" in note for note in batch.notes)
    assert journal.read_bytes().startswith(before)


def _header(change):
    def changed(journal):
        first, rest = journal.read_bytes().split(b"\n", 1)
        values = json.loads(first)
        del values["crc"]
        change(values)
        journal.write_bytes(json.dumps(values).encode() + b"\n" + rest)

    return changed


ODD = {
    "no roots": _header(lambda values: values.pop("roots")),
    "roots of numbers": _header(lambda values: values.update(roots=[5])),
    "no options": _header(lambda values: values.update(options=None)),
    "unknown option": _header(lambda values: values["options"].update(new=1)),
    "prompts": _header(lambda values: values["options"].update(prompts=7)),
    "time": _header(lambda values: values.update(when="yesterday")),
    "number": _header(lambda values: values.update(number=[])),
    "earlier": _header(lambda values: values.update(earlier={"csv": 5})),
    "checksum": lambda journal: journal.write_bytes(journal.read_bytes().replace(b"What", b"Whet")),
    "list": lambda journal: journal.write_bytes(b"[1]\n"),
    "deep": lambda journal: journal.write_bytes(b"[" * 200_000 + b"\n"),
    "binary": lambda journal: journal.write_bytes(os.urandom(5000) + b"\n"),
    "folder": lambda journal: (journal.unlink(), journal.mkdir()),
}
if sys.platform != "win32":
    ODD["pipe"] = lambda journal: (journal.unlink(), os.mkfifo(journal))


@pytest.mark.parametrize("odd", ODD)
def test_odd_header_blocks_no_other_run(ran, odd, journals, folder):
    first, second = ran(), ran(existing=Existing.REPLACE)
    ODD[odd](first)
    (kept,) = find_runs(journals)
    assert kept.journal == second
    assert unreadable_journals(journals) == [first]
    with pytest.raises(StoreError, match="damaged"):
        Batch.resume(first)
    third = ran(existing=Existing.REPLACE)
    assert [kept.journal for kept in find_runs(journals)] == [third, second]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(seed=None),
        Sampling(temperature=1, top_p=1, repetition_penalty=2, seed=2**40),
        Sampling(temperature=0.5, beams=2, banned_words=("one", "two")),
    ],
)
def test_run_is_found_with_the_options_that_it_was_given(ran, journals, sampling):
    options = {"sampling": sampling, "writes": (CaptionFormat.TXT, CaptionFormat.CSV)}
    options |= {"beginning": "A", "strips_openings": True, "replaces_edited": ("1.png",)}
    ran(**options)
    assert [kept.options for kept in find_runs(journals)] == [replace(OPTIONS, **options)]


def test_runs_are_in_their_order_though_the_clock_goes_back(ran, journals):
    begun = [ran(existing=Existing.REPLACE) for _ in range(3)]
    # As if the clock had been set back by years before each.
    renamed = []
    for year, journal in zip((2030, 2020, 2010), begun, strict=True):
        renamed.append(journal.with_name(f"{year}0101-000000-000000-abcd.jsonl"))
        journal.rename(renamed[-1])
    assert [kept.journal for kept in find_runs(journals)] == renamed[::-1]
    assert [kept.number for kept in find_runs(journals)] == [3, 2, 1]


def test_runs_of_version_0_1_come_first_and_by_their_time(ran, journals):
    new, old = ran(), []
    for year in (2040, 2030):
        path = journals / f"{year}0101-000000-000000-abcd.jsonl"
        values = next(read_lines(new)) | {"when": datetime(year, 1, 1, tzinfo=UTC).isoformat()}
        del values["number"]
        path.write_text(json.dumps(values) + "\n")
        old.append(path)
    assert [kept.journal for kept in find_runs(journals)] == [new, *old]


# What a run makes of an earlier one


@pytest.mark.parametrize("existing", [Existing.APPEND, Existing.PREPEND])
def test_run_that_adds_captions_adds_none_twice(ran, folder, existing):
    (folder / "2.txt").write_text("mine\n")
    how = {"existing": existing, "writes": (CaptionFormat.TXT, CaptionFormat.XMP)}
    ran(**how)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    engine = FolderEngine()
    ran(engine, **how)
    assert engine.asked == []
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    ran(**how, prompts=("And where?",))
    ran(engine, **how)
    assert engine.asked == []
    text = (folder / "2.txt").read_text()
    assert sorted(text.splitlines()) == ["2.png: And where?", "2.png: What is it?", "mine"]


def test_run_that_adds_captions_adds_none_twice_to_a_text_that_was_changed(ran, folder):
    ran(existing=Existing.APPEND)
    (folder / "1.txt").write_text("above\n1.png: What is it?\nbelow\n")
    ran(existing=Existing.APPEND)
    assert (folder / "1.txt").read_text() == "above\n1.png: What is it?\nbelow\n"


# Tables


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are text")
def test_table_with_a_name_that_is_no_text_is_known_again(ran, folder):
    name = os.fsencode(folder) + b"/caf\xe9.png"
    os.rename(folder / "1.png", name)  # noqa: PTH104
    journal = ran(writes=(CaptionFormat.CSV, CaptionFormat.JSONL))
    tables = {path.name for path in folder.glob("captions*")}
    assert tables == {"captions.csv", "captions.jsonl"}
    with closing(Batch.resume(journal)) as batch:
        batch.edit(1, "by hand")
    with closing(Batch.resume(journal)) as batch:
        assert batch.notes == []
        assert batch.undo() == []
    assert list(folder.glob("captions*")) == []


def test_table_torn_inside_a_character_or_a_line_break_is_ours(ran, folder):
    journal = ran(writes=(CaptionFormat.CSV,), prompts=("é\nè",))
    table = folder / "captions.csv"
    whole = table.read_bytes()
    for torn in (whole.rindex("é".encode()) + 1, whole.rindex(b"\n\xc3") + 1):
        table.write_bytes(whole[:torn])
        with closing(Batch.resume(journal)) as batch:
            batch.edit(0, "by hand")
            batch.undo_edit()
        assert batch.notes == []
        assert sorted(table.read_bytes().splitlines()) == sorted(whole.splitlines())
        assert [path.name for path in folder.glob("captions*")] == ["captions.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
@pytest.mark.parametrize("obstacle", ["pipe", "folder"])
def test_table_that_cannot_be_written_is_not_complete(folder, journals, obstacle):
    options = replace(OPTIONS, writes=(CaptionFormat.CSV, CaptionFormat.JSONL))
    with closing(Batch.begin([folder], options, journals)) as batch:
        table = batch.exports[CaptionFormat.CSV]
        table.unlink()
        os.mkfifo(table) if obstacle == "pipe" else table.mkdir()
        assert batch.run(FolderEngine(), Control()).done == 3
        assert batch.complete_tables == [batch.exports[CaptionFormat.JSONL]]
        assert any("captions.csv" in note for note in batch.notes)
    table.unlink() if obstacle == "pipe" else table.rmdir()
    with closing(Batch.resume(batch.journal_path)) as batch:
        assert len(batch.complete_tables) == 2
        assert len(table.read_bytes().splitlines()) == 4


# An edit that cannot be written


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_edit_that_cannot_be_written_leaves_all_files_as_before(folder, journals):
    options = replace(OPTIONS, writes=(CaptionFormat.TXT, CaptionFormat.CAPTION))
    with closing(Batch.begin([folder], options, journals)) as batch:
        batch.run(FolderEngine(), Control())
        before = (folder / "1.txt").read_bytes()
        blocked = folder / "1.caption"
        blocked.unlink()
        blocked.symlink_to(folder / "nowhere" / "1.caption")
        with pytest.raises(StoreError):
            batch.edit(0, "by hand")
        assert (folder / "1.txt").read_bytes() == before
        assert not batch.can_undo_edit
        seen = list(batch.items)
    with closing(Batch.resume(batch.journal_path)) as batch:
        assert list(batch.items) == seen
        assert (folder / "1.txt").read_bytes() == before
