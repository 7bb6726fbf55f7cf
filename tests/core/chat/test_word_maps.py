"""Where in the image a word rests, by models that are made to look at what is bright."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from core.chat.inputs import ChatImage, ChatInputs
from core.chat.patches import picture_grids
from core.engine import Capability
from core.errors import EngineError
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.picture import Picture
from core.transcript import Answer, Ending, Request, Turn
from core.vetting.kept import fingerprint, kept_verdicts
from core.vetting.verdict import EngineKind, Trial, Verdict
from tests.support.looking_chat import write_looking_model
from tests.support.tiers import mostly_slow
from tests.support.tiny_chat import FAMILIES

SAID = Answer("a dog", Ending.COMPLETE, 0, 0.0)
# Sizes of pictures, and how many rows and columns of patches a map of them has.
SIZES = {
    "bakllava": (((70, 70), (2, 2)),),
    "joycaption": (((100, 70), (2, 2)), ((20, 300), (2, 2))),
    "llava_next": (
        ((56, 56), (4, 4)),
        ((120, 50), (2, 4)),
        ((50, 120), (4, 2)),
        ((400, 24), (2, 2)),
    ),
    "llava_onevision": (((90, 90), (4, 4)), ((140, 56), (2, 4))),
    "idefics3": (((80, 80), (2, 2)), ((112, 28), (1, 2)), ((28, 112), (2, 1))),
    "qwen2_5_vl": (((112, 112), (4, 4)), ((28, 112), (4, 1))),
    "qwen3_vl": (((112, 84), (3, 4)),),
    "gemma3": (((70, 100), (2, 2)),),
    "qwen2_vl": (((112, 84), (3, 4)),),
    "internvl": (((56, 56), (2, 2)), ((112, 112), (4, 4)), ((50, 200), (8, 2))),
}


@pytest.fixture(scope="module")
def looking(tmp_path_factory, opened):
    """Each family's engine, opened when first asked for."""
    engines = {}

    def engine(family):
        if family not in engines:
            folder = write_looking_model(tmp_path_factory.mktemp(family), family)
            # As if it had been tried.
            kept_verdicts().write(fingerprint(Trial(EngineKind.CHAT, folder)), Verdict())
            engines[family] = opened(folder)
        return engines[family]

    yield engine
    for one in engines.values():
        one.close()


def patches(size, grid):
    """The boxes of a grid's patches on a picture."""
    (width, height), (rows, columns) = size, grid
    for row in range(rows):
        for column in range(columns):
            left, top = width * column / columns, height * row / rows
            yield left, top, left + width / columns, top + height / rows


def bright_at(size, box):
    pixels = Image.new("RGB", size, "black")
    left, top, right, bottom = (round(edge) for edge in box)
    pixels.paste("white", (left, top, right, bottom))
    return Picture(None, pixels)


def asked(picture, *others):
    return Request(picture, (Turn("What is this?"),), others=others)


def the_dog(engine, request):
    """The word that the model says while it looks."""
    words = engine.evidence(request, SAID, threading.Event()).words
    assert [word.text for word in words] == ["a", "dog"]
    return words[-1]


def strongest(found):
    """Where a map is strongest, in pixels of the picture."""
    rows, columns = found.values.shape
    row, column = divmod(int(found.values.argmax()), columns)
    left, top, right, bottom = found.square
    x = left + (column + 0.5) * (right - left) / columns
    return x, top + (row + 0.5) * (bottom - top) / rows


@pytest.mark.parametrize("family", mostly_slow(SIZES, FAMILIES))
def test_map_shows_the_patch_that_the_model_looks_at_wherever_it_is(looking, family):
    engine = looking(family)
    assert engine.facts.why_not(Capability.MAPS) is None
    word = the_dog(engine, asked(bright_at((56, 56), (0, 0, 28, 28))))
    for size, grid in SIZES[family]:
        for box in patches(size, grid):
            found = engine.word_map(asked(bright_at(size, box)), SAID, word)
            x, y = strongest(found)
            place = f"{size}: {box}, found at {x:.0f}, {y:.0f}\n{found.values.round(1)}"
            assert box[0] < x < box[2], place
            assert box[1] < y < box[3], place
            assert box[0] <= sum(found.strongest_box[::2]) / 2 <= box[2], place
            assert box[1] <= sum(found.strongest_box[1::2]) / 2 <= box[3], place


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
