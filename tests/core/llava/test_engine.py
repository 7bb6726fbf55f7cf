import json
import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import GenerationConfig, LlavaForConditionalGeneration

from core.engine import get_ready
from core.errors import EngineError, OutOfMemory, PromptError
from core.llava.prompt import STOP_STRING
from core.llava.tokenizer import Tokenizer
from core.picture import Picture
from core.trace import StageTime, as_json
from core.transcript import Ending, Request, Sampling, Turn
from tests.support.tiers import slowly
from tests.support.tiny_llava import TINY

SAMPLED = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=40, seed=11)
LONG = replace(SAMPLED, temperature=1.5, max_new_tokens=300)


@pytest.fixture
def ask(engine, picture):
    """Ask a question; gives the answer and the pieces in which it came."""

    def ask(prompt="What is this?", sampling=None, stop_after=None, on_piece=None, turns=()):
        stop = threading.Event()
        pieces = []

        def hear(piece):
            pieces.append(piece)
            if on_piece:
                on_piece(piece)
            if len(pieces) == stop_after:
                stop.set()

        sampling = sampling or Sampling(max_new_tokens=20)
        request = Request(picture, (*turns, Turn(prompt)), sampling)
        return engine.answer(request, hear, stop), pieces

    return ask


# ---- what is said


def test_pieces_put_together_are_the_text(ask, engine):
    for seed in range(12):
        answer, pieces = ask(sampling=replace(SAMPLED, seed=seed))
        assert "".join(pieces) == answer.text == answer.text.strip()
        assert answer.text == engine._tokenizer.decode(answer.output_ids).strip()
        assert all(pieces)


def test_question_finds_the_image_ready(ask, engine, picture):
    said = ask()[0].output_ids
    shown = Picture(None, picture.pixels.copy())
    get_ready(engine, shown)
    # What is not looked at again can change.
    shown.pixels.paste((0, 0, 0), (0, 0, *shown.pixels.size))
    request = Request(shown, (Turn("What is this?"),), Sampling(max_new_tokens=20))
    assert engine.answer(request, lambda _: None, threading.Event()).output_ids == said
    other = Request(Picture(None, shown.pixels.copy()), request.turns, request.sampling)
    assert engine.answer(other, lambda _: None, threading.Event()).output_ids != said


def test_answer_tells_what_it_took(ask):
    answer, _ = ask(sampling=Sampling(max_new_tokens=20))
    assert answer.tokens == len(answer.output_ids) == 20
    assert answer.ending is Ending.LENGTH
    assert 0 < answer.seconds_to_first_token < answer.seconds
    assert answer.tokens_per_second > 0
    assert answer.left_out == 0
    assert answer.input_tokens > TINY.image_tokens


def test_answer_ends_with_the_end_of_the_sequence(ask):
    sampling = Sampling(temperature=1.5, top_k=0, max_new_tokens=300)
    answers = [ask(sampling=replace(sampling, seed=seed))[0] for seed in range(8)]
    complete = [answer for answer in answers if answer.ending is Ending.COMPLETE]
    assert complete
    for answer in complete:
        assert answer.tokens == len(answer.output_ids) < 300
        assert 2 not in answer.output_ids
        assert STOP_STRING not in answer.text


@pytest.mark.parametrize("beams", [1, 3])
def test_generation_is_that_of_plain_transformers(
    ask, engine, tiny_transformers_layout, picture, beams
):
    """Ours splices embeddings; theirs expands the image token and fills its places."""
    plain: Any = LlavaForConditionalGeneration.from_pretrained(
        tiny_transformers_layout, dtype=torch.float32
    )
    plain.generation_config = GenerationConfig()
    # Beams divide their chances over all rows of the head, the spare ones too.
    plain.lm_head.weight = torch.nn.Parameter(plain.lm_head.weight[: TINY.vocabulary])
    plain.config.text_config.vocab_size = TINY.vocabulary
    answer, _ = ask(sampling=Sampling(max_new_tokens=24, beams=beams))
    inputs = engine._prepare(Request(picture, (Turn("What is this?"),)))
    image = [TINY.vocabulary] * TINY.image_tokens
    ids = [i for given in inputs.input_ids for i in (image if given == -200 else [given])]
    output = plain.generate(
        input_ids=torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        pixel_values=torch.from_numpy(inputs.pixel_values),
        max_new_tokens=24,
        num_beams=beams,
        do_sample=False,
        pad_token_id=0,
        eos_token_id=2,
    )
    assert answer.input_tokens == len(ids)
    assert list(answer.output_ids) == output[0, len(ids) :].tolist()


