"""What was noted of an image – cut short, one of several frames – goes with its caption."""

import csv
import io
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, Item, ItemState, Tally
from core.batch.journal import read_lines
from core.batch.summary import summary_of
from core.captions.formats import CaptionFormat
from core.errors import EngineError
from core.terminal import main as terminal
from tests.support.folder_run import FolderEngine

OPTIONS = BatchOptions(
    ("What is it?",), writes=(CaptionFormat.TXT, CaptionFormat.CSV, CaptionFormat.JSONL)
)
CUT = "The file is damaged or incomplete. Only a part of it could be read."
FRAMES = "This is the first of 4 frames."


@pytest.fixture
def folder(tmp_path):
    """A whole image, two that are cut short and one with four pages."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = Image.frombytes("RGB", (90, 80), random.Random(3).randbytes(90 * 80 * 3))
    noise.save(folder / "whole.png")
    for name in ("cut.jpg", "cut2.png"):
        noise.save(folder / name)
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) * 2 // 3])
    noise.save(folder / "multi.tif", save_all=True, append_images=[noise] * 3)
    return folder


@pytest.fixture
def batch(folder, tmp_path):
    batch = Batch.begin([folder], OPTIONS, tmp_path / "journals")
    yield batch
    batch.close()


EXPECTED = {"cut.jpg": (CUT,), "cut2.png": (CUT,), "multi.tif": (FRAMES,), "whole.png": ()}


def notes_of(batch):
    return {item.path.name: item.notes for item in batch.items}


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("prompts", [1, 2])
def test_notes_are_in_the_rows_and_come_back_with_the_run(folder, tmp_path, slots, prompts):
    options = replace(OPTIONS, prompts=("What is it?", "And where?")[:prompts])
    batch = Batch.begin([folder], options, tmp_path / "journals")
    batch.run(FolderEngine(), Control(), slots=slots)
    batch.close()
    assert notes_of(batch) == EXPECTED
    again = Batch.resume(batch.journal_path)
    again.close()
    assert notes_of(again) == EXPECTED


def test_notes_are_in_both_tables(batch, folder):
    batch.run(FolderEngine(), Control())
    table = csv.DictReader(io.StringIO((folder / "captions.csv").read_text("utf-8-sig")))
    assert {row["picture"].rpartition("/")[2]: row["notes"] for row in table} == {
        name: " ".join(notes) for name, notes in EXPECTED.items()
    }
    lines = map(json.loads, (folder / "captions.jsonl").read_text().splitlines())
    assert {row["picture"].rpartition("/")[2]: tuple(row["notes"]) for row in lines} == EXPECTED


def test_notes_stay_with_a_caption_that_is_edited_and_given_back(batch, folder):
    batch.run(FolderEngine(), Control())
    (number,) = (n for n, item in enumerate(batch.items) if item.path.name == "cut.jpg")
    batch.edit(number, "Mine.")
    assert batch.items[number].notes == (CUT,)
    batch.close()
    assert '"caption": "Mine.", "seed": null' in (folder / "captions.jsonl").read_text()
    again = Batch.resume(batch.journal_path)
    assert again.items[number].notes == (CUT,)
    again.undo_edit()
    assert again.items[number].notes == (CUT,)
    again.close()


def test_caption_that_could_not_be_written_at_first_keeps_its_notes(batch, folder):
    (folder / "cut.txt").mkdir()
    batch.run(FolderEngine(), Control())
    assert {i.path.name for i in batch.items if i.state is ItemState.FAILED} >= {"cut.jpg"}
    batch.close()
    (folder / "cut.txt").rmdir()
    again = Batch.resume(batch.journal_path)
    again.retry_failed()
    engine = FolderEngine()
    again.run(engine, Control())
    again.close()
    assert notes_of(again) == EXPECTED


def test_second_answer_after_a_restart_keeps_the_notes(folder, tmp_path):
    """The first answer is in the journal; the image is opened again for the second."""
    options = replace(OPTIONS, prompts=("What is it?", "And where?"))
    batch = Batch.begin([folder], options, tmp_path / "journals")
    engine = FolderEngine()
    control = Control()
    engine.on_answer = lambda request: control.stop_now()
    batch.run(engine, control)
    batch.close()
    again = Batch.resume(batch.journal_path)
    again.run(FolderEngine(), Control())
    again.close()
    assert notes_of(again) == EXPECTED


def test_summary_counts_notes_without_their_numbers():
    def item(name, *notes, state=ItemState.DONE):
        return Item(Path(name), state, notes=notes)

    items = [
        item("a", "This is the first of 4 frames."),
        item("b", "This is the first of 12 frames.", CUT),
        item("c", CUT, state=ItemState.UNDONE),
    ]
    summary = summary_of(Tally(done=2), items, OPTIONS, (), 0.0)
    assert summary.notes == (("This is the first of … frames.", 2), (CUT, 1))


def test_model_that_fails_over_a_noted_image_tells_its_own_reason(batch):
    engine = FolderEngine()
    engine.fail["cut.jpg"] = EngineError("The model failed.")
    batch.run(engine, Control())
    (item,) = (item for item in batch.items if item.path.name == "cut.jpg")
    assert (item.state, item.reason) == (ItemState.FAILED, "The model failed.")


def test_journal_keeps_the_notes(batch):
    batch.run(FolderEngine(), Control())
    kept = {
        record["picture"].rpartition("/")[2]: tuple(record["notes"])
        for record in read_lines(batch.journal_path)
        if record["kind"] == "item"
    }
    assert kept == EXPECTED


def test_terminal_names_each_noted_image(
    folder, tmp_path, tiny_original_layout, capsys, monkeypatch
):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    model = ["--model", str(tiny_original_layout), "--device", "cpu", "--dtype", "float32"]
    arguments = ["caption", str(folder), "--write", "txt", "--name", "{name}"]
    status = terminal.main([*arguments, "--max-new-tokens", "3", *model])
    err = capsys.readouterr().err
    assert status == 0, err
    for name, notes in EXPECTED.items():
        assert [line for line in err.splitlines() if line.startswith(f"{folder / name}: ")] == [
            f"{folder / name}: {note}" for note in notes
        ]


def test_terminal_names_the_first_of_many_and_counts_the_rest(
    tmp_path, tiny_original_layout, capsys, monkeypatch
):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "many"
    folder.mkdir()
    page = Image.new("L", (8, 8))
    for number in range(23):
        page.save(folder / f"{number}.tif", save_all=True, append_images=[page] * (number + 1))
    model = ["--model", str(tiny_original_layout), "--device", "cpu", "--dtype", "float32"]
    terminal.main(["caption", str(folder), "--write", "txt", "--max-new-tokens", "2", *model])
    err = capsys.readouterr().err
    assert err.count("This is the first of") == 21
    assert "3 more: This is the first of … frames." in err
