"""Models with random weights that `onlooker bench` measures, in toy sizes."""

import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from core.engine import Capability
from core.hub.catalogue import offer_of
from core.picture import Picture
from core.terminal.random_chat import RANDOM_MODELS, random_chat_engine
from core.transcript import Ending, ModelChoice, Precision, Request, Sampling, Turn
from tests.support.tiers import mostly_slow

_TEXT = {
    "vocab_size": 300,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
_TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}


def small(name):
    made = RANDOM_MODELS[name]

    def config():
        whole = made.config()
        for key, value in _TEXT.items():
            setattr(whole.text_config, key, value)
        whole.text_config.head_dim = 32
        for key, value in _TOWER.items():
            setattr(whole.vision_config, key, value)
        whole.vision_config.num_attention_heads = 2
        if name.startswith("qwen3"):
            # Its positions have three parts in each head, and its tower passes on inner layers.
            whole.text_config.rope_parameters["mrope_section"] = [6, 5, 5]
            for key, value in (("depth", 2), ("num_heads", 2), ("out_hidden_size", 128)):
                setattr(whole.vision_config, key, value)
            whole.vision_config.deepstack_visual_indexes = [0]
        return whole

    return replace(made, config=config)


@pytest.mark.parametrize(
    ("name", "hub_id"),
    [
        ("llava-1.6-mistral-7b", "llava-hf/llava-v1.6-mistral-7b-hf"),
        ("llava-onevision-7b", "llava-hf/llava-onevision-qwen2-7b-ov-hf"),
        ("qwen3-vl-8b", "Qwen/Qwen3-VL-8B-Instruct"),
    ],
)
def test_sizes_are_those_of_the_published_model(name, hub_id):
    with torch.device("meta"):
        model: Any = AutoModelForImageTextToText.from_config(RANDOM_MODELS[name].config())
    offer = offer_of(hub_id)
    assert offer is not None
    assert sum(one.numel() for one in model.parameters()) == offer.parameters
    text, published = model.config.get_text_config(), offer.config["text_config"]
    own = {key: getattr(text, key) for key in published if key != "tie_word_embeddings"}
    assert own == {key: published[key] for key in own}


@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.BITS_8])
@pytest.mark.parametrize("name", mostly_slow(RANDOM_MODELS, ("joycaption", "qwen3-vl-8b")))
def test_such_a_model_answers_in_full_length_by_our_own_loop(name, precision):
    engine = random_chat_engine(ModelChoice(name, dtype=precision), small(name))
    assert engine.facts.why_not(Capability.SLOTS) is None
    picture = Picture(path=None, pixels=Image.new("RGB", (640, 480), "teal"))
    prompt = Turn("Please describe this image in detail.")
    request = Request(picture, (prompt,), Sampling(max_new_tokens=8))
    ours, theirs = (
        one.answer(request, lambda _: None, threading.Event())
        for one in (engine, engine.by_generate())
    )
    assert ours.ending is Ending.LENGTH
    assert ours.output_ids == theirs.output_ids
    assert ours.input_tokens > {"qwen3-vl-8b": 300, "bakllava": 576}.get(name, 700)
    engine.close()
