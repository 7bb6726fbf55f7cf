"""Our CUDA kernels beside the same in float64; also `python -m tests.core.llava.test_kernels`."""

import sys
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from core.device.float8 import RAW_UNIT, float8_product, has_float8
from core.llava.float8 import Float8Rows, RawProduct
from core.llava.kernels.launch import Kernels, load_kernels
from core.llava.kernels.shape import KernelShape
from core.llava.linear import Dequantizer, Matrix
from core.llava.operations import BROKEN, TorchOperations
from core.llava.picture_resizer import PictureResizer
from core.llava.quantized import QuantizedMatrix, quantize
from core.llava.quantized_cache import QuantizedCache, as_tensor
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD, pixel_values
from core.transcript import WeightFormat

if __name__ != "__main__":
    import pytest

    pytestmark = pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA graphics card is here"
    )

HIDDEN, INNER, EPS = 4096, 11008, 1e-5
TOLERANCES = {torch.float16: 2e-3, torch.bfloat16: 1.5e-2}
"""How far a result may be away, relative to what is right: the rounding of what goes in and out."""
INT8, INT4, FP8 = WeightFormat
HEADS = (
    *((128, 1, 32), (128, 2, 4), (128, 3, 4), (128, 4, 8), (128, 5, 3), (128, 7, 4), (128, 8, 2)),
    *((64, 1, 8), (64, 3, 4), (64, 6, 2), (64, 7, 2), (64, 8, 2)),
)
"""Dimensions, query heads to a key head, key heads."""


def formats() -> list[WeightFormat]:
    """Those that the card has."""
    return [INT8, INT4, *[FP8] * has_float8(torch.device("cuda"))]


def made(
    dtype: torch.dtype,
    kind: WeightFormat | None = None,
    head_dim: int = 128,
    group: int = 1,
    cache_bits: int = 16,
) -> Kernels:
    bits = kind.bits if kind else 16
    shape = KernelShape(dtype, bits, HIDDEN, INNER, head_dim, group, kind is FP8, cache_bits)
    return loaded(shape)


def made_for_onevision(dtype: torch.dtype, kind: WeightFormat | None) -> Kernels:
    """In the sizes of LLaVA-OneVision's Qwen2 7B, whose queries, keys and values have biases."""
    bits = kind.bits if kind else 16
    return loaded(KernelShape(dtype, bits, 3584, 18944, 128, 7, kind is FP8, has_bias=True))


def loaded(shape: KernelShape) -> Kernels:
    found = load_kernels(shape, torch.device("cuda"))
    assert found is not None
    return found


