import json
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer

from core.chat.processor import load_processor
from core.device.memory import memory_need
from core.engine import Capability, inspectable, picture_preparation
from core.errors import (
    AppError,
    Cancelled,
    CheckpointError,
    EngineError,
    OutOfMemory,
    PromptError,
)
from core.open_engine import open_engine
from core.picture import Picture
from core.trace import as_markdown
from core.transcript import Ending, ModelChoice, Precision, Request, Sampling, Turn
from tests.support.tiers import mostly_slow, slowly
from tests.support.tiny_chat import (
    FAMILIES,
    IMAGE,
    MORE_FAMILIES,
    as_if_tried,
    write_chat_model,
)

# For what is the same code for all of them: tiles, grids of any size, and one size for all.
A_FEW = ("llava_next", "qwen3_vl", "idefics3", "gemma3")
SEVERAL = ("llava_onevision", "qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3", "gemma3")
TALL = Picture(None, Image.effect_noise((60, 120), 90).convert("RGB"))
WIDE = Picture(None, Image.effect_noise((400, 24), 90).convert("RGB"))


@pytest.fixture(scope="module")
def folder_of(chat_folders, tmp_path_factory):
    """The folder of a family, also of those that the window offers none of."""
    more = {}

    def folder(family):
        if family in MORE_FAMILIES and family not in more:
            written = write_chat_model(tmp_path_factory.mktemp(family), family)
            more[family] = as_if_tried(written)
        return (chat_folders | more)[family]

    return folder


@pytest.fixture(scope="module")
def chat_engines(folder_of, opened):
    """Each family's engine, opened when first asked for."""
    engines = {}

    def engine(family):
        if family not in engines:
            engines[family] = opened(folder_of(family))
        return engines[family]

    yield engine
    for one in engines.values():
        one.close()


def ask(engine, picture, prompt="What is this?", on_piece=lambda piece: None, **how: Any):
    options: dict[str, Any] = {"max_new_tokens": 10} | how
    sampling = Sampling(**options)
    request = Request(picture, (Turn(prompt),), sampling)
    return engine.answer(request, on_piece, threading.Event())


@pytest.fixture
def copied(chat_folders, tmp_path):
    """A family's folder to be spoiled."""

    def copy(family="idefics3"):
        return shutil.copytree(chat_folders[family], tmp_path / family)

    return copy


@pytest.fixture
def opened_as_tried(opened):
    """Opens a folder as if it had been tried before, which takes a process and two seconds."""

    def load(folder):
        return opened(as_if_tried(folder))

    return load


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# ---- every family


@pytest.mark.parametrize("family", FAMILIES)
def test_each_architecture_answers_piece_by_piece(chat_engines, picture, family):
    pieces = []
    answer = ask(chat_engines(family), picture, on_piece=pieces.append)
    assert "".join(pieces) == answer.text
    assert len(answer.output_ids) == answer.tokens == 10
    assert answer.ending == Ending.LENGTH
    assert answer.input_tokens > len("What is this?")


@pytest.mark.parametrize("family", FAMILIES)
def test_each_architecture_sees_the_picture_and_hears_the_question(chat_engines, picture, family):
    engine = chat_engines(family)
    said = ask(engine, picture).output_ids
    assert ask(engine, picture).output_ids == said
    assert ask(engine, TALL).output_ids != said
    assert ask(engine, picture, "Count the dogs.").output_ids != said


@pytest.mark.parametrize("family", mostly_slow(FAMILIES, A_FEW))
def test_pictures_asked_about_together_get_the_answers_they_get_alone(
    chat_engines, picture, family
):
    engine = chat_engines(family)
    requests = [
        Request(one, (Turn(prompt),), Sampling(max_new_tokens=6))
        for one, prompt in ((picture, "a"), (TALL, "What is this, then?"), (picture, "Why?"))
    ]
    alone = [engine.answer(r, lambda piece: None, threading.Event()) for r in requests]
    together = list(engine.answer_all(iter(requests), threading.Event(), slots=3))
    assert [request for request, _ in together] == requests
    assert [answer.output_ids for _, answer in together] == [one.output_ids for one in alone]


