"""Captions edited by hand in a run: saved at once, taken back, never replaced."""

import json
import threading

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, CaptionFormat, Control, Existing, ItemState
from core.batch.items import EDITED
from core.batch.journal import read_lines
from tests.support.folder_run import FolderEngine

PROMPT = "What is it?"
OPTIONS = BatchOptions((PROMPT,))


@pytest.fixture
def folder(folder):
    """Pictures 1.png, 2.png and 3.png; the first has a caption of a person's."""
    (folder / "1.txt").write_text("mine\n")
    return folder


@pytest.fixture
def begin(begin_run):
    def begin(ran=True, **changes):
        batch = begin_run(OPTIONS, **changes)
        if ran:
            batch.run(FolderEngine(), Control())
        return batch

    return begin


def again(batch):
    """The same run after a restart."""
    batch.close()
    return Batch.resume(batch.journal_path)


def texts(folder):
    return {path.name: path.read_text().strip() for path in sorted(folder.glob("*.txt"))}


def said(number):
    return f"{number}.png: {PROMPT}"


@pytest.mark.parametrize("is_restarted", [False, True])
def test_undo_brings_back_the_text_that_an_edit_replaced_in_a_skipped_row(
    begin, folder, is_restarted
):
    batch = begin()
    assert batch.items[0].state is ItemState.SKIPPED
    assert batch.caption_beside(0) == "mine"
    batch.edit(0, "by hand")
    batch = again(batch) if is_restarted else batch
    assert batch.undo() == []
    assert texts(folder) == {"1.txt": "mine"}
    batch.close()


def test_undo_keeps_edited_captions_unless_they_are_to_go(begin, folder):
    batch = begin()
    batch.edit(1, "by hand")
    assert batch.undo() == [folder / "2.txt"]
    assert texts(folder) == {"1.txt": "mine", "2.txt": "by hand"}
    assert batch.items[1].reason == EDITED
    batch = begin()
    assert texts(folder)["3.txt"] == said(3)
    batch.edit(2, "by hand")
    assert batch.undo(keeps_edits=False) == []
    assert texts(folder) == {"1.txt": "mine", "2.txt": "by hand"}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_edits_are_taken_back_one_after_the_other(begin, folder, is_restarted):
    batch = begin(writes=("txt", "xmp", "jsonl"), existing=Existing.REPLACE)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    batch.edit(1, "first")
    batch.edit_all({1: "second", 2: "other"})
    assert texts(folder)["2.txt"] == "second"
    batch = again(batch) if is_restarted else batch
    assert batch.undo_edit() == 2
    assert (batch.items[1].caption, batch.items[1].is_edited) == ("first", True)
    assert (batch.items[2].caption, batch.items[2].is_edited) == (said(3), False)
    batch = again(batch) if is_restarted else batch
    assert batch.undo_edit() == 1
    assert not batch.can_undo_edit
    batch.close()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_edit_of_a_picture_without_a_caption_is_taken_back_to_none(begin, folder):
    batch = begin(ran=False)
    batch.edit(1, "by hand")
    assert batch.undo_edit() == 1
    assert texts(folder) == {"1.txt": "mine"}
    assert batch.items[1].state is ItemState.WAITING
    batch.run(FolderEngine(), Control())
    assert texts(folder)["2.txt"] == said(2)


def test_edit_that_somebody_has_changed_since_is_not_taken_back(begin, folder):
    batch = begin()
    batch.edit_all({1: "by hand", 2: "by hand too"})
    (folder / "2.txt").write_text("elsewhere")
    assert batch.undo_edit() == 1
    assert texts(folder) == {"1.txt": "mine", "2.txt": "elsewhere", "3.txt": said(3)}
    assert any("2.png" in note for note in batch.notes)


def test_edited_caption_of_a_waiting_picture_is_not_replaced_by_the_run(begin, folder):
    batch = begin(ran=False, existing=Existing.REPLACE)
    batch.edit(2, "by hand")
    engine = FolderEngine()
    batch.run(engine, Control())
    assert "3.png" not in [name for name, _ in engine.asked]
    assert texts(folder)["3.txt"] == "by hand"


@pytest.mark.parametrize("slots", [1, 3])
def test_edit_during_the_answer_wins_over_the_answer(begin, folder, slots):
    batch = begin(ran=False, existing=Existing.REPLACE)
    engine = FolderEngine()
    engine.on_answer = lambda request: (
        batch.edit(1, "by hand") if request.picture.name == "2.png" else None
    )
    batch.run(engine, Control(), slots=slots)
    assert texts(folder) == {"1.txt": said(1), "2.txt": "by hand", "3.txt": said(3)}
    assert batch.items[1].is_edited
    unused = [
        r["answers"][0]["text"] for r in read_lines(batch.journal_path) if r["kind"] == "unused"
    ]
    assert unused == [said(2)]


def test_edit_in_the_window_is_known_as_one_in_the_next_run(begin, folder):
    batch = begin()
    batch.edit(0, "by hand")
    batch.close()
    batch = begin(existing=Existing.REPLACE)
    assert batch.items[0].reason == EDITED
    assert texts(folder)["1.txt"] == "by hand"


def test_table_follows_the_edits_and_goes_with_the_run(begin, folder):
    batch = begin(writes=("jsonl", "csv"))
    batch.edit_all({1: "a, “b”\nand c", 2: "=other"})
    batch.undo_edit()
    batch.edit(2, "third")
    table = batch.exports[CaptionFormat.JSONL]
    batch = again(batch)
    captions = [json.loads(line)["caption"] for line in table.read_text().splitlines()]
    assert captions == [said(1), said(2), "third"]
    batch.edit(0, "a, “b”\nand c")
    batch.undo(keeps_edits=False)
    assert set(folder.glob("captions*")) == set()
    batch.close()


def test_table_that_somebody_has_added_to_is_left(begin, folder):
    batch = begin(writes=("csv",))
    with batch.exports[CaptionFormat.CSV].open("a") as file:
        file.write("mine,,,,,,,,,,,\r\n")
    batch.undo()
    assert batch.exports[CaptionFormat.CSV].exists()


def test_edits_and_the_run_may_come_at_once(begin, folder):
    for number in range(10, 40):
        Image.new("RGB", (4, 4)).save(folder / f"{number}.png")
    batch = begin(ran=False, writes=("txt", "jsonl"), existing=Existing.REPLACE)
    hand = {number: f"by hand {number}" for number in range(0, 33, 3)}

    def edit():
        for number, caption in hand.items():
            batch.edit(number, caption)

    editor = threading.Thread(target=edit)
    engine = FolderEngine(seconds=0.003)
    editor.start()
    batch.run(engine, Control(), slots=4)
    editor.join()
    assert batch.tally.done == 33
    for number, item in enumerate(batch.items):
        wanted = hand.get(number, f"{item.path.name}: {PROMPT}")
        assert item.path.with_suffix(".txt").read_text().strip() == wanted
