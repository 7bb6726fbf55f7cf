"""Folder runs over real files, with an engine that says what it is asked."""

import csv
import io
import itertools
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, Item, ItemState, find_runs
from core.batch.changes import NOT_OURS
from core.batch.events import Failed
from core.batch.items import EDITED, HAS_CAPTION
from core.batch.journal import Journal, read_lines
from core.batch.kinds import Kind
from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.captions.variables import filled
from core.captions.wording import to_last_sentence, without_opening
from core.errors import EngineError, OutOfMemory, StoreError
from core.eta import Pace
from core.files import DiskFull, sync_folder
from core.formatting import format_duration
from core.transcript import Answer, Ending, Sampling
from tests.support.folder_run import FACTS, FolderEngine

ROOT = Path(__file__).parents[3]
PROMPT = "What is it?"
OPTIONS = BatchOptions((PROMPT,))


@pytest.fixture
def folder(tmp_path):
    """Pictures 1.png, 2.png, 10.png and sub/a.png."""
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    for name in ("1.png", "2.png", "10.png", "sub/a.png"):
        Image.new("RGB", (8, 6), "red").save(folder / name)
    return folder


@pytest.fixture
def begin(begin_run):
    """Begin a run over the folder; every one is closed at the end."""

    def begin(options=OPTIONS, *roots, **changes):
        return begin_run(options, *roots, **changes)

    return begin


def ran(batch, engine=None, **how):
    batch.run(engine or FolderEngine(), Control(), **how)
    return batch


def states(batch):
    return {item.path.name: item.state.value for item in batch.items}


def texts(folder):
    return {path.name: path.read_text() for path in sorted(folder.rglob("*.txt"))}


# What is captioned


def test_folder_is_captioned_in_natural_order(begin, folder):
    engine = FolderEngine()
    batch = ran(begin(), engine)
    assert [name for name, _ in engine.asked] == ["1.png", "2.png", "10.png"]
    assert texts(folder) == {f"{n}.txt": f"{n}.png: {PROMPT}\n" for n in (1, 2, 10)}
    assert batch.tally.done == 3


def test_folders_inside_and_patterns_are_taken_when_asked(begin, folder):
    assert len(begin(is_recursive=True).items) == 4
    assert [item.path.name for item in begin(OPTIONS, folder / "1*.png").items] == [
        "1.png",
        "10.png",
    ]


def test_picture_is_told_by_its_content_and_a_caption_is_no_picture(begin, folder):
    shutil.copy(folder / "1.png", folder / "holiday")
    (folder / "notes.md").write_text("words")
    (folder / "1.txt").write_bytes((folder / "1.png").read_bytes())
    assert set(states(begin())) == {"1.png", "2.png", "10.png", "holiday"}


def test_picture_files_are_never_touched(begin, folder):
    def fingerprints():
        return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*.png")}

    before = fingerprints()
    ran(begin(is_recursive=True, writes=("txt", "xmp", "jsonl"))).undo()
    assert fingerprints() == before


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("asks_again", [False, True])
def test_engine_s_first_work_on_an_image_is_done_in_another_thread(begin, slots, asks_again):
    class Engine(FolderEngine):
        def prepare_picture(self, picture):
            return replace(picture, prepared=threading.get_ident())

    engine, threads = Engine(), []
    engine.on_answer = lambda request: threads.append(request.picture.prepared)
    batch = ran(begin(most_characters=100 * asks_again), engine, slots=slots)
    assert [item.state for item in batch.items] == [ItemState.DONE] * 3
    assert len(threads) == 3
    assert not {threading.get_ident(), None} & set(threads)


@pytest.mark.parametrize("slots", [1, 3])
def test_broken_picture_is_a_row_with_its_reason_and_the_run_goes_on(begin, folder, slots):
    (folder / "2.png").write_text("<html>Not found</html>")
    batch = ran(begin(), slots=slots)
    assert states(batch) == {"1.png": "done", "2.png": "failed", "10.png": "done"}
    assert "“2.png” is a web page, not an image" in batch.items[1].reason


