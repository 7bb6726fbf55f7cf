"""Captions of a run that a person has changed elsewhere, in the workspace or another program."""

import json

import pytest

from core.batch import Batch, BatchOptions, Control, ItemState
from core.batch.items import EDITED
from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from tests.support.folder_run import FolderEngine

PROMPT = "What is it?"
OPTIONS = BatchOptions((PROMPT,))


@pytest.fixture
def begin(begin_run):
    def begin(*roots, **changes):
        batch = begin_run(OPTIONS, *roots, **changes)
        batch.run(FolderEngine(), Control())
        return batch

    return begin


def again(batch):
    """The same run after a restart."""
    batch.close()
    return Batch.resume(batch.journal_path)


def said(number):
    return f"{number}.png: {PROMPT}"


def captions(batch):
    return [(item.caption, item.is_edited) for item in batch.items]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("writes", [("txt",), ("txt", "xmp"), ("txt", "jsonl")])
def test_caption_edited_elsewhere_is_one_by_hand(begin, folder, writes, is_restarted):
    batch = begin(writes=writes)
    assert batch.take_over([folder / "2.png"]) == batch.take_over() == 0
    (folder / "2.txt").write_text("by hand\n")
    (folder / "3.txt").write_text(said(3) + "\r\n")  # Another editor's line end is no edit.
    changed = []
    pictures = [folder / "2.png", folder / "3.png", folder / "of no run.png"]
    assert batch.take_over(pictures, lambda number, item: changed.append((number, item))) == 1
    assert changed == [(1, batch.items[1])]
    batch = again(batch) if is_restarted else batch
    assert captions(batch) == [(said(1), False), ("by hand", True), (said(3), False)]
    assert (batch.summary().tally.captioned, batch.summary().tally.edited) == (2, 1)
    assert batch.take_over() == 0
    batch.close()
    if table := batch.exports.get(CaptionFormat.JSONL):
        rows = [json.loads(line) for line in table.read_text().splitlines()]
        assert [(row["caption"], row["edited"]) for row in rows] == captions(batch)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_caption_changed_back_elsewhere_is_the_run_s_again(begin, folder, is_restarted):
    batch = begin(writes=("txt", "jsonl"))
    written = (folder / "2.txt").read_bytes()
    for text in ("first", "second"):
        (folder / "2.txt").write_text(text)
        batch.take_over([folder / "2.png"])
        batch = again(batch) if is_restarted else batch
    assert captions(batch)[1] == ("second", True)
    (folder / "2.txt").write_bytes(written)
    assert batch.take_over([folder / "2.png"] if is_restarted else None) == 1
    batch = again(batch) if is_restarted else batch
    assert captions(batch)[1] == (said(2), False)
    assert batch.summary().tally.edited == 0
    batch.close()
    rows = [
        json.loads(line) for line in batch.exports[CaptionFormat.JSONL].read_text().splitlines()
    ]
    assert [(row["caption"], row["edited"]) for row in rows] == captions(batch)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_caption_that_the_model_wrote_again_is_the_run_s_once_it_is_back(
    begin, folder, is_restarted
):
    batch = begin()
    (folder / "2.txt").write_text("elsewhere")
    assert batch.take_over([folder / "2.png"]) == 1
    batch.edit(1, "another by the model", recipe="its recipe")
    batch = again(batch) if is_restarted else batch
    for text, is_edited in (("elsewhere again", True), ("another by the model", False)):
        (folder / "2.txt").write_text(text)
        assert batch.take_over([folder / "2.png"]) == 1
        assert captions(batch)[1] == (text, is_edited)
    batch.close()


@pytest.mark.parametrize("is_restarted", [False, True])
def test_edit_of_the_run_can_be_undone_once_a_later_one_elsewhere_is(begin, folder, is_restarted):
    batch = begin()
    batch.edit(1, "in its row")
    written = (folder / "2.txt").read_bytes()
    (folder / "2.txt").write_text("elsewhere")
    assert batch.take_over([folder / "2.png"]) == 1
    batch = again(batch) if is_restarted else batch
    outcome = batch.undo_edit()
    assert (outcome.count, [one.found for one in outcome.conflicts]) == (0, ["elsewhere"])
    (folder / "2.txt").write_bytes(written)
    assert batch.take_over([folder / "2.png"]) == 1
    assert captions(batch)[1] == ("in its row", True)
    assert batch.undo_edit().count == 1
    assert captions(batch)[1] == (said(2), False)
    (folder / "2.txt").write_text("in its row")  # What was so before the edit was undone is past.
    assert batch.take_over([folder / "2.png"]) == 1
    assert captions(batch)[1] == ("in its row", True)
    batch.close()