@pytest.mark.parametrize("family", mostly_slow(FAMILIES, A_FEW))
def test_images_made_ready_ahead_get_the_answers_they_would_get_anyway(
    chat_engines, picture, family
):
    engine = chat_engines(family)
    said = [ask(engine, one).output_ids for one in (picture, TALL)]
    with ThreadPoolExecutor(2) as openers:
        copies = [replace(one, pixels=one.pixels.copy()) for one in (picture, TALL)]
        ready = list(openers.map(picture_preparation(engine), copies))
    for one in copies:  # What was made of it is not made again.
        one.pixels.paste((0, 0, 0), (0, 0, one.pixels.width, one.pixels.height))
    assert [ask(engine, one).output_ids for one in ready] == said
    requests = [Request(one, (Turn("Why?"),), Sampling(max_new_tokens=6)) for one in ready]
    requests += [
        replace(one, picture=was) for one, was in zip(requests, (picture, TALL), strict=True)
    ]
    together = {
        request: answer.output_ids
        for request, answer in engine.answer_all(requests, threading.Event(), slots=3)
    }
    assert [together[one] for one in requests[:2]] == [together[one] for one in requests[2:]]


def test_image_that_would_fill_the_memory_is_not_made_ready_ahead(copied, opened_as_tried, picture):
    folder = copied("qwen3_vl")
    for name in ("processor_config.json", "preprocessor_config.json"):
        text = (folder / name).read_text()
        (folder / name).write_text(
            text.replace(f'"longest_edge": {16 * 28 * 28}', '"longest_edge": 16000000')
        )
    large = Picture(None, Image.new("RGB", (2000, 1000), "red"))
    with closing(opened_as_tried(folder)) as engine:
        ask(engine, picture)
        ready = [engine.prepare_picture(one) for one in (picture, large, large, picture)]
    assert [one.prepared is not None for one in ready] == [True, False, False, True]
    assert ready[1] == ready[2] == large


