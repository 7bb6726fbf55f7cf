"""A run that is resumed goes on with every setting that it began with."""

import shutil
from contextlib import closing
from dataclasses import fields
from pathlib import Path

from PIL import Image

from core.batch import Batch, BatchOptions, Control
from core.captions.formats import CaptionFormat, TablePaths
from core.captions.sidecar import Existing
from core.transcript import Sampling
from tests.support.folder_run import FolderEngine

SAMPLING = Sampling(
    temperature=0.5, top_p=0.8, top_k=7, repetition_penalty=1.2, beams=2, max_new_tokens=9, seed=3,
    banned_words=("crate",),
)  # fmt: skip
OPTIONS = BatchOptions(
    prompts=("What is it? {folder_note}", "Where? {image_note}"),
    writes=(CaptionFormat.CAPTION, CaptionFormat.XMP, CaptionFormat.CSV),
    existing=Existing.APPEND,
    name="{stem}.said",
    is_recursive=True,
    sampling=SAMPLING,
    beginning="A",
    strips_openings=True,
    ends_at_sentence=True,
    replaces_edited=("1.png",),
    prefix="Seen:",
    suffix="(end)",
    separator=" | ",
    is_one_line=True,
    drops_duplicates=True,
    table_paths=TablePaths.RELATIVE,
    csv_separator=";",
    note="from the attic",
    image_notes=(("inner/2.png", "upside down"),),
    most_characters=900,
    vocabulary=("cat", "mat"),
    has_keywords=True,
    tables=("metadata.jsonl",),
    is_again=True,
    then=("model:built-in", "preset:Alt text"),
    turn=2,
    model="tests/other",
)


def made(folder):
    (folder / "inner").mkdir(parents=True)
    for name in ("1.png", "inner/2.png", "inner/3.png"):
        Image.new("RGB", (8, 6), "red").save(folder / name)
    (folder / "1.said.caption").write_text("from before\n")
    return folder


def engine_that_notes(asked):
    """Answers with tags of the vocabulary, and notes what it was asked of which image."""
    engine = FolderEngine()
    for name in ("1.png", "2.png", "3.png"):
        engine.says[name] = "cat, mat, cat"

    def note(request):
        name = Path(request.picture.path or "").name
        asked.append((name, request.turns, request.sampling, request.beginning))

    engine.on_answer = note
    return engine


def written(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".png"
    }


def test_every_setting_of_a_run_is_tried_here():
    """A new field of the options belongs into `OPTIONS`, with another value than at first."""
    usual, usual_sampling = BatchOptions(("",)), Sampling()
    assert [one.name for one in fields(BatchOptions) if _is_equal(OPTIONS, usual, one)] == []
    assert [one.name for one in fields(Sampling) if _is_equal(SAMPLING, usual_sampling, one)] == []


def _is_equal(one, other, field):
    return getattr(one, field.name) == getattr(other, field.name)


def test_resumed_run_asks_and_writes_what_it_would_have_without_the_break(tmp_path):
    at_once, with_break = [], []
    folder = made(tmp_path / "pictures")
    batch = Batch.begin([folder], OPTIONS, tmp_path / "journals")
    assert batch.run(engine_that_notes(at_once), Control(), slots=3).done == 3
    batch.close()
    expected = written(folder)

    shutil.rmtree(folder)
    folder = made(folder)
    batch = Batch.begin([folder], OPTIONS, tmp_path / "other journals")
    control, engine = Control(), engine_that_notes(with_break)
    note = engine.on_answer
    assert note is not None

    def note_and_stop(request):
        note(request)
        control.stop_after_this()

    engine.on_answer = note_and_stop
    assert batch.run(engine, control, slots=3).waiting
    batch.close()
    with closing(Batch.resume(batch.journal_path)) as resumed:
        assert resumed.options == OPTIONS
        assert resumed.run(engine_that_notes(with_break), Control(), slots=3).done == 3
    assert sorted(map(repr, with_break)) == sorted(map(repr, at_once))
    assert {sampling for _, _, sampling, _ in with_break} == {SAMPLING}
    assert written(folder).keys() == expected.keys()
    texts = [name for name in expected if name.endswith((".caption", ".xmp", ".jsonl"))]
    assert {name: written(folder)[name] for name in texts} == {
        name: expected[name] for name in texts
    }
