"""Which models have our kernels, and a decode step by them, run without a graphics card."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2Config,
)

from core.llava.forward import forward_pass
from core.llava.kernels.scratch import AttentionScratch
from core.llava.kernels.shape import KernelShape, obstacle
from core.llava.language_model import LanguageModel
from core.llava.passes import Prompt
from core.llava.quantized import quantize
from core.llava.quantized_linear import QuantizedLinear, formats_of
from core.transcript import WeightFormat
from tests.support.emulated_products import EmulatedStep
from tests.support.tiers import slowly

TURING, AMPERE, HOPPER = (7, 5), (8, 0), (9, 0)
LLAVA = KernelShape(torch.float16, 16, 4096, 11008, 128, 1)
SIZES = {
    "LLaVA-1.5-7b": LLAVA,
    "LLaVA-1.5-13b": replace(LLAVA, hidden=5120, inner=13824),
    "JoyCaption": KernelShape(torch.bfloat16, 16, 4096, 14336, 128, 4),
    "LLaVA-OneVision-7b": KernelShape(torch.bfloat16, 16, 3584, 18944, 128, 7, has_bias=True),
    "LLaVA-OneVision-0.5b": KernelShape(torch.bfloat16, 16, 896, 4864, 64, 7, has_bias=True),
}
PRECISIONS = [(16, False), (8, False), (8, True), (4, False)]


@pytest.mark.parametrize(("bits", "is_float8"), PRECISIONS)
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("cache_bits", [16, 8])
def test_models_have_kernels_in_every_precision(name, bits, is_float8, cache_bits):
    shape = replace(SIZES[name], bits=bits, is_float8=is_float8, cache_bits=cache_bits)

    assert obstacle(shape, HOPPER) is None
    assert (obstacle(shape, AMPERE) is None) is not is_float8


@pytest.mark.parametrize("group", range(10))
def test_up_to_eight_heads_may_share_a_key(group):
    assert (obstacle(replace(LLAVA, group=group), HOPPER) is None) is (1 <= group <= 8)


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": torch.float32},
        {"head_dim": 80},
        {"hidden": 4100},
        {"bits": 4, "inner": 11040},
        {"hidden": 8704},
        # Sums of so many products in FP8 are more than float16 holds.
        {"bits": 8, "is_float8": True, "inner": 28672},
    ],
)
def test_other_sizes_have_none(change):
    assert obstacle(replace(LLAVA, **change), HOPPER)


def test_old_cards_have_none_in_bfloat16():
    assert obstacle(LLAVA, TURING) is None
    assert obstacle(replace(LLAVA, dtype=torch.bfloat16), TURING)


@pytest.mark.parametrize(
    ("name", "length", "cache_bits", "part"),
    [
        ("LLaVA-1.5-7b", 4096, 16, 64),
        ("JoyCaption", 5120, 8, 128),
        ("LLaVA-OneVision-7b", 1024, 16, 64),
        ("LLaVA-OneVision-7b", 5120, 16, 128),
        ("LLaVA-OneVision-7b", 5120, 8, 128),
        ("LLaVA-OneVision-7b", 32768, 8, 704),
    ],
)
def test_parts_of_a_long_cache_are_few_where_many_queries_share_a_key(
    name, length, cache_bits, part
):
    shape = replace(SIZES[name], cache_bits=cache_bits)

    assert AttentionScratch.allocate(1, length, 4, shape, torch.device("cpu")).part == part


ONEVISION = Qwen2Config(
    vocab_size=96,
    hidden_size=896,
    intermediate_size=640,
    num_hidden_layers=2,
    num_attention_heads=14,
    num_key_value_heads=2,
)
LLAMA = LlamaConfig(
    vocab_size=96,
    hidden_size=128,
    intermediate_size=192,
    num_hidden_layers=2,
    num_attention_heads=2,
)


def model_of(text, dtype=torch.float32, kind=None):
    """A LLaVA with this language model; its layers in `kind`, if that is given."""
    tower = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    config = LlavaConfig(text_config=text, vision_config=tower, image_token_index=95)
    torch.manual_seed(0)
    model: Any = LlavaForConditionalGeneration(config).eval().requires_grad_(False)
    model.to(dtype)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
        elif parameter.dim() > 1:
            nn.init.normal_(parameter, std=1.2 / parameter[0].numel() ** 0.5)
    if kind is None:
        return model
    for name, of_matrix in formats_of(model, kind).items():
        path = name.removesuffix(".weight")
        linear: Any = model.get_submodule(path)
        matrix = quantize(linear.weight.data, of_matrix)
        parent, _, last = path.rpartition(".")
        setattr(model.get_submodule(parent), last, QuantizedLinear(matrix, linear.bias))
    return model


def changed(text, **changes):
    return type(text)(**(text.to_dict() | changes))


@pytest.mark.parametrize(
    ("text", "has_bias", "fits"),
    [
        (LLAMA, False, True),
        (ONEVISION, True, True),
        # Of the attention's output, of the MLP.
        (changed(LLAMA, attention_bias=True), True, False),
        (changed(LLAMA, mlp_bias=True), False, False),
    ],
    ids=["Llama", "Qwen2", "attention", "MLP"],
)
@pytest.mark.parametrize("kind", [None, *WeightFormat])
def test_one_row_goes_through_fused_kernels_with_biases_of_queries_keys_and_values_alone(
    text, has_bias, fits, kind
):
    model = LanguageModel(model_of(text, kind=kind))

    assert model.kernel_shape.has_bias is has_bias
    assert model.kernel_shape.group == text.num_attention_heads // text.num_key_value_heads
    assert model.fits_fused_kernels is fits


def test_one_row_goes_through_other_operations_where_a_layer_has_no_biases():
    model = model_of(ONEVISION)
    projections = model.model.language_model.layers[1].self_attn
    projections.q_proj.bias = projections.k_proj.bias = projections.v_proj.bias = None

    assert not LanguageModel(model).fits_fused_kernels


@pytest.mark.parametrize(
    ("text", "kind", "quantizes_cache"),
    [
        (ONEVISION, None, False),
        (ONEVISION, WeightFormat.INT4, True),
        slowly(ONEVISION, WeightFormat.INT8, False),
        slowly(ONEVISION, WeightFormat.FP8, True),
        slowly(LLAMA, None, False),
        slowly(LLAMA, WeightFormat.INT4, True),
    ],
)
def test_steps_by_the_kernels_have_the_logits_of_those_by_torch(
    tmp_path, text, kind, quantizes_cache
):
    model = model_of(text, torch.bfloat16, kind)
    logits = []
    for is_emulated in (False, True):
        forward = forward_pass(model, quantizes_cache=quantizes_cache)
        assert forward is not None
        language_model = forward.language_model
        if is_emulated:
            emulated: Any = EmulatedStep(tmp_path, language_model.kernel_shape)
            language_model.kernels = emulated
        forward.reserve(1, 256)
        forward.prefill(Prompt(0, 0, list(range(3, 90)), None))
        forward.set_token(0, 7)
        found = [forward.step().logits.clone()]
        forward.set_token(0, 11)
        logits.append(torch.cat([*found, forward.step().logits]))
    by_torch, by_kernels = logits
    assert (by_kernels - by_torch).norm() < 0.03 * by_torch.norm()
