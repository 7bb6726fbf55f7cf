"""The KV cache in 8 bits: the same answers alone and together, near those of the full cache."""

from typing import Any

import torch

from core.llava.decoding import DecodeLoop, Job, decode_loop
from core.llava.passes import Prompt
from core.llava.quantized_cache import QuantizedCache
from tests.core.llava.test_decoding import SHAPES, followed, inputs, said, tiny_model


def loop_of(model: Any, *, quantizes_cache: bool = True) -> DecodeLoop:
    loop = decode_loop(model, (), quantizes_cache=quantizes_cache)
    assert loop is not None
    return loop


def test_what_is_kept_is_within_half_a_step_of_the_largest() -> None:
    states = torch.randn(3, 4, 10, 16) * torch.logspace(-6, 4, 10)[:, None]
    states[0, 0, 0] = 0
    kept = QuantizedCache.zeros(tuple(states.shape), torch.device("cpu"))
    kept[:] = states
    largest = states.abs().amax(-1, keepdim=True)
    assert ((kept.dequantized(torch.float32) - states).abs() <= largest / 253).all()

    kept[1:, :, 2:5] = states[:2, :, 5:8]
    assert torch.equal(kept[1:, :, 2:5].values, kept[:2, :, 5:8].values)


def test_numbers_that_are_not_finite_do_not_come_back_as_others() -> None:
    states = torch.randn(4, 3, 16)
    states[0, 1, 5], states[2, 0, 0] = torch.nan, -torch.inf
    kept = QuantizedCache.zeros(tuple(states.shape), torch.device("cpu"))
    kept[:] = states
    is_finite = kept.dequantized(torch.float32).isfinite().all(-1)
    assert is_finite.equal(states.isfinite().all(-1))


def test_answers_are_the_same_in_one_slot_and_in_many_and_in_follow_ups() -> None:
    for shape in SHAPES:
        loop = loop_of(tiny_model(**SHAPES[shape]))
        assert loop.forward.quantizes_cache
        asked = [inputs(n, length=6 + 3 * n, new=10 + 5 * (n % 3)) for n in range(5)]
        alone = [said(loop, each) for each in asked]
        for slots in (2, 4):
            decoded = {d.job.inputs: d.ids for d in loop.decode(map(Job, asked), slots=slots)}
            assert [decoded[each] for each in asked] == alone, shape


def test_logits_are_near_those_of_the_full_cache_and_use_half_the_memory() -> None:
    model, asked = tiny_model(), inputs(1, length=9)
    found = []
    for quantizes in (False, True):
        forward = loop_of(model, quantizes_cache=quantizes).forward
        forward.reserve(1, 64)
        features = forward.image_features(asked.image)
        rows = [forward.prefill(Prompt(0, 0, asked.positions, features)).logits_of(0)]
        for token in (5, 9, 17, 3):
            forward.set_token(0, token)
            rows.append(forward.step().logits_of(0))
        later = list(torch.cat(list(forward.logits_after([7, 8], None, 2, begin=12))))
        found.append(
            (
                torch.stack([row.flatten() for row in (*rows, *later)]).clone(),
                forward.cache.bytes_per_position,
            )
        )
    (full, full_bytes), (rounded, rounded_bytes) = found
    spread = full.std(-1).mean()
    assert 0 < (rounded - full).abs().max() < 0.1 * spread
    # Heads of 16 in float32: 64 bytes, and 16 with a scale of 4.
    assert rounded_bytes < full_bytes / 3


def test_a_follow_up_reuses_what_is_kept_when_the_cache_grows() -> None:
    model, first = tiny_model(), inputs(0, length=6, new=4)
    loop = loop_of(model)
    answer = said(loop, first)
    longer = followed(first, answer, [5 + n % 80 for n in range(210)])
    (decoded,) = loop.decode([Job(longer)])
    assert decoded.reused > len(first.positions)
    assert decoded.ids == said(loop_of(tiny_model()), longer)
