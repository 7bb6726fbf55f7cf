import json
import math
import subprocess
import sys

import pytest

from core.checkpoint.folder import built_in_model
from core.device.memory import PRECISIONS, MemoryNeed, memory_need, precision_that_fits
from core.errors import CheckpointError
from core.transcript import Precision

# The part of llava-hf/llava-1.5-7b-hf's config.json that sizes depend on: it leaves Llama's and
# the tower's to transformers.
LLAVA_7B = {
    "architectures": ["LlavaForConditionalGeneration"],
    "image_seq_length": 576,
    "text_config": {"model_type": "llama", "max_position_embeddings": 4096, "vocab_size": 32064},
    "vision_config": {"model_type": "clip_vision_model"},
}
LLAVA_13B = {
    "architectures": ["LlavaLlamaForCausalLM"],
    "model_type": "llava",
    "hidden_size": 5120,
    "intermediate_size": 13824,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "mm_vision_tower": "openai/clip-vit-large-patch14-336",
}
GB = 1e9


def test_sizes_of_the_published_models_are_found_from_their_settings():
    # 7.06 and 13.35 billion parameters, of two bytes each.
    assert memory_need(LLAVA_7B, Precision.BITS_16).weights / GB == pytest.approx(14.13, rel=0.01)
    assert memory_need(LLAVA_13B, Precision.BITS_16).weights / GB == pytest.approx(26.7, rel=0.01)


QWEN2_VL_7B = {
    "model_type": "qwen2_vl",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "vision_config": {
        "depth": 32,
        "embed_dim": 1280,
        "hidden_size": 3584,
        "mlp_ratio": 4,
        "num_heads": 16,
        "spatial_patch_size": 14,
    },
}
INTERNVL3_1B = {
    "model_type": "internvl",
    "image_seq_length": 256,
    "text_config": {
        "model_type": "qwen2",
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "vocab_size": 151674,
        "tie_word_embeddings": False,
    },
    "vision_config": {
        "model_type": "internvl_vision",
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "image_size": [448, 448],
        "patch_size": [14, 14],
        "num_attention_heads": 16,
    },
}


@pytest.mark.parametrize(
    ("config", "billions"),
    [(QWEN2_VL_7B, 8.29), (INTERNVL3_1B, 0.94)],
    ids=["qwen2_vl", "internvl"],
)
def test_sizes_in_other_words_and_in_pairs_are_understood(config, billions):
    weights = memory_need(config, Precision.BITS_16).weights
    assert weights / GB == pytest.approx(2 * billions, rel=0.02)


def test_what_a_mistral_and_a_resampler_leave_to_transformers_is_known():
    # As HuggingFaceM4/idefics2-8b has it: a Mistral 7B, and 64 tokens of an image's 4,900 patches.
    text = {"model_type": "mistral", "vocab_size": 32003, "max_position_embeddings": 32768}
    vision = {"hidden_size": 1152, "image_size": 980, "intermediate_size": 4304, "patch_size": 14}
    config = {"model_type": "idefics2", "text_config": text, "vision_config": vision}
    need = memory_need(config | {"perceiver_config": {}}, Precision.BITS_16)
    assert need.weights / GB == pytest.approx(2 * 7.7, rel=0.02)
    # 640 positions and 2 × 8 key heads of 128 in 32 layers, in steps of 192.
    assert need.cache == 768 * 2 * 8 * 128 * 32 * 2


def test_size_of_each_layer_may_be_another():
    text = LLAVA_7B["text_config"] | {"intermediate_size": [8192, 11008, 11008]}
    by_layer = memory_need(LLAVA_7B | {"text_config": text}, Precision.BITS_16)
    assert by_layer.weights == memory_need(LLAVA_7B, Precision.BITS_16).weights


def test_weights_of_the_built_in_model_are_reported_to_the_percent(opened):
    folder = built_in_model()
    config = json.loads((folder / "config.json").read_text())
    engine = opened(folder)
    weights = memory_need(config, Precision.FLOAT32, device="cpu").weights
    assert weights == pytest.approx(engine.facts.memory_bytes, rel=0.01)
    engine.close()


def test_fewer_bits_take_less():
    needs = [memory_need(LLAVA_7B, name).weights for name in (Precision.FLOAT32, *PRECISIONS)]
    assert needs == sorted(needs, reverse=True)
    assert needs[0] == 2 * needs[1]
    assert 3.5 * GB < needs[3] < 5 * GB


def test_cache_grows_with_the_slots_and_in_steps_of_the_length():
    one = memory_need(LLAVA_7B, Precision.BITS_16, length=513).cache
    # 32 layers of keys and values, 4096 wide, two bytes each.
    assert one == 576 * 32 * 2 * 4096 * 2
    assert memory_need(LLAVA_7B, Precision.BITS_16, length=576).cache == one
    assert memory_need(LLAVA_7B, Precision.BITS_4, length=576, slots=64).cache == 64 * one


def test_shared_keys_make_the_cache_smaller():
    text = {**LLAVA_7B["text_config"], "num_key_value_heads": 8}
    shared = memory_need({**LLAVA_7B, "text_config": text}, Precision.BITS_16)
    assert shared.cache * 4 == memory_need(LLAVA_7B, Precision.BITS_16).cache


def test_known_number_of_parameters_goes_before_the_settings():
    assert memory_need(LLAVA_7B, Precision.BITS_16, parameters=8 * 10**9).weights == 16 * 10**9


def test_largest_precision_that_fits_is_named():
    need = {name: memory_need(LLAVA_7B, name).total for name in PRECISIONS}
    assert precision_that_fits(LLAVA_7B, need[Precision.BITS_16]) == "16-bit"
    assert precision_that_fits(LLAVA_7B, need[Precision.BITS_16] - 1) == "8-bit"
    assert precision_that_fits(LLAVA_7B, need[Precision.BITS_8] - 1) == "4-bit"
    assert precision_that_fits(LLAVA_7B, need[Precision.BITS_4] - 1) is None
    assert precision_that_fits(LLAVA_7B, need[Precision.BITS_8], slots=64) is None


def test_parts_add_up():
    assert MemoryNeed(weights=1, cache=2, activations=4, overhead=8).total == 15


@pytest.mark.parametrize("value", [0, -4096, 10**9, math.nan, math.inf, "many", True, [1], {}])
@pytest.mark.parametrize(
    "name", ["hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"]
)
def test_settings_that_no_model_can_have_are_refused(name, value):
    text = {**LLAVA_7B["text_config"], name: value}
    with pytest.raises(CheckpointError, match=name):
        memory_need({**LLAVA_7B, "text_config": text}, Precision.BITS_16)


def test_need_is_reported_without_torch():
    code = (
        "import sys; from core.device.memory import PRECISIONS, memory_need, free_memory; "
        "memory_need({}, PRECISIONS[0]); free_memory('cpu'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
