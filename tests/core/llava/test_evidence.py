"""What each word rests on, by the model that is shipped and by a tiny one of other sizes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.checkpoint.folder import built_in_model
from core.engine import Capability, inspectable
from core.errors import Cancelled, EngineError, PromptError
from core.llava.engine import LlavaEngine
from core.llava.evidence import token_spans
from core.llava.tokenizer import Tokenizer
from core.open_engine import open_engine
from core.picture import Picture, open_picture
from core.picture.pixel_values import PAD_COLOUR
from core.transcript import Answer, Ending, ModelChoice, Precision, Request, Sampling, Turn
from core.words import Evidence, Word
from tests.support.tiers import slowly

ROOT = Path(__file__).parents[3]
TRUTH = json.loads((ROOT / "tests" / "support" / "samples_truth.json").read_text("utf-8"))
NEVER = threading.Event()
DESCRIBE = "Please describe this image in detail."


def open_built_in(dtype: str) -> LlavaEngine:
    choice = ModelChoice("built-in", device="cpu", dtype=Precision(dtype))
    engine = open_engine(choice, lambda *_: None, NEVER)
    assert isinstance(engine, LlavaEngine)
    return engine


@pytest.fixture(scope="module")
def engine() -> Iterator[LlavaEngine]:
    opened = open_built_in("float32")
    yield opened
    opened.close()


def request_for(sample: str, prompt: str = "Write a short caption for this image.") -> Request:
    picture = open_picture(ROOT / "resources" / "samples" / sample)
    return Request(picture, (Turn(prompt),), Sampling(max_new_tokens=120))


def answered(engine: LlavaEngine, request: Request) -> Answer:
    return engine.answer(request, lambda _: None, NEVER)


def written(text: str) -> Answer:
    """An answer as it comes from the store: without its ids."""
    return Answer(text, Ending.COMPLETE, 0, 0.0)


@dataclass(frozen=True)
class Captioned:
    """An image's caption, and what its words rest on."""

    request: Request
    answer: Answer
    evidence: Evidence


@pytest.fixture(scope="module")
def captioned(engine: LlavaEngine) -> Callable[[str], Captioned]:
    """Captions a sample, once for all tests: what is said and found stays the same."""

    @cache
    def captioned(sample: str) -> Captioned:
        request = request_for(sample)
        answer = answered(engine, request)
        return Captioned(request, answer, engine.evidence(request, answer, NEVER))

    return captioned


@pytest.fixture(scope="module")
def described(engine: LlavaEngine) -> Evidence:
    """What the words of a true description rest on."""
    request = request_for("fruit.png", DESCRIBE)
    return engine.evidence(request, written(TRUTH["fruit.png"]["description"]), NEVER)


def word_in(evidence: Evidence, text: str) -> Word:
    return next(word for word in evidence.words if word.text == text)


def log_p_by_transformers(
    engine: LlavaEngine, request: Request, ids: tuple[int, ...]
) -> np.ndarray:
    """Of each id when it was chosen, by transformers' own modules."""
    path = engine._generate_path
    inputs = engine._prepare(request)
    with torch.inference_mode():
        prompt = path.embed(inputs, path.encode(request.picture.pixels, inputs).features)
        said = engine._model.get_input_embeddings()(torch.tensor([ids]))
        logits = engine._model(inputs_embeds=torch.cat([prompt, said], 1)).logits[0].float()
    leading = logits[prompt.shape[1] - 1 : -1].log_softmax(-1)
    return leading[torch.arange(len(ids)), torch.tensor(ids)].numpy()


