"""Answers that are too long or no known tags are asked for again, and never cut."""

import threading

import pytest
from PIL import Image

from core.batch import AskingAgain, Batch, BatchOptions, Control, ItemState
from core.captions.alt_text import AltText, Archived
from core.captions.check import Check
from core.captions.sidecar import Existing
from core.picture import open_picture
from core.transcript import Answer, Ending
from tests.support.folder_run import FolderEngine

LONG = "The image shows a very long story about a cat. " * 5
SHORTER = "That has 234 characters. Say it again in one sentence of at most 125 characters."
SHORTEST = "That is still too long. Say it in one short sentence of at most 15 words."
FEWEST = "Say it in at most 7 words."
ALT = BatchOptions(("Alt?", "Long?"), existing=Existing.REPLACE, most_characters=125)


@pytest.fixture
def run(tmp_path):
    """A run over images, about which an engine says what a test wants; gives engine and folder."""

    def run(says, options, names=("a.png", "b.png", "c.png"), slots=2):
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        for name in names:
            Image.new("RGB", (8, 6), "red").save(folder / name)
        engine = FolderEngine()
        engine.says = says
        batch = Batch.begin([folder], options, tmp_path / "runs")
        batch.run(engine, Control(), slots=slots)
        batch.close()
        return engine, batch, {path.name: path.read_text().strip() for path in folder.glob("*.txt")}

    return run


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_long_answers_are_asked_for_again_until_they_fit(run, slots):
    says = dict.fromkeys(("a.png", "b.png", "c.png"), "x") | {
        ("a.png", "Alt?"): "“A cat.”",
        ("b.png", "Alt?"): LONG,
        ("b.png", SHORTER): "Alt text: A cat on\na mat.",
        ("c.png", "Alt?"): LONG,
        ("c.png", SHORTER): LONG[:200],
        ("c.png", SHORTEST): "A cat sits.",
        **{(name, "Long?"): f"All about {name}." for name in ("a.png", "b.png", "c.png")},
    }
    engine, batch, texts = run(says, ALT, slots=slots)
    assert texts == {
        "a.txt": "A cat.\n\nAll about a.png.",
        "b.txt": "A cat on a mat.\n\nAll about b.png.",
        "c.txt": "A cat sits.\n\nAll about c.png.",
    }
    assert sorted(engine.asked) == sorted(
        [
            *((name, prompt) for name in ("a.png", "b.png", "c.png") for prompt in ALT.prompts),
            ("b.png", SHORTER),
            ("c.png", SHORTER),
            ("c.png", SHORTEST),
        ]
    )
    assert {item.state for item in batch.items} == {ItemState.DONE}
    assert {AltText.of(text).text for text in texts.values()} == {
        *("A cat.", "A cat on a mat.", "A cat sits."),
    }


def test_answer_that_never_fits_is_kept_whole_and_said_so(run):
    says = {"a.png": LONG, ("a.png", FEWEST): "y" * 130, ("a.png", "Long?"): "x"}
    _, batch, texts = run(says, ALT, ("a.png",))
    assert texts == {"a.txt": f"{'y' * 130}\n\nx"}
    assert batch.items[0].notes == ("The text has 130 characters, not at most 125. Shorten it.",)


def test_decorative_image_has_no_other_text(run):
    _, _, texts = run({"a.png": "Decorative.", ("a.png", "Long?"): "A frame."}, ALT, ("a.png",))
    assert texts == {"a.txt": "decorative"}
    assert AltText.of("decorative") == AltText(is_decorative=True)


def test_only_tags_of_the_vocabulary_are_kept(run):
    options = BatchOptions(
        ("Which of {vocabulary}?",), vocabulary=("Red car", "dog", "sea"), is_one_line=True
    )
    prompt = "Which of Red car, dog, sea?"
    again = "Answer only with tags from this list, separated by commas: Red car, dog, sea"
    says = {
        ("a.png", prompt): "Tags: red  car, blue sky, DOG., dog",
        ("b.png", prompt): "a boat",
        ("b.png", again): "the sea, sea",
        "c.png": "nothing of these",
    }
    engine, batch, texts = run(says, options)
    assert texts == {"a.txt": "Red car, dog", "b.txt": "sea"}
    assert [item.state for item in batch.items] == [
        *(ItemState.DONE, ItemState.DONE, ItemState.FAILED),
    ]
    assert ("a.png", again) not in engine.asked


def test_keywords_are_a_paragraph_of_the_description(run):
    options = BatchOptions(("Describe?", "Keywords?"), has_keywords=True)
    says = {("a.png", "Describe?"): "A mill.", ("a.png", "Keywords?"): "mill, river; stone"}
    _, _, texts = run(says, options, ("a.png",))
    assert Archived.of(texts["a.txt"]) == Archived("A mill.", ("mill", "river", "stone"))
    assert Archived.of("A mill.\n\nKeywords are\nKeywords: a, b\n\nmore").keywords == ()


def test_checks_are_kept_with_the_run(run, tmp_path):
    _, batch, _ = run({"a.png": "A cat."}, ALT, ("a.png",))
    resumed = Batch.resume(batch.journal_path)
    assert resumed.options == ALT
    resumed.close()
    assert ALT.recipe("m") != BatchOptions(ALT.prompts).recipe("m")


def test_stopped_answer_is_not_asked_for_again(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    engine = FolderEngine()
    engine.says = {"a.png": LONG}
    stop = threading.Event()
    stop.set()
    request = ALT.request(open_picture(tmp_path / "a.png"), "Alt?", 0)
    answer = AskingAgain(engine).answer(request, lambda piece: None, stop)
    assert answer.ending is Ending.STOPPED
    assert len(engine.asked) == 1


def test_pieces_of_a_checked_answer_are_its_text(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    engine = FolderEngine()
    engine.says = {("a.png", "Alt?"): LONG, ("a.png", SHORTER): "A cat."}
    picture = open_picture(tmp_path / "a.png")
    requests = [ALT.request(picture, prompt, index) for index, prompt in enumerate(ALT.prompts)]
    pieces = {id(request): "" for request in requests}

    def on_piece(request, piece):
        pieces[id(request)] += piece

    asking = AskingAgain(engine)
    for slots in (1, 3):
        pieces |= dict.fromkeys(pieces, "")
        answers = {
            id(request): answer.text
            for request, answer in asking.answer_all(
                iter([None, *requests, None]), threading.Event(), slots=slots, on_piece=on_piece
            )
            if isinstance(answer, Answer)
        }
        assert answers == pieces == {id(requests[0]): "A cat.", id(requests[1]): "a.png: Long?"}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Alt text: “A cat.”", "A cat."),
        ("**Alt-text:** A cat.", "A cat."),
        ("A cat,\n a dog", "A cat, a dog"),
        ("“decorative”", "decorative"),
        ("A decorative image of a cat", "A decorative image of a cat"),
    ],
)
def test_label_and_quotes_are_no_alternative_text(text, cleaned):
    assert Check(most_characters=125).cleaned(text) == cleaned
