"""Captions edited by hand in a run: saved at once, taken back, never replaced."""

import json
import threading

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState, changes
from core.batch.items import EDITED
from core.batch.journal import read_lines
from core.batch.written import files_written_by_runs
from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.errors import StoreError
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
    assert batch.undo_edit().count == 2
    assert (batch.items[1].caption, batch.items[1].is_edited) == ("first", True)
    assert (batch.items[2].caption, batch.items[2].is_edited) == (said(3), False)
    batch = again(batch) if is_restarted else batch
    assert batch.undo_edit().count == 1
    assert not batch.can_undo_edit
    batch.close()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_edit_of_a_picture_without_a_caption_is_taken_back_to_none(begin, folder):
    batch = begin(ran=False)
    batch.edit(1, "by hand")
    assert batch.undo_edit().count == 1
    assert texts(folder) == {"1.txt": "mine"}
    assert batch.items[1].state is ItemState.WAITING
    batch.run(FolderEngine(), Control())
    assert texts(folder)["2.txt"] == said(2)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_undone_edits_are_redone_one_group_after_the_other(begin, folder, is_restarted):
    batch = begin(writes=("txt", "xmp", "jsonl"), existing=Existing.REPLACE)
    batch.edit(1, "first")
    batch.edit_all({1: "second", 2: "other"})
    batch = again(batch)  # Which brings the table up to date.
    edited = {path: path.read_bytes() for path in folder.iterdir()}
    assert not batch.can_redo_edit
    batch.undo_edit()
    batch.undo_edit()
    batch = again(batch) if is_restarted else batch
    assert batch.redo_edit().count == 1
    assert (batch.items[1].caption, batch.items[1].is_edited) == ("first", True)
    batch = again(batch) if is_restarted else batch
    assert batch.redo_edit().count == 2
    assert not batch.can_redo_edit
    batch = again(batch) if is_restarted else batch
    assert not batch.can_redo_edit
    assert batch.undo_edit().count == 2
    assert batch.redo_edit().count == 2
    batch.close()
    assert {path: path.read_bytes() for path in folder.iterdir()} == edited


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_new_edit_leaves_nothing_to_redo(begin, folder, is_restarted):
    batch = begin()
    batch.edit(1, "first")
    batch.undo_edit()
    batch.edit(2, "other")
    batch = again(batch) if is_restarted else batch
    assert not batch.can_redo_edit
    batch.close()


@pytest.mark.parametrize("is_restarted", [False, True])
def test_an_edit_that_could_not_be_written_is_not_offered_to_be_redone(begin, folder, is_restarted):
    batch = begin(writes=("txt", "xmp"))
    (folder / "2.xmp").unlink()
    (folder / "2.xmp").mkdir()
    with pytest.raises(StoreError):
        batch.edit(1, "by hand")
    batch = again(batch) if is_restarted else batch
    assert not batch.can_redo_edit
    assert not batch.can_undo_edit
    batch.close()


def change_elsewhere(folder, name, kind):
    """Another program writes another caption into the file of this kind."""
    path = folder / f"{name}.{kind}"
    if kind == "txt":
        path.write_text("elsewhere")
    else:
        path.write_bytes(
            xmp.described(path.read_bytes(), description="elsewhere", alt_text="elsewhere")
        )


def beside(folder, name, kind):
    path = folder / f"{name}.{kind}"
    return changes.caption_in(path)


@pytest.mark.parametrize("kind", ["txt", "xmp"])
@pytest.mark.parametrize("existing", [Existing.REPLACE, Existing.APPEND])
def test_edit_leaves_a_file_that_somebody_else_has_changed(begin, folder, kind, existing):
    batch = begin(writes=("txt", "xmp"), existing=existing)
    change_elsewhere(folder, 2, kind)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    (conflict,) = batch.edit(1, "by hand").conflicts
    assert (conflict.number, conflict.path.suffix) == (1, f".{kind}")
    assert conflict.found == "elsewhere"
    assert "by hand" in conflict.caption
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert batch.edit(1, "by hand", overwrites=True).count == 1
    assert "by hand" in beside(folder, 2, kind)
    assert batch.undo_edit().count == 1
    assert beside(folder, 2, kind) == "elsewhere"
    assert batch.items[1].caption == "elsewhere"


@pytest.mark.parametrize("ran", [False, True])
def test_edit_leaves_a_caption_that_its_row_did_not_show(begin, folder, ran):
    batch = begin(ran=ran)
    assert batch.edit(0, "by hand", shown="mine").count == 1
    (folder / "1.txt").write_text("elsewhere")
    batch.undo_edit(overwritten=[0])
    assert texts(folder)["1.txt"] == "mine"
    (folder / "1.txt").write_text("elsewhere")
    (conflict,) = batch.edit(0, "by hand", shown="mine").conflicts
    assert (conflict.found, conflict.caption) == ("elsewhere", "by hand")


