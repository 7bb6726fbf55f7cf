import threading
from typing import Any

import pytest
from PIL import Image

from core.batch_doubt import Doubt, find_doubt
from core.batch_plan import BatchOptions
from core.errors import EngineError
from core.transcript import ModelChoice
from tests.scripted_engine import ScriptedEngine

OPTIONS = BatchOptions(("What is {stem}?",), beginning="Here is")


@pytest.fixture
def captions(tmp_path):
    for name in ("1.png", "2.png"):
        Image.new("RGB", (40, 30), "red").save(tmp_path / name)
    said = ("Here is word0 word2", "Here is a cat")
    return [(number, tmp_path / f"{number + 1}.png", text) for number, text in enumerate(said)]


def found(captions, engine=None, stop=None):
    heard = []
    engine = engine or ScriptedEngine(ModelChoice())
    find_doubt(engine, captions, OPTIONS, heard.append, stop or threading.Event())
    return heard


def test_each_caption_has_its_most_doubtful_word(captions):
    assert found(captions) == [
        Doubt(0, "Here is word0 word2", "word2", 0.6, 1),
        Doubt(1, "Here is a cat", "Here", 0.1, 0),
    ]


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
    engine: Any = ScriptedEngine(ModelChoice())
    engine.evidence_obstacle = "It tells nothing."
    with pytest.raises(EngineError, match="It tells nothing"):
        found(captions, engine)
