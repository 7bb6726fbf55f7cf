"""Folder runs on folders that change, clash and break under them: nothing is lost, and they end."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState, opening
from core.batch.events import Captioned
from core.batch.items import HAS_CAPTION
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.errors import StoreError
from core.files import DiskFull
from core.transcript import Sampling
from tests.support.folder_run import FolderEngine

PROMPT = "What is it?"
OPTIONS = BatchOptions((PROMPT,))


@pytest.fixture
def begin(begin_run):
    return partial(begin_run, OPTIONS)


@pytest.fixture
def reopened(begin):
    """The same run as after a restart."""
    opened = []

    def reopened(batch):
        batch.close()
        opened.append(Batch.resume(batch.journal_path))
        return opened[-1]

    yield reopened
    for batch in opened:
        batch.close()


def ran(batch, engine=None, slots=1):
    batch.run(engine or FolderEngine(), Control(), slots=slots)
    return batch


def states(batch):
    return [item.state.value for item in batch.items]


# Somebody else writes there


@pytest.mark.parametrize("slots", [1, 3])
def test_caption_that_somebody_writes_meanwhile_is_not_replaced(begin, folder, slots):
    def write_by_hand(request):
        (folder / f"{request.picture.path.stem}.txt").write_text("by hand\n")

    engine = FolderEngine()
    engine.on_answer = write_by_hand
    batch = ran(begin(), engine, slots)
    assert {path.read_text() for path in folder.glob("*.txt")} == {"by hand\n"}
    assert {(item.state, item.reason) for item in batch.items} == {(ItemState.SKIPPED, HAS_CAPTION)}


def test_caption_edited_while_the_picture_is_looked_at_again_is_kept(begin, folder):
    ran(begin())

    def edit(request):
        if request.picture.path.name == "2.png":
            (folder / "2.txt").write_text("better\n")

    engine = FolderEngine()
    engine.on_answer = edit
    batch = ran(begin(prompts=("And now?",), existing=Existing.REPLACE), engine)
    assert (folder / "2.txt").read_text() == "better\n"
    assert states(batch) == ["done", "skipped", "done"]


def test_two_runs_at_once_over_a_folder_caption_each_picture_once(begin, folder):
    other = begin()
    engine = FolderEngine()
    engine.on_answer = lambda _: other.tally.done or ran(other)
    batch = ran(begin(), engine)
    assert batch.tally.done + other.tally.done == 3
    assert batch.tally.skipped + other.tally.skipped == 3
    other.undo()
    batch.undo()
    assert list(folder.glob("*.txt")) == []


@pytest.mark.parametrize("existing", [Existing.SKIP, Existing.APPEND])
def test_two_runs_that_write_at_the_same_time_lose_nothing(begin, folder, existing):
    for number in range(4, 60):
        Image.new("RGB", (8, 6), "red").save(folder / f"{number}.png")
    # Appending the words that are there already would add nothing.
    batches = [
        begin(prompts=(prompt,), existing=existing, writes=("txt", "xmp"))
        for prompt in ("What?", "Where?")
    ]
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(ran, batches))
    assert [batch.tally.failed for batch in batches] == [0, 0]
    lines = {len(path.read_text().splitlines()) for path in folder.glob("*.txt")}
    assert lines == ({1} if existing is Existing.SKIP else {2})
    assert sum(batch.tally.done for batch in batches) == (59 if existing is Existing.SKIP else 118)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_table_that_somebody_has_changed_is_kept_beside_ours(begin, folder, kind):
    batch = ran(begin(writes=("txt", kind)))
    table = batch.exports[kind]
    changed = table.read_bytes().replace(b"2.png: What", b"Two: what")
    table.write_bytes(changed)
    batch.edit(0, "mine")
    batch.close()
    assert b"mine" in table.read_bytes()
    assert b"Two: what" not in table.read_bytes()
    assert (folder / f"captions-2.{kind}").read_bytes() == changed
    assert any(f"captions-2.{kind}" in note for note in batch.notes)


def test_tables_of_two_runs_that_begin_at_once_hold_the_rows_of_each(begin, folder):
    (folder / "1.txt").write_text("mine")
    one, other = begin(writes=("txt", "jsonl")), begin(writes=("caption", "jsonl"))
    ran(one)
    ran(other)
    rows = [
        json.loads(line)
        for table in folder.glob("captions*.jsonl")
        for line in table.read_text().splitlines()
    ]
    made = [row for row in rows if not row.get("existing")]
    assert len(made) == one.tally.done + other.tally.done == 5
    assert len(rows) == 6  # With the caption of the image that was skipped.


# What is in the way


def test_whitespace_and_folders_are_no_captions(begin, folder):
    (folder / "1.txt").write_text(" \n")
    (folder / "2.txt").mkdir()
    batch = ran(begin())
    assert states(batch) == ["done", "failed", "done"]
    assert "“2.txt” cannot be read" in batch.items[1].reason


def test_undo_gives_back_all_that_it_can_and_goes_on_later(begin, reopened, folder):
    batch = ran(begin())
    (folder / "1.txt").unlink()
    (folder / "1.txt").mkdir()
    with pytest.raises(StoreError, match=r"1\.txt"):
        batch.undo()
    assert [path.name for path in folder.glob("*.txt")] == ["1.txt"]
    (folder / "1.txt").rmdir()
    again = reopened(batch)
    assert again.undo() == []
    assert states(again) == ["undone"] * 3


@pytest.mark.parametrize("slots", [1, 3])
def test_folder_that_vanishes_fails_its_rows_and_what_was_said_is_written_when_it_is_back(
    begin, reopened, folder, slots
):
    away = folder.with_name("away")
    engine = FolderEngine()
    engine.on_answer = lambda request: folder.exists() and folder.rename(away)
    batch = ran(begin(writes=("txt", "xmp", "jsonl")), engine, slots)
    assert set(states(batch)) == {"failed"}
    away.rename(folder)
    again = reopened(batch)
    assert again.retry_failed() == 3
    engine.on_answer = lambda request: None
    assert ran(again, engine, slots).tally.done == 3
    assert len(engine.asked) == 3
    assert len(again.exports[CaptionFormat.JSONL].read_text().splitlines()) == 3


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_links_in_a_circle_are_passed_over(begin, folder):
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "up").symlink_to(folder)
    (folder / "4.png").symlink_to(folder / "4.png")
    (folder / "3.txt").symlink_to(folder / "3.txt")
    batch = ran(begin(is_recursive=True))
    assert [item.path.name for item in batch.items] == ["1.png", "2.png", "3.png", "4.png"]
    assert states(batch) == ["done", "done", "failed", "failed"]


@pytest.mark.parametrize("writes", [("txt", "jsonl", "csv"), ("xmp",)], ids=str)
@pytest.mark.parametrize(
    "name",
    ["line\nbreak.png", "🦋 “quoted”, 'so'.png", "x" * 251 + ".png", "=1+1.png", "{name}.png"],
)
def test_pictures_of_any_name_are_captioned(begin, reopened, folder, name, writes):
    Image.new("RGB", (8, 6), "blue").save(folder / name)
    batch = ran(begin(prompts=("What is {name}?",), writes=writes))
    assert states(batch) == ["done"] * 4
    again = reopened(batch)
    assert again.undo() == []
    assert {path.suffix for path in folder.iterdir()} == {".png"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are bytes there")
@pytest.mark.parametrize("slots", [1, 3])
def test_name_that_is_no_text_can_be_asked_about(begin, folder, engine, slots):
    Image.new("RGB", (8, 6), "blue").save(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
    batch = begin(
        prompts=("What is {name}?",),
        writes=("txt", "xmp", "jsonl", "csv"),
        sampling=Sampling(max_new_tokens=3),
    )
    batch.run(engine, Control(), slots=slots)
    assert states(batch) == ["done"] * 4


@pytest.mark.parametrize("writes", [("txt",), ("xmp",)])
def test_caption_whose_name_would_be_too_long_is_a_row_with_its_reason(begin, folder, writes):
    Image.new("RGB", (8, 6), "blue").save(folder / ("x" * 251 + ".png"))
    batch = ran(begin(name="{stem} as it was described", writes=("txt", *writes)))
    assert states(batch) == ["done"] * 3 + ["failed"]


# What nobody foresaw


@pytest.mark.parametrize("slots", [1, 3])
def test_picture_that_breaks_its_reader_is_a_row_and_the_run_goes_on(
    begin, folder, monkeypatch, slots
):
    def broken(path, **how):
        if path.name == "2.png":
            raise ZeroDivisionError
        return open_picture(path, **how)

    open_picture = opening.open_picture
    monkeypatch.setattr(opening, "open_picture", broken)
    batch = ran(begin(), slots=slots)
    assert states(batch) == ["done", "failed", "done"]
    assert "“2.png” cannot be opened (ZeroDivisionError)" in batch.items[1].reason


@pytest.mark.parametrize("slots", [1, 3])
def test_picture_that_breaks_the_model_is_a_row_and_the_run_goes_on(begin, slots):
    class Breaking(FolderEngine):
        def answer(self, request, on_piece, stop):
            if request.picture.name == "2.png":
                raise ZeroDivisionError
            return super().answer(request, on_piece, stop)

    batch = ran(begin(), Breaking(), slots=slots)
    assert states(batch) == ["done", "failed", "done"]
    assert "(ZeroDivisionError)" in batch.items[1].reason


# A full disk, and again


@pytest.mark.parametrize("slots", [1, 3])
def test_full_disk_ends_the_run_at_once_however_many_slots(begin, monkeypatch, slots):
    batch, engine = begin(), FolderEngine()
    write = batch._ledger.journal.append

    def full(*events, **how):
        if any(isinstance(event, Captioned) for event in events):
            raise DiskFull("The disk is full.")
        write(*events, **how)

    monkeypatch.setattr(batch._ledger.journal, "append", full)
    with pytest.raises(DiskFull):
        ran(batch, engine, slots)
    asked = len(engine.asked)
    assert batch.tally.waiting == 3
    monkeypatch.undo()
    assert ran(batch, engine, slots).tally.done == 3
    # What was said before it was full is not asked again.
    assert len(engine.asked) == 3 >= asked


def test_caption_that_could_not_be_written_is_not_asked_again_after_a_restart(
    begin, reopened, folder
):
    batch, engine = begin(), FolderEngine()

    def take_place(request):
        if request.picture.path.name == "2.png":
            (folder / "2.txt").symlink_to(folder / "nowhere" / "2.txt")

    engine.on_answer = take_place
    assert states(ran(batch, engine)) == ["done", "failed", "done"]
    (folder / "2.txt").unlink()
    again = reopened(batch)
    assert again.retry_failed() == 1
    assert ran(again, engine).tally.done == 3
    assert len(engine.asked) == 3
    assert (folder / "2.txt").read_text() == f"2.png: {PROMPT}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for each thread's priority")
def test_threads_that_open_images_yield_to_the_model_but_get_time_on_busy_cores(begin):
    """A thread of SCHED_IDLE gets none, and the window would wait for Python's lock meanwhile."""
    policies, niceness = set(), set()

    def look(request):
        for task in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # It has just ended.
                policies.add(os.sched_getscheduler(int(task.name)))
                niceness.add(os.getpriority(os.PRIO_PROCESS, int(task.name)))

    engine = FolderEngine()
    engine.on_answer = look
    assert states(ran(begin(), engine)) == ["done"] * 3
    assert os.SCHED_IDLE not in policies
    assert max(niceness) >= 10