@pytest.mark.parametrize("family", mostly_slow(FAMILIES, A_FEW))
def test_pieces_of_answers_given_together_make_up_their_texts(chat_engines, picture, family):
    requests = [
        Request(one, (Turn(prompt),), Sampling(max_new_tokens=12))
        for one, prompt in ((picture, "a"), (TALL, "What is this, then?"), (picture, "Why?"))
    ]
    pieces = {request: [] for request in requests}

    def on_piece(request, piece):
        pieces[request].append(piece)

    answers = chat_engines(family).answer_all(
        requests, threading.Event(), slots=3, on_piece=on_piece
    )
    texts = {request: answer.text for request, answer in answers}
    assert {r: "".join(said) for r, said in pieces.items()} == texts
    assert all(texts.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_are_counted_as_the_model_reads_them(chat_engines, chat_folders, family):
    caption = "Two dogs play on a beach, at sunset."
    tokenizer = AutoTokenizer.from_pretrained(chat_folders[family])
    ids = tokenizer(caption, add_special_tokens=False).input_ids
    assert chat_engines(family).facts.count_tokens(caption) == len(ids)


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_plain_transformers(chat_engines, chat_folders, family):
    from transformers import AutoModelForImageTextToText

    plain = AutoModelForImageTextToText.from_pretrained(chat_folders[family])
    mine = chat_engines(family)._model.state_dict()
    theirs = plain.state_dict()
    assert mine.keys() == theirs.keys()
    assert all((mine[name] == theirs[name]).all() for name in theirs)


@pytest.mark.parametrize("family", SEVERAL)
def test_question_may_be_about_several_pictures(chat_engines, picture, family):
    engine = chat_engines(family)
    assert engine.facts.most_pictures > 1
    request = Request(picture, (Turn("Which is taller?"),), Sampling(max_new_tokens=16))
    one, both, turned = (
        engine.answer(asked, lambda piece: None, threading.Event())
        for asked in (
            request,
            replace(request, others=(TALL,)),
            replace(request, picture=TALL, others=(picture,)),
        )
    )
    assert both.input_tokens != one.input_tokens
    assert both.output_ids != one.output_ids
    assert both.output_ids != turned.output_ids


# The conversation that BakLLaVA was trained with, as a chat template.
LLAVA_V1_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
LLAVA_V1 = (
    f"{LLAVA_V1_SYSTEM} "
    "{% for message in messages %}{% set is_user = message['role'] == 'user' %}"
    "{{ 'USER: ' if is_user else 'ASSISTANT: ' }}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{{ ' ' if is_user else '</s>' }}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def test_bakllava_reads_and_sees_what_its_authors_code_gives_it(copied, opened_as_tried, picture):
    """Their prompt is that of LLaVA-1.5's version 1, and their images are cropped as CLIP's are."""
    folder = copied("bakllava")
    (folder / "chat_template.jinja").write_text(LLAVA_V1)
    turns = (Turn("What is this?", "A dog."), Turn("Which?"))
    request = Request(picture, turns, Sampling(max_new_tokens=8))
    with closing(opened_as_tried(folder)) as engine:
        answer, theirs = (
            one.answer(request, lambda piece: None, threading.Event())
            for one in (engine, engine.by_generate())
        )
        assert answer.output_ids == theirs.output_ids
        assert engine.trace(request, answer).prompt == (
            f"{LLAVA_V1_SYSTEM} USER: <image>\nWhat is this? ASSISTANT: A dog.</s>"
            "USER: Which? ASSISTANT:"
        )
    images = load_processor(folder, AutoConfig.from_pretrained(folder)).image_processor
    width, height = round(picture.pixels.width * IMAGE / picture.pixels.height), IMAGE
    left = (width - IMAGE) // 2
    shrunk = picture.pixels.resize((width, height), Image.Resampling.BICUBIC)
    cropped = np.asarray(shrunk.crop((left, 0, left + IMAGE, IMAGE)), np.float32) / 255
    mean, deviation = (np.array(one) for one in (images.image_mean, images.image_std))
    wanted = ((cropped - mean) / deviation).transpose(2, 0, 1)
    given = images(picture.pixels, return_tensors="np")["pixel_values"][0]
    assert given == pytest.approx(wanted, abs=1e-5)


# ---- those with a decoder like LLaVA-1.5's, which our own loop runs

IN_LOOP = tuple(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_slots_are_said_to_be_there_where_our_own_loop_runs_the_model(chat_engines, family):
    can = chat_engines(family).facts.why_not(Capability.SLOTS) is None
    assert can == (family in IN_LOOP)


@pytest.mark.parametrize("family", mostly_slow(IN_LOOP, A_FEW))
def test_our_own_loop_says_what_generate_says(chat_engines, picture, family):
    engine = chat_engines(family)
    plain = engine.by_generate()
    first = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=24))
    said = plain.answer(first, lambda piece: None, threading.Event())
    following = replace(first, turns=(Turn("What is this?", said.text), Turn("And what else?")))
    requests = [first, following, replace(first, picture=TALL), replace(following, picture=TALL)]
    requests.append(replace(first, picture=WIDE))
    wanted = [one.output_ids for _, one in plain.answer_all(requests, threading.Event(), slots=1)]
    # The second finds the image of the first in the cache, the third another one.
    one_by_one = [engine.answer(one, lambda piece: None, threading.Event()) for one in requests]
    assert [one.output_ids for one in one_by_one] == wanted
    together = dict(engine.answer_all(requests, threading.Event(), slots=3))
    assert [together[one].output_ids for one in requests] == wanted
    assert len(set(wanted)) == 5


@pytest.mark.parametrize("family", sorted({*SEVERAL} & {*IN_LOOP}))
def test_our_own_loop_says_the_same_of_several_pictures(chat_engines, picture, family):
    engine = chat_engines(family)
    question = (Turn("Which is taller?"),)
    asked = Request(picture, question, Sampling(max_new_tokens=24), others=(TALL, WIDE))
    pair = (engine, engine.by_generate())
    ids = [one.answer(asked, lambda piece: None, threading.Event()).output_ids for one in pair]
    assert ids[0] == ids[1]


@pytest.mark.slow
@pytest.mark.parametrize("family", MORE_FAMILIES)
def test_families_that_the_window_offers_none_of_say_what_generate_says(
    chat_engines, picture, family
):
    engine = chat_engines(family)
    assert not engine.facts.missing
    asked = [
        Request(one, (Turn("What is this?"),), Sampling(max_new_tokens=24), others=others)
        for one, others in ((picture, ()), (TALL, ()), (WIDE, ()), (picture, (TALL,)))
    ]
    asked = asked[: 3 if engine.facts.most_pictures == 1 else 4]
    plain = engine.by_generate()
    alone = [one.answer(each, lambda piece: None, threading.Event())
             for one in (engine, plain) for each in asked]  # fmt: skip
    ids = [answer.output_ids for answer in alone]
    assert ids[: len(asked)] == ids[len(asked) :]
    together = dict(engine.answer_all(asked, threading.Event(), slots=3))
    assert [together[one].output_ids for one in asked] == ids[: len(asked)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_model_that_reads_its_prompt_in_both_directions_is_left_to_generate(
    tmp_path, opened_as_tried, picture
):
    with closing(opened_as_tried(write_chat_model(tmp_path, "paligemma"))) as engine:
        assert Capability.EVIDENCE in engine.facts.missing
        assert len(ask(engine, picture).output_ids) == 10


# ---- one family stands for all


@pytest.fixture
def engine(chat_engines):
    return chat_engines("idefics3")


def test_more_pictures_than_the_model_takes_are_refused(chat_engines, picture):
    request = Request(picture, (Turn("Which?"),), others=(TALL,))
    with pytest.raises(PromptError, match="takes one image at a time"):
        chat_engines("llava_next").answer(request, lambda piece: None, threading.Event())


def test_what_such_a_model_cannot_do_is_reported_with_the_reason(engine):
    assert engine.facts.missing == {}
    plain = engine.by_generate()
    assert set(plain.facts.missing) == {
        Capability.EVIDENCE,
        Capability.MAPS,
        Capability.SLOTS,
        Capability.TRACE,
    }
    for capability in (Capability.EVIDENCE, Capability.MAPS):
        with pytest.raises(EngineError, match=r"rest on cannot be measured.*Load LLaVA-1\.5"):
            inspectable(plain, capability)


@pytest.mark.parametrize("family", mostly_slow([*FAMILIES, *MORE_FAMILIES], A_FEW))
def test_probabilities_of_an_answer_s_tokens_are_those_of_transformers(
    chat_engines, folder_of, picture, family
):
    engine = chat_engines(family)
    request = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=12))
    answer = engine.answer(request, lambda piece: None, threading.Event())
    evidence = engine.evidence(request, answer, threading.Event())
    with_it, without_it = (
        _log_probabilities(folder_of(family), pixels, answer.output_ids)
        for pixels in (picture.pixels, _plain(picture.pixels, folder_of(family)))
    )
    assert [one.id for one in evidence.tokens] == list(answer.output_ids)
    trace = engine.trace(request, answer)
    assert trace.output.ids == answer.output_ids
    assert trace.positions == answer.input_tokens
    assert len(trace.input.ids) == len(trace.input.pieces)
    assert as_markdown(trace).count("None") == 0
    assert [one.log_p for one in evidence.tokens] == pytest.approx(with_it, abs=2e-4)
    mine = [one.log_p_without_picture for one in evidence.tokens]
    assert mine == pytest.approx(without_it, abs=2e-4)
    assert with_it != pytest.approx(without_it, abs=2e-4)
    # The next answer is made from the same as before.
    again = engine.answer(request, lambda piece: None, threading.Event())
    assert again.output_ids == answer.output_ids