def test_picture_that_takes_long_to_open_holds_up_no_other(begin, folder):
    noise = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), np.uint8)
    Image.fromarray(noise).save(folder / "1.png", compress_level=1)
    engine = FolderEngine()
    batch = ran(begin(), engine, slots=2)
    assert states(batch) == {"1.png": "done", "2.png": "done", "10.png": "done"}
    names = [name for name, _ in engine.asked]
    assert names[0] != "1.png", names


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder_is_a_row_with_its_reason(begin, folder):
    (folder / "sub").chmod(0o555)
    batch = ran(begin(is_recursive=True))
    (folder / "sub").chmod(0o755)
    assert states(batch)["a.png"] == "failed"


def test_folder_in_the_captions_place_is_a_row_with_its_reason(begin, folder):
    (folder / "2.txt").mkdir()
    batch = ran(begin(existing=Existing.REPLACE))
    assert states(batch) == {"1.png": "done", "2.png": "failed", "10.png": "done"}
    assert "“2.txt” cannot be read" in batch.items[1].reason


@pytest.mark.parametrize(
    ("names", "reason"), [(["2.png"], "“2.png” is torn."), (["2.png", "10.png"], "“…” is torn.")]
)
def test_reason_names_its_image_unless_others_share_it(begin, names, reason):
    engine = FolderEngine()
    engine.fail |= {name: EngineError(f"“{name}” is torn.") for name in names}
    assert ran(begin(), engine).tally.reasons == ((reason, len(names)),)


def test_failed_are_retried_and_done_ones_are_not(begin, folder):
    engine = FolderEngine()
    engine.fail["2.png"] = EngineError("The model failed.")
    batch = ran(begin(), engine)
    assert batch.tally.reasons == (("The model failed.", 1),)
    engine.fail.clear()
    engine.asked.clear()
    assert batch.retry_failed() == 1
    ran(batch, engine)
    assert engine.asked == [("2.png", PROMPT)]
    assert batch.tally.done == 3


def test_memory_that_is_used_up_takes_fewer_slots_then_one_then_leaves_the_picture(begin):
    engine = FolderEngine(most=2)
    engine.fail["10.png"] = OutOfMemory("The memory is used up.")
    batch = ran(begin(), engine, slots=4)
    assert states(batch) == {"1.png": "done", "2.png": "done", "10.png": "failed"}
    assert batch.notes[-1].endswith("are now captioned one at a time.")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a limit on memory")
def test_run_with_more_slots_than_memory_takes_fewer_and_says_so(tmp_path):
    for name in ("desk.png", "shapes.png"):
        shutil.copy(ROOT / "resources" / "samples" / name, tmp_path)
    command = [sys.executable, "-m", "tests.support.folder_in_little_memory", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    report = json.loads(ran.stdout)
    assert report["done"] == 2
    assert report["notes"][0].endswith("256 images are now captioned at once.")
    assert all(report["captions"].values())


def test_failure_among_many_is_found_by_asking_one_by_one(begin):
    engine = FolderEngine()
    engine.fail["2.png"] = EngineError("The model failed.")
    batch = ran(begin(), engine, slots=3)
    assert states(batch) == {"1.png": "done", "2.png": "failed", "10.png": "done"}


def test_model_that_fails_again_and_again_ends_the_run(begin, folder):
    engine = FolderEngine()
    for number in range(20, 30):
        Image.new("RGB", (4, 4)).save(folder / f"{number}.png")
        engine.fail[f"{number}.png"] = EngineError("The device went away.")
    batch = begin()
    with pytest.raises(EngineError, match="5 times in a row"):
        ran(batch, engine)
    assert batch.tally.failed == 5
    assert batch.tally.waiting == 5


def test_two_pictures_that_would_share_a_caption_do_not_overwrite_it(begin, folder):
    Image.new("RGB", (4, 4)).save(folder / "1.bmp")
    batch = ran(begin())
    assert [item.state.value for item in batch.items[:2]] == ["done", "failed"]
    assert "{name}" in batch.items[1].reason
    assert ran(begin(name="{name}")).tally.done == 4


# What was there


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        (Existing.SKIP, "mine"),
        (Existing.REPLACE, f"1.png: {PROMPT}\n"),
        (Existing.APPEND, f"mine\n1.png: {PROMPT}\n"),
        (Existing.PREPEND, f"1.png: {PROMPT}\nmine\n"),
        (Existing.STALE, "mine"),
    ],
)
def test_existing_caption_is_treated_as_asked(begin, folder, existing, expected):
    (folder / "1.txt").write_text("mine")
    ran(begin(existing=existing))
    assert (folder / "1.txt").read_text() == expected


