"""An answer without a word of its own is a failure, and nothing is replaced by it."""

import csv
from dataclasses import replace

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState, try_first
from core.batch.items import NO_WORDS
from core.batch.journal import read_lines
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.words import has_words
from tests.support.folder_run import FolderEngine

OPTIONS = BatchOptions(("What?",), existing=Existing.REPLACE)


@pytest.fixture
def folder(tmp_path):
    """Two images with captions by hand."""
    for name in "ab":
        Image.new("RGB", (8, 6), "red").save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text("by hand\n")
    return tmp_path


@pytest.fixture
def run(folder):
    """Run with what is said about a.png; gives the closed batch."""

    def run(said, slots=1, **changes):
        engine = FolderEngine()
        engine.says = said if isinstance(said, dict) else {"a.png": said}
        batch = Batch.begin([folder], replace(OPTIONS, **changes), folder / "journals")
        batch.run(engine, Control(), slots=slots)
        batch.close()
        return batch

    return run


@pytest.mark.parametrize("said", ["", " \n", "...", "”", "—", "\N{REPLACEMENT CHARACTER}", "。"])
@pytest.mark.parametrize("slots", [1, 2])
def test_wordless_answer_fails_and_the_old_caption_stays(run, folder, said, slots):
    batch = run(said, slots)
    states = {item.path.name: (item.state, item.reason) for item in batch.items}
    assert states == {"a.png": (ItemState.FAILED, NO_WORDS), "b.png": (ItemState.DONE, "")}
    assert (folder / "a.txt").read_text() == "by hand\n"
    assert (folder / "b.txt").read_text() == "b.png: What?\n"


@pytest.mark.parametrize("existing", list(Existing))
def test_no_way_of_keeping_captions_writes_a_wordless_one(run, folder, existing):
    (folder / "a.txt").write_text("")
    (folder / "b.txt").write_text("by hand\n")
    before = (folder / "b.txt").read_text()
    run({"a.png": "", "b.png": " "}, existing=existing)
    assert ((folder / "a.txt").read_text(), (folder / "b.txt").read_text()) == ("", before)


def test_forced_start_alone_is_no_caption(run, folder):
    said = {"a.png": "ohwx man,", "b.png": "ohwx man, on a horse"}
    batch = run(said, beginning="ohwx man,")
    assert [item.state for item in batch.items] == [ItemState.FAILED, ItemState.DONE]
    assert (folder / "a.txt").read_text() == "by hand\n"
    assert (folder / "b.txt").read_text() == "ohwx man, on a horse\n"


def test_opening_alone_is_no_caption_where_openings_are_left_out(run, folder):
    batch = run("In this image, ", strips_openings=True)
    assert batch.items[0].reason == NO_WORDS
    assert (folder / "a.txt").read_text() == "by hand\n"


@pytest.mark.parametrize("slots", [1, 3])
def test_one_wordless_answer_of_several_fails_the_image_and_is_asked_again(run, folder, slots):
    batch = run({("a.png", "Why?"): ""}, slots, prompts=("What?", "Why?"))
    assert batch.items[0].reason == NO_WORDS
    assert (folder / "a.txt").read_text() == "by hand\n"
    again = Batch.resume(batch.journal_path)
    again.retry_failed()
    engine = FolderEngine()
    again.run(engine, Control())
    again.close()
    assert engine.asked == [("a.png", "Why?")]
    assert (folder / "a.txt").read_text() == "a.png: What?\na.png: Why?\n"


def test_journal_keeps_what_was_said_and_tables_have_no_row_of_it(run, folder):
    batch = run(" ... ", writes=(CaptionFormat.TXT, CaptionFormat.CSV))
    kept = [line for line in read_lines(batch.journal_path) if line["kind"] == "unused"]
    assert [line["answers"][0]["text"] for line in kept] == [" ... "]
    with batch.exports[CaptionFormat.CSV].open(encoding="utf-8-sig", newline="") as file:
        assert [row["caption"] for row in csv.DictReader(file)] == ["b.png: What?"]


def test_trial_says_so_too(folder):
    engine = FolderEngine()
    engine.says = {"a.png": ""}
    never = Control().now
    (tried,) = try_first(engine, [(0, folder / "a.png")], [OPTIONS], lambda _: None, never)
    assert tried.reason == NO_WORDS


@pytest.mark.parametrize("text", ["a", "7", "犬", "\N{CAT FACE}", "«да»", "ก"])
def test_words_of_any_script_count(text):
    assert has_words(text)
