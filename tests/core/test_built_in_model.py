"""The built-in model as shipped: what it says of the samples, its size, and how it was made."""

import importlib
import json
import random
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.checkpoint.folder import built_in_model
from core.llava.engine import LlavaEngine
from core.llava.prompt import conversation, input_ids
from core.llava.tokenizer import IMAGE_TOKEN_INDEX, Tokenizer
from core.open_engine import open_engine
from core.picture import open_picture
from core.picture.pixel_values import pixel_values
from core.transcript import Ending, ModelChoice, Precision, Request, Sampling, Turn
from tests.support.tiers import mostly_slow

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "resources" / "samples"
RECIPE = ROOT / "packaging" / "train_built_in_model"
TRUTH = json.loads((ROOT / "tests" / "support" / "samples_truth.json").read_text("utf-8"))
PRESETS = {
    preset["name"]: preset["prompt"]
    for preset in json.loads((ROOT / "resources" / "prompts.json").read_text("utf-8"))
}


@pytest.fixture(scope="module")
def engine():
    opened = open_engine(
        ModelChoice("built-in", device="cpu", dtype=Precision.FLOAT32),
        lambda fraction, stage: None,
        threading.Event(),
    )
    yield opened
    opened.close()


@pytest.fixture
def recipe(monkeypatch):
    """Imports modules of the recipe as its command does: from its own folder."""
    monkeypatch.syspath_prepend(str(RECIPE))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(RECIPE) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def ask(engine: LlavaEngine, sample: str, *prompts: str) -> str:
    """The answer to the last prompt, asked after the others were answered."""
    picture = open_picture(SAMPLES / sample)
    turns: list[Turn] = []
    said = ""
    for prompt in prompts:
        request = Request(picture, (*turns, Turn(prompt)), Sampling(max_new_tokens=160))
        answer = engine.answer(request, lambda piece: None, threading.Event())
        assert answer.ending is Ending.COMPLETE
        said = answer.text
        turns.append(Turn(prompt, said))
    return said


@pytest.mark.parametrize(
    "sample", mostly_slow(sorted(TRUTH), ("desk.png", "fruit.png", "shapes.png"))
)
def test_every_sample_is_described_rightly(engine, sample):
    assert ask(engine, sample, PRESETS["Describe in detail"]) == TRUTH[sample]["description"]


def test_short_caption_names_what_is_there(engine):
    assert ask(engine, "penguins.png", PRESETS["Short caption"]) == TRUTH["penguins.png"]["caption"]


@pytest.mark.parametrize(
    ("sample", "prompt", "answer"),
    [
        (
            "birthday.png",
            "How many balloons are there?",
            "There are three balloons in the picture.",
        ),
        ("penguins.png", "how many penguins", "There are four penguins in the picture."),
        ("shapes.png", "What colour is the star?", "The star is purple."),
        ("shapes.png", "Is there a red square?", "No, there is no red square in the picture."),
        ("birthday.png", PRESETS["Read the text"], 'The text reads "PARTY".'),
        (
            "fruit.png",
            "Is there a carrot in this picture?",
            "No, there is no carrot in the picture.",
        ),
        ("desk.png", "What is the background?", TRUTH["desk.png"]["background"]),
    ],
)
def test_question_is_answered_rightly(engine, sample, prompt, answer):
    assert ask(engine, sample, prompt) == answer


def test_follow_up_is_understood_from_the_answer_before(engine):
    said = ask(engine, "fruit.png", "Where is the pineapple?", "And the banana?")
    place = next(t["place"] for t in TRUTH["fruit.png"]["things"] if t["name"] == "banana")
    assert said == f"The banana is {place}."


def test_asked_about_itself_it_says_that_it_only_knows_drawn_pictures(engine):
    assert "only know drawn pictures" in ask(engine, "night-sky.png", "Who are you?")


def test_question_out_of_scope_is_declined_honestly(engine):
    said = ask(engine, "night-sky.png", "What is the capital of Denmark?")
    assert "only know drawn pictures" in said


