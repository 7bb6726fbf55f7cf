"""Where in the image a word rests, by models that are made to look at what is bright."""

import json
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from core.chat.inputs import ChatImage, ChatInputs, chat_inputs, image_token_of
from core.chat.patches import picture_grids
from core.chat.processor import load_processor
from core.chat.resampler import shares_of_patches
from core.engine import Capability
from core.errors import EngineError
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from tests.support.looking_chat import (
    SAID,
    SIZES,
    asked,
    bright_at,
    patches,
    require_right_places,
    strongest,
    the_dog,
    write_looking_model,
)
from tests.support.tiers import mostly_slow, slowly
from tests.support.tiny_chat import FAMILIES, as_if_tried, write_chat_model


@pytest.fixture(scope="module")
def looking(tmp_path_factory, opened):
    """Each family's engine, opened when first asked for."""
    engines = {}

    def engine(family):
        if family not in engines:
            folder = write_looking_model(tmp_path_factory.mktemp(family), family)
            engines[family] = opened(as_if_tried(folder))
        return engines[family]

    yield engine
    for one in engines.values():
        one.close()


@pytest.mark.parametrize("family", mostly_slow(SIZES, FAMILIES))
def test_map_shows_the_patch_that_the_model_looks_at_wherever_it_is(looking, family):
    engine = looking(family)
    assert engine.facts.why_not(Capability.MAPS) is None
    require_right_places(engine, SIZES[family])


@pytest.mark.parametrize(
    "family", ["llava_onevision", "idefics3", "qwen2_5_vl", "gemma3", slowly("idefics2")]
)
def test_map_of_several_pictures_is_that_of_the_first(looking, family):
    engine, (size, (rows, columns)) = looking(family), SIZES[family][0]
    first, *_, last = patches(size, (min(2, rows), min(2, columns)))
    request = asked(bright_at(size, last), bright_at((60, 56), first))
    x, y = strongest(engine.word_map(request, SAID, the_dog(engine, request)))
    assert last[0] < x < last[2]
    assert last[1] < y < last[3]


@pytest.fixture(scope="module")
def quartered(tmp_path_factory, opened):
    """An Idefics2 whose processor also cuts images into quarters, as the published one does."""
    folder = write_looking_model(tmp_path_factory.mktemp("quartered"), "idefics2")
    cut_into_quarters(folder)
    with closing(opened(as_if_tried(folder))) as engine:
        yield engine


def cut_into_quarters(folder):
    for name in ("processor_config.json", "preprocessor_config.json"):
        path = folder / name
        settings = json.loads(path.read_text())
        settings.get("image_processor", settings)["do_image_splitting"] = True
        path.write_text(json.dumps(settings))


@pytest.mark.slow
def test_map_shows_the_right_patch_of_the_right_quarter(quartered):
    # Maps of eight patches a side are smoothed, so there it is four patches that are bright.
    require_right_places(quartered, [((112, 56), (4, 8)), ((112, 112), (4, 4))])


@pytest.mark.slow
def test_map_of_quartered_pictures_is_that_of_the_first(quartered):
    boxes = list(patches((112, 112), (8, 8)))
    request = asked(bright_at((112, 112), boxes[42]), bright_at((112, 112), boxes[3]))
    x, y = strongest(quartered.word_map(request, SAID, the_dog(quartered, request)))
    assert boxes[42][0] < x < boxes[42][2]
    assert boxes[42][1] < y < boxes[42][3]


@pytest.mark.parametrize("is_quartered", [False, True])
def test_shares_of_patches_are_those_of_transformers_attention(tmp_path, is_quartered):
    folder = write_chat_model(tmp_path, "idefics2")
    if is_quartered:
        cut_into_quarters(folder)
    model, eager = (
        AutoModelForImageTextToText.from_pretrained(folder, attn_implementation=kind).eval()
        for kind in ("sdpa", "eager")
    )
    processor = load_processor(folder, model.config)
    pixels = Image.effect_noise((112, 60), 90).convert("RGB")
    tensors = processor(text=["<image>?"], images=[[pixels]], return_tensors="pt")
    given = chat_inputs("", tensors, 8, 0, image_token_of(model.config))
    shares = shares_of_patches(model, given)
    # (images, heads, tokens, patches + tokens) of each layer
    layers = []
    for layer in eager.model.connector.perceiver_resampler.layers:
        layer.self_attn.register_forward_hook(lambda _, __, out: layers.append(out[1]))
    with torch.inference_mode():
        eager(**tensors)
    wanted = []
    for number in range(len(layers[0])):
        tokens, columns = layers[0].shape[-2:]
        whole = torch.eye(columns)
        for layer in layers:
            mixed = torch.eye(columns)
            mixed[-tokens:] = 0.5 * (mixed[-tokens:] + layer[number].mean(0))
            whole = mixed @ whole
        of_patches = whole[-tokens:, :-tokens]
        wanted.append(of_patches / of_patches.sum(1, keepdim=True))
    assert torch.allclose(shares, torch.block_diag(*wanted), atol=1e-5)
    assert len(shares) == given.positions.count(IMAGE_TOKEN_INDEX)
    assert torch.allclose(shares.sum(1), torch.ones(len(shares)))


def test_image_divided_in_an_unknown_way_has_no_map():
    config, processor = SimpleNamespace(model_type="gemma3"), SimpleNamespace(image_seq_length=4)
    request, values = asked(bright_at((60, 40), (0, 0, 30, 20))), np.zeros((1, 3, 28, 28))
    for count in (4, 5, 8):
        positions = [1, *[IMAGE_TOKEN_INDEX] * count, 7]
        inputs = ChatInputs("", positions, values, ChatImage({}), 8)
        if count == 4:
            (grid,) = picture_grids(config, processor, request, inputs)
            assert grid.box == (0, 0, 60, 40)
            continue
        with pytest.raises(EngineError, match="divides this image in an unknown way"):
            picture_grids(config, processor, request, inputs)