def test_what_has_a_caption_is_not_even_asked_about(begin, folder):
    (folder / "1.txt").write_text("mine")
    (folder / "2.txt").write_text("")
    engine = FolderEngine()
    batch = begin()
    assert batch.items[0] == Item(folder / "1.png", ItemState.SKIPPED, reason=HAS_CAPTION)
    ran(batch, engine)
    assert [name for name, _ in engine.asked] == ["2.png", "10.png"]


def test_caption_edited_by_hand_is_replaced_only_when_named(begin, folder):
    ran(begin()).close()
    (folder / "1.txt").write_text("by hand")
    batch = ran(begin(existing=Existing.REPLACE))
    assert (folder / "1.txt").read_text() == "by hand"
    assert batch.items[0].reason == EDITED
    assert batch.tally.done == 2
    ran(begin(existing=Existing.REPLACE, replaces_edited=("1.png",)))
    assert (folder / "1.txt").read_text() == f"1.png: {PROMPT}\n"


def test_only_what_was_made_otherwise_is_stale(begin, folder):
    ran(begin()).close()
    assert ran(begin(existing=Existing.STALE)).tally.done == 0
    assert ran(begin(existing=Existing.STALE, prompts=("Now what?",))).tally.done == 3
    warmer = Sampling(temperature=0.5)
    assert (
        ran(begin(existing=Existing.STALE, prompts=("Now what?",), sampling=warmer)).tally.done == 3
    )
    other_model = FolderEngine(facts=replace(FACTS, fingerprint="f2"))
    batch = begin(existing=Existing.STALE, prompts=("Now what?",), sampling=warmer)
    assert ran(batch, other_model).tally.done == 3


def test_only_what_a_model_wrote_and_nobody_changed_is_replaced(begin, folder):
    (folder / "2.txt").write_text("by a person")
    ran(begin()).close()
    (folder / "1.txt").write_text("changed by a person")
    Image.new("RGB", (4, 4)).save(folder / "20.png")
    again = {"existing": Existing.GENERATED, "prompts": ("Now what?",)}
    batch = ran(begin(**again))
    written = {path.stem: path.read_text().strip() for path in folder.glob("*.txt")}
    assert written == {
        "1": "changed by a person",
        "2": "by a person",
        "10": "10.png: Now what?",
        "20": "20.png: Now what?",
    }
    assert {reason for reason, _ in batch.summary().skips} == {EDITED, NOT_OURS}
    batch.close()
    # The same once more: what a person named is theirs to give away.
    ran(begin(**again, replaces_edited=("1.png", "2.png")))
    assert (folder / "2.txt").read_text() == "2.png: Now what?\n"
    assert (folder / "1.txt").read_text() == "1.png: Now what?\n"


@pytest.mark.parametrize("existing", [Existing.SKIP, Existing.REPLACE, Existing.GENERATED])
def test_caption_that_a_person_writes_while_the_run_goes_on_is_not_overwritten(
    begin, folder, existing
):
    """Also where the image was opened before, and after a pause and a restart."""
    batch = begin(existing=existing)

    class Meanwhile(FolderEngine):
        def answer(self, *arguments, **options):
            for path in folder.glob("*.png"):
                target = path.with_suffix(".txt")
                target.write_text("by a person")
                # Some clocks of files are a few milliseconds behind.
                os.utime(target, (time.time() + 1, time.time() + 1))
            return super().answer(*arguments, **options)

    ran(batch, Meanwhile())
    texts = {path.read_text() for path in folder.glob("*.txt")}
    assert texts == {"by a person"}
    assert batch.tally.done == 0