def test_earlier_turns_are_read(ask):
    first, _ = ask()
    after, _ = ask(turns=[Turn("What colour is it?", "It is a red circle.")])
    assert after.output_ids != first.output_ids
    assert after.input_tokens > first.input_tokens


def test_turns_that_do_not_fit_are_left_out_and_counted(ask):
    turns = [Turn(f"Question {n}?", "It is a red circle. " * 4) for n in range(12)]
    answer, _ = ask(turns=turns)
    assert 0 < answer.left_out < 12
    assert answer.input_tokens + 20 <= TINY.context


def test_answer_stays_within_the_context(ask):
    answer, _ = ask("What is " * 140, sampling=Sampling(max_new_tokens=500))
    assert answer.ending is Ending.LENGTH
    assert answer.tokens < 500
    assert answer.input_tokens + answer.tokens == TINY.context - 1


def test_question_longer_than_the_context_is_an_error_and_the_next_is_answered(ask):
    with pytest.raises(PromptError):
        ask("What is this? " * 400)
    assert ask()[0].tokens == 20


# ---- sampling


def test_greedy_answer_is_the_same_each_time(ask):
    assert ask()[0].output_ids == ask()[0].output_ids
    assert ask()[0].seed is None


def test_same_seed_gives_the_same_text(ask):
    assert ask(sampling=SAMPLED)[0].text == ask(sampling=SAMPLED)[0].text
    texts = {ask(sampling=replace(SAMPLED, seed=seed))[0].text for seed in range(4)}
    assert len(texts) == 4


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_new_tokens=60, repetition_penalty=1.4),
        LONG,
        slowly(Sampling(max_new_tokens=60)),
        *(slowly(replace(LONG, seed=seed)) for seed in range(1, 6)),
    ],
)
def test_answer_is_that_of_generate_at_every_turn(engine, picture, sampling):
    turns = ()
    for prompt in ("What is this?", "And what else?"):
        request = Request(picture, (*turns, Turn(prompt)), sampling)
        ours, theirs = (
            each.answer(request, lambda _: None, threading.Event())
            for each in (engine, engine.by_generate())
        )
        assert (ours.text, ours.output_ids) == (theirs.text, theirs.output_ids)
        assert (ours.ending, ours.input_tokens) == (theirs.ending, theirs.input_tokens)
        turns = (*turns, Turn(prompt, ours.text))


def test_drawn_seed_is_told_and_can_be_used_again(ask):
    drawn, _ = ask(sampling=replace(SAMPLED, seed=None))
    assert drawn.seed is not None
    assert ask(sampling=replace(SAMPLED, seed=drawn.seed))[0].text == drawn.text


def test_random_numbers_of_others_are_left_alone(ask):
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    ask(sampling=SAMPLED)
    assert torch.equal(torch.rand(4), wanted)


def test_narrow_sampling_is_greedy(ask):
    greedy, _ = ask()
    for narrow in (
        Sampling(temperature=1.0, top_k=1, max_new_tokens=20),
        Sampling(temperature=1.0, top_p=1e-6, max_new_tokens=20),
        Sampling(temperature=1e-6, max_new_tokens=20),
    ):
        assert ask(sampling=narrow)[0].output_ids == greedy.output_ids


def test_repetition_penalty_looks_at_the_answer(ask):
    free, _ = ask(sampling=Sampling(max_new_tokens=60))
    held, _ = ask(sampling=Sampling(max_new_tokens=60, repetition_penalty=5.0))
    assert len(set(held.output_ids)) > len(set(free.output_ids))


def test_beams_say_their_text_at_the_end(ask):
    answer, pieces = ask(sampling=Sampling(max_new_tokens=12, beams=3))
    assert pieces == [answer.text]
    assert answer.tokens == 12


# ---- stopping


def test_stopped_answer_keeps_what_was_said(ask):
    whole, _ = ask(sampling=Sampling(max_new_tokens=300, repetition_penalty=1.5))
    answer, pieces = ask(
        sampling=Sampling(max_new_tokens=300, repetition_penalty=1.5), stop_after=3
    )
    assert answer.ending is Ending.STOPPED
    assert answer.tokens < 300
    assert "".join(pieces) == answer.text
    assert whole.output_ids[: answer.tokens] == answer.output_ids
    assert ask()[0].tokens == 20


