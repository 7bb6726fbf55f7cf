"""The decode loop says what transformers' `generate()` says, faster and many at once."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from core.llava.decoding import DecodeLoop, Job, decode_loop
from core.llava.forward import forward_pass
from core.llava.passes import Prompt
from core.llava.prompt import Inputs
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.transcript import Ending, Sampling
from tests.support.tiers import slowly

IMAGE_TOKENS = 9
VOCABULARY = 96
SHAPES = {
    "LLaVA-1.5's own": {"rms_norm_eps": 1e-5},
    "shared keys": {"num_key_value_heads": 2, "head_dim": 24},
    "another rotation": {"rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}},
    "stretched rotation": {
        "rope_parameters": {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}
    },
    "biases": {"attention_bias": True, "mlp_bias": True, "rms_norm_eps": 0.1},
    "tied": {"tie_word_embeddings": True},
}
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no card")),
]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Models as small as these are slower with two, and far slower beside other programs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_model(device: str = "cpu", dtype: torch.dtype = torch.float32, **text: object) -> Any:
    """Random weights, large enough that no two tokens are nearly as likely."""
    config = LlavaConfig(
        text_config=LlamaConfig(
            **{
                "vocab_size": VOCABULARY,
                "hidden_size": 64,
                "intermediate_size": 112,
                "num_hidden_layers": 3,
                "num_attention_heads": 4,
                "initializer_range": 0.2,
                **text,
            }  # type: ignore[arg-type]
        ),
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=42,
            patch_size=14,
            initializer_range=0.2,
        ),
        image_token_index=VOCABULARY - 1,
        tie_word_embeddings=bool(text.get("tie_word_embeddings")),
    )
    torch.manual_seed(3)
    model: Any = LlavaForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.2)
    return model.to(device, dtype).eval()


def inputs(number: int, *, length: int = 12, new: int = 24) -> Inputs:
    """A prompt and a picture of their own for each `number`."""
    random = np.random.default_rng(number)
    ids = random.integers(3, VOCABULARY - 1, length).tolist()
    ids[4] = IMAGE_TOKEN_INDEX
    pixels = random.standard_normal((1, 3, 42, 42)).astype(np.float32)
    return Inputs("", tuple(ids), pixels, new, IMAGE_TOKENS)


def followed(asked: Inputs, answer: Sequence[int], question: Sequence[int]) -> Inputs:
    return dataclasses.replace(asked, input_ids=(*asked.input_ids, *answer, *question))


def generated(
    model: Any,
    asked: Inputs,
    sampling: Sampling | None = None,
    eos: Sequence[int] = (),
) -> tuple[int, ...]:
    """What transformers' own loop says."""
    sampling = sampling or Sampling()
    pixels = torch.from_numpy(asked.pixel_values).to(model.device, model.dtype)
    embed = model.get_input_embeddings()
    image = asked.input_ids.index(IMAGE_TOKEN_INDEX)
    before, after = asked.input_ids[:image], asked.input_ids[image + 1 :]
    if sampling.seed is not None:
        torch.manual_seed(sampling.seed)
    choosing = (
        {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
        if sampling.temperature
        else {}
    )
    with torch.inference_mode():
        features = model.get_image_features(pixel_values=pixels).pooler_output
        spliced = torch.cat(
            [
                embed(torch.tensor([before], device=model.device)),
                torch.cat(list(features))[None],
                embed(torch.tensor([after], device=model.device)),
            ],
            dim=1,
        )
        ids = model.generate(
            inputs_embeds=spliced,
            attention_mask=torch.ones(spliced.shape[:2], dtype=torch.long, device=model.device),
            max_new_tokens=asked.max_new_tokens,
            do_sample=bool(sampling.temperature),
            repetition_penalty=float(sampling.repetition_penalty),
            eos_token_id=list(eos) or None,
            pad_token_id=0,
            **choosing,
        )[0].tolist()
    return tuple(ids[:-1] if ids and ids[-1] in eos else ids)


def loop_for(model: Any, eos: Sequence[int] = ()) -> DecodeLoop:
    loop = decode_loop(model, eos)
    assert loop is not None
    return loop


def said(loop: DecodeLoop, asked: Inputs, sampling: Sampling | None = None) -> tuple[int, ...]:
    (decoded,) = loop.decode([Job(asked, sampling or Sampling())])
    return decoded.ids


@pytest.mark.parametrize(
    ("shape", "takes_along"),
    [
        *((shape, True) for shape in SHAPES),
        ("shared keys", False),
        *(slowly(shape, False) for shape in SHAPES if shape != "shared keys"),
    ],
)
@pytest.mark.parametrize("device", DEVICES)
def test_greedy_ids_are_those_of_generate_in_one_slot_and_in_many(
    shape: str, device: str, takes_along: bool
) -> None:
    model = tiny_model(device, **SHAPES[shape])
    asked = [inputs(n, length=6 + 3 * n, new=10 + 5 * (n % 3)) for n in range(7)]
    eos = [generated(model, asked[2])[4]]
    expected = [generated(model, each, eos=eos) for each in asked]

    loop = loop_for(model, eos)
    loop.forward.mixes_prefill_and_decode = takes_along

    assert [said(loop, each) for each in asked] == expected
    for slots in (2, 3, 8):
        decoded = {d.job.inputs: d.ids for d in loop.decode(map(Job, asked), slots=slots)}
        assert [decoded[each] for each in asked] == expected
    assert len({len(ids) for ids in expected}) > 2  # They ended at different places.


def test_generate_says_the_same_after_the_weights_are_joined() -> None:
    model, asked = tiny_model(), inputs(1)
    before = generated(model, asked)
    size = sum(parameter.numel() for parameter in model.parameters())

    loop_for(model)

    assert generated(model, asked) == before
    storages = {p.untyped_storage().data_ptr(): p.untyped_storage() for p in model.parameters()}
    assert sum(storage.nbytes() for storage in storages.values()) == 4 * size


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0, seed=1),
        Sampling(temperature=0.7, top_k=0, top_p=0.9, seed=2),
        Sampling(temperature=1.6, top_k=12, top_p=0.8, repetition_penalty=1.3, seed=3),
        Sampling(repetition_penalty=1.7),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Passing `repetition_penalty` with `inputs_embeds`")