def test_word_is_as_probable_as_its_tokens_together_and_gains_over_a_plain_picture(
    engine, captioned
):
    fruit = captioned("fruit.png")
    request, answer, evidence = fruit.request, fruit.answer, fruit.evidence
    plain = replace(request, picture=Picture(None, Image.new("RGB", (336, 336), PAD_COLOUR)))

    seen = log_p_by_transformers(engine, request, answer.output_ids)
    unseen = log_p_by_transformers(engine, plain, answer.output_ids)
    for word in evidence.words:
        tokens = slice(word.first_token, word.end_token)
        assert word.probability == pytest.approx(np.exp(seen[tokens].sum()), abs=1e-4)
        assert word.gain == pytest.approx((seen - unseen)[tokens].sum(), abs=2e-3)
    assert [word.text for word in evidence.words] == answer.text.replace(",", "")[:-1].split()
    assert [answer.text[w.begin : w.end] for w in evidence.words] == [
        w.text for w in evidence.words
    ]
    gains = [word_in(evidence, text).gain or 0 for text in ("background", "banana")]
    assert gains[0] < 5 < gains[1]


def test_candidates_begin_with_the_word_that_a_greedy_answer_said(captioned):
    banana = word_in(captioned("fruit.png").evidence, "banana")
    assert banana.candidates[0].text == "banana"
    probabilities = [candidate.probability for candidate in banana.candidates]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(banana.candidates) >= 3


def test_evidence_between_two_answers_changes_nothing_of_what_the_next_is_made_from(engine):
    request = request_for("fruit.png", DESCRIBE)
    first = answered(engine, request)
    turns = (Turn(request.turns[0].prompt, first.text), Turn("Where is the pineapple?"))
    follow_up = replace(request, turns=turns)
    plain = answered(engine, follow_up)
    again = answered(engine, request)
    held = [list(slot.positions) for slot in engine._loop._slots]
    kept = [layer.clone() for layer in engine._loop.forward.cache.layers]

    evidence = engine.evidence(request, again, NEVER)
    engine.word_map(request, again, word_in(evidence, "pineapple"))
    engine.look_again(request, again, word_in(evidence, "pineapple"))

    assert [list(slot.positions) for slot in engine._loop._slots] == held
    for layer, before in zip(engine._loop.forward.cache.layers, kept, strict=True):
        assert torch.equal(layer, before)
    assert answered(engine, follow_up).output_ids == plain.output_ids


@pytest.mark.parametrize("sample", ["fruit.png", "harbour.png", "desk.png"])
def test_map_of_a_name_is_strongest_on_the_thing_itself(engine, captioned, sample):
    found = captioned(sample)
    request, answer, evidence = found.request, found.answer, found.evidence
    width, height = request.picture.pixels.size
    things = [thing for thing in TRUTH[sample]["things"] if thing["name"] in answer.text]
    assert len(things) > 2
    words = [word_in(evidence, thing["name"].split()[-1]) for thing in things]

    maps = engine.word_maps(request, answer, words)

    for thing, found in zip(things, maps, strict=True):
        boxes = [t["box"] for t in TRUTH[sample]["things"] if t["name"] == thing["name"]]
        row, column = divmod(int(found.values.argmax()), found.values.shape[1])
        left, top, right, bottom = found.square
        x = left + (column + 0.5) * (right - left) / found.values.shape[1]
        y = top + (row + 0.5) * (bottom - top) / found.values.shape[0]
        assert any(
            b[0] * width <= x <= b[2] * width and b[1] * height <= y <= b[3] * height for b in boxes
        )
        box = found.strongest_box
        assert 0 <= box[0] < box[2] <= width
        assert 0 <= box[1] < box[3] <= height
        assert box[0] <= x <= box[2]
        assert found.values.min() == 0
        assert found.values.max() == 1


@pytest.mark.parametrize(
    ("right", "wrong"), [("banana", "lobster"), ("red", "blue"), ("on the left", "on the right")]
)
def test_what_is_not_there_is_the_word_most_in_doubt(engine, described, right, wrong):
    request = request_for("fruit.png", DESCRIBE)
    # In its last mention alone, for the place stands only there.
    true = TRUTH["fruit.png"]["description"]
    altered = wrong.join(true.rsplit(right, 1))
    assert described.most_doubtful.doubt < 0.5

    doubtful = engine.evidence(request, written(altered), NEVER).most_doubtful

    assert doubtful.text == wrong.split()[-1]
    assert doubtful.doubt_step > 0