def test_stop_takes_effect_within_one_token(engine, picture):
    """Set while a token is computed, it is the last one."""
    stop = threading.Event()
    forwards = []

    def count(*_):
        forwards.append(stop.is_set())
        if len(forwards) == 6:
            stop.set()

    hook = engine._model.lm_head.register_forward_pre_hook(count)
    try:
        request = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=200))
        answer = engine.answer(request, lambda piece: None, stop)
    finally:
        hook.remove()
    assert answer.tokens == len(forwards) == 6
    assert answer.ending is Ending.STOPPED


def test_beams_can_be_stopped(engine, picture):
    stop = threading.Event()
    forwards = []

    def count(*_):
        forwards.append(1)
        if len(forwards) == 5:
            stop.set()

    hook = engine._model.lm_head.register_forward_pre_hook(count)
    try:
        request = Request(picture, (Turn("What?"),), Sampling(max_new_tokens=200, beams=2))
        answer = engine.answer(request, lambda piece: None, stop)
    finally:
        hook.remove()
    assert len(forwards) == 5
    assert answer.ending is Ending.STOPPED


def test_stop_before_the_start_gives_an_empty_stopped_answer(engine, picture):
    stop = threading.Event()
    stop.set()
    answer = engine.answer(Request(picture, (Turn("What?"),)), pytest.fail, stop)
    assert (answer.text, answer.ending, answer.tokens) == ("", Ending.STOPPED, 0)


# ---- many at once


def drawn(number):
    from PIL import Image

    pixels = Image.linear_gradient("L").rotate(40 * number).resize((40 + number, 60))
    return Picture(None, pixels.convert("RGB"))


@pytest.mark.parametrize("sampling", [Sampling(max_new_tokens=30), SAMPLED], ids=str)
def test_many_answers_at_once_are_those_given_one_by_one(engine, sampling):
    requests = [Request(drawn(n), (Turn("What is this?"),), sampling) for n in range(7)]

    answers = dict(engine.answer_all(requests, threading.Event(), slots=3))

    for request in requests:
        alone = engine.answer(request, lambda _: None, threading.Event())
        together = answers[request]
        assert (together.text, together.output_ids) == (alone.text, alone.output_ids)
        assert (together.ending, together.seed) == (alone.ending, alone.seed)
        assert 0 < together.seconds_to_first_token < together.seconds