@pytest.mark.parametrize("device", DEVICES)
def test_sampled_ids_are_those_of_generate_for_the_same_seed(
    sampling: Sampling, device: str
) -> None:
    model = tiny_model(device)
    asked = [inputs(n) for n in range(3)]
    expected = [generated(model, each, sampling) for each in asked]
    loop = loop_for(model)

    alone = [said(loop, each, sampling) for each in asked]
    together = {d.job.inputs: d.ids for d in loop.decode([Job(a, sampling) for a in asked], 3)}

    assert alone == expected
    assert [together[each] for each in asked] == expected


def test_without_a_seed_two_samples_differ() -> None:
    loop, sampling = loop_for(tiny_model()), Sampling(temperature=1.5, top_k=0, seed=None)

    assert said(loop, inputs(1), sampling) != said(loop, inputs(1), sampling)


def test_each_token_is_told_as_it_comes_and_none_after_stop() -> None:
    loop, stop, heard = loop_for(tiny_model()), threading.Event(), []

    def hear(token: int) -> None:
        heard.append(token)
        if len(heard) == 5:
            stop.set()

    (decoded,) = loop.decode([Job(inputs(1), on_token=hear, is_stopped=stop.is_set)])

    assert decoded.ending is Ending.STOPPED
    assert list(decoded.ids) == heard
    assert len(heard) == 5


def test_a_job_stopped_before_it_begins_says_nothing() -> None:
    loop, stop = loop_for(tiny_model()), threading.Event()
    stop.set()

    (decoded,) = loop.decode([Job(inputs(1), is_stopped=stop.is_set)])

    assert (decoded.ids, decoded.ending) == ((), Ending.STOPPED)


def test_stopping_one_slot_leaves_the_others_as_they_are() -> None:
    model, stop = tiny_model(), threading.Event()
    loop = loop_for(model)
    jobs = [Job(inputs(0)), Job(inputs(1), on_token=lambda _: stop.set(), is_stopped=stop.is_set)]

    decoded = list(loop.decode(jobs, slots=2))

    assert [d.job for d in decoded] == [jobs[1], jobs[0]]
    assert decoded[0].ending is Ending.STOPPED
    assert decoded[1].ids == generated(model, inputs(0))


def test_the_ending_tells_the_end_of_sequence_from_the_length() -> None:
    model = tiny_model()
    ids = generated(model, inputs(1))
    eos = next(token for token in ids if ids.index(token) > 2)

    (complete,) = loop_for(model, [eos]).decode([Job(inputs(1))])
    (cut,) = loop_for(model).decode([Job(inputs(1))])

    assert (complete.ids, complete.ending) == (ids[: ids.index(eos)], Ending.COMPLETE)
    assert (cut.ids, cut.ending) == (ids, Ending.LENGTH)


