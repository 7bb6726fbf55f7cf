"""The exchanges of a conversation as a tree: branches, the path that is shown, and keeping them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from core.picture import Picture, PicturePart
from core.store import Store
from core.transcript import Answer, Ending, Exchange, ExchangeTree, Node, Transcript, Variants

PICTURE = Picture(None, Image.new("RGB", (4, 3), "red"))


def said(prompt: str, text: str) -> Exchange:
    return Exchange(prompt, Answer(text, Ending.COMPLETE, 1, 0.5), "m")


def texts_of(transcript: Transcript) -> list[str]:
    return [exchange.text for exchange in transcript.exchanges]


@pytest.fixture
def branched() -> Transcript:
    """Two answers to the first question, of which the second goes on; then an edited question."""
    transcript = Transcript.of(PICTURE, (said("a", "a0"), said("b", "b0")))
    transcript = transcript.with_exchange(said("a", "a1"), 0)
    transcript = transcript.with_exchange(said("c", "c0"))
    return transcript.with_exchange(said("d", "d0"), 0)


def test_what_follows_an_exchange_comes_and_goes_with_it(branched):
    assert texts_of(branched) == ["d0"]
    chosen = {n: Transcript(PICTURE, branched.tree.choosing(n)) for n in range(5)}
    assert [texts_of(chosen[n]) for n in range(5)] == [
        ["a0", "b0"], ["a0", "b0"], ["a1", "c0"], ["a1", "c0"], ["d0"],
    ]  # fmt: skip


def test_variants_count_questions_and_the_answers_to_the_one_shown(branched):
    assert branched.variants(0) == Variants(2, 2, 1, 1)
    first = Transcript(PICTURE, branched.tree.choosing(0))
    assert first.variants(0) == Variants(1, 2, 1, 2)
    assert first.variants(1) == Variants()


def test_a_long_conversation_is_no_slower_for_its_length():
    exchanges = [said(f"question {n}", "yes") for n in range(5000)]
    transcript = Transcript.of(PICTURE, exchanges)
    assert transcript.exchanges == tuple(exchanges)
    assert {transcript.variants(index) for index in range(5000)} == {Variants()}


def grown(seed: int) -> Transcript:
    """A conversation in which somebody asked, edited, regenerated and went back at random."""
    chance, transcript = Random(seed), Transcript(PICTURE)
    for number in range(chance.randrange(1, 30)):
        exchanges = transcript.exchanges
        if exchanges and chance.random() < 0.3:
            number = chance.randrange(len(transcript.tree.nodes))
            transcript = Transcript(PICTURE, transcript.tree.choosing(number))
        elif exchanges and chance.random() < 0.6:
            at = chance.randrange(len(exchanges))
            prompt = exchanges[at].prompt if chance.random() < 0.5 else f"edited {number}"
            transcript = transcript.with_exchange(said(prompt, f"answer {number}"), at)
        else:
            transcript = transcript.with_exchange(said(f"question {number}", f"answer {number}"))
    return transcript


@pytest.mark.parametrize("seed", range(20))
def test_every_tree_is_kept_and_found_again(seed, tmp_path):
    transcript = grown(seed)
    with closing(Store(tmp_path / "transcripts.sqlite")) as store:
        id_ = store.save(transcript)
    with closing(Store(tmp_path / "transcripts.sqlite")) as store:
        assert store.notes == ()
        assert store.open(id_).tree == transcript.tree
        assert store.open(id_).exchanges == transcript.exchanges
        (row,) = store.recent()
        first = transcript.exchanges[0]
        assert (row.prompt, row.answer) == (first.prompt, first.text)
        for node in transcript.tree.nodes:
            assert store.recent(search=node.exchange.text)


@pytest.mark.parametrize("seed", range(20))
def test_a_tree_with_rows_missing_or_odd_still_opens(seed, tmp_path):
    """As a failing disk leaves it, before the file is checked again."""
    transcript, chance = grown(seed + 20), Random(seed)
    with closing(Store(tmp_path / "transcripts.sqlite")) as store:
        id_ = store.save(transcript)
        with closing(sqlite3.connect(tmp_path / "transcripts.sqlite")) as file, file:
            for number in range(len(transcript.tree.nodes)):
                odd = chance.choice([None, None, None, "parent", "chosen", "row"])
                if odd == "row":
                    file.execute("DELETE FROM exchange WHERE position = ?", (number,))
                elif odd:
                    value = chance.choice([None, -7, number, 10**12, "x", 1.5, b"\xff"])
                    file.execute(
                        f"UPDATE exchange SET {odd} = ? WHERE position = ?", (value, number)
                    )
        kept = store.open(id_)
        store.recent()
        texts = {node.exchange.text for node in kept.tree.nodes}
        assert texts <= {node.exchange.text for node in transcript.tree.nodes}
        assert len(kept.exchanges) >= bool(texts)
        for number in range(len(kept.tree.nodes)):  # Each can still be gone to.
            assert number in kept.tree.choosing(number).path


def test_what_a_model_did_not_know_of_a_question_is_kept_with_it(tmp_path):
    answered = Exchange("Wo?", Answer("There.", Ending.COMPLETE, 1, 0.5), "m", unknown=("Wo", "☕"))
    failed = Exchange("Wann?", None, "m", unknown=("Wann",))
    with closing(Store(tmp_path / "transcripts.sqlite")) as store:
        id_ = store.save(Transcript.of(PICTURE, (answered, failed)))
        assert store.open(id_).exchanges == (answered, failed)


def test_sample_of_this_version_has_branches(tmp_path):
    sample = Path(__file__).parents[1] / "data" / "transcripts.sqlite"
    (tmp_path / "transcripts.sqlite").write_bytes(sample.read_bytes())
    with closing(Store(tmp_path / "transcripts.sqlite")) as store:
        tree = store.open(store.recent()[0].id).tree
    places = [(node.parent, node.chosen, node.exchange.text) for node in tree.nodes]
    assert places == [
        (None, 4, "A drawing."), (None, 1, "A sketch."), (1, 0, "A house."),
        (None, 2, "A child."), (3, 0, "Long ago."), (3, 3, ""),
    ]  # fmt: skip
    assert tree == ExchangeTree(tuple(Node(n.exchange, n.parent, n.chosen) for n in tree.nodes))


def test_part_of_the_picture_is_kept_with_its_question(tmp_path):
    part = PicturePart(8, 6, 32, 24)
    tree = ExchangeTree.of([Exchange("What is it?"), Exchange("And here?", part=part)])
    with closing(Store(tmp_path / "transcripts.sqlite")) as store:
        kept = store.save(Transcript(Picture(None, Image.new("RGB", (64, 48))), tree))
        assert store.open(kept).tree == tree


def test_part_that_something_has_damaged_is_left_out(tmp_path):
    path = tmp_path / "transcripts.sqlite"
    for damaged in ('"x"', "[1, 2]", "[1, 2, 3, -4]", "[1, 2, 3.5, 4]", "[" * 5000):
        with closing(Store(path)) as store:
            picture = Picture(None, Image.new("RGB", (64, 48)))
            kept = store.save(
                Transcript.of(picture, [Exchange("Here?", part=PicturePart(1, 2, 3, 4))])
            )
            with closing(sqlite3.connect(path)) as file, file:
                file.execute("UPDATE exchange SET part = ? WHERE conversation = ?", (damaged, kept))
            assert store.open(kept).exchanges == (Exchange("Here?"),)
        path.unlink()


def test_question_about_a_part_follows_what_was_asked_about_it():
    part, other = PicturePart(0, 0, 20, 20), PicturePart(4, 4, 20, 20)
    yes = Answer("Yes.", Ending.COMPLETE, 2, 0.5)
    asked = [("a", None), ("b", part), ("c", other), ("d", part), ("e", None)]
    exchanges = [Exchange(prompt, yes, part=about) for prompt, about in asked]
    transcript = Transcript.of(Picture(None, Image.new("RGB", (64, 48))), exchanges)
    turns = {about: [turn.prompt for turn in transcript.asking("?", about)] for _, about in asked}
    assert turns == {None: ["a", "e", "?"], part: ["b", "d", "?"], other: ["c", "?"]}