def test_every_ready_prompt_is_answered_to_the_end(engine):
    for prompt in PRESETS.values():
        assert len(ask(engine, "harbour.png", prompt)) > 10


def test_model_folder_holds_at_most_32_megabytes_in_small_shards():
    sizes = {file.name: file.stat().st_size for file in built_in_model().iterdir()}
    assert sum(sizes.values()) <= 32_000_000
    assert max(sizes.values()) < 14_000_000


def test_plain_transformers_loads_it_with_no_key_missing():
    from transformers import LlavaForConditionalGeneration

    loaded: Any = LlavaForConditionalGeneration.from_pretrained(
        built_in_model(), dtype=torch.float32, output_loading_info=True
    )
    model, report = loaded
    assert not any(report.values())
    assert model.config.text_config.rms_norm_eps == 1e-5
    assert model.config.vision_feature_layer == -2


def test_training_sees_the_ids_that_the_app_makes(recipe):
    tokens, talk, placing = (recipe(n) for n in ("tokens", "conversations", "placing"))
    facts = recipe("sprites").sprite_facts()
    encoder = tokens.Encoder(built_in_model())
    rng = random.Random(1)
    for seed in range(60):
        said = talk.conversation(rng, placing.draw_scene(seed, facts), rng.randint(1, 6))
        assert encoder.check(said, with_system=seed % 2 == 0)


def test_printed_words_are_spelled_letter_by_letter():
    tokenizer = Tokenizer.load(built_in_model())
    ids = tokenizer.encode('The text reads "QUARTZ".')
    assert [tokenizer.decode([number]) for number in ids[-8:-2]] == list("QUARTZ")


def test_same_seed_draws_the_same_scene(recipe):
    placing = recipe("placing")
    facts = recipe("sprites").sprite_facts()
    drawn = [[placing.draw_scene(seed, facts) for seed in range(50)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len({scene.things for scene in drawn[0]}) > 30


def test_samples_are_drawn_again_from_their_seeds(recipe):
    samples = recipe("samples")
    assert {s.file: samples.truth_of(s.scene()) for s in samples.SAMPLES} == TRUTH


def test_sample_is_painted_again_from_its_seed(recipe):
    sprites, samples, measuring = (recipe(n) for n in ("sprites", "samples", "measuring"))
    if not sprites.EMOJI_FONT.is_file():
        pytest.skip("fonts-noto-color-emoji, of which sprites are made, is not installed")
    sample = next(sample for sample in samples.SAMPLES if sample.file == "fruit.png")
    scene = sample.scene()
    # A sheet of these few sprites alone, for speed.
    sheet = np.stack([sprites.draw_sprite(thing.sprite) for thing in scene.things])
    things = tuple(replace(thing, sprite=i) for i, thing in enumerate(scene.things))
    renderer = recipe("pictures").Renderer(sheet, "cpu")
    painted = measuring.picture_of(replace(scene, things=things), renderer, samples.SIDE)
    shipped = open_picture(SAMPLES / sample.file).pixels
    apart = np.abs(np.asarray(painted, int) - np.asarray(shipped, int))
    assert apart.mean() < 0.5


def test_plain_transformers_processor_makes_the_same_inputs():
    from transformers import AutoProcessor

    question, said, asked = (
        "Where is the octopus?",
        "The octopus is in the middle.",
        "And the fish?",
    )
    processor = AutoProcessor.from_pretrained(built_in_model())
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": said}]},
        {"role": "user", "content": [{"type": "text", "text": asked}]},
    ]
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    pixels = open_picture(SAMPLES / "harbour.png").pixels
    inputs = processor(images=pixels, text=text, return_tensors="np")
    parts = conversation((Turn(question, said), Turn(asked)))
    ours = input_ids(parts, Tokenizer.load(built_in_model()))
    at = ours.index(IMAGE_TOKEN_INDEX)
    image = inputs["input_ids"][0][at]
    assert inputs["input_ids"][0].tolist() == [*ours[:at], *[image] * 576, *ours[at + 1 :]]
    assert (inputs["pixel_values"] == pixel_values(pixels)).all()
