"""Rows, files and later runs after a process ended at an awkward moment; see also the kill points.

What a killed process leaves is made of a whole run: its journal is cut off, or gets a line that
came in between, and its files hold what they held then.
"""

import json
import os
import time
from contextlib import closing
from dataclasses import replace

import pytest

from core.batch import Batch, BatchOptions, Control, ItemState, find_runs
from core.batch.items import EDITED
from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from tests.support.folder_run import FolderEngine

PROMPT = "What is it?"
OPTIONS = BatchOptions((PROMPT,), writes=(CaptionFormat.TXT, CaptionFormat.CAPTION))


@pytest.fixture
def ran(folder, tmp_path):
    """Runs to the end, does something with the run, closes it, and returns its journal."""

    def ran(act=lambda batch: None, **changes):
        options = replace(OPTIONS, **changes)
        with closing(Batch.begin([folder], options, tmp_path / "journals")) as batch:
            batch.run(FolderEngine(), Control())
            act(batch)
            return batch.journal_path

    return ran


def cut(journal, kind, count=1):
    """Cuts the journal off behind the n-th line of this kind."""
    lines = journal.read_bytes().splitlines(keepends=True)
    ends = [n for n, line in enumerate(lines, 1) if json.loads(line)["kind"] == kind]
    journal.write_bytes(b"".join(lines[: ends[count - 1]]))


def texts(folder, kind="txt"):
    return {path.stem: path.read_text().strip() for path in folder.glob(f"*.{kind}")}


def said(number):
    return f"{number}.png: {PROMPT}"


def rewrite(folder, number, text):
    """Gives both files of an image this text, as before what is cut off the journal."""
    for kind in ("txt", "caption"):
        (folder / f"{number}.{kind}").write_text(f"{text}\n")


def test_answer_that_is_put_aside_during_an_edit_does_not_take_the_edit_along(ran, folder):
    journal = ran(lambda batch: batch.edit(1, "by hand"))
    lines = journal.read_bytes().splitlines(keepends=True)
    edit = next(n for n, line in enumerate(lines) if json.loads(line)["kind"] == "edit")
    unused = {"kind": "unused", "picture": json.loads(lines[edit])["picture"], "answers": []}
    lines.insert(edit + 1, json.dumps(unused).encode() + b"\n")
    journal.write_bytes(b"".join(lines))
    with closing(Batch.resume(journal)) as batch:
        assert (batch.items[1].caption, batch.items[1].is_edited) == ("by hand", True)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_image_edited_during_its_answer_waits_again_once_the_edit_is_undone(
    folder, tmp_path, is_restarted
):
    batch = Batch.begin([folder], OPTIONS, tmp_path / "journals")
    engine = FolderEngine()

    def edit(request):
        if request.picture.name == "2.png":
            batch.edit(1, "by hand")

    engine.on_answer = edit
    batch.run(engine, Control())
    assert batch.undo_edit().count == 1
    if is_restarted:
        batch.close()
        batch = Batch.resume(batch.journal_path)
    assert batch.items[1].state is ItemState.WAITING
    with closing(batch):
        assert batch.run(FolderEngine(), Control()).done == 3
    assert texts(folder)["2"] == said(2)


def test_edit_that_cannot_be_finished_is_not_given_up(ran, folder):
    journal = ran(lambda batch: batch.edit(1, "by hand"))
    cut(journal, "edit")
    rewrite(folder, 2, said(2))
    (folder / "2.caption").unlink()
    (folder / "2.caption").mkdir()
    for _ in range(2):
        with closing(Batch.resume(journal)) as batch:
            assert batch.items[1].state is ItemState.FAILED
            assert "2.caption" in batch.items[1].reason
            batch.retry_failed()
            engine = FolderEngine()
            assert batch.run(engine, Control()).failed == 1
            assert engine.asked == []
    (folder / "2.caption").rmdir()
    (folder / "2.caption").write_text(f"{said(2)}\n")
    with closing(Batch.resume(journal)) as batch:
        assert batch.items[1].caption == texts(folder)["2"] == texts(folder, "caption")["2"]
        assert batch.items[1].caption == "by hand"


def test_edit_of_an_undone_run_is_finished(ran, folder):
    def act(batch):
        batch.undo()
        batch.edit(1, "by hand")

    journal = ran(act)
    cut(journal, "edit")
    (folder / "2.txt").unlink()
    with closing(Batch.resume(journal)) as batch:
        assert batch.is_undone
        assert batch.items[1].caption == texts(folder)["2"] == "by hand"
        assert list(folder.glob("captions*")) == []