def test_seed_of_greedy_captions_makes_nothing_stale(begin):
    ran(begin()).close()
    assert ran(begin(existing=Existing.STALE, sampling=Sampling(seed=7))).tally.done == 0


# What is asked, and what is made of it


def test_prompt_variables_are_filled_in(folder):
    image = Image.new("RGB", (4, 4))
    exif = image.getexif()
    exif[0x0110] = "Camera 3"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:22 10:00:00"
    path = folder / "sub" / "b.jpg"
    image.save(path, exif=exif)
    prompt = "{name} {stem} {folder} {index} {caption} {exif:Model} {exif:DateTimeOriginal} {x}"
    assert filled(prompt, path, 7, "old") == ("b.jpg b sub 7 old Camera 3 2026:11:22 10:00:00 {x}")
    assert filled("{exif:Nothing}|{exif:Model}", folder / "1.png", 1) == "|"


def test_existing_caption_can_be_asked_about(begin, folder):
    (folder / "1.txt").write_text("a cat")
    engine = FolderEngine()
    ran(begin(prompts=("Is it {caption}? ({index})",), existing=Existing.REPLACE), engine)
    assert engine.asked[0] == ("1.png", "Is it a cat? (1)")


def test_several_prompts_make_one_caption_and_a_row_each(begin, folder):
    batch = ran(begin(prompts=("What?", "Where?"), writes=("txt", "jsonl")))
    assert (folder / "1.txt").read_text() == "1.png: What?\n1.png: Where?\n"
    lines = batch.exports[CaptionFormat.JSONL].read_text().splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == ["What?", "Where?"] * 3


@pytest.mark.parametrize("slots", [1, 4])
def test_picture_is_encoded_once_for_all_its_prompts(begin, engine, folder, monkeypatch, slots):
    for name, colour in (("2.png", "teal"), ("10.png", "blue")):
        Image.new("RGB", (8, 6), colour).save(folder / name)
    encoded = []
    images = engine._loop.forward.images
    encode = images.encode
    monkeypatch.setattr(images, "encode", lambda pixels: encoded.append(1) or encode(pixels))
    batch = begin(prompts=("What?", "Where?", "Who?"), sampling=Sampling(max_new_tokens=4))
    batch.run(engine, Control(), slots=slots)
    assert batch.tally.done == 3
    assert len(encoded) == 3


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("prompts", [("What?",), ("What?", "Where?", "Who?")], ids=len)
def test_captions_are_told_as_they_come(begin, engine, slots, prompts):
    streamed = {}

    def on_piece(number, piece):
        streamed[number] = streamed.get(number, "") + piece

    batch = begin(prompts=prompts, sampling=Sampling(max_new_tokens=40))
    batch.run(engine, Control(), on_piece=on_piece, slots=slots)
    lines = {number: set(text.splitlines()) for number, text in streamed.items()}
    assert len(lines) == batch.tally.done == 3
    for number, item in enumerate(batch.items):
        # With several slots an answer that has begun beside another is shown once it is written.
        assert lines[number] <= set(item.caption.splitlines())
        if slots == 1 or len(prompts) == 1:
            assert streamed[number] == item.caption


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("The image shows a cat.", "A cat."),
        ("This picture features two dogs.", "Two dogs."),
        ("In the photo, there is a hill.", "There is a hill."),
        ("On the table is an image of a cat.", "On the table is an image of a cat."),
        ("The image", "The image"),
    ],
)
def test_stock_openings_are_stripped(said, caption):
    assert without_opening(said) == caption


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("cats.", "Two cats."),
        (", it seems.", "Two, it seems."),
        ("Two cats.", "Two cats."),
        ("", "Two"),
    ],
)
def test_caption_begins_as_told_and_goes_on_from_there(said, caption):
    options = replace(OPTIONS, beginning="Two")
    assert options.caption_of(Answer(said, Ending.COMPLETE, 1, 0.1)) == caption


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ("One. Two is 3.5 m long and", "One."),
        ("He said “stop!” and then the", "He said “stop!”"),
        ("一つ。二つ", "一つ。"),
        ("no end at all", "no end at all"),
    ],
)
def test_caption_that_ran_out_ends_at_its_last_sentence(said, caption):
    assert to_last_sentence(said) == caption