def _plain(pixels, folder):
    processor = load_processor(folder, AutoConfig.from_pretrained(folder))
    mean = processor.image_processor.image_mean
    # Gemma 4 takes pixels from 0 to 1 as they are.
    mean = mean if any(mean) else (128 / 255,) * 3
    return Image.new("RGB", pixels.size, tuple(round(255 * value) for value in mean))


def _log_probabilities(folder, pixels, ids):
    """Those of `ids` as the answer to "What is this?", by transformers alone."""
    import torch
    from transformers import AutoModelForImageTextToText

    model: Any = AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = load_processor(folder, model.config)
    content = [{"type": "image"}, {"type": "text", "text": "What is this?"}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    begins = prompt.startswith("<s>")
    inputs = processor(
        text=[prompt], images=[[pixels]], return_tensors="pt", add_special_tokens=not begins
    )
    with torch.inference_mode():
        scores = model.generate(
            **inputs,
            max_new_tokens=len(ids),
            do_sample=False,
            eos_token_id=None,
            logits_processor=[_Forced(inputs["input_ids"].shape[1], ids)],
            output_logits=True,
            return_dict_in_generate=True,
        ).logits
    return [float(row[0].log_softmax(-1)[one]) for row, one in zip(scores, ids, strict=True)]


class _Forced:
    """Makes `generate()` say these ids."""

    def __init__(self, length, ids):
        self.length, self.ids = length, ids

    def __call__(self, given, scores):
        forced = scores.clone().fill_(float("-inf"))
        forced[:, self.ids[given.shape[1] - self.length]] = 0
        return forced


def test_stop_ends_the_answer_after_the_token_under_way(engine, picture):
    stop = threading.Event()
    pieces = []

    def on_piece(piece):
        pieces.append(piece)
        stop.set()

    request = Request(picture, (Turn("Tell me."),), Sampling(max_new_tokens=1500))
    answer = engine.answer(request, on_piece, stop)
    assert answer.ending == Ending.STOPPED
    assert answer.tokens < 100
    assert answer.text == "".join(pieces)


def test_stop_before_the_answer_and_between_groups(engine, picture):
    stop = threading.Event()
    requests = [Request(picture, (Turn(f"{n}?"),), Sampling(max_new_tokens=3)) for n in range(4)]
    answers = engine.answer_all(iter(requests), stop, slots=2)
    first = next(answers)
    stop.set()
    assert len([first, *answers]) == 2
    assert engine.answer(requests[0], lambda piece: None, stop).ending == Ending.STOPPED


@pytest.mark.parametrize("family", ["idefics3", "gemma3"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_request_of_a_group_is_stopped_or_refused_and_the_others_go_on(
    chat_engines, picture, family, temperature
):
    engine = chat_engines(family)
    sampling = Sampling(temperature=temperature, max_new_tokens=6)
    long = replace(sampling, max_new_tokens=7)
    one, other = (Request(picture, (Turn(prompt),), sampling) for prompt in ("a", "What?"))
    stopped, last = (Request(picture, (Turn(prompt),), long) for prompt in ("b", "c"))
    refused = []
    answers = dict(
        engine.answer_all(
            [Request(picture, (), sampling), one, other, None, stopped, None, last],
            threading.Event(),
            slots=4,
            is_stopped=lambda request: request is stopped,
            on_refused=lambda request, error: refused.append(type(error)),
        )
    )
    assert refused == [PromptError]
    assert set(answers) == {one, other, stopped, last}
    assert answers[stopped].ending == Ending.STOPPED
    for request in (one, other, last):
        alone = engine.answer(request, lambda piece: None, threading.Event())
        assert answers[request].output_ids == alone.output_ids


def test_same_seed_gives_the_same_words_and_another_one_others(engine, picture):
    how = {"temperature": 1.0, "max_new_tokens": 12}
    said = ask(engine, picture, seed=3, **how)
    assert ask(engine, picture, seed=3, **how).output_ids == said.output_ids
    assert ask(engine, picture, seed=4, **how).output_ids != said.output_ids
    drawn = ask(engine, picture, seed=None, **how)
    assert ask(engine, picture, seed=drawn.seed, **how).output_ids == drawn.output_ids


def test_drawn_answers_of_a_group_are_those_of_each_alone(engine, picture):
    sampling = Sampling(temperature=1.0, max_new_tokens=6, seed=5)
    requests = [Request(one, (Turn("What?"),), sampling) for one in (picture, TALL)]
    alone = [engine.answer(r, lambda piece: None, threading.Event()) for r in requests]
    group = [answer for _, answer in engine.answer_all(requests, threading.Event(), slots=2)]
    assert [one.output_ids for one in group] == [one.output_ids for one in alone]


def test_beams_and_repetition_penalty_are_passed_on(engine, picture):
    said = ask(engine, picture, "aaaa", max_new_tokens=12)
    pieces = []
    beams = ask(engine, picture, "aaaa", max_new_tokens=12, beams=4, on_piece=pieces.append)
    assert pieces == [beams.text]
    assert beams.output_ids != said.output_ids
    long = ask(engine, picture, "aaaa", max_new_tokens=40)
    fresh = ask(engine, picture, "aaaa", max_new_tokens=40, repetition_penalty=2.0)
    assert len(set(fresh.output_ids)) > len(set(long.output_ids))


def test_banned_words_are_not_said(engine, picture):
    said = ask(engine, picture, max_new_tokens=20).text
    letter = next(letter for letter in said if letter.isascii() and letter.isalpha())
    rid = ask(engine, picture, max_new_tokens=20, banned_words=(letter,)).text
    alone = rf"(?<!\w){letter}(?!\w)"
    assert re.search(alone, rid, re.IGNORECASE) is None
    assert rid != said


def test_end_of_sequence_ends_the_answer(copied, opened_as_tried, picture):
    folder = copied()
    said = ask(opened_as_tried(folder), picture).output_ids
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, said[4]]}))
    answer = ask(opened_as_tried(folder), picture)
    assert answer.ending == Ending.COMPLETE
    assert answer.output_ids == said[: said.index(said[4])]