def test_edit_of_a_deleted_or_equal_file_is_no_conflict(begin, folder):
    batch = begin()
    (folder / "2.txt").unlink()
    (folder / "3.txt").write_bytes(b"\xef\xbb\xbf" + said(3).encode() + b"\r\n\r\n")
    assert batch.edit_all({1: "by hand", 2: "too"}).count == 2
    assert texts(folder) == {"1.txt": "mine", "2.txt": "by hand", "3.txt": "too"}


def test_replacing_in_many_captions_leaves_those_changed_elsewhere_until_asked(begin, folder):
    batch = begin()
    (folder / "2.txt").write_text("elsewhere")
    outcome = batch.edit_all({1: "by hand", 2: "by hand too"})
    assert outcome.count == 1
    assert [conflict.found for conflict in outcome.conflicts] == ["elsewhere"]
    further = batch.edit_all({1: "by hand"}, overwrites=True, group=outcome.group)
    assert further.count == 1
    assert batch.undo_edit().count == 2
    assert texts(folder) == {"1.txt": "mine", "2.txt": "elsewhere", "3.txt": said(3)}


@pytest.mark.parametrize("kind", ["txt", "xmp"])
def test_undo_and_redo_leave_a_file_that_somebody_else_has_changed(begin, folder, kind):
    batch = begin(writes=("txt", "xmp"))
    batch.edit_all({1: "by hand", 2: "by hand too"})
    change_elsewhere(folder, 2, kind)
    outcome = batch.undo_edit()
    assert outcome.count == 1
    (conflict,) = outcome.conflicts
    assert (conflict.number, conflict.found, conflict.caption) == (1, "elsewhere", said(2))
    assert batch.can_undo_edit
    assert batch.undo_edit(overwritten=[1]).count == 1
    assert beside(folder, 2, kind) == said(2)
    change_elsewhere(folder, 2, kind)
    (conflict,) = batch.redo_edit().conflicts
    assert (conflict.found, conflict.caption) == ("elsewhere", "by hand")
    assert batch.redo_edit(overwritten=[1]).count == 1
    assert beside(folder, 2, kind) == "by hand"


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_text_from_elsewhere_that_is_kept_is_the_caption_from_then_on(
    begin, folder, is_restarted
):
    batch = begin(writes=("txt", "jsonl"))
    (folder / "2.txt").write_text("elsewhere")
    outcome = batch.edit(1, "by hand")
    batch.adopt(outcome.conflicts)
    batch = again(batch) if is_restarted else batch
    assert (batch.items[1].caption, batch.items[1].is_edited) == ("elsewhere", True)
    assert not batch.can_undo_edit
    assert batch.can_redo_edit
    batch.close()
    table = batch.exports[CaptionFormat.JSONL].read_text()
    assert "elsewhere" in table
    batch = Batch.resume(batch.journal_path)
    # What the person wrote is not lost.
    assert batch.redo_edit().count == 1
    assert texts(folder)["2.txt"] == "by hand"
    assert batch.undo_edit().count == 1
    assert texts(folder)["2.txt"] == "elsewhere"
    assert batch.undo(keeps_edits=False) == [folder / "2.txt"]
    assert texts(folder) == {"1.txt": "mine", "2.txt": "elsewhere"}
    batch.close()


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


@pytest.mark.parametrize("is_restarted", [False, True])
def test_caption_that_the_model_wrote_again_is_no_hand_edit(begin, folder, is_restarted):
    batch = begin(writes=("txt", "jsonl"))
    recipe = batch.options.recipe("folder-engine")
    batch.edit(1, "again", recipe=recipe)
    batch = again(batch) if is_restarted else batch
    assert (batch.items[1].caption, batch.items[1].is_edited) == ("again", False)
    assert batch.tally.edited == 0
    batch.undo_edit()
    assert (batch.items[1].caption, batch.items[1].is_edited) == (said(2), False)
    batch.redo_edit()
    table = batch.exports[CaptionFormat.JSONL]
    batch = again(batch)
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert [(row["caption"], row["edited"]) for row in rows] == [
        ("mine", False),
        ("again", False),
        (said(3), False),
    ]
    assert [written.recipe for written in written_files(batch, folder / "2.txt")] == [recipe]
    batch.undo()  # Hand edits would be kept.
    assert texts(folder) == {"1.txt": "mine"}
    batch.close()


def written_files(batch, path):
    """What a later run knows of a file that an earlier one wrote."""
    written = files_written_by_runs(batch.journal_path.parent, batch.roots)
    return [written[str(path)]]


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