def drawn(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    return torch.randn(shape, device="cuda").to(dtype)


def matrix(
    dtype: torch.dtype, kind: WeightFormat | None, rows: int, columns: int
) -> tuple[torch.Tensor | QuantizedMatrix, torch.Tensor]:
    """As a kernel takes it, and what it stands for in float64."""
    weight = drawn(dtype, rows, columns) / columns**0.5
    if kind is None:
        return weight, weight.double()
    quantized = quantize(weight, kind)
    return quantized, quantized.dequantized(torch.float32).double()


def normalised(row: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    row = row.double()
    return row * torch.rsqrt(row.square().mean(-1, keepdim=True) + EPS) * gain.double()


def near(mine: torch.Tensor, right: torch.Tensor, tolerance: float) -> None:
    error = float((mine.double() - right.double()).norm() / right.double().norm())
    assert error < tolerance, f"{error:.1e} away"


def each_precision(check: Callable[[torch.dtype, WeightFormat | None], None]) -> None:
    for dtype in TOLERANCES:
        for kind in (None, *formats()):
            check(dtype, kind)


def test_products_of_one_row_are_right_in_every_precision():
    def check(dtype: torch.dtype, kind: WeightFormat | None) -> None:
        mine, tolerance = made(dtype, kind), TOLERANCES[dtype]
        hidden, inner = drawn(dtype, 1, HIDDEN), drawn(dtype, 1, INNER)
        gain = 1 + drawn(dtype, HIDDEN) / 10
        ready = normalised(hidden, gain)
        weight, right = matrix(dtype, kind, 3 * HIDDEN, HIDDEN)
        near(mine.norm_gemv(weight, hidden, gain, EPS), ready @ right.T, tolerance)
        weight, right = matrix(dtype, kind, 2 * INNER, HIDDEN)
        gate, value = (ready @ right.T).chunk(2, -1)
        near(
            mine.norm_gemv_gated(weight, hidden, gain, EPS),
            functional.silu(gate) * value,
            tolerance,
        )
        for rows in (32000, 32067):
            weight, right = matrix(dtype, INT8 if kind else None, rows, HIDDEN)
            logits = mine.norm_gemv_logits(weight, hidden, gain, EPS)
            assert logits.dtype == torch.float32
            near(logits, ready @ right.T, tolerance)
        weight, right = matrix(dtype, kind, HIDDEN, INNER)
        before = hidden.double()
        mine.gemv_add(weight, inner, hidden)
        near(hidden, before + inner.double() @ right.T, tolerance)

    each_precision(check)


def test_products_of_one_row_are_right_in_llava_onevisions_sizes_with_biases():
    def check(dtype: torch.dtype, kind: WeightFormat | None) -> None:
        mine, tolerance = made_for_onevision(dtype, kind), TOLERANCES[dtype]
        width, inner = mine.shape.hidden, mine.shape.inner
        hidden, states = drawn(dtype, 1, width), drawn(dtype, 1, inner)
        gain = 1 + drawn(dtype, width) / 10
        ready = normalised(hidden, gain)
        weight, right = matrix(dtype, kind, 36 * 128, width)
        for size in (1, 30):  # Those of Qwen2 are far larger than the products.
            bias = size * drawn(dtype, 36 * 128)
            given = mine.norm_gemv(weight, hidden, gain, EPS, bias)
            near(given, ready @ right.T + bias.double(), tolerance)
        weight, right = matrix(dtype, kind, 2 * inner, width)
        gate, value = (ready @ right.T).chunk(2, -1)
        given = mine.norm_gemv_gated(weight, hidden, gain, EPS)
        near(given, functional.silu(gate) * value, tolerance)
        weight, right = matrix(dtype, INT8 if kind else None, 152128, width)
        near(mine.norm_gemv_logits(weight, hidden, gain, EPS), ready @ right.T, tolerance)
        for columns, given in ((width, hidden.clone()), (inner, states)):
            weight, right = matrix(dtype, kind, width, columns)
            before = hidden.double()
            mine.gemv_add(weight, given, hidden)
            near(hidden, before + given.double() @ right.T, tolerance)

    each_precision(check)


def test_rows_of_llava_onevisions_mlp_are_right_in_fp8():
    if FP8 not in formats():
        return
    for dtype, kind in product(TOLERANCES, formats()):
        mine = made_for_onevision(dtype, kind)
        inner = mine.shape.inner
        assert mine.has_float8
        for count in (1, 17, 64, 625):
            gates = drawn(dtype, count, 2 * inner)
            gates[count // 2] = 0
            gate, value = gates.double().chunk(2, -1)
            rightly_rounded(mine.silu_and_mul_float8(gates), functional.silu(gate) * value)


def test_large_values_do_not_overflow_in_four_bits():
    mine = made(torch.float16, INT4)
    weight, right = matrix(torch.float16, INT4, HIDDEN, INNER)
    inner = drawn(torch.float16, 1, INNER)
    inner[0, ::100] = 3000
    hidden = torch.zeros(1, HIDDEN, device="cuda", dtype=torch.float16)
    mine.gemv_add(weight, inner, hidden)
    near(hidden, inner.double() @ right.T, TOLERANCES[torch.float16])


def test_products_of_few_rows_are_right_in_fewer_bits():
    for dtype, tolerance in TOLERANCES.items():
        for kind in formats():
            mine = made(dtype, kind)
            sizes = [(kind, 3 * HIDDEN, HIDDEN), (kind, HIDDEN, INNER), (INT8, 32067, HIDDEN)]
            for of_matrix, rows, columns in (*sizes, (kind, 40, 64), (kind, 33, 576)):
                weight, right = matrix(dtype, of_matrix, rows, columns)
                assert isinstance(weight, QuantizedMatrix)
                for count in (1, 7, 8, 9, 20, 32, 33, 64):
                    assert mine.supports_skinny(weight, count)
                    # Gates lie so, with their values between.
                    states = drawn(dtype, count, 2 * columns)[:, :columns]
                    product = mine.skinny_matmul(weight, states)
                    near(product, states.double() @ right.T, tolerance)
                    assert torch.equal(product, mine.skinny_matmul(weight, states))
                assert not mine.supports_skinny(weight, 65)


def test_quantized_matrix_is_dequantized():
    for dtype, tolerance in TOLERANCES.items():
        for kind in formats():
            weight, right = matrix(dtype, kind, 1000, INNER)
            assert isinstance(weight, QuantizedMatrix)
            out = torch.full((1000, INNER), torch.nan, device="cuda", dtype=dtype)
            made(dtype, kind).dequantize(weight, out)
            near(out, right, tolerance)


ROUNDED = 0.035
"""How far rounding to floats of eight bits takes a matrix away, at most."""


def rightly_rounded(rows: Float8Rows, exact: torch.Tensor) -> None:
    near(rows.scales[:, 0], (exact.abs().amax(1) / 448).clamp(min=1e-30), 5e-3)
    far = (rows.dequantized(torch.float64) - exact).abs()
    # Four significant bits, and fewer below 2⁻⁶.
    assert (far <= exact.abs() / 15 + rows.scales * 2**-9).all(), float(far.max())


def test_rows_in_fp8_are_right():
    if FP8 not in formats():
        return
    for dtype, tolerance in TOLERANCES.items():
        mine = made(dtype, FP8)
        gain = 1 + drawn(dtype, HIDDEN) / 10
        for count in (1, 17, 64, 625):
            hidden, delta = drawn(dtype, count, HIDDEN), drawn(dtype, count, HIDDEN)
            hidden[count // 2] *= 50
            total = hidden.double() + delta.double()
            rows = mine.add_rms_norm_float8(hidden, delta, gain, EPS)
            near(hidden, total, tolerance)
            rightly_rounded(rows, normalised(hidden, gain))
            rows = mine.add_rms_norm_float8(hidden, None, gain, EPS)
            rightly_rounded(rows, normalised(hidden, gain))
            rightly_rounded(mine.round_to_float8(hidden), hidden.double())
            gates = drawn(dtype, count, 2 * INNER)
            gates[count // 2] = 0
            gate, value = gates.double().chunk(2, -1)
            rightly_rounded(mine.silu_and_mul_float8(gates), functional.silu(gate) * value)


def test_matrices_of_every_format_are_multiplied_in_fp8():
    if FP8 not in formats():
        return
    for dtype, tolerance in TOLERANCES.items():
        # Sums are of fewer bits than in float32.
        multiply = float8_product(torch.device("cuda"), dtype)
        assert multiply is not None
        for kind in formats():
            dequantizer = Dequantizer(made(dtype, kind), multiply)
            for rows, columns in ((3 * HIDDEN, HIDDEN), (HIDDEN, INNER), (6144, 4096), (48, 64)):
                weight, right = matrix(dtype, kind, rows, columns)
                assert isinstance(weight, QuantizedMatrix)
                for count in (1, 17, 64, 65, 688):
                    states = drawn(dtype, count, columns)
                    rounded = Float8Rows.rounded(states)
                    given = Matrix(weight, None, dequantizer)(rounded)
                    assert given.dtype == dtype
                    exact = rounded.dequantized(torch.float64) @ right.T
                    near(given, exact, 5 * tolerance if kind is FP8 else ROUNDED)
                    bias = drawn(dtype, rows)
                    given = Matrix(weight, bias, dequantizer).raw(rounded)
                    assert isinstance(given, torch.Tensor)
                    near(given, exact + bias.double(), 5 * tolerance if kind is FP8 else ROUNDED)


def test_small_operations_on_many_rows_are_right():
    for dtype, tolerance in TOLERANCES.items():
        mine = made(dtype)
        hidden, delta = drawn(dtype, 625, HIDDEN), drawn(dtype, 625, HIDDEN)
        gain = 1 + drawn(dtype, HIDDEN) / 10
        total = hidden.double() + delta.double()
        near(
            mine.add_rms_norm(hidden, delta, gain, EPS),
            normalised(total, gain),
            2 * tolerance,
        )
        near(hidden, total, tolerance)
        gates = drawn(dtype, 625, 2 * INNER)
        gate, value = gates.double().chunk(2, -1)
        right = functional.silu(gate) * value
        near(mine.silu_and_mul(gates), right, tolerance)


def test_a_vision_towers_norm_and_activation_are_right():
    for dtype, tolerance in TOLERANCES.items():
        mine = made(dtype)
        for columns in (1024, 320, 4096):
            hidden, delta = drawn(dtype, 577, columns), drawn(dtype, 577, columns)
            hidden[5] += 20
            gain, bias = 1 + drawn(dtype, columns) / 10, drawn(dtype, columns)
            for added in (None, delta):
                total = hidden.double() + (0 if added is None else added.double())
                normed = mine.add_layer_norm(hidden, added, gain, bias, EPS)
                near(hidden, total, tolerance)
                right = functional.layer_norm(
                    hidden.double(), (columns,), gain.double(), bias.double(), EPS
                )
                near(normed, right, 2 * tolerance)
        states = 3 * drawn(dtype, 577, 4096)
        wide = states.double()
        near(mine.quick_gelu(states), wide * (1.702 * wide).sigmoid(), 2 * tolerance)


def test_products_in_fp8_are_right_when_the_next_operation_scales_them():
    if FP8 not in formats():
        return
    for dtype, tolerance in TOLERANCES.items():
        multiply = float8_product(torch.device("cuda"), dtype)
        mine = made(dtype, FP8)
        dequantizer = Dequantizer(mine, multiply)
        gain = 1 + drawn(dtype, HIDDEN) / 10
        for count in (9, 64, 688):
            weight, right = matrix(dtype, FP8, HIDDEN, INNER)
            rounded = Float8Rows.rounded(drawn(dtype, count, INNER) * 300)
            delta = Matrix(weight, None, dequantizer).raw(rounded)
            assert isinstance(delta, RawProduct)
            exact = rounded.dequantized(torch.float64) @ right.T
            near(delta.scaled(), exact, 5 * tolerance)
            hidden = drawn(dtype, count, HIDDEN)
            total = hidden.double() + exact
            rows = mine.add_rms_norm_float8(hidden, delta, gain, EPS)
            near(hidden, total, 5 * tolerance)
            rightly_rounded(rows, normalised(hidden, gain))
            near(
                mine.add_rms_norm(hidden, None, gain, EPS), normalised(hidden, gain), 2 * tolerance
            )


def tables(length: int, head_dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    angles = 6 * torch.rand(length, head_dim // 2, device="cuda")
    sine = torch.cat([-angles.sin(), angles.sin()], -1)
    return torch.cat([angles.cos(), angles.cos()], -1), sine


def test_a_step_attends_to_what_is_filled_and_keeps_its_keys():
    for dtype, tolerance in TOLERANCES.items():
        for head_dim, group, key_heads in HEADS:
            mine = made(dtype, head_dim=head_dim, group=group)
            plain = TorchOperations(torch.float64, head_dim, group)
            for slots, length in ((1, 1024), (3, 768), (6, 1280), (64, 512)):
                cosine, sine = tables(length, head_dim)
                cache = drawn(dtype, slots, 2 * key_heads, length, head_dim)
                right_cache = cache.double()
                positions = torch.randint(0, length, (slots,), device="cuda")
                edges = torch.tensor([length - 1, 0, 63][:slots], device="cuda")
                positions[: len(edges)] = edges
                states = drawn(dtype, slots, key_heads * (group + 2) * head_dim)
                place = plain.step_positions(positions, length, cosine.double(), sine.double())
                right = plain.decode_attention(states.double(), right_cache, place)
                place = mine.step_positions(positions, length, cosine, sine)
                for _ in range(2):  # The second finds what the first left between.
                    found = mine.decode_attention(states, cache, place)
                near(found, right, 2 * tolerance)
                near(cache, right_cache, tolerance)


def test_steps_and_prefills_on_a_cache_in_8_bits_are_right():
    for dtype, tolerance in TOLERANCES.items():
        for head_dim, group, key_heads in HEADS:
            mine = made(dtype, head_dim=head_dim, group=group, cache_bits=8)
            plain = TorchOperations(torch.float64, head_dim, group)
            for slots, length in ((1, 1024), (3, 768), (64, 512)):
                cosine, sine = tables(length, head_dim)
                cache = quantized(drawn(dtype, slots, 2 * key_heads, length, head_dim))
                right = quantized(cache.dequantized(torch.float64))
                prompt = drawn(dtype, 200, key_heads * (group + 2) * head_dim)
                plain.rope_and_cache(
                    prompt.double(), right[slots - 1], cosine.double(), sine.double(), 35
                )
                begin = torch.tensor([35, slots - 1], device="cuda")
                mine.rope_and_cache_at(prompt, cache, cosine, sine, begin)
                near(cache.dequantized(torch.float64), right.dequantized(torch.float64), 0.02)

                positions = torch.randint(0, length, (slots,), device="cuda")
                edges = torch.tensor([length - 1, 0, 63][:slots], device="cuda")
                positions[: len(edges)] = edges
                states = drawn(dtype, slots, key_heads * (group + 2) * head_dim)
                wide = quantized(cache.dequantized(torch.float64))
                place = plain.step_positions(positions, length, cosine.double(), sine.double())
                expected = plain.decode_attention(states.double(), wide, place)
                found = mine.decode_attention(
                    states, cache, mine.step_positions(positions, length, cosine, sine)
                )
                near(found, expected, 4 * tolerance)
                near(cache.dequantized(torch.float64), wide.dequantized(torch.float64), 0.02)


def test_broken_numbers_of_a_slot_reach_its_attention_alone():
    """Of a query, a key or a value, in a step and in a prompt before it: integers have no NaN."""
    for head_dim, group, key_heads in HEADS:
        mine = made(torch.float16, head_dim=head_dim, group=group, cache_bits=8)
        cosine, sine = tables(512, head_dim)
        heads = key_heads * (group + 2)
        positions = torch.tensor([300, 200, 10], device="cuda")
        place = mine.step_positions(positions, 512, cosine, sine)
        for number in (torch.nan, torch.inf):
            for head in (0, key_heads * group, key_heads * (group + 1)):
                cache = quantized(drawn(torch.float16, 3, 2 * key_heads, 512, head_dim))
                states = drawn(torch.float16, 3, heads * head_dim)
                states[1, head * head_dim + 5] = number
                found = mine.decode_attention(states, cache, place)
                assert found[1].isnan().any(), (head, number)
                assert found[[0, 2]].isfinite().all(), (head, number)
                if head == 0:
                    continue
                cache = quantized(drawn(torch.float16, 3, 2 * key_heads, 512, head_dim))
                prompt = drawn(torch.float16, 40, heads * head_dim)
                prompt[7, head * head_dim + 5] = number
                begin = torch.tensor([3, 1], device="cuda")
                mine.rope_and_cache_at(prompt, cache, cosine, sine, begin)
                states = drawn(torch.float16, 3, heads * head_dim)
                found = mine.decode_attention(states, cache, place)
                assert not found[1].isfinite().all(), (head, number)
                assert found[[0, 2]].isfinite().all(), (head, number)


def quantized(states: torch.Tensor) -> QuantizedCache:
    kept = QuantizedCache.zeros(tuple(states.shape), states.device)
    kept[:] = states
    return kept


def test_a_slot_at_rest_keeps_what_it_holds():
    mine = made(torch.float16)
    cosine, sine = tables(512, 128)
    cache = drawn(torch.float16, 2, 64, 512, 128)
    before = cache.clone()
    positions = torch.tensor([-1, 100], device="cuda")
    place = mine.step_positions(positions, 512, cosine, sine)
    mine.decode_attention(drawn(torch.float16, 2, 96 * 128), cache, place)
    assert torch.equal(cache[0], before[0])
    assert not torch.equal(cache[1], before[1])


def test_a_prefill_turns_and_keeps_in_the_slot_that_is_said():
    for dtype, tolerance in TOLERANCES.items():
        for head_dim, group, key_heads in HEADS:
            mine = made(dtype, head_dim=head_dim, group=group)
            plain = TorchOperations(torch.float64, head_dim, group)
            cosine, sine = tables(1024, head_dim)
            cache = drawn(dtype, 2, 2 * key_heads, 1024, head_dim)
            right_cache = cache.double()
            states = drawn(dtype, 600, key_heads * (group + 2) * head_dim)
            right = states.double()
            plain.rope_and_cache(right, right_cache[1], cosine.double(), sine.double(), 35)
            again = states.clone()
            mine.rope_and_cache_at(again, cache, cosine, sine, torch.tensor([35, 1], device="cuda"))
            near(again, right, tolerance)
            near(cache, right_cache, tolerance)
            mine.rope_and_cache(states, cache[1], cosine, sine, 35)
            assert torch.equal(states, again)


def test_a_prefill_finds_what_is_cached_before_it():
    for dtype, tolerance in TOLERANCES.items():
        for (head_dim, group, key_heads), bits in product(HEADS, (16, 8)):
            mine = made(dtype, head_dim=head_dim, group=group, cache_bits=bits)
            cosine, sine = tables(1024, head_dim)
            wide = drawn(dtype, 2, 2 * key_heads, 1024, head_dim)
            cache = quantized(wide) if bits == 8 else wide
            kept = as_tensor(cache, dtype)[1, :, :35].clone()
            states = drawn(dtype, 600, key_heads * (group + 2) * head_dim)
            begin = torch.tensor([35, 1], device="cuda")
            whole = mine.rope_and_cache_at(states.clone(), cache, cosine, sine, begin, 35)
            near(as_tensor(cache, dtype)[1, :, :35], kept, tolerance)
            before = whole[:35].view(35, -1, head_dim)
            near(before[:, key_heads * group :].transpose(0, 1), kept, tolerance)
            alone = mine.rope_and_cache_at(states, cache, cosine, sine, begin)
            assert torch.equal(whole[35:], alone)


def test_attention_scales_products_in_fp8():
    if FP8 not in formats():
        return
    for dtype, tolerance in TOLERANCES.items():
        for bits in (16, 8):
            mine = made(dtype, FP8, cache_bits=bits)
            cosine, sine = tables(1024, 128)
            values = drawn(dtype, 64, 3 * HIDDEN)
            raw = RawProduct(
                values,
                (0.5 + torch.rand(64, 1, device="cuda")) * RAW_UNIT,
                0.5 + torch.rand(3 * HIDDEN, device="cuda"),
            )
            scaled = raw.scaled()
            results = []
            for states in (raw, scaled):
                torch.manual_seed(1)
                wide = drawn(dtype, 64, 64, 1024, 128)
                cache = quantized(wide) if bits == 8 else wide
                positions = torch.full((64,), 300, device="cuda")
                place = mine.step_positions(positions, 1024, cosine, sine)
                attention = mine.decode_attention(states, cache, place)
                begin = torch.tensor([35, 1], device="cuda")
                whole = mine.rope_and_cache_at(states, cache, cosine, sine, begin, 35)
                results.append((attention, whole, as_tensor(cache, dtype)))
            for given, right in zip(*results, strict=True):
                near(given, right, 2 * tolerance if bits == 16 else 0.02)


def test_likeliest_token_becomes_the_next_of_each_slot_that_is_busy():
    mine = made(torch.float16, None)
    plain = TorchOperations(torch.float32, 128, 1)
    for rows, vocabulary in ((1, 32000), (5, 32067), (64, 152064), (3, 7)):
        logits = drawn(torch.float32, rows, vocabulary)
        logits[0, 3] = logits[0, 5] = 100  # The first of equal ones.
        ids = torch.arange(rows, device="cuda")
        positions = torch.randint(-1, 9, (rows,), device="cuda")
        given = ids.clone(), positions.clone()
        mine.next_token(logits, ids, positions)
        plain.next_token(logits, *given)
        assert ids.equal(given[0])
        assert positions.equal(given[1])


def test_broken_logits_give_no_token():
    mine = made(torch.float16, None)
    infinity = float("inf")
    for at, number in product((0, 1023, 31999), (float("nan"), infinity, -infinity)):
        logits = drawn(torch.float32, 2, 32000)
        logits[1, at] = number
        if number == -infinity:
            logits[1] = number
        ids, positions = torch.ones(2, 2, dtype=torch.int64, device="cuda")
        mine.next_token(logits, ids, positions)
        assert ids.tolist() == [int(logits[0].argmax()), BROKEN]
        assert positions.tolist() == [2, 2]


def test_pixel_values_are_the_processors_to_the_last_bit():
    mine, random = made(torch.float16, None), np.random.default_rng(0)
    resizer = PictureResizer(mine, torch.device("cuda"), 336, CLIP_MEAN, CLIP_STD)
    for width, height in ((640, 480), (480, 641), (336, 336), (337, 336), (1, 9), (2048, 1536)):
        pixels = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
        assert np.array_equal(resizer.pixel_values(pixels), pixel_values(pixels))


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("No CUDA graphics card is here; nothing was run.")
    torch.manual_seed(0)
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            sys.stderr.write(f"{name}: ok\n")
