"""Where in the image a word rests, by models that are made to look at what is bright."""

from types import SimpleNamespace

import numpy as np
import pytest

from core.chat.inputs import ChatImage, ChatInputs
from core.chat.patches import picture_grids
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
from tests.support.tiers import mostly_slow
from tests.support.tiny_chat import FAMILIES, as_if_tried


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


@pytest.mark.parametrize("family", ["llava_onevision", "idefics3", "qwen2_5_vl", "gemma3"])
def test_map_of_several_pictures_is_that_of_the_first(looking, family):
    engine, (size, (rows, columns)) = looking(family), SIZES[family][0]
    first, *_, last = patches(size, (min(2, rows), min(2, columns)))
    request = asked(bright_at(size, last), bright_at((60, 56), first))
    x, y = strongest(engine.word_map(request, SAID, the_dog(engine, request)))
    assert last[0] < x < last[2]
    assert last[1] < y < last[3]


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
