"""Weights in 8 and 4 bits and in FP8: the formats, what they lose, and models that use them."""

import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from core.errors import Cancelled, CheckpointError, OutOfMemory
from core.llava.quantized import QuantizedMatrix, joined, multiply, neighbours, quantize
from core.llava.quantized_linear import QuantizedLinear, reorder_for_cpu
from core.open_engine import open_engine
from core.picture import open_picture
from core.transcript import ModelChoice, Precision, Request, Sampling, Turn, WeightFormat
from tests.support.loading_peak import measure
from tests.support.tiers import slowly
from tests.support.tiny_llava import (
    TINY,
    random_weights,
    write_original_layout,
    write_transformers_layout,
)

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "resources" / "samples"
TRUTH = json.loads((ROOT / "tests" / "support" / "samples_truth.json").read_text("utf-8"))
DESCRIBE = next(
    preset["prompt"]
    for preset in json.loads((ROOT / "resources" / "prompts.json").read_text("utf-8"))
    if preset["name"] == "Describe in detail"
)
GREEDY = Sampling(max_new_tokens=24)
SHAPES = [(96, 128), (50, 688), (7, 40), (1, 64)]
INT8, INT4, FP8 = WeightFormat


def random_matrix(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows)) * 0.02


def relative_error(given: torch.Tensor, wanted: torch.Tensor) -> float:
    return ((given - wanted).norm() / wanted.norm()).item()