def test_what_a_later_run_has_written_is_not_by_hand(begin, folder, begin_run):
    batch = begin()
    batch.close()
    later = begin_run(OPTIONS, existing=Existing.REPLACE, prompts=("Why?",))
    later.run(FolderEngine(), Control())
    later.edit(0, "in a row of the later run")
    later.close()
    (folder / "3.txt").write_text("elsewhere")
    batch = Batch.resume(batch.journal_path)
    assert batch.take_over() == 2
    assert captions(batch) == [
        ("in a row of the later run", True),
        (said(2), False),
        ("elsewhere", True),
    ]
    batch.close()


def test_files_that_are_gone_or_damaged_leave_the_captions(begin, folder):
    batch = begin(writes=("txt", "jsonl"))
    (folder / "1.txt").unlink()
    (folder / "2.txt").write_text("")
    (folder / "3.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    assert batch.take_over() == 0
    assert captions(batch) == [(said(number), False) for number in (1, 2, 3)]
    # A person has just taken the first two away, and moved the third with its image.
    (folder / "3.txt").unlink()
    (folder / "3.png").unlink()
    assert batch.take_over([folder / f"{number}.png" for number in (1, 2, 3)]) == 2
    assert captions(batch) == [("", True), ("", True), (said(3), False)]


def test_caption_that_was_there_before_the_run_is_none_of_it(begin, folder):
    (folder / "1.txt").write_text("mine")
    batch = begin(writes=("txt", "xmp"))
    assert batch.items[0].state is ItemState.DONE
    assert batch.take_over() == batch.take_over([folder / "1.png"]) == 0
    assert captions(batch)[0] == (said(1), False)
    data = (folder / "1.xmp").read_bytes()
    assert xmp.read(data, "1.xmp").description == said(1)
    (folder / "1.xmp").write_bytes(data.replace(said(1).encode(), b"by hand"))
    assert batch.take_over() == 1
    assert captions(batch)[0] == ("by hand", True)


@pytest.mark.parametrize("existing", [Existing.APPEND, Existing.PREPEND])
@pytest.mark.parametrize("drops_duplicates", [False, True])
def test_caption_beside_other_text_is_edited_once_it_is_gone(
    begin, folder, existing, drops_duplicates
):
    (folder / "1.txt").write_text("mine")
    batch = begin(existing=existing, drops_duplicates=drops_duplicates)
    whole = (folder / "1.txt").read_text()
    assert "mine" in whole
    assert said(1) in whole
    assert batch.take_over() == 0
    # Around the caption, somebody's own text may change.
    (folder / "1.txt").write_text(whole.replace("mine", "mine too"))
    assert batch.take_over() == 0
    (folder / "1.txt").write_text("all by hand")
    # Tags that were added without those that were there cannot be distinguished from the rest.
    assert batch.take_over() == (not drops_duplicates)
    assert captions(batch)[0][1] is not drops_duplicates


def test_undone_run_keeps_what_was_written_elsewhere_and_takes_over_no_more(begin, folder):
    batch = begin()
    (folder / "2.txt").write_text("elsewhere")
    assert batch.take_over([folder / "2.png"]) == 1
    assert batch.undo() == [folder / "2.txt"]
    assert sorted(path.name for path in folder.glob("*.txt")) == ["2.txt"]
    assert batch.items[1].reason == EDITED
    (folder / "2.txt").write_text("later")
    assert batch.take_over([folder / "2.png"]) == 0


def test_image_whose_captioning_is_unknown_has_no_caption_from_elsewhere(begin, folder):
    batch = begin()
    (folder / "2.txt").write_text("elsewhere")
    assert batch.take_over([folder / "2.png"]) == 1
    batch.close()
    lines = batch.journal_path.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"item"' in line and said(2).encode() in line)
    lines[at] = lines[at].replace(said(2).encode(), said(2).encode().upper())
    batch.journal_path.write_bytes(b"".join(lines))
    batch = Batch.resume(batch.journal_path)
    assert (batch.items[1].state, batch.items[1].caption) == (ItemState.FAILED, "")
    assert batch.take_over() == 0
    batch.close()


def test_look_through_many_ends_when_it_is_stopped(begin, folder):
    batch = begin()
    for number in (1, 2, 3):
        (folder / f"{number}.txt").write_text("elsewhere")
    asked = []

    def is_stopped():
        asked.append(True)
        return len(asked) > 2

    assert batch.take_over(is_stopped=is_stopped) == 0
    assert not any(is_edited for _, is_edited in captions(batch))