def test_answer_goes_on_from_its_beginning_and_earlier_turns(engine, picture):
    request = Request(picture, (Turn("What?"),), Sampling(max_new_tokens=8))
    plain, begun, later = (
        engine.answer(asked, lambda piece: None, threading.Event()).output_ids
        for asked in (
            request,
            replace(request, beginning="It is"),
            replace(request, turns=(Turn("What?", "A dog."), Turn("What?"))),
        )
    )
    assert len({plain, begun, later}) == 3


def test_what_a_person_types_never_becomes_a_mark(engine, picture):
    plain = ask(engine, picture, "Is it <image> or not?")
    assert plain.input_tokens == ask(engine, picture, "Is it (image) or not?").input_tokens + 3


def test_oldest_turns_are_left_out_and_a_too_long_question_is_refused(engine, picture):
    turns = (Turn("First?", "a" * 900), Turn("Second?", "b" * 900), Turn("Third?"))
    request = Request(picture, turns, Sampling(max_new_tokens=300))
    answer = engine.answer(request, lambda piece: None, threading.Event())
    assert answer.left_out == 1
    with pytest.raises(PromptError, match="the model reads 2048"):
        ask(engine, picture, "x" * 3000)
    with pytest.raises(PromptError, match=r"too long.*reads 2048"):
        ask(engine, picture, "x" * 300_000)