def test_pieces_of_many_answers_make_up_their_texts(engine):
    requests = [
        Request(drawn(n), (Turn("What is this?"),), Sampling(max_new_tokens=30, beams=1 + n // 4))
        for n in range(5)
    ]
    pieces: dict[Request, list[str]] = {request: [] for request in requests}

    def on_piece(request, piece):
        pieces[request].append(piece)

    answers = dict(engine.answer_all(requests, threading.Event(), slots=3, on_piece=on_piece))
    assert {r: "".join(said) for r, said in pieces.items()} == {
        r: answer.text for r, answer in answers.items()
    }


def test_pieces_of_many_answers_come_before_their_ends(engine):
    requests = [Request(drawn(n), (Turn("What?"),), Sampling(max_new_tokens=300)) for n in range(3)]
    stop, heard = threading.Event(), set()

    def on_piece(request, _):
        heard.add(request)
        if len(heard) == len(requests):
            stop.set()

    answers = engine.answer_all(requests, stop, slots=3, on_piece=on_piece)
    assert [answer.ending for _, answer in answers] == [Ending.STOPPED] * 3


def test_failure_of_who_hears_many_answers_is_not_the_models(engine):
    def fail(*_):
        raise RuntimeError("the window is gone")

    requests = [Request(drawn(n), (Turn("What?"),)) for n in range(3)]
    with pytest.raises(RuntimeError, match="the window is gone"):
        list(engine.answer_all(requests, threading.Event(), slots=3, on_piece=fail))


def test_stop_ends_many_answers_and_begins_no_further_one(engine):
    stop = threading.Event()
    requests = [
        Request(drawn(n), (Turn("What is this?"),), Sampling(max_new_tokens=5 if n == 1 else 300))
        for n in range(9)
    ]
    answers = []
    for _, answer in engine.answer_all(requests, stop, slots=3):
        answers.append(answer)
        stop.set()
    assert [answer.ending for answer in answers] == [Ending.LENGTH, *[Ending.STOPPED] * 2]


def test_requests_that_come_later_join_those_under_way(engine):
    requests = [Request(drawn(n), (Turn("What?"),), Sampling(max_new_tokens=20)) for n in range(4)]
    waiting, under_way, answers = list(requests), set(), {}

    def source():
        while waiting or under_way:
            # Each comes after three tokens of those under way; the last when none is.
            if len(waiting) > 1 or not under_way:
                under_way.add(waiting[0])
                yield waiting.pop(0)
            yield from [None] * 3 if under_way else []

    most = 0
    for request, answer in engine.answer_all(source(), threading.Event(), slots=3):
        most = max(most, len(under_way))
        under_way.remove(request)
        answers[request] = answer
    assert most == 3
    for request in requests:
        alone = engine.answer(request, lambda _: None, threading.Event())
        assert answers[request].output_ids == alone.output_ids


@pytest.mark.parametrize("beams", [1, 2])
def test_one_of_many_answers_is_stopped_or_refused_and_the_others_go_on(engine, beams):
    requests = [
        Request(drawn(n), (Turn("What?"),), Sampling(max_new_tokens=20, beams=beams))
        for n in range(3)
    ]
    too_much = replace(requests[0], others=(drawn(5),))
    asked, refused = [], []

    def is_stopped(request):
        asked.append(request)
        return request is requests[1] and asked.count(request) > 3

    answers = dict(
        engine.answer_all(
            [requests[0], too_much, *requests[1:]],
            threading.Event(),
            slots=2,
            is_stopped=is_stopped,
            on_refused=lambda request, error: refused.append((request, type(error))),
        )
    )
    assert refused == [(too_much, PromptError)]
    endings = [answers[request].ending for request in requests]
    assert endings == [Ending.LENGTH, Ending.STOPPED, Ending.LENGTH]
    assert 0 < answers[requests[1]].tokens < 20


def test_many_answers_with_beams_come_too(engine):
    requests = [
        Request(drawn(n), (Turn("What?"),), Sampling(max_new_tokens=6, beams=1 + n % 2))
        for n in range(4)
    ]
    answers = dict(engine.answer_all(requests, threading.Event()))
    assert {r: a.output_ids for r, a in answers.items()} == {
        r: engine.answer(r, lambda _: None, threading.Event()).output_ids for r in requests
    }


def test_failure_among_many_reaches_the_asker_and_the_next_answer_works(ask, engine):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    requests = [Request(drawn(n), (Turn("What?"),)) for n in range(3)]
    hook = engine._model.lm_head.register_forward_pre_hook(fail)
    try:
        with pytest.raises(OutOfMemory):
            list(engine.answer_all(requests, threading.Event()))
    finally:
        hook.remove()
    assert ask()[0].tokens == 20


# ---- failing


@pytest.mark.parametrize(
    ("failure", "kind", "text"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory, "out of memory"),
        (MemoryError(), OutOfMemory, "out of memory"),
        (RuntimeError("CUDA error: device-side assert"), EngineError, "failed while answering"),
    ],
)
def test_failure_inside_generation_reaches_the_asker_and_the_next_answer_works(
    ask, engine, failure, kind, text
):
    forwards = []

    def fail(*_):
        forwards.append(1)
        if len(forwards) == 4:
            raise failure

    hook = engine._model.lm_head.register_forward_pre_hook(fail)
    try:
        with pytest.raises(kind, match=text) as raised:
            ask()
    finally:
        hook.remove()
    assert raised.value.__cause__ is failure
    assert ask()[0].tokens == 20


def test_failure_while_looking_reaches_the_asker(engine):
    from PIL import Image

    other = Picture(None, Image.new("RGB", (30, 30)))

    def fail(*_):
        raise RuntimeError("no projector")

    hook = engine._model.model.multi_modal_projector.register_forward_pre_hook(fail)
    try:
        with pytest.raises(EngineError):
            engine.answer(Request(other, (Turn("What?"),)), lambda _: None, threading.Event())
    finally:
        hook.remove()


def test_listener_that_fails_ends_the_answer(ask):
    def fail(piece):
        raise KeyError(piece)

    with pytest.raises(KeyError):
        ask(sampling=Sampling(max_new_tokens=400), on_piece=fail)
    assert not [thread for thread in threading.enumerate() if thread.name == "generate"]
    assert ask()[0].tokens == 20


# ---- the picture


def test_picture_is_seen_once_for_several_questions(engine, picture):
    from PIL import Image

    other = Picture(None, Image.linear_gradient("L").convert("RGB"))
    looks = []
    projector = engine._model.model.multi_modal_projector
    hook = projector.register_forward_pre_hook(lambda *_: looks.append(1))
    texts = []
    try:
        for seen in (picture, picture, other, picture):
            request = Request(seen, (Turn("What is this?"),), Sampling(max_new_tokens=20))
            texts.append(engine.answer(request, lambda _: None, threading.Event()).text)
    finally:
        hook.remove()
    assert len(looks) in (2, 3)
    assert texts[0] == texts[1] == texts[3] != texts[2]


# ---- the trace


def test_trace_has_the_keys_of_the_golden_one(ask, engine, picture):
    answer, _ = ask()
    request = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=20))
    trace = json.loads(as_json(engine.trace(request, answer)))
    assert set(trace) >= {
        "prompt",
        "input_ids",
        "image_size",
        "pad_background_rgb",
        "images_tensor_shape",
        "image_features_shape_before_projector",
        "image_features_shape_after_projector",
        "output_ids_generated",
        "text",
        "stop_str",
        "max_new_tokens",
    }
    assert trace["input_ids"].count(-200) == 1
    assert trace["image_size"] == [100, 70]
    assert trace["padded_size"] == [100, 100]
    assert trace["patch_grid"] == [4, 4]
    assert trace["image_tokens"] == 16
    assert trace["images_tensor_shape"] == [1, 3, 56, 56]
    assert trace["image_features_shape_before_projector"] == [1, 16, 32]
    assert trace["image_features_shape_after_projector"] == [1, 16, 48]
    assert trace["output_ids_generated"] == list(answer.output_ids)
    assert trace["text"] == answer.text
    assert trace["max_new_tokens"] == 20