def test_undo_keeps_an_edited_sidecar_though_another_name_would_be_written_now(ran, folder):
    def act(batch):
        batch.edit(1, "by hand")
        (folder / "2.png.xmp").write_bytes((folder / "3.xmp").read_bytes())
        assert batch.undo() == [folder / "2.xmp"]

    ran(act, writes=(CaptionFormat.XMP,))
    assert b"by hand" in (folder / "2.xmp").read_bytes()


def test_file_that_somebody_changed_during_the_run_is_marked_after_a_restart_too(ran, folder):
    journal = ran()
    cut(journal, "item", 3)
    (folder / "3.txt").write_text("elsewhere\n")
    for _ in range(2):
        with closing(Batch.resume(journal)) as batch:
            assert batch.items[2].is_edited
    assert texts(folder)["3"] == "elsewhere"


# What later runs make of it


def test_caption_that_a_killed_run_had_not_written_is_not_taken_for_an_edited_one(ran, folder):
    ran()
    journal = ran(prompts=("And where?",), existing=Existing.REPLACE)
    cut(journal, "item", 3)
    rewrite(folder, 3, said(3))
    ran(prompts=("How many?",), existing=Existing.REPLACE)
    assert texts(folder)["3"] == texts(folder, "caption")["3"] == "3.png: How many?"


def test_caption_that_could_not_be_written_is_not_taken_for_an_edited_one(ran, folder):
    ran()
    (folder / "3.caption").unlink()
    (folder / "3.caption").symlink_to(folder / "nowhere" / "3.caption")
    ran(prompts=("And where?",), existing=Existing.REPLACE)
    assert texts(folder)["3"] == said(3)
    (folder / "3.caption").unlink()
    ran(prompts=("How many?",), existing=Existing.REPLACE)
    assert texts(folder)["3"] == texts(folder, "caption")["3"] == "3.png: How many?"


def test_edited_captions_of_an_undone_run_are_not_replaced(ran, folder, tmp_path):
    def act(batch):
        batch.edit(0, "by hand")
        batch.edit(1, "undone")
        batch.undo_edit()
        batch.undo()

    ran(act)
    with closing(
        Batch.begin([folder], replace(OPTIONS, existing=Existing.REPLACE), tmp_path / "journals")
    ) as batch:
        batch.run(FolderEngine(), Control())
        assert batch.items[0].reason == EDITED
    assert texts(folder) == {"1": "by hand", "2": said(2), "3": said(3)}


def test_run_in_which_nothing_was_to_do_is_over(folder, tmp_path):
    rewrite(folder, 1, "mine")
    rewrite(folder, 2, "mine")
    rewrite(folder, 3, "mine")
    with closing(Batch.begin([folder], OPTIONS, tmp_path / "journals")) as batch:
        assert not batch.tally.waiting
    assert find_runs(tmp_path / "journals")[0].is_over


@pytest.mark.parametrize("place", ["first line", "last line"])
def test_journals_of_enormous_size_keep_nobody_waiting(ran, tmp_path, place):
    journal = ran(existing=Existing.REPLACE)
    other = ran(existing=Existing.REPLACE)
    if place == "first line":
        journal.write_bytes(b'{"kind": "begin", "journal": 1, "version": "')
    os.truncate(journal, 400_000_000)
    began = time.process_time()
    runs = [run.journal for run in find_runs(tmp_path / "journals")]
    assert time.process_time() - began < 2
    assert runs == ([other] if place == "first line" else [other, journal])


# Captions that stand beside others


@pytest.mark.parametrize("existing", [Existing.APPEND, Existing.PREPEND])
@pytest.mark.parametrize("separator", ["\n", ", "])
def test_edit_of_an_added_caption_leaves_what_it_was_added_to(ran, folder, existing, separator):
    (folder / "2.txt").write_text("mine\n")
    before = xmp.described(None, description="mine", alt_text="my alt text", name="2.xmp")
    (folder / "2.xmp").write_bytes(before)
    words = {"existing": existing, "separator": separator}
    words["writes"] = (CaptionFormat.TXT, CaptionFormat.XMP)

    def act(batch):
        batch.edit(1, "by hand")
        batch.edit(1, "once more")

    journal = ran(act, **words)
    parts = ["mine", "once more"] if existing is Existing.APPEND else ["once more", "mine"]
    assert texts(folder)["2"] == separator.join(parts)
    assert texts(folder)["1"] == said(1)
    texts_then = xmp.read((folder / "2.xmp").read_bytes(), "2.xmp")
    assert texts_then.description == separator.join(parts)
    assert texts_then.alt_text == separator.join(parts).replace("mine", "my alt text")
    with closing(Batch.resume(journal)) as batch:
        assert batch.items[1].caption == "once more"
        assert batch.undo_edit().count == batch.undo_edit().count == 1
        assert batch.undo() == []
    assert texts(folder) == {"2": "mine"}
    assert (folder / "2.xmp").read_bytes() == before