def test_a_slot_asks_for_the_next_picture_only_when_it_is_free() -> None:
    loop, begun, ended = loop_for(tiny_model()), count(1), 0
    number = 0

    def jobs():
        nonlocal number
        for number in begun:
            if number > 9:
                return
            assert number - ended <= 3
            yield Job(inputs(number, new=2 + number % 4))

    for _ in loop.decode(jobs(), slots=3):
        ended += 1

    assert ended == 9


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_prompt_and_steps_that_go_one_way_come_to_what_they_come_to_alone(
    device: str, dtype: torch.dtype
) -> None:
    if (device, dtype) == ("cpu", torch.float16):
        pytest.skip("processors do not compute in it")
    # On a card, of a shape that our kernels take.
    shape = {"hidden_size": 256, "intermediate_size": 128, "initializer_range": 0.08}
    model = tiny_model(device, dtype, **shape)
    asked = [inputs(n, length=9 + n) for n in range(3)]
    collected: list[list[torch.Tensor]] = []
    for is_together in (True, False):
        forward = forward_pass(model)
        assert forward is not None
        forward.mixes_prefill_and_decode = is_together
        forward.reserve(3, 256)
        prompts = [
            Prompt(n, 0, each.positions, forward.image_features(each.pixel_values).clone())
            for n, each in enumerate(asked)
        ]
        rows = [
            forward.prefill(prompt).logits_of(n).clone() for n, prompt in enumerate(prompts[:2])
        ]
        if is_together:
            chosen = forward.step(prompts[2])
            rows += [chosen.logits_of(n).clone() for n in range(3)]
        else:
            rows += list(forward.step().logits.clone().split(1))
            rows.append(forward.step(prompts[2]).logits.clone())
        chosen = forward.step()
        rows += [chosen.logits_of(n).clone() for n in range(3)]
        collected.append(rows)

    assert [len(rows) for rows in collected] == [8, 8]
    for together, alone in zip(*collected, strict=True):
        error = float((together - alone).norm() / alone.norm())
        assert error < (1e-5 if dtype == torch.float32 else 0.01)


def test_a_picture_that_comes_again_goes_to_the_slot_that_still_holds_it() -> None:
    loop = loop_for(tiny_model())
    known = inputs(0).length - 1

    for numbers, reused in (((0, 1), (0, 0)), ((1, 0), (known, known))):
        jobs = [Job(inputs(number, new=5)) for number in numbers]
        decoded = {d.job: d for d in loop.decode(jobs, slots=2)}
        assert tuple(decoded[job].reused for job in jobs) == reused


def test_a_folder_given_up_in_the_middle_leaves_the_loop_fit_for_the_next_answer() -> None:
    model = tiny_model()
    loop = loop_for(model)
    folder = loop.decode((Job(inputs(n)) for n in range(9)), slots=3)
    next(folder)
    folder.close()

    assert said(loop, inputs(4)) == generated(model, inputs(4))


@pytest.mark.parametrize("device", DEVICES)
def test_a_follow_up_prefills_only_what_is_new_and_says_the_same(device: str) -> None:
    model = tiny_model(device)
    loop = loop_for(model)
    first = inputs(1)
    answer = said(loop, first)
    second = followed(first, answer, [7, 8, 9])
    # An answer may be written down in other ids than it was said in.
    third = followed(first, answer[:10], [11, 12, 13, 14])

    for asked, known in ((second, len(answer) - 1), (third, 10)):
        (decoded,) = loop.decode([Job(asked)])
        assert decoded.reused == first.length + known
        assert decoded.ids == generated(model, asked)


def test_the_same_question_again_gives_the_same_answer() -> None:
    loop = loop_for(tiny_model())
    (first,) = loop.decode([Job(inputs(1))])
    (again,) = loop.decode([Job(inputs(1))])

    assert again.ids == first.ids
    assert again.reused == inputs(1).length - 1