def test_trace_has_a_piece_for_every_id_and_what_each_stage_took(ask, engine, picture):
    answer, _ = ask()
    request = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=20))
    trace = engine.trace(request, answer)
    pieces = trace.input.pieces
    assert len(pieces) == len(trace.input.ids)
    assert pieces[0] == "<s>"
    assert pieces[trace.input.ids.index(-200)] == "<image>"
    assert "".join(pieces).replace("▁", " ").endswith("ASSISTANT:")
    assert len(trace.output.pieces) == len(answer.output_ids)
    low, high = trace.image.values_range
    assert -3 < low < high < 3
    assert all(time.seconds > 0 for time in trace.times)
    assert trace.times[-1] == StageTime("whole answer", answer.seconds)
    assert {use.name: use.bytes for use in trace.memory}["keys and values"] > 0


def test_trace_of_an_answer_from_the_store_has_the_ids_of_its_text(ask, engine, picture):
    answer, _ = ask()
    request = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=20))
    trace = engine.trace(request, replace(answer, output_ids=()))
    assert not trace.is_output_exact
    assert engine.trace(request, answer).is_output_exact
    assert trace.output.ids


def test_closed_engine_lets_go_of_its_weights(opened, tiny_original_layout):
    import gc
    import weakref

    engine = opened(tiny_original_layout)
    weight = weakref.ref(engine._model.lm_head.weight)
    engine.close()
    gc.collect()
    assert weight() is None


# ---- closing


def test_closed_engine_says_so_and_may_be_closed_again(opened, tiny_original_layout, picture):
    engine = opened(tiny_original_layout)
    request = Request(picture, (Turn("What is it?"),), Sampling(max_new_tokens=3))
    answer = engine.answer(request, lambda piece: None, threading.Event())
    engine.close()
    engine.close()
    assert engine.facts.preprocessing
    tokenizer = Tokenizer.load(tiny_original_layout)
    assert engine.facts.count_tokens
    assert engine.facts.count_tokens("What is it?") == len(tokenizer.encode_parts(["What is it?"]))
    for ask in (
        lambda: engine.answer(request, lambda piece: None, threading.Event()),
        lambda: list(engine.answer_all([request], threading.Event(), slots=2)),
        lambda: engine.evidence(request, answer, threading.Event()),
        lambda: engine.trace(request, answer),
    ):
        with pytest.raises(EngineError, match="was unloaded"):
            ask()


def test_engine_closed_amid_many_answers_ends_quietly(opened, tiny_original_layout, picture):
    engine = opened(tiny_original_layout)
    requests = [
        Request(picture, (Turn(f"What is {number}?"),), Sampling(max_new_tokens=3))
        for number in range(6)
    ]
    answers = engine.answer_all(requests, threading.Event(), slots=2)
    next(answers)
    engine.close()
    answers.close()
