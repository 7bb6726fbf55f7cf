"""The kernels that read and write the KV cache, run without a graphics card, against float64."""

import pytest
import torch

from core.llava.operations import TorchOperations
from core.llava.quantized_cache import QuantizedCache
from tests.support.emulated_kernels import EmulatedKernels
from tests.support.tiers import mostly_slow

KEY_HEADS, SLOTS, LENGTH = 2, 3, 384
QUANTIZED = [(128, 1, 8), (64, 8, 8), (128, 4, 8), *((128, group, 8) for group in (3, 5, 6, 7))]
SHAPES = [*QUANTIZED, (128, 1, 16), (64, 2, 16), *((64, group, 16) for group in (3, 5, 6, 7))]
SHAPES += [(64, 3, 8), (64, 7, 8), (128, 7, 16), (128, 8, 8), (128, 8, 16)]
A_FEW = [(128, 1, 8), (128, 5, 8), (128, 7, 8), (128, 7, 16)]
"""Dimensions, query heads to a key head (LLaVA-OneVision's Qwen2 has seven), bits of the cache."""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """Those of some sizes, compiled when first asked for."""
    found = {}

    def of(shape):
        if shape not in found:
            found[shape] = EmulatedKernels(tmp_path_factory.mktemp("kernels"), *shape)
        return found[shape]

    return of


def drawn(*shape):
    return torch.randn(shape).bfloat16()


def kept(states, cache_bits):
    if cache_bits == 16:
        return states.clone()
    cache = QuantizedCache.zeros(tuple(states.shape), states.device)
    cache[:] = states
    return cache


def as_float64(cache):
    if isinstance(cache, QuantizedCache):
        return cache.dequantized(torch.float64)
    return cache.double()


def another(cache):
    """The same cache for operations in float64."""
    if isinstance(cache, QuantizedCache):
        return kept(as_float64(cache), 8)
    return cache.double()


@pytest.fixture(scope="module")
def tables():
    """Cosine and sine by head_dim."""
    torch.manual_seed(0)
    found = {}
    for head_dim in (64, 128):
        angles = 6 * torch.rand(LENGTH, head_dim // 2)
        sine = torch.cat([-angles.sin(), angles.sin()], -1)
        found[head_dim] = torch.cat([angles.cos(), angles.cos()], -1), sine
    return found


def is_near(found, right, tolerance):
    return (found.double() - right).norm() < tolerance * right.norm()


@pytest.mark.parametrize("shape", mostly_slow(SHAPES, A_FEW))
def test_step_attends_to_what_is_filled_and_keeps_its_key_and_value(kernels, tables, shape):
    head_dim, group, cache_bits = shape
    cosine, sine = tables[head_dim]
    cache = kept(drawn(SLOTS, 2 * KEY_HEADS, LENGTH, head_dim), cache_bits)
    right_cache = another(cache)
    states = drawn(SLOTS, KEY_HEADS * (group + 2) * head_dim)
    # The last position, one behind the first part's, and a slot that is idle.
    positions = torch.tensor([LENGTH - 1, 65, -1])
    plain = TorchOperations(torch.float64, head_dim, group)
    place = plain.step_positions(positions[:2], LENGTH, cosine.double(), sine.double())
    right = plain.decode_attention(states[:2].double(), right_cache[:2], place)
    idle = as_float64(cache)[2].clone()
    found = kernels(shape).decode_attention(states, cache, positions, cosine, sine)
    assert is_near(found[:2], right, 0.01)
    assert is_near(as_float64(cache)[:2], as_float64(right_cache)[:2], 0.01)
    assert as_float64(cache)[2].equal(idle)


@pytest.mark.parametrize("shape", mostly_slow(SHAPES, A_FEW))
def test_prompt_is_rotated_and_kept_in_its_slot_behind_what_is_cached(kernels, tables, shape):
    head_dim, group, cache_bits = shape
    cosine, sine = tables[head_dim]
    count, before, slot = 50, 35, 1
    for begin, rows_before in ((0, 0), (before, 0), (before, before)):
        cache = kept(drawn(SLOTS, 2 * KEY_HEADS, LENGTH, head_dim), cache_bits)
        right_cache, untouched = another(cache), as_float64(cache).clone()
        states = drawn(count, KEY_HEADS * (group + 2) * head_dim)
        rotated = states.double()
        plain = TorchOperations(torch.float64, head_dim, group)
        plain.rope_and_cache(rotated, right_cache[slot], cosine.double(), sine.double(), begin)
        at = torch.tensor([begin, slot])
        found = kernels(shape).rope_and_cache_at(states, cache, cosine, sine, at, rows_before)
        assert is_near(found[rows_before:], rotated, 0.01)
        if rows_before:
            whole = untouched[slot, :, :before].transpose(0, 1).reshape(before, -1)
            queries = KEY_HEADS * group * head_dim
            assert not found[:before, :queries].any()
            assert is_near(found[:before, queries:], whole, 0.01)
        values, right = as_float64(cache), as_float64(right_cache)
        assert is_near(values[slot], right[slot], 0.01)
        values[slot, :, begin : begin + count] = untouched[slot, :, begin : begin + count]
        assert values.equal(untouched)


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("shape", mostly_slow(QUANTIZED, A_FEW))
def test_broken_numbers_of_a_slot_reach_its_attention_alone(kernels, tables, shape, number):
    """Of a query, a key or a value, in a step and in a prompt before it: integers have no NaN."""
    head_dim, group, _ = shape
    cosine, sine = tables[head_dim]
    heads, positions = KEY_HEADS * (group + 2), torch.tensor([300, 200, 10])
    for head in (0, KEY_HEADS * group, KEY_HEADS * (group + 1)):
        for is_in_prompt in (False, True)[: 1 + bool(head)]:
            cache = kept(drawn(SLOTS, 2 * KEY_HEADS, LENGTH, head_dim), 8)
            states = drawn(SLOTS, heads * head_dim)
            if is_in_prompt:
                prompt = drawn(40, heads * head_dim)
                prompt[7, head * head_dim + 5] = number
                at = torch.tensor([3, 1])
                kernels(shape).rope_and_cache_at(prompt, cache, cosine, sine, at)
            else:
                states[1, head * head_dim + 5] = number
            found = kernels(shape).decode_attention(states, cache, positions, cosine, sine)
            assert not found[1].isfinite().all(), (head, is_in_prompt)
            assert found[[0, 2]].isfinite().all(), (head, is_in_prompt)