def test_an_answer_never_speaks_of_an_earlier_picture() -> None:
    model = tiny_model()
    loop = loop_for(model)
    first, other = inputs(1), inputs(2)
    same_words = dataclasses.replace(other, input_ids=first.input_ids)
    answer = said(loop, first)
    said(loop, followed(first, answer, [7, 8, 9]))

    (decoded,) = loop.decode([Job(same_words)])

    assert decoded.ids == generated(model, same_words) != answer
    assert decoded.reused <= first.input_ids.index(IMAGE_TOKEN_INDEX)
    # And so in every slot of a folder, whatever the slot showed before.
    pictures = [dataclasses.replace(inputs(n), input_ids=first.input_ids) for n in range(3, 10)]
    asked = {Job(each): each for each in pictures}
    for decoded in loop.decode(asked, slots=3):
        assert decoded.ids == generated(model, asked[decoded.job])
    assert said(loop, first) == answer


@pytest.mark.parametrize("shape", [slowly("LLaVA-1.5's own"), "shared keys"])
@pytest.mark.parametrize("begin", [0, 1, slowly(40), 171, 172, slowly(200)])
def test_a_prompt_in_two_parts_comes_to_the_same(shape: str, begin: int) -> None:
    forward = forward_pass(tiny_model(**SHAPES[shape]))
    assert forward is not None
    forward.reserve(1, 320)
    ids = np.random.default_rng(begin).integers(3, VOCABULARY - 1, 300).tolist()
    # Each position looks at itself: one by one no part has a mask.
    for position, number in enumerate(ids):
        right = forward.prefill(Prompt(0, position, [number], None)).logits.clone()
    forward.set_idle(0)
    if begin:
        forward.prefill(Prompt(0, 0, ids[:begin], None))

    found = forward.prefill(Prompt(0, begin, ids[begin:], None)).logits

    torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-4)


def test_a_picture_changed_in_place_is_another_picture() -> None:
    model = tiny_model()
    loop = loop_for(model)
    first = inputs(1)
    said(loop, first)

    changed = dataclasses.replace(first, pixel_values=first.pixel_values + 1)

    assert said(loop, changed) == generated(model, changed)


def test_a_failed_answer_leaves_nothing_of_it_behind() -> None:
    model = tiny_model()
    loop = loop_for(model)

    def fail(_: int) -> None:
        raise RuntimeError("the reader is gone")

    with pytest.raises(RuntimeError, match="the reader is gone"):
        list(loop.decode([Job(inputs(0), on_token=fail), Job(inputs(1))], slots=2))

    assert said(loop, inputs(1)) == generated(model, inputs(1))


def test_an_answer_longer_than_the_cache_makes_it_grow() -> None:
    model = tiny_model()
    loop = loop_for(model)
    said(loop, inputs(1))
    long = dataclasses.replace(inputs(1), max_new_tokens=530)

    assert said(loop, long) == generated(model, long)


def test_memory_given_back_is_taken_again_by_the_next_answer() -> None:
    loop = loop_for(tiny_model())
    answer = said(loop, inputs(1))
    loop.release()

    (decoded,) = loop.decode([Job(inputs(1))])

    assert (decoded.ids, decoded.reused) == (answer, 0)


@pytest.mark.parametrize("device", DEVICES)
def test_bfloat16_is_as_near_to_float32_as_transformers_own(device: str) -> None:
    exact, model = tiny_model(device), tiny_model(device, torch.bfloat16)
    asked = [inputs(n, new=1) for n in range(40)]
    wanted = [generated(exact, each) for each in asked]
    theirs = sum(generated(model, a) == w for a, w in zip(asked, wanted, strict=True))
    loop = loop_for(model)
    ours = sum(said(loop, a) == w for a, w in zip(asked, wanted, strict=True))

    assert ours >= theirs - 2
    assert ours >= 34


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (torch.nn.Linear(2, 2), "Linear has other parts than a LLaVA"),
        (
            tiny_model(
                rope_parameters={"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 2.0}
            ),
            "rotary embeddings are dynamic",
        ),
        (tiny_model(hidden_act="gelu"), "llama with gelu"),
    ],
    ids=["another model", "another rotation", "another activation"],
)
def test_a_model_of_another_shape_stays_with_generate_and_the_log_says_why(
    model: torch.nn.Module, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "core"):
        assert decode_loop(model, ()) is None

    assert reason in caplog.text
    assert "generate()" in caplog.text


def test_the_log_says_when_the_loop_decodes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "core"):
        loop_for(tiny_model())

    assert "Decoding by our own loop: no graphs, torch's operations, 32-bit layers" in caplog.text


def test_beams_are_not_the_loops() -> None:
    assert not DecodeLoop.supports(Sampling(beams=3))
    assert DecodeLoop.supports(Sampling(temperature=0.5))