def test_looking_again_affirms_what_is_there_and_not_what_is_absent(engine):
    request = request_for("fruit.png")
    said = written("A banana and a saxophone.")
    evidence = engine.evidence(request, said, NEVER)

    there = engine.look_again(request, said, word_in(evidence, "banana"))
    absent = engine.look_again(request, said, word_in(evidence, "saxophone"))

    assert there.question == "Is there a banana in the image?"
    assert there.is_affirmed
    assert not absent.is_affirmed
    assert there.margin > absent.margin + 5
    with pytest.raises(PromptError, match="names nothing"):
        engine.look_again(request, said, word_in(evidence, "and"))


@pytest.mark.parametrize(("dtype", "apart"), [slowly("8-bit", 0.05), ("4-bit", 0.5)])
def test_in_few_bits_the_evidence_stays_nearly_the_same(engine, captioned, dtype, apart):
    fruit = captioned("fruit.png")
    request, answer, exact = fruit.request, fruit.answer, fruit.evidence
    quantised = open_built_in(dtype)

    evidence = quantised.evidence(request, answer, NEVER)
    banana = quantised.word_map(request, answer, word_in(evidence, "banana"))

    for one, other in zip(exact.words, evidence.words, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=apart)
    plain = engine.word_map(request, answer, word_in(exact, "banana"))
    assert np.corrcoef(banana.values.ravel(), plain.values.ravel())[0, 1] > 0.9
    quantised.close()


def test_stop_ends_the_search_for_evidence(engine):
    stop = threading.Event()
    stop.set()
    request = request_for("fruit.png")
    with pytest.raises(Cancelled):
        engine.evidence(request, written("A banana."), stop)


def test_answer_without_words_rests_on_nothing(engine):
    evidence = engine.evidence(request_for("fruit.png"), written(""), NEVER)
    assert evidence.words == ()
    assert evidence.most_doubtful is None


def test_model_that_cannot_be_looked_into_says_why(engine):
    other = engine.by_generate()
    with pytest.raises(EngineError, match="Load such a model"):
        inspectable(other, Capability.EVIDENCE)
    with pytest.raises(EngineError, match="Load such a model"):
        other.evidence(request_for("fruit.png"), written("A banana."), NEVER)


def test_token_that_says_part_of_a_character_has_the_whole_one():
    tokenizer = Tokenizer.load(built_in_model())
    ids = tokenizer.encode_parts(["The 猫 sat"])
    text, spans = token_spans(ids, tokenizer)
    cat = text.index("猫")
    pieces = [number for number, span in enumerate(spans) if span == (cat, cat + 1)]
    assert len(pieces) == 3
    assert text[slice(*spans[-1])].strip() == text[spans[-1][0] :].strip()


@pytest.mark.parametrize("size", [(1200, 50), (50, 1200), (1, 1), (3, 1)])
def test_strongest_region_lies_on_the_picture_however_much_of_the_square_is_padding(engine, size):
    picture = Picture(None, Image.effect_noise(size, 90).convert("RGB"))
    request = Request(picture, (Turn("What is this?"),), Sampling())
    answer = written("A red fork at the top left, beside two grey knives on the right.")

    maps = engine.word_maps(request, answer, engine.evidence(request, answer, NEVER).words)

    for found in maps:
        left, top, right, bottom = found.strongest_box
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]


def test_model_of_other_sizes_has_maps_of_its_own_patches(opened, tiny_original_layout, picture):
    tiny = opened(tiny_original_layout)
    request = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=12))
    answer = answered(tiny, request)
    evidence = tiny.evidence(request, answer, NEVER)
    assert evidence.words
    assert evidence.words[-1].end_token <= answer.tokens

    found = tiny.word_map(request, answer, evidence.words[0])

    assert found.values.shape == (4, 4)
    assert found.square == (0, -15, 100, 85)
    tiny.close()
