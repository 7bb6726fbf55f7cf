"""Several prompts, and prompts of several lines, all the way: journal, resume, tables, trial."""

import csv
import json
import threading
from contextlib import closing

from core.batch import Batch, BatchOptions, Control, find_runs, try_first
from core.captions.formats import CaptionFormat
from core.terminal import options
from tests.support.folder_run import FolderEngine

PROMPTS = ("What is it?\nOne sentence.", "And where?")
OPTIONS = BatchOptions(PROMPTS, writes=(CaptionFormat.JSONL, CaptionFormat.CSV))


def test_line_breaks_of_prompts_reach_the_model_the_journal_and_the_tables(
    begin_run, folder, journals
):
    engine, control = FolderEngine(), Control()
    engine.on_answer = lambda request: control.stop_after_this()
    batch = begin_run(OPTIONS)
    batch.run(engine, control)
    batch.close()
    (kept,) = find_runs(journals)
    assert kept.options.prompts == PROMPTS
    with closing(Batch.resume(kept.journal)) as batch:
        batch.run(engine, Control())
        tables = batch.exports
    expected = [(f"{n}.png", prompt) for n in (1, 2, 3) for prompt in PROMPTS]
    assert sorted(engine.asked) == sorted(expected)
    lines = tables[CaptionFormat.JSONL].read_text().splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == [*PROMPTS] * 3
    with tables[CaptionFormat.CSV].open(newline="", encoding="utf-8-sig") as file:
        assert [row["prompt"] for row in csv.DictReader(file)] == [*PROMPTS] * 3
    again = begin_run(OPTIONS)
    again.run(engine, Control())
    again.close()
    assert again.exports == tables, "a later run knows its rows in spite of their line breaks"


def test_a_trial_asks_prompts_of_several_lines(folder):
    engine = FolderEngine()
    (one,) = try_first(
        engine, [(0, folder / "1.png")], [OPTIONS], lambda tried: None, threading.Event()
    )
    assert [prompt for _, prompt in engine.asked] == [*PROMPTS]
    assert one.captions == ("1.png: What is it?\nOne sentence.\n1.png: And where?",)


def test_the_terminal_takes_several_prompts_with_line_breaks(folder):
    prompts = [part for prompt in PROMPTS for part in ("--prompt", prompt)]
    parsed = options.parse(["caption", str(folder), "--write", "txt", *prompts])
    assert isinstance(parsed, options.CaptionOptions)
    assert parsed.folder_run
    assert parsed.folder_run.begun
    assert parsed.folder_run.begun.prompts == PROMPTS
