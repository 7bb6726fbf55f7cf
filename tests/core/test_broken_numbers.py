"""A model whose weights or sums are invalid numbers says so in every way of answering."""

import threading

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.batch import Batch, BatchOptions, Control
from core.captions.sidecar import Existing
from core.errors import EngineError
from core.picture import Picture
from core.transcript import Answer, Ending, Request, Sampling, Turn
from tests.support.tiny_chat import write_chat_model
from tests.support.tiny_llava import random_weights, write_original_layout

MESSAGE = "The model computed invalid numbers. Load it in another precision."
WAYS = (
    Sampling(max_new_tokens=6),
    Sampling(max_new_tokens=6, temperature=1.0, top_p=0.9, seed=3),
    Sampling(max_new_tokens=6, banned_words=("cat",), repetition_penalty=1.2),
    Sampling(max_new_tokens=6, beams=2),
)


def ask(engine, picture, sampling):
    request = Request(picture, (Turn("What is this?"),), sampling)
    return engine.answer(request, lambda piece: None, threading.Event())


def spoiled_weights(name, value):
    """Tiny weights with one broken number."""
    weights = random_weights(dtype=torch.float32)
    weights[name].view(-1)[5] = value
    return weights


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory, opened):
    """An engine with NaN in a layer."""
    folder = tmp_path_factory.mktemp("spoiled")
    weights = spoiled_weights("model.layers.1.mlp.down_proj.weight", float("nan"))
    engine = opened(write_original_layout(folder / "llava", weights))
    yield engine
    engine.close()


@pytest.mark.parametrize("sampling", WAYS)
@pytest.mark.parametrize("by_generate", [False, True])
def test_broken_numbers_are_said_however_words_are_chosen(spoiled, picture, sampling, by_generate):
    engine = spoiled.by_generate() if by_generate else spoiled
    with pytest.raises(EngineError) as error:
        ask(engine, picture, sampling)
    assert str(error.value) == MESSAGE


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("sampling", WAYS[:2])
def test_broken_numbers_are_said_in_slots(spoiled, picture, sampling, slots):
    requests = [Request(picture, (Turn(prompt),), sampling) for prompt in ("a", "Why?", "What?")]
    with pytest.raises(EngineError) as error:
        list(spoiled.answer_all(requests, threading.Event(), slots=slots))
    assert str(error.value) == MESSAGE


def test_what_words_rest_on_is_not_made_of_broken_numbers(spoiled, picture):
    request = Request(picture, (Turn("What is this?"),))
    answer = Answer("It is red.", Ending.COMPLETE, 3, 0.1)
    with pytest.raises(EngineError) as error:
        spoiled.evidence(request, answer, threading.Event())
    assert str(error.value) == MESSAGE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.norm.weight", float("inf")),
        ("lm_head.weight", float("nan")),
        ("lm_head.weight", float("-inf")),
        ("model.mm_projector.2.bias", float("inf")),
        ("vision_model.pre_layrnorm.weight", float("nan")),
    ],
)
def test_one_broken_weight_anywhere_is_noticed(tmp_path, opened, picture, name, value):
    engine = opened(write_original_layout(tmp_path / "llava", spoiled_weights(name, value)))
    with pytest.raises(EngineError, match=r"invalid numbers"):
        ask(engine, picture, WAYS[0])
    engine.close()


def test_next_picture_is_answered_after_one_whose_numbers_overflow(tmp_path, opened, picture):
    """What they left in the cache spoils no other answer."""
    weights = random_weights(dtype=torch.float32)
    # Squares in the norms overflow only where the picture is bright.
    weights["vision_model.embeddings.patch_embedding.weight"].abs_().mul_(1e19)
    engine = opened(write_original_layout(tmp_path / "llava", weights))
    grey = Picture(None, Image.new("RGB", (64, 64), (122, 116, 104)))
    white = Picture(None, Image.new("RGB", (64, 64), "white"))
    fresh = [_said(engine, one) for one in (grey, white)]
    assert isinstance(fresh[0], tuple)
    assert fresh[1] == MESSAGE
    assert [_said(engine, one) for one in (white, grey, white, grey)] == [*fresh[::-1]] * 2
    engine.close()


def _said(engine, picture):
    try:
        return ask(engine, picture, WAYS[0]).output_ids
    except EngineError as error:
        return str(error)


@pytest.fixture(scope="module")
def spoiled_chat(tmp_path_factory, opened):
    """Another architecture with NaN in its last norm."""
    folder = write_chat_model(tmp_path_factory.mktemp("spoiled") / "chat", "idefics3")
    path = folder / "model.safetensors"
    weights = load_file(path)
    name = next(n for n in weights if n.endswith("norm.weight") and "layers" not in n)
    weights[name].view(-1)[3] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    engine = opened(folder)
    yield engine
    engine.close()


@pytest.mark.parametrize("sampling", WAYS)
def test_another_architecture_says_so_too(spoiled_chat, picture, sampling):
    with pytest.raises(EngineError) as error:
        ask(spoiled_chat, picture, sampling)
    assert str(error.value) == MESSAGE


def test_pictures_of_a_group_fail_with_the_reason(spoiled_chat, picture):
    requests = [Request(picture, (Turn(prompt),), WAYS[0]) for prompt in ("a", "What?")]
    with pytest.raises(EngineError) as error:
        list(spoiled_chat.answer_all(requests, threading.Event(), slots=2))
    assert str(error.value) == MESSAGE


@pytest.mark.parametrize("slots", [1, 2])
def test_run_with_a_broken_model_replaces_nothing(spoiled, tmp_path, slots):
    for name in "ab":
        Image.new("RGB", (8, 6), "red").save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text("by hand\n")
    options = BatchOptions(("What?",), existing=Existing.REPLACE)
    batch = Batch.begin([tmp_path], options, tmp_path / "journals")
    tally = batch.run(spoiled, Control(), slots=slots)
    batch.close()
    assert (tally.done, tally.failed) == (0, 2)
    assert {item.reason for item in batch.items} == {MESSAGE}
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "b.txt").read_text() == "by hand\n"