# Results


def test_tables_and_xmp_hold_what_was_said_and_how(begin, folder):
    batch = ran(begin(writes=("xmp", "jsonl", "csv"), sampling=Sampling(max_new_tokens=9)))
    assert not texts(folder)
    assert xmp.description_of((folder / "1.xmp").read_bytes()) == f"1.png: {PROMPT}"
    first = json.loads(batch.exports[CaptionFormat.JSONL].read_text().splitlines()[0])
    assert first["picture"] == str(folder / "1.png")
    assert first["caption"] == f"1.png: {PROMPT}"
    assert (first["model"], first["model_fingerprint"]) == ("script", "f1")
    assert first["sampling"]["max_new_tokens"] == 9
    assert (first["ending"], first["tokens"]) == ("complete", 3)
    table = batch.exports[CaptionFormat.CSV].read_text(encoding="utf-8-sig")
    assert len(list(csv.DictReader(io.StringIO(table, newline="")))) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"prompts": ()},
        {"prompts": (" ",)},
        {"writes": ()},
        {"writes": ("pdf",)},
        {"name": "captions"},
        {"name": "../{stem}"},
    ],
)
def test_run_that_makes_no_sense_is_refused(begin, changes):
    with pytest.raises(ValueError, match=r"prompt|written|caption format|not a valid name"):
        begin(**changes)


# Stopping, resuming


def test_stop_after_this_one_writes_the_caption_under_way_and_no_other(begin, folder):
    batch, control, engine = begin(), Control(), FolderEngine()
    engine.on_answer = lambda request: control.stop_after_this()
    batch.run(engine, control)
    assert states(batch) == {"1.png": "done", "2.png": "waiting", "10.png": "waiting"}
    assert set(texts(folder)) == {"1.txt"}
    ran(batch, engine)
    assert batch.tally.done == 3
    assert len(engine.asked) == 3


@pytest.mark.parametrize("slots", [1, 3])
def test_stop_now_ends_inside_a_caption_and_keeps_the_half_in_the_journal(begin, folder, slots):
    batch, control = begin(), Control()
    engine = FolderEngine(seconds=60)
    stopped_at = []

    def stop_inside_a_caption():
        assert engine.has_begun.wait(30)
        stopped_at.append(time.monotonic())
        control.stop_now()

    stopper = threading.Thread(target=stop_inside_a_caption)
    stopper.start()
    batch.run(engine, control, slots=slots)
    ended_at = time.monotonic()
    stopper.join()
    assert ended_at - stopped_at[0] < 20  # The caption would take a minute.
    assert batch.tally.waiting == 3
    assert not texts(folder)
    assert "stopped" in [record["kind"] for record in read_lines(batch.journal_path)]
    assert ran(batch).tally.done == 3


def test_closed_run_is_found_and_goes_on_where_it_was(begin, journals, folder):
    batch, control, engine = begin(), Control(), FolderEngine()
    engine.on_answer = lambda request: control.stop_after_this()
    batch.run(engine, control)
    batch.close()
    (kept,) = find_runs(journals)
    assert (kept.is_over, kept.roots, kept.options) == (False, (folder,), OPTIONS)
    again = Batch.resume(kept.journal)
    assert again.items[0] == Item(folder / "1.png", ItemState.DONE, f"1.png: {PROMPT}")
    ran(again).close()
    assert find_runs(journals)[0].is_over


def test_failed_stay_failed_after_a_restart_until_they_are_retried(begin, folder):
    (folder / "2.png").write_bytes(b"")
    batch = ran(begin())
    batch.close()
    again = Batch.resume(batch.journal_path)
    assert again.tally.failed == 1
    assert "is empty" in again.items[1].reason
    Image.new("RGB", (4, 4)).save(folder / "2.png")
    again.retry_failed()
    assert ran(again).tally.done == 3
    again.close()


