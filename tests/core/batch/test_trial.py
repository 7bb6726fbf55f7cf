"""A few pictures tried in two ways before the run, and the words that differ."""

import threading

import pytest
from PIL import Image

from core.batch import BatchOptions, drawn, try_first
from core.captions.wording import Replacement, differing_words
from core.errors import EngineError
from tests.support.folder_run import FolderEngine

WHAT, WHERE = BatchOptions(("What?",)), BatchOptions(("Where is {stem}, number {index}?",))


@pytest.fixture
def pictures(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 6), "red").save(tmp_path / name)
    return [(3, tmp_path / "a.png"), (7, tmp_path / "b.png")]


def tried(pictures, *ways, engine=None, stop=None):
    heard = []
    whole = try_first(engine or FolderEngine(), pictures, ways, heard.append,
                      stop or threading.Event())  # fmt: skip
    return whole, heard


def test_each_picture_is_captioned_in_both_ways_and_nothing_is_written(pictures, tmp_path):
    before = set(tmp_path.iterdir())
    whole, heard = tried(pictures, WHAT, WHERE)
    assert [one.captions for one in whole] == [
        ("a.png: What?", "a.png: Where is a, number 4?"),
        ("b.png: What?", "b.png: Where is b, number 8?"),
    ]
    assert ("a.png: What?", "a.png: ") in [one.captions for one in heard]
    assert heard[-1] == whole[-1]
    assert heard[-1].is_over
    assert set(tmp_path.iterdir()) == before


def test_what_is_tried_is_what_the_run_would_write(pictures, tmp_path):
    (tmp_path / "a.txt").write_text("a cat")
    way = BatchOptions(("Is it {caption}?", "Where?"), beginning="In it:")
    (one, _), _ = tried(pictures, way)
    assert one.captions == ("In it: a.png: Is it a cat?\nIn it: a.png: Where?",)


def test_picture_that_fails_is_told_and_the_next_is_tried(pictures, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    whole, _ = tried(pictures, WHAT, WHERE)
    assert "is empty" in whole[0].reason
    assert whole[1].captions[1] == "b.png: Where is b, number 8?"
    engine = FolderEngine()
    engine.fail["b.png"] = EngineError("The model failed.")
    assert tried(pictures, WHAT, engine=engine)[0][1].reason == "The model failed."


def test_what_is_noted_of_an_image_is_said_from_its_first_piece_on(pictures):
    path = pictures[0][1]
    Image.new("RGB", (8, 6), "red").save(path, icc_profile=b"no profile" * 20)
    whole, heard = tried(pictures, WHAT)
    note = "The colour profile is damaged and was ignored."
    assert [one.notes for one in whole] == [(note,), ()]
    assert all(one.notes == (note,) for one in heard if one.number == 3 and one.captions != ("",))


def test_trial_is_stopped_inside_a_caption(pictures):
    stop = threading.Event()
    engine = FolderEngine()
    engine.on_answer = lambda request: stop.set()
    whole, _ = tried(pictures, WHAT, WHERE, engine=engine, stop=stop)
    assert [one.captions for one in whole] == [("a.png: What?", "")]


def test_pictures_to_try_are_some_of_all_in_order():
    numbers = drawn(1000)
    assert len(numbers) == 5
    assert numbers == sorted(set(numbers))
    assert drawn(3) == [0, 1, 2]
    assert len({tuple(drawn(1000)) for _ in range(5)}) > 1


@pytest.mark.parametrize(
    ("one", "other", "ours", "theirs"),
    [
        ("A red cat sits.", "A blue cat sits.", ["red"], ["blue"]),
        ("A cat.", "a  cat.", [], []),
        ("A cat on a mat", "A cat", ["on a mat"], []),
        ("It isn't a well-made chair", "It is a well-worn chair",
         ["isn't", "well-made"], ["is", "well-worn"]),
        ("白い猫", "黒い猫", ["白"], ["黒"]),
        ("", "New", [], ["New"]),
    ],
)  # fmt: skip
def test_words_that_differ_are_marked_in_both(one, other, ours, theirs):
    spans, other_spans = differing_words(one, other)
    assert [one[begin:end] for begin, end in spans] == ours
    assert [other[begin:end] for begin, end in other_spans] == theirs


@pytest.mark.parametrize(
    ("wanted", "after"),
    [
        (Replacement("cat", "cup"), "A cup, a cupfish; cup."),
        (Replacement("cat", "cup", is_case_sensitive=True), "A cup, a cupfish; Cat."),
        (Replacement("cat", "cup", is_whole_words=True), "A cup, a catfish; cup."),
    ],
)
def test_replacement_shows_what_becomes_of_a_caption_and_where(wanted, after):
    replaced = wanted.of("A cat, a catfish; Cat.")
    assert replaced is not None
    assert replaced.after == after
    found = {replaced.before[begin:end].casefold() for begin, end in replaced.spans_before}
    assert found == {"cat"}
    assert {after[begin:end] for begin, end in replaced.spans_after} == {"cup"}


def test_replacement_that_changes_nothing_is_none():
    assert Replacement("", "cup").of("A cat.") is None
    assert Replacement("dog", "cup").of("A cat.") is None
    assert Replacement("cat", "cat").of("A cat.") is None