@pytest.mark.parametrize("precision", [Precision.BITS_8, Precision.BITS_4])
def test_fewer_bits_take_less_memory_and_still_answer(chat_folders, engine, picture, precision):
    choice = ModelChoice(str(chat_folders["idefics3"]), "cpu", precision)
    smaller = open_engine(choice, lambda *_: None, threading.Event())
    assert smaller.facts.dtype == precision
    assert smaller.facts.memory_bytes < engine.facts.memory_bytes
    assert len(ask(smaller, picture).output_ids) == 10


# ---- loading


@pytest.mark.parametrize(("family", "can"), [("llava_next", True), ("gemma3", False)])
def test_kv_cache_in_8_bits_is_used_or_said_to_be_impossible(chat_folders, picture, family, can):
    choice = ModelChoice(str(chat_folders[family]), "cpu", quantizes_cache=True)
    engine = open_engine(choice, lambda *_: None, threading.Event())
    assert engine.facts.quantizes_cache is can
    assert ("This model's KV cache cannot be kept in 8 bits." in engine.facts.notes) is not can
    assert ask(engine, picture).text
    engine.close()


def test_loading_tells_how_far_it_is_and_can_be_cancelled(opened, chat_folders):
    reports = []
    opened(chat_folders["gemma3"], on_progress=lambda *report: reports.append(report)).close()
    fractions = [fraction for fraction, _ in reports]
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert fractions == sorted(fractions)
    assert len({stage for _, stage in reports}) >= 5
    stop = threading.Event()

    def on_progress(fraction, stage):
        if stage == "Loading the weights":
            stop.set()

    with pytest.raises(Cancelled):
        opened(chat_folders["gemma3"], on_progress=on_progress, stop=stop)