def test_run_cannot_be_open_twice(begin):
    with pytest.raises(StoreError, match="under way in another window"):
        Batch.resume(begin().journal_path)


def test_torn_last_line_of_the_journal_is_left_out(tmp_path):
    path = tmp_path / "run.jsonl"
    journal = Journal(path)
    journal.append(Failed("a.png", "one"), Failed("b.png", "two"))
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"kind": "thr')
    journal = Journal(path)
    journal.append(Failed("c.png", "four"))
    journal.close()
    assert [record["reason"] for record in read_lines(path)] == ["one", "two", "four"]


@pytest.mark.skipif(os.name == "nt", reason="a limit on file sizes stands for a full disk")
def test_disk_that_fills_up_ends_the_run_and_loses_nothing(begin, folder):
    batch, engine = begin(), FolderEngine()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = batch.journal_path.stat().st_size + 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(DiskFull, match="Free some space"):
            ran(batch, engine)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert batch.tally.waiting
    assert all(text.endswith("?\n") for text in texts(folder).values())
    assert ran(batch, engine).tally.done == 3
    assert texts(folder) == {f"{n}.txt": f"{n}.png: {PROMPT}\n" for n in (1, 2, 10)}


# By hand, and back


def test_edit_is_saved_at_once_and_is_not_undone(begin, folder):
    batch = ran(begin(writes=("txt", "xmp", "jsonl")))
    batch.edit(0, "My own words")
    assert (folder / "1.txt").read_text() == "My own words\n"
    assert xmp.description_of((folder / "1.xmp").read_bytes()) == "My own words"
    assert batch.undo() == [folder / "1.txt", folder / "1.xmp"]
    assert texts(folder) == {"1.txt": "My own words\n"}


def test_edit_outlives_a_restart_and_reaches_the_table(begin, folder):
    batch = ran(begin(writes=("txt", "jsonl")))
    batch.edit(0, "My own words")
    batch.close()
    first = json.loads(batch.exports[CaptionFormat.JSONL].read_text().splitlines()[0])
    assert (first["caption"], first["edited"]) == ("My own words", True)
    again = Batch.resume(batch.journal_path)
    assert again.items[0].is_edited
    assert again.items[0].caption == "My own words"
    again.close()


