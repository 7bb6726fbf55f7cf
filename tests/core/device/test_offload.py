import pytest
import torch

from core.device.memory import Card, MemoryNeed
from core.device.offload import description, device_map, max_memory, unsplit_modules

NEED = MemoryNeed(weights=14, cache=2, activations=1, overhead=1)


def cards(*free: int) -> list[Card]:
    return [Card(number, f"Card {number}", 24, memory) for number, memory in enumerate(free)]


def test_each_card_keeps_room_for_what_is_computed_there():
    assert max_memory(NEED, 0, cards(10, 10), 30) == {0: 6, 1: 7, "cpu": 29}


def test_card_where_words_go_in_comes_first():
    limits = max_memory(NEED, 1, cards(10, 10), 30)
    assert limits is not None
    assert list(limits) == [1, 0, "cpu"]


def test_full_card_takes_no_part():
    assert max_memory(NEED, 0, cards(10, 1), 30) == {0: 6, "cpu": 29}
    assert max_memory(NEED, 1, cards(10, 1), 30) is None


def test_picture_and_words_go_into_the_main_card_whatever_its_number():
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig
    from transformers import LlavaForConditionalGeneration as Llava

    text = LlamaConfig(hidden_size=64, intermediate_size=256, num_hidden_layers=8, vocab_size=500)
    vision = CLIPVisionConfig(hidden_size=48, intermediate_size=64, num_hidden_layers=2)
    with torch.device("meta"):
        model = Llava(LlavaConfig(text_config=text, vision_config=vision))
    assert unsplit_modules(model), "transformers has renamed _no_split_modules"
    size = sum(tensor.nbytes for tensor in model.parameters())
    devices = device_map(model, {1: int(0.7 * size), 0: int(0.7 * size), "cpu": 2 * size})
    assert devices["model.vision_tower"] == devices["model.language_model.embed_tokens"] == 1
    assert devices["lm_head"] == 0
    assert set(devices.values()) == {0, 1}


@pytest.mark.parametrize("host", [None, 8, 14])
def test_host_must_hold_the_weights_while_they_are_read(host):
    assert max_memory(NEED, 0, cards(20, 20), host) is None


def test_devices_of_a_model_are_described():
    both = {"model.vision_tower": 0, "model.language_model.layers.0": 1, "lm_head": "cpu"}
    assert description(both) == (
        "The model is split across 2 graphics cards and the computer's memory, so its answers are "
        "slow."
    )
    assert description({"a": 0, "b": 0}) == "The model is on the graphics card."