def test_too_little_memory_is_said_with_the_precision_that_fits(opened, chat_folders, monkeypatch):
    config = json.loads((chat_folders["gemma3"] / "config.json").read_text())
    stored = load_file(chat_folders["gemma3"] / "model.safetensors").values()
    parameters = sum(tensor.numel() for tensor in stored)
    enough = memory_need(config, Precision.BITS_16, device="cpu", parameters=parameters).total
    monkeypatch.setattr("core.device.choice.free_memory", lambda device: enough)
    with pytest.raises(OutOfMemory, match=r"In float32, .* Load it in 16-bit") as raised:
        opened(chat_folders["gemma3"])
    assert raised.value.precision == "16-bit"


def test_missing_and_misshapen_weights_are_errors(copied, opened):
    folder = copied()
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "q_proj" in name)
    whole = tensors.pop(name)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(
        CheckpointError,
        match=r"describes \S+ \S+ parameters|describes \S+ parameters|lack a tensor",
    ):
        opened(folder)
    save_file(tensors | {name: whole[:-1].clone()}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="do not match config"):
        opened(folder)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"architectures": ["SomethingForCausalLM"]}, "unknown kind \\(SomethingForCausalLM"),
        ({"model_type": "no such"}, "unknown kind"),
        ({"model_type": None}, "unknown kind"),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "does not take images"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "program code"),
        ({"text_config": {"hidden_size": -1}}, "hidden_size is -1"),
        ({"text_config": {"num_hidden_layers": 900}}, "gives num_hidden_layers as 900"),
        ({"quantization_config": {"load_in_4bit": True}}, "already quantised"),
    ],
)
def test_foreign_or_impossible_settings_are_refused(copied, opened, changes, cause):
    folder = copied()
    change_config(folder, **changes)
    with pytest.raises(CheckpointError, match=cause):
        opened(folder)


def test_config_that_would_fetch_kernels_or_change_the_model_is_not_obeyed(copied, opened_as_tried):
    folder = copied()
    config = json.loads((folder / "config.json").read_text())
    asks = {"attn_implementation": "someone/kernel", "fusion_config": {"patch_embeddings": True}}
    change_config(folder, **asks, text_config=config["text_config"] | asks)
    engine = opened_as_tried(folder)
    assert engine._model.config._attn_implementation == "sdpa"
    assert engine._model.config.get_text_config()._attn_implementation == "sdpa"
    engine.close()


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('no way') }}",
        # Each starts a process.
        *map(
            slowly,
            (
                "{% for %}",
                "{{ 1 / 0 }}",
                "{% for n in range(10 ** 9) %}{% endfor %}",
                "{{ 'a' * 10 ** 7 }}",
                "{{ a.b.c }}",
                "{% for m in messages %}{{ m.role + m.content }}{% endfor %}",
                "{{ messages.__class__.__mro__ }}",
            ),
        ),
    ],
)
def test_chat_template_that_fails_is_told_however_it_fails(copied, opened, picture, template):
    folder = copied("gemma3")
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(CheckpointError, match="chat template does not take this conversation"):
        ask(opened(folder), picture)