@pytest.mark.parametrize("shape", SHAPES)
def test_eight_bits_are_a_row_s_scale_times_whole_numbers(shape):
    weight = random_matrix(*shape)
    quantized = quantize(weight, INT8)
    assert (quantized.values.dtype, quantized.scales.dtype) == (torch.int8, torch.float32)
    assert (quantized.values.shape, quantized.scales.shape) == (shape, shape[:1])
    dequantized = quantized.values.float() * quantized.scales[:, None]
    assert torch.equal(quantized.dequantized(torch.float32), dequantized)
    assert ((dequantized - weight).abs() <= 0.5001 * quantized.scales[:, None]).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_fp8_is_a_row_s_scale_times_floats_of_eight_bits(shape):
    weight = random_matrix(*shape)
    weight[0, 0] = 7.3  # A row with one large weight keeps the small ones: they are floats.
    quantized = quantize(weight, FP8)
    assert quantized.values.dtype == torch.float8_e4m3fn
    assert (quantized.values.shape, quantized.scales.shape) == (shape, shape[:1])
    numbers = quantized.values.float()
    assert (numbers.abs().amax(1) == 448).all()
    dequantized = numbers * quantized.scales[:, None]
    assert torch.equal(quantized.dequantized(torch.float32), dequantized)
    # Four significant bits, and fewer below 2⁻⁶.
    steps = torch.maximum(weight.abs() / 16, quantized.scales[:, None] * 2**-10)
    assert ((dequantized - weight).abs() <= 1.001 * steps).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_four_bits_lie_in_words_as_the_kernels_read_them(shape):
    """The page of the format, dequantized out column by column."""
    weight = random_matrix(*shape)
    quantized = quantize(weight, INT4)
    rows, columns = shape
    padded = -(-columns // 64) * 64
    assert (quantized.values.dtype, quantized.scales.dtype) == (torch.int32, torch.float16)
    assert quantized.values.shape == (rows, padded // 8)
    assert quantized.scales.shape == (rows, padded // 64)
    assert quantized.shape == shape
    dequantized = torch.zeros(rows, padded)
    for column in range(padded):
        place = column % 8 // 2 * 4 + column % 2 * 16
        number = (quantized.values[:, column // 8] >> place) & 15
        dequantized[:, column] = (number - 8) * quantized.scales[:, column // 64].float()
    assert torch.equal(quantized.dequantized(torch.float32), dequantized[:, :columns])
    assert not dequantized[:, columns:].any()


def test_four_bits_lose_less_than_the_largest_magnitude_alone_would():
    weight = random_matrix(256, 1024)
    groups = weight.view(-1, 64)
    scales = groups.abs().amax(1, keepdim=True) / 7
    plain = ((groups / scales).round() * scales).view_as(weight)
    searched = quantize(weight, INT4).dequantized(torch.float32)
    assert relative_error(searched, weight) < 0.85 * relative_error(plain, weight)


@pytest.mark.parametrize("kind", list(WeightFormat))
def test_rows_of_nothing_stay_nothing(kind):
    weight = random_matrix(4, 128)
    weight[1] = 0
    dequantized = quantize(weight, kind).dequantized(torch.float32)
    assert not dequantized[1].any()
    assert dequantized.isfinite().all()


@pytest.mark.parametrize("kind", list(WeightFormat))
def test_quantising_leaves_the_weight_as_it_is(kind):
    weight = random_matrix(8, 128)
    before = weight.clone()
    quantize(weight, kind)
    assert torch.equal(weight, before)


@pytest.mark.parametrize("kind", list(WeightFormat))
def test_parts_of_a_joined_matrix_are_quantised_in_place_and_join_without_a_copy(kind):
    whole = QuantizedMatrix.empty((96, 128), kind, "cpu")
    weights = [random_matrix(rows, 128) for rows in (48, 32, 16)]
    parts = whole.split([48, 32, 16])
    for weight, part in zip(weights, parts, strict=True):
        quantize(weight, kind, out=part)
    again = joined(parts)
    assert again.values.data_ptr() == whole.values.data_ptr()
    assert again.scales.data_ptr() == whole.scales.data_ptr()
    expected = quantize(torch.cat(weights), kind)
    assert torch.equal(again.values, expected.values)
    assert torch.equal(again.scales, expected.scales)


@pytest.mark.parametrize("kind", list(WeightFormat))
def test_matrices_that_lie_apart_join_into_new_memory(kind):
    apart = [quantize(random_matrix(rows, 128), kind) for rows in (48, 32)]
    dequantized = joined(apart).dequantized(torch.float32)
    assert torch.equal(dequantized, torch.cat([one.dequantized(torch.float32) for one in apart]))


@pytest.mark.parametrize("kind", list(WeightFormat))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 3, 200])
def test_linear_multiplies_by_the_matrix_spelled_out(kind, dtype, rows):
    bias = torch.randn(96).to(dtype)
    quantized = quantize(random_matrix(96, 688), kind)
    states = random_matrix(rows, 688).to(dtype)[None]
    given = QuantizedLinear(quantized, bias)(states)
    wanted = functional.linear(states.float(), quantized.dequantized(torch.float32), bias.float())
    assert given.dtype == dtype
    assert relative_error(given.float(), wanted) < 0.01


def test_linear_of_a_large_matrix_is_the_same_in_parts(monkeypatch):
    linear = QuantizedLinear(quantize(random_matrix(100, 64), INT4))
    states = random_matrix(200, 64)
    whole = linear(states)
    monkeypatch.setattr("core.llava.quantized._PART_BYTES", 32 * 64 * 4)
    assert torch.allclose(linear(states), whole, atol=1e-6)


def test_processor_s_own_order_changes_no_number_and_takes_no_room():
    whole = QuantizedMatrix.empty((192, 688), INT4, "cpu")
    parts = [
        QuantizedLinear(quantize(random_matrix(len(part.scales), 688), INT4, out=part))
        for part in whole.split([128, 64])
    ]
    before = whole.dequantized(torch.float32)
    reorder_for_cpu(nn.ModuleList(parts))
    together = joined([part.quantized for part in parts])
    assert together.values.data_ptr() == whole.values.data_ptr()
    assert torch.equal(together.dequantized(torch.float32), before)
    for rows in (2, 200):
        states = random_matrix(rows, 688)
        given = multiply(states, together)
        assert relative_error(given, functional.linear(states, before)) < 0.01
    read = [numbers.untyped_storage().data_ptr() for numbers, _ in together.for_cpu]
    assert set(read) == {whole.values.untyped_storage().data_ptr()}


# ---- engines


def said(engine, picture, sampling=GREEDY):
    request = Request(picture, (Turn("What is this?"),), sampling)
    return engine.answer(request, lambda piece: None, threading.Event()).output_ids


@pytest.fixture
def computes_in_float32(monkeypatch):
    """On every processor and for few rows too, so that two ways of computing round alike."""
    monkeypatch.setattr("core.device.choice._multiplies_bfloat16", lambda: False)
    monkeypatch.setattr("core.llava.quantized._SKINNY_ROWS", 0)


@pytest.fixture
def offers_fp8(monkeypatch):
    """As on a card that multiplies in FP8; here the matrices are dequantized."""
    monkeypatch.setattr("core.device.choice.has_float8", lambda device: True)


@pytest.mark.usefixtures("computes_in_float32", "offers_fp8")
@pytest.mark.parametrize("sizes", [TINY, slowly(replace(TINY, hidden=64, mlp=128))])
@pytest.mark.parametrize("dtype", list(WeightFormat))
def test_both_layouts_answer_alike_through_the_loop_and_generate(
    opened, tmp_path, picture, sizes, dtype
):
    """In four bits the second sizes are turned into the processor's own order, the first not."""
    original = opened(write_original_layout(tmp_path / "original", sizes=sizes), dtype)
    ids = said(original, picture)
    assert len(ids) == GREEDY.max_new_tokens
    assert said(original.by_generate(), picture) == ids
    folder = write_transformers_layout(tmp_path / "transformers", sizes=sizes)
    assert said(opened(folder, dtype), picture) == ids
    beams = Sampling(max_new_tokens=8, beams=2)
    assert len(said(original, picture, beams)) > 0


def test_fp8_is_refused_where_nothing_multiplies_it(opened, tiny_original_layout):
    with pytest.raises(CheckpointError, match=r"compute capability 8\.9"):
        opened(tiny_original_layout, "fp8")


@pytest.mark.usefixtures("offers_fp8")
@pytest.mark.parametrize("dtype", list(WeightFormat))
def test_facts_tell_the_precision_and_what_it_takes(opened, tiny_original_layout, dtype):
    facts = opened(tiny_original_layout, dtype).facts
    # In which the rest is kept with fewer bits too.
    whole = opened(tiny_original_layout, "auto").facts
    assert facts.dtype == dtype
    assert facts.memory_bytes < whole.memory_bytes or facts.device != "cpu"


def test_only_the_language_model_s_matrices_are_in_fewer_bits(opened, tiny_original_layout):
    model = opened(tiny_original_layout, "4-bit")._model
    formats = {
        name: module.format
        for name, module in model.named_modules()
        if isinstance(module, QuantizedLinear)
    }
    assert formats.pop("lm_head") is INT8
    assert len(formats) == 7 * TINY.layers
    assert set(formats.values()) == {INT4}
    assert all(".language_model.layers." in name for name in formats)


@pytest.mark.parametrize("dtype", ["16-bit", "4-bit"])
def test_loading_puts_what_is_multiplied_together_side_by_side(
    opened, tiny_transformers_layout, dtype
):
    model = opened(tiny_transformers_layout, dtype)._model
    for layer in model.model.language_model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for modules in (
            (attention.q_proj, attention.k_proj, attention.v_proj),
            (mlp.gate_proj, mlp.up_proj),
        ):
            parts = [next(iter(module.state_dict().values())) for module in modules]
            assert neighbours(parts) is not None


@pytest.mark.parametrize("dtype", ["8-bit", "4-bit"])
def test_pickled_weights_are_quantised_as_well(opened, tmp_path, tiny_original_layout, dtype):
    folder = write_original_layout(tmp_path / "pickled", suffix="bin")
    pickled, mapped = opened(folder, dtype), opened(tiny_original_layout, dtype)
    for one, other in zip(
        pickled._model.state_dict().values(), mapped._model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_loading_in_four_bits_can_be_cancelled(opened, tiny_original_layout):
    stop = threading.Event()
    with pytest.raises(Cancelled):
        opened(
            tiny_original_layout,
            "4-bit",
            lambda fraction, stage: stop.set() if stage.startswith("Loading") else None,
            stop,
        )


def test_file_that_ends_while_it_is_read_is_an_error(opened, tmp_path):
    folder = write_original_layout(tmp_path / "model")

    def cut(fraction, stage):
        if stage == "Loading the weights":
            for path in folder.rglob("*.safetensors"):
                os.truncate(path, 1000)

    with pytest.raises(CheckpointError, match="damaged or incomplete"):
        opened(folder, on_progress=cut)


def test_memory_used_up_while_loading_suggests_fewer_bits(opened, tiny_original_layout):
    def on_progress(fraction, stage):
        if stage == "Loading the weights":
            raise torch.OutOfMemoryError("no more")

    for dtype, lower in (("bfloat16", "8-bit"), ("8-bit", "4-bit"), ("4-bit", None)):
        with pytest.raises(OutOfMemory) as raised:
            opened(tiny_original_layout, dtype, on_progress)
        assert raised.value.precision == lower


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_loading_in_four_bits_never_holds_the_model_in_sixteen(tmp_path):
    # Enough layers that it matters little whether the rest has 16 or 32 bits.
    sizes = replace(TINY, hidden=1024, mlp=4096, layers=6, heads=8)
    folder = write_original_layout(tmp_path / "middling", random_weights(sizes), sizes)
    peak, model = measure(folder, "cpu", "4-bit")
    whole = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    assert model < 0.3 * whole
    assert peak < 0.6 * whole


@pytest.mark.parametrize("dtype", ["8-bit", "4-bit"])
@pytest.mark.parametrize("sample", ["birthday.png", slowly("penguins.png"), slowly("desk.png")])
def test_built_in_model_describes_samples_rightly(dtype, sample):
    engine = open_engine(
        ModelChoice("built-in", "cpu", Precision(dtype)), lambda *_: None, threading.Event()
    )
    request = Request(
        open_picture(SAMPLES / sample), (Turn(DESCRIBE),), Sampling(max_new_tokens=160)
    )
    answer = engine.answer(request, lambda piece: None, threading.Event())
    assert answer.text == TRUTH[sample]["description"]
    engine.close()
