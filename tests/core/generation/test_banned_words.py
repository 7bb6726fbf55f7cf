"""Words that no answer may contain, in the decode loop, in `generate()` and in slots."""

import re
import threading
from dataclasses import replace
from typing import Any

import pytest
import torch

from core.generation.banned_words import BannedWords, vocabulary_bytes
from core.transcript import Request, Sampling, Turn

PIECES = ["<unk>", "▁", "▁cat", "cat", "c", "▁c", "at", "alogue", "▁catalogue", "s", ".", "▁Cat",
          "▁con", "en", "ate", "<0xE7>", "<0x8C>", "<0xAB>", "▁CAT.", "▁a▁cat"]  # fmt: skip
VOCABULARY = vocabulary_bytes(PIECES)


def allowed(words, *said):
    """What may be said after these pieces."""
    ids: Any = torch.tensor([[PIECES.index(piece) for piece in said]], dtype=torch.long)
    scores: Any = torch.zeros(1, len(PIECES))
    scores = BannedWords(words, VOCABULARY)(ids, scores)
    return {piece for piece, score in zip(PIECES, scores[0].tolist(), strict=True) if score == 0}


def test_word_is_banned_with_and_without_blank_and_capital():
    banned = set(PIECES) - allowed(["cat"])
    assert banned == {"▁cat", "cat", "▁Cat", "▁CAT.", "▁a▁cat"}


def test_word_is_banned_however_it_is_cut():
    assert "at" not in allowed(["cat"], "▁c")
    assert "at" not in allowed(["Cat"], "▁", "c")
    assert "at" in allowed(["cat"], "s")


def test_longer_word_that_holds_it_may_be_said():
    assert {"cat"} <= allowed(["cat"], "▁con")
    assert "▁catalogue" in allowed(["cat"])
    assert "at" in allowed(["cat"], "▁con", "c")


def test_word_of_bytes_and_without_blanks_around_is_banned():
    assert "<0xAB>" not in allowed(["猫"], "s", "<0xE7>", "<0x8C>")
    assert "<0xAB>" in allowed(["猫"], "<0x8C>")


def test_broken_characters_are_no_letters():
    assert "at" not in allowed(["cat"], "s", "<0xE7>", "c")


def test_what_stands_in_the_prompt_is_not_what_was_said():
    ids: Any = torch.tensor([[PIECES.index("▁c")]])
    scores: Any = torch.zeros(1, len(PIECES))
    after = BannedWords(["cat"], VOCABULARY, prompt_length=1)(ids, scores)
    assert after[0, PIECES.index("at")] == 0
    assert not scores.any()


def test_bytes_of_byte_level_vocabularies_are_read():
    assert vocabulary_bytes(["Ġcat", "Ã©", "Ċ", "<|end|>"])[:3] == [b" cat", "é".encode(), b"\n"]


@pytest.fixture(scope="module")
def said(engine, picture):
    """What the tiny model says by itself, and how to ask it."""

    def ask(sampling, engine=engine):
        request = Request(picture, (Turn("What?"),), sampling)
        return engine.answer(request, lambda piece: None, threading.Event()).text

    return ask


def words_of(text):
    """The words of a text, each once, in their order."""
    return tuple(dict.fromkeys(re.findall(r"[^\W_]+", text)))


@pytest.mark.parametrize("by_loop", [True, False])
@pytest.mark.parametrize("changes", [{}, {"temperature": 1.0, "seed": 3}, {"beams": 2}])
def test_no_answer_contains_them(engine, said, by_loop, changes):
    asked = engine if by_loop else engine.by_generate()
    sampling = Sampling(max_new_tokens=40, **changes)
    free = said(sampling, asked)
    banned = words_of(free)[:5]
    assert banned
    words = said(replace(sampling, banned_words=banned), asked)
    assert words != free
    assert not {word.casefold() for word in banned} & {word.casefold() for word in words_of(words)}


def test_slots_say_what_one_alone_says(engine, picture):
    sampling = Sampling(max_new_tokens=12, banned_words=("a", "e"))
    requests = [Request(picture, (Turn(text),), sampling) for text in ("What?", "Where?", "Who?")]
    together = engine.answer_all(requests, threading.Event(), slots=3)
    texts = {request.turns[0].prompt: answer.text for request, answer in together}
    for request in requests:
        alone = engine.answer(request, lambda piece: None, threading.Event())
        assert texts[request.turns[0].prompt] == alone.text