def test_chat_template_reaches_nothing_of_python(copied, opened_as_tried, picture):
    folder = copied("gemma3")
    template = "{{ cycler.__init__.__globals__.os.getcwd() }}"
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(CheckpointError, match="chat template does not take this conversation"):
        ask(opened_as_tried(folder), picture)


@pytest.mark.parametrize("slots", [0, 2])
@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("qwen2_5_vl", {"merge_size": 0}),
        slowly("qwen2_5_vl", {"patch_size": 0}),
        slowly("qwen2_5_vl", {"patch_size": -1, "merge_size": 0}),
        slowly("qwen2_5_vl", {"temporal_patch_size": 0}),
        slowly("llava_next", {"image_grid_pinpoints": [[0, 0]]}),
        slowly("llava_next", {"image_grid_pinpoints": 3}),
        ("gemma3", {"image_mean": "a"}),
        slowly("gemma3", {"size": {"height": 0, "width": 0}}),
    ],
)
def test_image_processor_that_fails_is_told_however_it_fails(
    copied, opened_as_tried, picture, family, changes, slots
):
    folder = copied(family)
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = folder / name
        if path.is_file():
            content = json.loads(path.read_text())
            content.get("image_processor", content).update(changes)
            path.write_text(json.dumps(content))
    engine = opened_as_tried(folder)
    request = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=2))

    def use():
        if slots:
            list(engine.answer_all([request] * 2, threading.Event(), slots=slots))
        else:
            engine.answer(request, lambda piece: None, threading.Event())

    with pytest.raises(AppError) as raised:
        use()
    assert str(raised.value).endswith(("Try another image or model.", "or reload the model."))
    engine.close()


def test_mistral_with_a_sliding_window_runs_by_our_own_loop_within_it(copied, opened, picture):
    folder = copied("bakllava")
    config = json.loads((folder / "config.json").read_text())
    text = config["text_config"] | {"sliding_window": 4096, "max_position_embeddings": 32768}
    change_config(folder, text_config=text)
    with closing(opened(folder)) as engine:
        assert engine.facts.context_length == 4096
        assert engine.facts.missing == {}
        assert ask(engine, picture).output_ids == ask(engine.by_generate(), picture).output_ids


def test_gemma_3n_is_refused_with_the_library_that_its_tower_is_in(copied, opened):
    folder = copied("gemma3")
    kind = "Gemma3nForConditionalGeneration"
    change_config(folder, model_type="gemma3n", architectures=[kind], text_config={})
    with pytest.raises(CheckpointError, match=f"{kind} needs a library.*timm.*Choose another"):
        opened(folder)


def test_model_without_a_chat_template_is_refused(copied, opened_as_tried):
    folder = copied()
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(CheckpointError, match="no chat template"):
        opened_as_tried(folder)


def test_folder_without_a_tokenizer_is_refused(copied, opened):
    folder = copied()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match="cannot be used"):
        opened(folder)


def test_closed_engine_says_so_and_may_be_closed_again(chat_folders, opened, picture):
    engine = opened(chat_folders["idefics3"])
    engine.close()
    engine.close()
    request = Request(picture, (Turn("What is it?"),), Sampling(max_new_tokens=3))
    with pytest.raises(EngineError, match="was unloaded"):
        engine.answer(request, lambda piece: None, threading.Event())
    with pytest.raises(EngineError, match="was unloaded"):
        list(engine.answer_all([request] * 3, threading.Event(), slots=2))
