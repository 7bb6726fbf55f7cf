"""How sure a model on a server is of its words, from what the server says of its tokens."""

from __future__ import annotations

import threading

import pytest
from PIL import Image

from core.engine import Capability, inspectable
from core.errors import EngineError
from core.picture import Picture
from core.transcript import Answer, Ending, Request, TokenScore, Turn
from core.words import Evidence
from tests.support.model_server import Fault, colour_name, scored

NEVER = threading.Event()
PICTURE = Picture(None, Image.new("RGB", (64, 48), (200, 40, 40)), original_size=(64, 48))
REQUEST = Request(PICTURE, (Turn("What is it?"),))
TEXT = f"{colour_name(PICTURE.pixels)} for What is it?"


def tokens_of(piece: str):
    """The model is unsure of one word, and would nearly have said another."""
    if piece == "What":
        return [scored(piece, 0.4, Who=0.35, _Who=0.05)]
    return [scored(piece)] if piece else []


def asked(engine) -> tuple[Answer, Evidence]:
    answer = engine.answer(REQUEST, lambda piece: None, NEVER)
    evidence = inspectable(engine, Capability.EVIDENCE).evidence(REQUEST, answer, NEVER)
    return answer, evidence


def test_words_of_an_answer_are_as_probable_as_the_server_says(server, use):
    server.scores = tokens_of
    answer, evidence = asked(use(server))
    assert [answer.text[word.begin : word.end] for word in evidence.words] == [
        word.text for word in evidence.words
    ]
    assert {word.text: round(word.probability, 2) for word in evidence.words}["colour"] == 0.9
    [unsure] = [word for word in evidence.words if word.text == "What"]
    assert round(unsure.probability, 2) == 0.4
    assert [one.text for one in unsure.candidates] == ["What", "Who", "_Who"]
    assert {word.gain for word in evidence.words} == {None}
    content = [word for word in evidence.words if word.is_content]
    assert content
    assert all(word.doubt is not None for word in content)


def test_server_that_ignores_the_wish_is_not_asked_for_it_again(server, use):
    engine = use(server)
    assert Capability.EVIDENCE in engine.facts.missing
    assert engine.answer(REQUEST, lambda piece: None, NEVER).text == TEXT
    assert all("logprobs" not in body for body in server.captions())


@pytest.mark.parametrize(
    "refusal",
    [None, Fault(500, "Internal error"), Fault(403, "You may not use logprobs"), Fault(400, "No.")],
)
def test_server_that_refuses_or_fails_answers_without(server, use, refusal):
    server.refused, server.refusal = {"logprobs"}, refusal
    engine = use(server)
    assert Capability.EVIDENCE in engine.facts.missing
    assert Capability.SEED not in engine.facts.missing
    assert engine.answer(REQUEST, lambda piece: None, NEVER).text == TEXT


def test_server_without_alternatives_still_says_how_sure_it_is(server, use):
    server.scores, server.refused = tokens_of, {"top_logprobs"}
    _, evidence = asked(use(server))
    assert round(evidence.words[0].probability, 2) == 0.9


@pytest.mark.parametrize(
    "broken",
    [{"token": "x"}, {"token": "x", "logprob": None}, {"token": "x", "logprob": 3}, 7, "x"],
)
def test_scores_that_make_no_sense_spoil_no_answer(server, use, broken):
    server.scores = tokens_of
    engine = use(server)
    server.scores = lambda piece: [broken]
    answer = engine.answer(REQUEST, lambda piece: None, NEVER)
    assert answer.text == TEXT
    with pytest.raises(EngineError, match="did not say how sure"):
        inspectable(engine, Capability.EVIDENCE).evidence(REQUEST, answer, NEVER)


def test_answer_of_a_folder_run_is_asked_for_with_scores_and_without_alternatives(server, use):
    server.scores = tokens_of
    engine = use(server)
    [(_, answer)] = engine.answer_all([REQUEST], NEVER, slots=1)
    assert b"".join(score.content for score in answer.scores).decode().strip() == TEXT
    assert server.captions()[-1]["logprobs"] is True
    assert "top_logprobs" not in server.captions()[-1]
    assert Capability.EARLIER in engine.facts.missing


def test_server_that_gives_no_scores_is_asked_for_none_in_a_folder_run(server, use):
    [(_, answer)] = use(server).answer_all([REQUEST], NEVER, slots=1)
    assert answer.scores == ()
    assert "logprobs" not in server.captions()[-1]


def test_stopped_answer_has_the_scores_so_far(server, use):
    server.scores = tokens_of
    engine, stop = use(server), threading.Event()
    server.seconds = 2.0
    answer = engine.answer(REQUEST, lambda piece: stop.set(), stop)
    assert answer.ending is Ending.STOPPED
    assert TEXT.startswith(answer.text)
    evidence = inspectable(engine, Capability.EVIDENCE).evidence(REQUEST, answer, NEVER)
    assert evidence.words[0].text == answer.text.split()[0]


def test_model_is_asked_whether_a_thing_is_there(server, use):
    answers = {"Yes": [scored("Yes", 0.8, No=0.1)], "No": [scored("No", 0.99)]}
    server.scores = lambda piece: answers.get(piece, tokens_of(piece))
    engine = use(server)
    answer, evidence = asked(engine)
    examiner = inspectable(engine, Capability.EVIDENCE)
    presence = examiner.look_again(REQUEST, answer, evidence.words[0])
    assert presence.question.startswith("Is there a colour")
    assert presence.log_odds == pytest.approx(2.08, abs=0.01)
    assert presence.is_affirmed
    server.scores = lambda piece: [scored("maybe")]
    with pytest.raises(EngineError, match="with neither yes nor no"):
        examiner.look_again(REQUEST, answer, evidence.words[0])


def test_tokens_are_found_in_the_text_however_a_server_writes_them(use, server):
    """Parts of characters, blanks added and dropped, signs of the vocabulary, special tokens."""
    server.scores = tokens_of
    engine = use(server)
    text = "a café 🎈 by  night"
    pieces = (b"<s>", b"\n", b"a", b" caf", b"\xc3", b"\xa9", b" \xf0\x9f", b"\x8e\x88")
    scores = [TokenScore(piece, -0.1 * at) for at, piece in enumerate(pieces, 1)]
    scores += [TokenScore(b"by", -0.9), TokenScore(b" night", -1.0), TokenScore(b"</s>", -1.1)]
    answer = Answer(text, Ending.COMPLETE, 11, 1.0, scores=tuple(scores))
    evidence = inspectable(engine, Capability.EVIDENCE).evidence(REQUEST, answer, NEVER)
    assert [(word.text, word.first_token, word.end_token) for word in evidence.words] == [
        *(("a", 2, 3), ("café", 3, 6), ("by", 8, 9), ("night", 9, 10))
    ]
    shown = [text[token.begin : token.end] for token in evidence.tokens]
    assert shown == ["", "", "a", "caf", "é", "é", "🎈", "🎈", "by", "night", ""]
