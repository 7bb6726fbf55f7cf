"""What is put around captions and between them, and tags that are there once."""

import csv
import json
from dataclasses import replace

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState
from core.batch.journal import read_lines
from core.batch.stored import options_from, options_json
from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.captions.wording import without_duplicates
from core.transcript import Answer, Ending, Sampling
from tests.support.folder_run import FolderEngine

OPTIONS = BatchOptions(("What?",), existing=Existing.REPLACE)


@pytest.fixture
def run(tmp_path):
    """Run over a.png, about which is `said`; gives the closed batch."""
    Image.new("RGB", (8, 6), "red").save(tmp_path / "a.png")

    def run(said, options=OPTIONS, **changes):
        engine = FolderEngine()
        engine.says = {"a.png": said}
        batch = Batch.begin([tmp_path / "a.png"], replace(options, **changes), tmp_path / "runs")
        batch.run(engine, Control())
        batch.close()
        return batch

    return run


def caption(text, **options):
    changed = replace(OPTIONS, **options)
    return changed.whole_caption([changed.caption_of(Answer(text, Ending.COMPLETE, 3, 0.1))])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"prefix": "photo of ohwx."}, "photo of ohwx. The image shows a cat."),
        ({"prefix": "ohwx", "strips_openings": True}, "ohwx A cat."),
        ({"prefix": "ohwx\n"}, "ohwx\nThe image shows a cat."),
        ({"suffix": ", best"}, "The image shows a cat., best"),
        ({"suffix": "best", "prefix": "a"}, "a The image shows a cat. best"),
        ({"beginning": "ohwx man,", "strips_openings": True}, "ohwx man, A cat."),
        ({"beginning": "ohwx", "prefix": "x"}, "x ohwx The image shows a cat."),
    ],
)
def test_prefix_and_suffix_are_around_the_finished_caption(options, expected):
    assert caption("The image shows a cat.", **options) == expected


def test_model_never_sees_prefix_and_suffix_and_the_journal_keeps_its_words(run, tmp_path):
    tables = (CaptionFormat.TXT, CaptionFormat.XMP, CaptionFormat.CSV)
    batch = run("A cat.", prefix="ohwx,", suffix="best", writes=tables)
    request = batch.options.request(None, "What?")
    assert request.beginning == ""
    assert [turn.prompt for turn in request.turns] == ["What?"]
    (line,) = [one for one in read_lines(batch.journal_path) if one["kind"] == "item"]
    assert line["answers"][0]["text"] == "A cat."
    assert (tmp_path / "a.txt").read_text() == "ohwx, A cat. best\n"
    data = (tmp_path / "a.xmp").read_bytes()
    assert xmp.description_of(data) == xmp.alt_text_of(data) == "ohwx, A cat. best"
    with batch.exports[CaptionFormat.CSV].open(encoding="utf-8-sig", newline="") as file:
        assert [row["caption"] for row in csv.DictReader(file)] == ["ohwx, A cat. best"]
    assert batch.options.without_affixes("ohwx, A cat. best") == "A cat."


def test_several_answers_get_one_prefix_and_fit_on_one_line():
    options = replace(OPTIONS, prefix="ohwx", is_one_line=True)
    assert options.whole_caption(["A cat.\n\nIt sits.", "On a mat."]) == (
        "ohwx A cat. It sits. On a mat."
    )


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("cat, dog, Cat, bird", "cat, dog, bird"),
        ("cat,dog,cat.", "cat,dog"),
        ("cat;dog\ncat\nbird", "cat;dog\nbird"),
        ("猫、犬、猫", "猫、犬"),
        (", cat,, cat,", "cat"),
        ("A cat sits on a mat.", "A cat sits on a mat."),
    ],
)
def test_each_tag_is_kept_once(tags, expected):
    assert without_duplicates(tags) == expected


SEPARATORS = ("\n", ", ", " ", "", " | ")


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("existing", [Existing.APPEND, Existing.PREPEND])
@pytest.mark.parametrize("keeps_journals", [True, False])
def test_caption_is_added_once_however_often_the_run_is_started(
    run, tmp_path, separator, existing, keeps_journals
):
    (tmp_path / "a.txt").write_text("old words\n")
    options = replace(OPTIONS, existing=existing, separator=separator, prefix="ohwx,")
    run("new", options)
    parts = ["old words", "ohwx, new"][:: 1 if existing is Existing.APPEND else -1]
    first = (tmp_path / "a.txt").read_text()
    assert first == separator.join(parts) + "\n"
    if not keeps_journals:
        for journal in (tmp_path / "runs").iterdir():
            journal.unlink()
    again = run("new", options)
    assert (tmp_path / "a.txt").read_text() == first
    assert again.items[0].state is ItemState.SKIPPED
    assert again.items[0].reason.startswith("Already")


def test_other_words_are_added_again_and_what_is_only_inside_others_too(run, tmp_path):
    (tmp_path / "a.txt").write_text("a catalogue, cats")
    options = replace(OPTIONS, existing=Existing.APPEND, separator=", ")
    run("cat", options)
    run("dog", options, prompts=("Else?",))
    run("dog", options, prompts=("Else?",), sampling=Sampling(max_new_tokens=9))
    assert (tmp_path / "a.txt").read_text() == "a catalogue, cats, cat, dog\n"


def test_tags_that_are_there_are_not_added(run, tmp_path):
    (tmp_path / "a.txt").write_text("cat, Dog,")
    options = replace(OPTIONS, existing=Existing.APPEND, separator=", ", drops_duplicates=True)
    run("dog, bird, bird", options)
    assert (tmp_path / "a.txt").read_text() == "cat, Dog, bird\n"
    assert run("Bird, cat", options, prompts=("Tags?",)).items[0].state is ItemState.SKIPPED


def test_xmp_gets_a_caption_added_once_too(run, tmp_path):
    options = replace(OPTIONS, existing=Existing.APPEND, writes=(CaptionFormat.XMP,))
    run("one", options)
    run("two", options, prompts=("Else?",))
    before = (tmp_path / "a.xmp").read_bytes()
    assert xmp.description_of(before) == "one\ntwo"
    run("two", options, prompts=("Third?",))
    assert (tmp_path / "a.xmp").read_bytes() == before


def test_captions_of_earlier_versions_count_as_made_the_same_way():
    assert OPTIONS.recipe("m") == replace(OPTIONS, separator=" ").recipe("m")
    others = [{"prefix": "a"}, {"suffix": "a"}, {"is_one_line": True}, {"drops_duplicates": True}]
    recipes = {replace(OPTIONS, **other).recipe("m") for other in others}
    assert len(recipes | {OPTIONS.recipe("m")}) == 5
    # What version 0.1 computed.
    assert OPTIONS.recipe("m") == "5181fe704b02988f513ac2c7"


def test_notes_about_images_are_filled_in_and_survive_the_journal(tmp_path):
    noted = tmp_path / "ä.png"
    options = replace(
        OPTIONS, prompts=("Look.[ {image_note}]",), image_notes=((str(noted), "Tom"),)
    )
    assert options.filled_prompts(noted, 1, "") == ["Look. Tom"]
    assert options.filled_prompts(tmp_path / "b.png", 2, "") == ["Look."]
    stored = json.loads(json.dumps(options_json(options)))
    assert options_from(stored) == options
    assert options.recipe("m") != OPTIONS.recipe("m")
