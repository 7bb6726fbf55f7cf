import csv
import io
import json
import threading
from dataclasses import replace

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, Doubt, find_doubt, find_runs
from core.captions.formats import TABLE_FORMATS, CaptionFormat
from core.engine import Capability, Missing
from core.errors import EngineError
from core.transcript import ModelChoice
from tests.support.folder_run import FolderEngine
from tests.support.scripted_engine import ScriptedEngine

OPTIONS = BatchOptions(("What is {stem}?",), beginning="Here is")


@pytest.fixture
def captions(tmp_path):
    for name in ("1.png", "2.png"):
        Image.new("RGB", (40, 30), "red").save(tmp_path / name)
    said = ("Here is word0 word2", "Here is a cat")
    return [(number, tmp_path / f"{number + 1}.png", text) for number, text in enumerate(said)]


def found(captions, engine=None, stop=None):
    heard = []
    engine = engine or ScriptedEngine(ModelChoice("script"))
    find_doubt(engine, captions, OPTIONS, heard.append, stop or threading.Event())
    return heard


def test_each_caption_has_its_most_doubtful_word(captions):
    assert found(captions) == [
        Doubt(0, "Here is word0 word2", "word2", 0.6, 1, "script"),
        Doubt(1, "Here is a cat", "Here", 0.1, 0, "script"),
    ]


def test_what_is_known_is_not_looked_for_again_but_for_another_caption_or_model(captions):
    known = found(captions)
    engine = ScriptedEngine(ModelChoice("script"))
    heard = []
    find_doubt(engine, captions, OPTIONS, heard.append, threading.Event(), known)
    assert heard == []
    number, path, _ = captions[1]
    find_doubt(
        engine,
        [captions[0], (number, path, "A dog")],
        OPTIONS,
        heard.append,
        threading.Event(),
        [replace(known[0], model="another"), known[1]],
    )
    assert [doubt.caption for doubt in heard] == ["Here is word0 word2", "A dog"]


def test_a_caption_is_asked_about_as_a_whole_without_its_beginning_twice(captions):
    engine, asked = ScriptedEngine(ModelChoice()), []
    evidence = engine.evidence

    def hear(request, answer, stop):
        asked.append(request)
        return evidence(request, answer, stop)

    engine.evidence = hear
    found(captions, engine)
    assert engine.examined == ["Here is word0 word2", "Here is a cat"]
    assert asked[0].beginning == ""
    assert asked[0].turns[0].prompt == "What is 1?"


def test_a_picture_that_is_gone_is_left_out(captions):
    captions[0][1].unlink()
    assert [doubt.number for doubt in found(captions)] == [1]


def test_it_ends_when_it_is_stopped(captions):
    stop = threading.Event()
    stop.set()
    assert found(captions, stop=stop) == []


def test_an_engine_that_tells_nothing_of_its_words_says_why(captions):
    engine = ScriptedEngine(ModelChoice())
    missing = {Capability.EVIDENCE: Missing("It tells nothing.")}
    engine.facts = replace(engine.facts, missing=missing)
    with pytest.raises(EngineError, match="It tells nothing"):
        found(captions, engine)


# What a run keeps of it


@pytest.fixture
def run(tmp_path):
    """A finished run over 1.png and 2.png, closed at the end, and how to open it again."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("1.png", "2.png"):
        Image.new("RGB", (8, 6), "red").save(folder / name)
    open_now = []

    def opened(prompts=("Why?",)):
        for batch in open_now:
            batch.close()
        if open_now:
            batch = Batch.resume(open_now[-1].journal_path)
        else:
            options = BatchOptions(prompts, writes=TABLE_FORMATS)
            batch = Batch.begin([folder], options, tmp_path / "journals")
            batch.run(FolderEngine(), Control())
        open_now[:] = [batch]
        return batch

    yield opened
    open_now[0].close()


def test_it_is_known_after_a_restart_for_captions_as_they_are_now(run):
    batch = run()
    found = [Doubt(0, "1.png: Why?", "png", 0.7, 1, "f1"), Doubt(1, "2.png: Why?", model="f1")]
    for doubt in found:
        batch.keep_doubt(doubt)
    assert batch.doubts == found
    batch = run()
    assert batch.doubts == found
    batch.edit(0, "A square")
    assert run().doubts == found[1:]
    batch = run()
    batch.undo_edit()
    assert run().doubts == found


def tables(batch):
    path = batch.exports[CaptionFormat.JSONL]
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    table = batch.exports[CaptionFormat.CSV].read_text("utf-8-sig")
    cells = list(csv.DictReader(io.StringIO(table)))
    return [
        [(row.get("doubtful_word") or "", float(row.get("doubt") or 0)) for row in rows]
        for rows in (lines, cells)
    ]


def test_tables_have_it_beside_the_caption_that_says_the_word(run):
    batch = run(("Why?", "Who?"))
    batch.keep_doubt(Doubt(0, "1.png: Why?\n1.png: Who?", "Who", 0.71239, 1, "f1"))
    batch.keep_doubt(Doubt(1, "It said something else.", "else", 0.9, 2, "f1"))
    batch = run()
    assert tables(batch) == [[("", 0), ("Who", 0.7124), ("", 0), ("", 0)]] * 2
    batch.edit(0, "A square")
    assert tables(run()) == [[("", 0), ("", 0), ("", 0)]] * 2


def test_undone_run_takes_its_tables_away_with_what_they_tell_of_doubt(run):
    batch = run()
    batch.keep_doubt(Doubt(0, "1.png: Why?", "png", 0.7, 1, "f1"))
    batch = run()
    batch.undo()
    assert not any(path.exists() for path in batch.exports.values())


def test_table_of_a_version_that_knew_no_doubt_is_taken_away_too(run):
    batch = run()
    path = batch.exports[CaptionFormat.CSV]
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(row[:12] for row in rows)
    batch.undo()
    assert not path.exists()


def test_run_is_over_however_much_doubt_stands_behind_its_end(run, tmp_path):
    batch = run()
    for _ in range(800):
        batch.keep_doubt(Doubt(0, "1.png: Why?" + 200 * "!", "png", 0.7, 1, "f1"))
    batch = run()
    assert batch.journal_path.stat().st_size > 2**17
    assert [kept.is_over for kept in find_runs(tmp_path / "journals")] == [True]


def test_doubt_of_a_run_that_was_closed_meanwhile_is_dropped(run):
    batch = run()
    batch.close()
    batch.keep_doubt(Doubt(0, "1.png: Why?", "png", 0.7, 1, "f1"))
    assert run().doubts == []