def tree(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_undo_brings_every_file_back(begin, folder, is_restarted):
    (folder / "1.txt").write_bytes("früher\r\n".encode("cp1252"))
    before = tree(folder)
    options = {"writes": ("txt", "xmp", "jsonl", "csv"), "existing": Existing.APPEND}
    batch = ran(begin(**options))
    assert tree(folder) != before
    if is_restarted:
        batch.close()
        batch = Batch.resume(batch.journal_path)
    assert batch.undo() == []
    assert tree(folder) == before
    assert set(states(batch).values()) == {"undone"}
    assert batch.run(FolderEngine(), Control()).done == 0
    batch.close()


def test_images_that_still_waited_are_not_counted_as_undone_now_or_after_a_restart(begin, folder):
    batch, control, engine = begin(), Control(), FolderEngine()
    engine.on_answer = lambda request: control.stop_after_this()
    batch.run(engine, control)
    count = len(batch.items)
    assert batch.undo() == []
    tally = batch.summary().tally
    assert (tally.undone, tally.waiting) == (1, count - 1)
    before = states(batch)
    batch.close()
    again = Batch.resume(batch.journal_path)
    assert states(again) == before
    again.close()


def test_undone_run_is_forgotten_when_asked_what_was_made_by_hand(begin, folder, journals):
    (folder / "1.txt").write_text("mine")
    ran(begin(existing=Existing.REPLACE)).undo()
    assert find_runs(journals)[0].is_undone
    ran(begin(existing=Existing.REPLACE))
    assert (folder / "1.txt").read_text() == f"1.png: {PROMPT}\n"


# Pace


def test_time_left_settles_and_does_not_jump():
    pace, left = Pace(), []
    for number in range(400):
        slow = 9.0 if number == 200 else 1.0
        left.append(pace.advance(slow, 1, 399 - number))
    known = [seconds for seconds in left if seconds is not None]
    steps = [b - a for a, b in itertools.pairwise(known)]
    assert max(steps) < 30
    assert abs(left[100] - 299) < 5
    assert left[-1] == 0


def test_time_left_is_told_in_few_figures():
    assert [format_duration(s) for s in (10, 200, 1500, 5400, 50_000)] == [
        "less than a minute",
        "about 3 min",
        "about 25 min",
        "about 1 h 30 min",
        "about 14 h",
    ]


# Killed


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kill -9")
@pytest.mark.parametrize("mode", ["skip", "append"])
def test_run_killed_at_random_moments_captions_everything_once(tmp_path, mode):
    """Each picture's files are whole at every moment, and at the end as without any kill.

    The default tier has `test_kill_points`.
    """
    most_kills = 25
    pictures, journals = tmp_path / "pictures", tmp_path / "journals"
    (pictures / "sub").mkdir(parents=True)
    journals.mkdir()
    sync_folder(journals)
    names = [f"{number}.png" for number in range(150)] + [f"sub/{n}.png" for n in range(100)]
    for name in names:
        Image.new("RGB", (4, 4), "blue").save(pictures / name)
    before = {}
    if mode == "append":
        for name in names[::2]:
            before[name] = "by hand"
            (pictures / name).with_suffix(".txt").write_text("by hand")
    command = [sys.executable, "-m", "tests.support.folder_run", str(pictures), str(journals), mode]
    moments = random.Random(mode)
    kills = 0
    answered = journals / "answered"
    while kills < most_kills:
        known, asked_before = captioned_in(journals), len(lines_of(answered))
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        # Captions wait a tenth of a second for others, to be written together.
        time.sleep(moments.uniform(0.0, 0.4))
        if process.poll() is None:
            kills += 1
        process.kill()
        process.communicate()
        # Only what was said and not yet in the journal at the kill is asked again.
        assert not known & set(lines_of(answered)[asked_before:])
        for name in names:
            check_files(pictures / name, before.get(name))
        if process.returncode == 0:
            break
    # A busy machine may let a run come to its end between two of them.
    assert kills > most_kills // 2, f"over after {kills} kills"
    assert captioned_in(journals)
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    for name in names:
        assert check_files(pictures / name, before.get(name)) == 2
    rows = [json.loads(line) for line in (pictures / "captions.jsonl").read_text().splitlines()]
    assert Counter(row["picture"] for row in rows) == {str(pictures / n): 2 for n in names}
    assert not list(pictures.rglob("*.part"))
    every = {str(pictures / name) for name in names}
    assert captioned_in(journals) == set(lines_of(answered)) == every
    (kept,) = find_runs(journals)
    batch = Batch.resume(kept.journal)
    assert batch.tally.done == len(names)
    batch.undo()
    batch.close()
    left = {path.name for path in pictures.rglob("*") if path.is_file()}
    assert left == {Path(n).name for n in names} | {Path(n).stem + ".txt" for n in before}


def captioned_in(journals):
    """The images whose captions are in the journals."""
    lines = [line for run in find_runs(journals) for line in read_lines(run.journal)]
    return {line["picture"] for line in lines if line.get("kind") == Kind.ITEM}


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def check_files(picture, before):
    """How many of a picture's two files are written; each is as before or whole."""
    caption = f"{picture.name}: What is it?\n{picture.name}: And where?"
    text, extra = picture.with_suffix(".txt"), picture.with_suffix(".xmp")
    whole = f"{before}\n{caption}\n" if before else f"{caption}\n"
    written = 0
    if text.exists():
        words = text.read_text()
        assert words in (whole, before)
        written += words == whole
    if extra.exists():
        assert xmp.description_of(extra.read_bytes()) == caption
        written += 1
    return written
