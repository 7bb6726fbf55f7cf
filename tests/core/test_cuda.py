"""The pipeline on a graphics card; also `python tests/core/test_cuda.py`, without pytest.

Words after it choose among the tests: `python tests/core/test_cuda.py spread cards`.
"""

import gc
import json
import logging
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
else:
    import pytest

    pytestmark = pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA graphics card is here"
    )

from PIL import Image
from safetensors.torch import load_file, save_file

from core import open_engine as checkpoint_module
from core.batch import Batch, BatchOptions, Control, ItemState
from core.chat.engine import ChatEngine
from core.device import choice as device_module
from core.device.float8 import has_float8
from core.device.memory import PRECISIONS, memory_need
from core.engine import Engine
from core.engine_group.cards import sources_on
from core.engine_group.group import EngineGroup
from core.errors import EngineError, OutOfMemory
from core.llava.cuda_graphs import to_device
from core.llava.engine import LlavaEngine
from core.llava.quantized_linear import QuantizedLinear
from core.open_engine import open_engine
from core.picture import Picture
from core.terminal import main as terminal
from core.transcript import Answer, Ending, ModelChoice, Precision, Request, Sampling, Turn
from tests.support.loading_peak import measure
from tests.support.looking_chat import SIZES, require_right_places, write_looking_model
from tests.support.tiny_chat import (
    FAMILIES,
    IN_SEVENS,
    MORE_FAMILIES,
    WIDE,
    as_if_tried,
    write_chat_model,
)
from tests.support.tiny_llava import (
    TINY,
    Sizes,
    random_weights,
    shapes,
    write_original_layout,
    write_transformers_layout,
)

# The widths of LLaVA-1.5-7b in a tenth of its depth: about 2 GB in float16.
MIDDLING = Sizes(
    hidden=4096,
    mlp=11008,
    layers=4,
    heads=32,
    context=4096,
    vision_hidden=1024,
    vision_mlp=4096,
    vision_layers=6,
    vision_heads=16,
    image_size=336,
)
PICTURE = Picture(None, Image.radial_gradient("L").resize((100, 70)).convert("RGB"))


def load(
    folder: Path, device: str = "cuda", dtype: str = "auto", *, quantizes_cache: bool = False
) -> LlavaEngine | ChatEngine:
    choice = ModelChoice(str(folder), device, Precision(dtype), quantizes_cache=quantizes_cache)
    return open_engine(choice, lambda *_: None, threading.Event())


def write_chat(folder: Path, family: str, **text) -> Path:
    return as_if_tried(write_chat_model(folder / family, family, **text))


def ask(engine: Engine, sampling: Sampling, stop_after: int = 0):
    stop = threading.Event()
    pieces = []

    def hear(piece):
        pieces.append(piece)
        if len(pieces) == stop_after:
            stop.set()

    request = Request(PICTURE, (Turn("What is this?"),), sampling)
    return engine.answer(request, hear, stop), pieces


def logits(engine: LlavaEngine | ChatEngine) -> torch.Tensor:
    assert isinstance(engine, LlavaEngine)
    path = engine._generate_path
    inputs = engine._prepare(Request(PICTURE, (Turn("What is this?"),)))
    with torch.inference_mode():
        embeddings = path.embed(inputs, path.encode(PICTURE.pixels, inputs).features)
        return engine._model(inputs_embeds=embeddings).logits.float().cpu()


def test_card_gives_the_processors_logits_in_both_layouts(tmp_path):
    wanted = None
    for write in (write_original_layout, write_transformers_layout):
        folder = write(tmp_path / write.__name__)
        if wanted is None:
            wanted = logits(load(folder, "cpu", "float32"))
        for dtype, tolerance in (("float32", 0.02), ("float16", 0.1), ("bfloat16", 0.5)):
            engine = load(folder, "cuda", dtype)
            assert engine.facts.dtype == dtype
            torch.testing.assert_close(logits(engine), wanted, atol=tolerance, rtol=tolerance)
            engine.close()


def test_every_weight_reaches_the_card_as_it_stands_in_the_files(tmp_path):
    """More of them than are read ahead at once, so that the memory they pass through is reused."""
    sizes = replace(TINY, hidden=1024, mlp=4096, layers=6, heads=8)
    folder = write_original_layout(tmp_path / "model", random_weights(sizes), sizes)
    wanted = load(folder, "cpu", "float32")._model.state_dict()
    for dtype in ("float16", "float32"):
        engine = load(folder, "cuda", dtype)
        given = engine._model.state_dict()
        assert given.keys() == wanted.keys()
        for name, tensor in given.items():
            assert torch.equal(tensor.cpu().float(), wanted[name]), name
        engine.close()


def test_card_makes_the_processors_eight_and_four_bits(tmp_path):
    sizes = replace(TINY, hidden=256, mlp=688, heads=4)
    folder = write_original_layout(tmp_path / "model", random_weights(sizes), sizes)
    for dtype in ("8-bit", "4-bit"):
        wanted = dict(load(folder, "cpu", dtype)._model.named_modules())
        engine = load(folder, "cuda", dtype)
        assert engine.facts.dtype == dtype
        compared = 0
        for name, module in engine._model.named_modules():
            if isinstance(module, QuantizedLinear):
                mine = module.quantized.dequantized(torch.float32).cpu()
                processors = wanted[name].quantized.dequantized(torch.float32)
                # Two candidates for a scale may be equally good.
                assert (mine - processors).norm() < 0.02 * processors.norm(), name
                compared += 1
        assert compared == 7 * sizes.layers + 1
        answer, _ = ask(engine, Sampling(max_new_tokens=8))
        assert answer.tokens > 0
        engine.close()


def test_card_takes_float16_and_names_itself(tmp_path):
    engine = load(write_original_layout(tmp_path / "model"))
    assert engine.facts.dtype == "float16"
    assert engine.facts.device.startswith("cuda")
    assert engine.facts.device_name == torch.cuda.get_device_name()
    assert {tensor.device.type for tensor in engine._model.state_dict().values()} == {"cuda"}
    assert {buffer.device.type for buffer in engine._model.buffers()} == {"cuda"}
    engine.close()


def test_answer_streams_and_the_same_seed_gives_the_same_text(tmp_path):
    engine = load(write_original_layout(tmp_path / "model"))
    sampling = Sampling(temperature=1.0, max_new_tokens=60, seed=4)
    answer, pieces = ask(engine, sampling)
    assert "".join(pieces) == answer.text
    assert len(pieces) > 5
    assert ask(engine, sampling)[0].text == answer.text
    assert ask(engine, replace(sampling, seed=5))[0].text != answer.text
    greedy = Sampling(max_new_tokens=60)
    assert ask(engine, greedy)[0].output_ids == ask(engine, greedy)[0].output_ids
    engine.close()


def test_broken_numbers_are_said_in_every_precision_and_with_several_slots(tmp_path):
    sizes = replace(TINY, hidden=256, mlp=688, heads=4)
    weights = random_weights(sizes)
    weights["lm_head.weight"].view(-1)[7] = float("nan")
    folder = write_original_layout(tmp_path / "model", weights, sizes)
    for dtype in ("float16", "bfloat16", "float32"):
        engine = load(folder, dtype=dtype)
        for sampling in (
            Sampling(max_new_tokens=8),
            Sampling(max_new_tokens=8, temperature=1.0, seed=1),
            Sampling(max_new_tokens=8, beams=2),
        ):
            assert _fails_with_broken_numbers(lambda: ask(engine, sampling))  # noqa: B023
        requests = [Request(PICTURE, (Turn(prompt),)) for prompt in ("What?", "Who?", "Why?")]
        assert _fails_with_broken_numbers(
            lambda: list(engine.answer_all(requests, threading.Event(), slots=3))  # noqa: B023
        )
        engine.close()


def _fails_with_broken_numbers(answer) -> bool:
    try:
        answer()
    except EngineError as error:
        return "invalid numbers" in str(error)
    return False


def test_stop_takes_effect_within_one_token(tmp_path):
    engine = load(write_original_layout(tmp_path / "model"))
    stop = threading.Event()
    said_after_stop = []

    def hear(piece):
        if stop.is_set():
            said_after_stop.append(piece)
        stop.set()

    sampling = Sampling(temperature=1.0, max_new_tokens=400, seed=1)
    answer = engine.answer(Request(PICTURE, (Turn("What?"),), sampling), hear, stop)
    assert answer.ending is Ending.STOPPED
    # Generation runs concurrently with the listener and may be a token or two ahead of it.
    assert answer.tokens < 40
    whole, _ = ask(engine, Sampling(max_new_tokens=20))
    assert whole.tokens == 20
    engine.close()


def test_memory_used_up_is_reported_and_the_next_answer_works(tmp_path):
    """A prompt in very many beams needs more than any card has."""
    sizes = replace(TINY, hidden=1024, mlp=2048, heads=8, layers=4, context=4096)
    folder = write_original_layout(tmp_path / "model", random_weights(sizes), sizes)
    engine = load(folder)
    card = torch.cuda.current_device()
    total = torch.cuda.get_device_properties(card).total_memory
    # No more than 2 GB from here on, so that the others on this card are not troubled.
    used = torch.cuda.memory_reserved(card)
    torch.cuda.set_per_process_memory_fraction(min(1.0, (used + 2e9) / total), card)
    try:
        for _ in range(2):
            message = ""
            try:
                ask(engine, Sampling(beams=4000, max_new_tokens=200))
            except OutOfMemory as error:
                message = error.message
            assert "graphics card" in message
            assert torch.cuda.memory_allocated(card) < used + 5e8
            assert ask(engine, Sampling(max_new_tokens=20))[0].tokens == 20
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, card)
    engine.close()


def test_folder_run_with_more_slots_than_the_card_holds_takes_fewer(tmp_path):
    """1,024 slots of 3 MB; 2 GB are there."""
    sizes = replace(TINY, hidden=1024, mlp=2048, heads=8, layers=4, context=4096)
    engine = load(write_original_layout(tmp_path / "model", random_weights(sizes), sizes))
    (tmp_path / "pictures").mkdir()
    for number in range(6):
        PICTURE.pixels.rotate(number).save(tmp_path / "pictures" / f"{number}.png")
    options = BatchOptions(("What is this?",), sampling=Sampling(max_new_tokens=20))
    batch = Batch.begin([tmp_path / "pictures"], options, tmp_path / "journals")
    card = torch.cuda.current_device()
    total = torch.cuda.get_device_properties(card).total_memory
    used = torch.cuda.memory_reserved(card)
    torch.cuda.set_per_process_memory_fraction(min(1.0, (used + 2e9) / total), card)
    try:
        assert batch.run(engine, Control(), slots=1024).done == 6
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, card)
    batch.close()
    sys.stderr.write(f"{batch.notes}\n")
    assert "512 images are now captioned at once" in batch.notes[0]
    assert len(list((tmp_path / "pictures").glob("*.txt"))) == 6
    engine.close()


def test_closed_engine_gives_its_memory_back(tmp_path):
    folder = write_original_layout(tmp_path / "model")
    gc.collect()
    before = torch.cuda.memory_allocated()
    engine = load(folder)
    ask(engine, Sampling(max_new_tokens=5))
    assert torch.cuda.memory_allocated() > before
    engine.close()
    # The library that multiplies matrices keeps a workspace of its own.
    assert torch.cuda.memory_allocated() < before + 100e6


def test_large_shards_reach_the_card_without_a_copy_on_the_host(tmp_path):
    """About 2 GB in the widths of the 7B; under a minute."""
    started = time.perf_counter()
    weights = random_weights_quickly(MIDDLING)
    folder = write_original_layout(tmp_path / "model", weights, MIDDLING, shards=4)
    del weights
    gc.collect()
    largest = max(path.stat().st_size for path in folder.glob("*.safetensors"))
    written = time.perf_counter()
    peak, size = measure(folder, "cuda", "float16")
    measured = time.perf_counter()
    engine = load(folder)
    loaded = time.perf_counter()
    answer, _ = ask(engine, Sampling(max_new_tokens=32))
    sys.stderr.write(
        f"{size / 1e9:.2f} GB: written in {written - started:.1f} s, loaded in "
        f"{loaded - measured:.1f} s; the host's peak {peak / 1e9:.2f} GB, the largest shard "
        f"{largest / 1e9:.2f} GB; {answer.tokens_per_second:.0f} tokens/s, the first after "
        f"{answer.seconds_to_first_token:.2f} s\n"
    )
    assert peak < 1.3 * largest
    engine.close()


def test_terminal_captions_on_the_card(tmp_path):
    folder = write_original_layout(tmp_path / "model")
    PICTURE.pixels.save(tmp_path / "picture.png")
    trace = tmp_path / "trace.json"
    options = f"--model {folder} --device cuda:0 --format json --max-new-tokens 8 --trace {trace}"
    status = terminal.main(["caption", str(tmp_path / "picture.png"), *options.split()])
    assert status == 0
    assert len(json.loads(trace.read_text())["output_ids_generated"]) == 8


def test_loading_more_than_there_is_is_reported_and_other_choices_still_work(tmp_path):
    """The card says that it has room, and then PyTorch may take 100 MB of it."""
    sizes = replace(TINY, hidden=1024, mlp=4096, layers=8, heads=8)
    large = write_original_layout(tmp_path / "large", random_weights(sizes), sizes)
    small = write_original_layout(tmp_path / "small")
    gc.collect()
    torch.cuda.empty_cache()
    card = torch.cuda.current_device()
    total = torch.cuda.get_device_properties(card).total_memory
    before = torch.cuda.memory_allocated(card)
    most = torch.cuda.memory_reserved(card) + 100e6
    torch.cuda.set_per_process_memory_fraction(most / total, card)
    try:
        message = ""
        try:
            load(large)
        except OutOfMemory as error:
            message = error.message
        assert "GB free" in message
        gc.collect()
        assert torch.cuda.memory_allocated(card) < before + 1e6
        for folder, device, dtype in ((small, "cuda", "auto"), (large, "cpu", "bfloat16")):
            engine = load(folder, device, dtype)
            assert ask(engine, Sampling(max_new_tokens=5))[0].tokens == 5
            engine.close()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, card)


def test_model_that_does_not_fit_names_the_precision_that_does(tmp_path):
    sizes = replace(TINY, hidden=1024, mlp=4096, layers=8, heads=8)
    folder = write_original_layout(tmp_path / "model", random_weights(sizes), sizes)
    settings = json.loads((folder / "config.json").read_text())
    tower = json.loads((folder / "clip" / "config.json").read_text())
    needs = [memory_need(settings, name, tower=tower).total for name in PRECISIONS[:2]]
    raised = None
    with free_memory_of(sum(needs) // 2):
        try:
            load(folder)
        except OutOfMemory as error:
            raised = error
        engine = load(folder, dtype="8-bit")
    assert raised is not None
    assert raised.precision == "8-bit"
    assert "Load it in 8-bit" in raised.message
    assert engine.facts.dtype == "8-bit"
    assert ask(engine, Sampling(max_new_tokens=5))[0].tokens == 5
    engine.close()


def test_model_spread_over_card_and_host_says_what_it_says_on_the_card(tmp_path):
    sizes = replace(TINY, hidden=512, mlp=2048, layers=8, heads=8)
    folder = write_original_layout(tmp_path / "model", random_weights(sizes), sizes)
    whole = load(folder, dtype="float32")
    wanted = ask(whole, Sampling(max_new_tokens=20))[0].output_ids
    parameters = whole.facts.memory_bytes // 4
    whole.close()
    settings = json.loads((folder / "config.json").read_text())
    tower = json.loads((folder / "clip" / "config.json").read_text())
    need = memory_need(settings, Precision.FLOAT32, tower=tower, parameters=parameters)
    with free_memory_of(need.total - need.weights // 2):
        choice = ModelChoice(str(folder), "cuda", Precision.FLOAT32, may_spread=True)
        engine = open_engine(choice, lambda *_: None, threading.Event())
    assert "the computer's memory" in engine.facts.notes[-1]
    on_card = sum(tensor.nbytes for tensor in engine._model.parameters() if tensor.is_cuda)
    assert 0 < on_card < 0.8 * need.weights
    for _ in range(2):
        assert ask(engine, Sampling(max_new_tokens=20))[0].output_ids == wanted
    engine.close()


def test_model_spread_over_two_cards_says_what_it_says_on_one(tmp_path):
    if not has_two_cards():
        return
    sizes = replace(TINY, hidden=512, mlp=2048, layers=8, heads=8)
    folder = write_original_layout(tmp_path / "model", random_weights(sizes), sizes)
    whole = load(folder, dtype="float32")
    wanted = ask(whole, Sampling(max_new_tokens=20))[0].output_ids
    parameters = whole.facts.memory_bytes // 4
    whole.close()
    settings = json.loads((folder / "config.json").read_text())
    tower = json.loads((folder / "clip" / "config.json").read_text())
    need = memory_need(settings, Precision.FLOAT32, tower=tower, parameters=parameters)
    for main in (0, 1):
        before = [torch.cuda.memory_allocated(card) for card in range(2)]
        # Either holds some three quarters of the weights.
        with free_memory_of(need.total - need.weights // 4):
            choice = ModelChoice(str(folder), f"cuda:{main}", Precision.FLOAT32, may_spread=True)
            engine = open_engine(choice, lambda *_: None, threading.Event())
        assert engine.facts.notes[-1] == "The model is split across 2 graphics cards."
        lies = dict.fromkeys(range(2), 0)
        for tensor in engine._model.parameters():
            lies[tensor.device.index] += tensor.nbytes
        sys.stderr.write(f"bytes by card: {lies}, words go in at cuda:{main}\n")
        assert all(0 < size < 0.9 * need.weights for size in lies.values())
        sampling = Sampling(max_new_tokens=20)
        for _ in range(2):
            answer, pieces = ask(engine, sampling)
            assert answer.output_ids == wanted
            assert "".join(pieces) == answer.text
        assert ask(engine, Sampling(max_new_tokens=200), stop_after=1)[0].ending is Ending.STOPPED
        engine.close()
        for card in range(2):
            assert torch.cuda.memory_allocated(card) < before[card] + 100e6


def test_other_architecture_spread_over_two_cards_says_what_it_says_on_one(tmp_path):
    if not has_two_cards():
        return
    for family in FAMILIES:
        folder = write_chat(tmp_path, family)
        whole = load(folder, dtype="float32")
        wanted = ask(whole, Sampling(max_new_tokens=12))[0].output_ids
        parameters = whole.facts.memory_bytes // 4
        whole.close()
        config = json.loads((folder / "config.json").read_text())
        need = memory_need(config, Precision.FLOAT32, parameters=parameters)
        with free_memory_of(need.total - need.weights // 4):
            choice = ModelChoice(str(folder), "cuda:0", Precision.FLOAT32, may_spread=True)
            engine = open_engine(choice, lambda *_: None, threading.Event())
        sys.stderr.write(f"{family}: {engine.facts.notes[-1]}\n")
        assert ask(engine, Sampling(max_new_tokens=12))[0].output_ids[:4] == wanted[:4], family
        engine.close()


def test_second_card_says_what_the_first_says(tmp_path):
    """Captured work, kernels of our own and ids that come back, where another card is current."""
    if not has_two_cards():
        return
    sizes = replace(TINY, hidden=256, mlp=688, heads=4)
    folders = [
        write_original_layout(tmp_path / "model", random_weights(sizes), sizes),
        write_chat(tmp_path, "gemma3"),
    ]
    for folder in folders:
        for dtype in ("16-bit", "8-bit", "4-bit"):
            answers = []
            for card in range(2):
                engine = load(folder, f"cuda:{card}", dtype)
                assert {tensor.device.index for tensor in engine._model.parameters()} == {card}
                answers.append([ask(engine, Sampling(max_new_tokens=60))[0] for _ in range(2)])
                engine.close()
            # The second time the picture is kept: fewer rows, other roundings in half precision.
            first, second = ([answer.output_ids for answer in both] for both in answers)
            assert first == second, (folder.name, dtype, first, second)
        assert torch.cuda.current_device() == 0


def test_folder_run_on_two_cards_says_what_one_says_and_outlives_one_of_them(tmp_path):
    if not has_two_cards():
        return
    sizes = replace(TINY, hidden=256, mlp=688, heads=4)
    folder = write_original_layout(tmp_path / "model", random_weights(sizes), sizes)
    # In half precision the words depend on how many images are captioned at once.
    choice = ModelChoice(str(folder), dtype=Precision.FLOAT32)
    captions, count = [], 40
    (tmp_path / "pictures").mkdir()
    for number in range(count):
        PICTURE.pixels.rotate(9 * number).save(tmp_path / "pictures" / f"{number:02}.png")
    options = BatchOptions(("What is this?",), sampling=Sampling(max_new_tokens=20))
    for devices in (["cuda:1"], ["cuda:0", "cuda:1"]):
        used = []
        group = EngineGroup(
            sources_on(devices, choice),
            threading.Event(),
            lambda name, facts, used=used: used.append(name),
        )
        while len(used) < len(devices):
            time.sleep(0.01)
        victims = [] if len(devices) == 1 else [child.pid for child in psutil.Process().children()]

        def on_item(number, item, victims=victims):
            if item.state is ItemState.DONE and victims:
                psutil.Process(victims.pop()).kill()
                victims.clear()

        batch = Batch.begin([tmp_path / "pictures"], replace(options, name=f"{{stem}}-{len(used)}"),
                            tmp_path / "journals")  # fmt: skip
        assert batch.run(group, Control(), on_item, slots=4).waiting == 0
        sys.stderr.write(f"{sorted(used)}: {batch.notes}\n")
        assert sorted(used) == devices
        assert len(batch.notes) == len(devices) - 1
        captions.append([(item.caption, item.reason) for item in batch.items])
        batch.close()
        group.close()
    assert captions[0] == captions[1]


def test_other_architectures_say_on_the_card_what_they_say_on_the_processor(tmp_path):
    for family in FAMILIES | MORE_FAMILIES:
        folder = write_chat(tmp_path, family)
        output_ids = []
        _slots_say_what_single_answers_say(folder)
        for device in ("cpu", "cuda"):
            engine = load(folder, device, "float32")
            answer, pieces = ask(engine, Sampling(max_new_tokens=12))
            assert "".join(pieces) == answer.text
            output_ids.append(answer.output_ids)
            engine.close()
        assert output_ids[0][:4] == output_ids[1][:4], family
        for dtype in ("auto", "8-bit", "4-bit"):
            with refused_captures() as refused:
                engine = load(folder, "cuda", dtype)
                assert ask(engine, Sampling(max_new_tokens=12))[0].output_ids
            assert not refused, (family, dtype, refused)
            assert {tensor.device.type for tensor in engine._model.parameters()} == {"cuda"}
            engine.close()


def _slots_say_what_single_answers_say(folder):
    """By steps of a CUDA graph, whose capture the card must not refuse.

    It may refuse experts in float32: torch multiplies their matrices there in a way that reads on
    the host how many tokens each has.
    """
    engine = load(folder, "cuda", "float32")
    prompts = ("What?", "What is this, then?", "Why is it so?", "a")
    requests = [
        Request(PICTURE, (Turn(prompt),), Sampling(max_new_tokens=12 + number))
        for number, prompt in enumerate(prompts)
    ]
    with refused_captures() as refused:
        alone = [engine.answer(one, lambda _: None, threading.Event()) for one in requests]
        together = dict(engine.answer_all(requests, threading.Event(), slots=3))
    assert not refused or "moe" in folder.name, (folder.name, refused)
    plain = engine.by_generate()
    wanted = [plain.answer(one, lambda _: None, threading.Event()) for one in requests]
    for number, request in enumerate(requests):
        ids = alone[number].output_ids
        assert ids[:4] == wanted[number].output_ids[:4] == together[request].output_ids[:4]
        evidence = engine.evidence(request, alone[number], threading.Event())
        assert [token.id for token in evidence.tokens] == list(ids)
    engine.close()


# For what is the same code for all of them: a captured tower, tiles, grids of any size, one size.
A_FEW = ("joycaption", "llava_next", "qwen3_vl", "gemma3")


def test_images_made_ready_ahead_in_threads_get_the_answers_they_would_get_anyway(tmp_path):
    """More of them than slots, so that each slot's next image is copied during others' steps."""
    for family in A_FEW:
        engine = load(write_chat(tmp_path, family), dtype="float32")
        assert isinstance(engine, ChatEngine)
        pictures = different_pictures(24)
        requests = about(pictures)
        alone = [engine.answer(one, lambda _: None, threading.Event()) for one in requests]
        with ThreadPoolExecutor(4) as openers:
            ready = list(openers.map(engine.prepare_picture, pictures))
        assert all(one.prepared is not None for one in ready), family
        said = []
        for some in (requests, about(ready)):
            answers = dict(engine.answer_all(some, threading.Event(), slots=4))
            said.append([answers[one].output_ids for one in some])
            ask(engine, Sampling(max_new_tokens=2))  # One slot: no image is left in the cache.
        assert said[0] == said[1], family
        assert [ids[:4] for ids in said[1]] == [one.output_ids[:4] for one in alone], family
        assert len(set(said[1])) > 12, family
        engine.close()


def different_pictures(count: int) -> list[Picture]:
    noise = np.random.default_rng(1)
    sizes = [(60 + 7 * number, 90 + 29 * (number % 4)) for number in range(count)]
    values = [noise.integers(256, size=(*size, 3), dtype=np.uint8) for size in sizes]
    return [Picture(None, Image.fromarray(each)) for each in values]


def about(pictures: list[Picture]) -> list[Request]:
    return [
        Request(one, (Turn("What is this?"),), Sampling(max_new_tokens=6 + number % 5))
        for number, one in enumerate(pictures)
    ]


def test_uploads_hold_what_was_there_when_they_began():
    """While the card is busy they wait, and the memory they come from must wait for them."""
    device = torch.device("cuda")
    busy = torch.randn(8192, 8192, device=device, dtype=torch.float16)
    for stream in (torch.cuda.current_stream(), torch.cuda.Stream()):
        with torch.cuda.stream(stream):
            for _ in range(200):
                torch.mm(busy, busy)
            uploads = []
            for number in range(32):
                source = torch.full((1_000_000,), float(number))
                uploads.append(to_device(source, device))
                source.fill_(-1.0)
            is_waiting = not stream.query()
            for number, upload in enumerate(uploads):
                assert bool((upload == number).all()), number
        assert is_waiting, "the card had done everything before the last upload began"


def test_maps_show_where_a_model_looks(tmp_path):
    for family in (
        "bakllava",
        "llava_next",
        "idefics3",
        "mistral3",
        "qwen3_vl",
        "gemma3",
        "gemma4",
    ):
        folder = as_if_tried(write_looking_model(tmp_path / family, family))
        for dtype in ("float32", "auto"):
            engine = load(folder, dtype=dtype)
            require_right_places(engine, SIZES[family][:2])
            engine.close()


def test_other_architectures_by_our_kernels_say_what_is_likely(tmp_path):
    """Also with the KV cache in 8 bits, judged by the processor in float32."""
    families = ("joycaption", "llava_next", "llava_onevision", "idefics3")
    for family, sizes in (*((family, WIDE) for family in families), ("llava_onevision", IN_SEVENS)):
        folder = write_chat(tmp_path / str(sizes["hidden_size"]), family, **sizes)
        judge = load(folder, "cpu", "float32")
        for dtype, quantizes_cache in (("16-bit", False), ("16-bit", True), ("8-bit", True)):
            engine = load(folder, dtype=dtype, quantizes_cache=quantizes_cache)
            assert engine.facts.quantizes_cache is quantizes_cache
            requests = about(different_pictures(6))
            answers = dict(engine.answer_all(requests, threading.Event(), slots=3))
            alone = engine.answer(requests[0], lambda _: None, threading.Event())
            for request, answer in (*answers.items(), (requests[0], alone)):
                worse = most_unlikely(judge, request, answer)
                assert worse < 0.3, (family, sizes, dtype, quantizes_cache, worse)
            engine.close()
        judge.close()


def most_unlikely(judge: LlavaEngine | ChatEngine, request: Request, answer: Answer) -> float:
    """How much less likely than the likeliest a token of the answer is, at most: as `judge` sees
    it, which reads the answer as a prompt."""
    tokens = judge.evidence(request, answer, threading.Event()).tokens
    return max(token.likeliest[0][1] - token.log_p for token in tokens)


def test_seven_heads_to_a_key_and_biases_are_by_our_kernels_in_every_precision(tmp_path):
    """Judged by the same weights' products of many rows and torch's attention."""
    folder = write_chat(tmp_path, "llava_onevision", **IN_SEVENS)
    enlarge_biases(folder)
    precisions = ["16-bit", "8-bit", "4-bit", *["fp8"] * has_float8(torch.device("cuda"))]
    for dtype, quantizes_cache in product(precisions, (False, True)):
        with refused_captures() as refused:
            engine = load(folder, dtype=dtype, quantizes_cache=quantizes_cache)
            loop: Any = engine._loop
            model = loop.forward.language_model
            assert (model.kernel_shape.group, model.kernel_shape.has_bias) == (7, True)
            assert model.kernels is not None
            assert model.fits_fused_kernels
            requests = about(different_pictures(12))
            answers = dict(engine.answer_all(requests, threading.Event(), slots=10))
            alone = [engine.answer(one, lambda _: None, threading.Event()) for one in requests]
        assert not refused, (dtype, refused)
        for request, answer in (*answers.items(), *zip(requests, alone, strict=True)):
            worse = most_unlikely(engine, request, answer)
            assert worse < 0.3, (dtype, quantizes_cache, worse)
        engine.close()


def test_what_the_image_adds_is_on_the_card_what_it_is_on_the_processor(tmp_path):
    for family in FAMILIES | MORE_FAMILIES:
        folder = write_chat(tmp_path, family)
        request = Request(PICTURE, (Turn("What is this?"),), Sampling(max_new_tokens=12))
        on_processor, on_card = load(folder, "cpu", "float32"), load(folder, "cuda", "float32")
        answer = on_processor.answer(request, lambda _: None, threading.Event())
        scores = []
        for engine in (on_processor, on_card):
            tokens = engine.evidence(request, answer, threading.Event()).tokens
            scores.append([(one.log_p, one.log_p_without_picture or 0.0) for one in tokens])
            engine.close()
        difference = np.abs(np.array(scores[0]) - np.array(scores[1])).max()
        assert difference < 0.02, (family, difference)


def enlarge_biases(folder: Path) -> None:
    """Makes those of queries, keys and values matter as much as Qwen2's."""
    for path in folder.glob("*.safetensors"):
        weights = load_file(path)
        for name in weights:
            if "language_model" in name and name.endswith(
                ("q_proj.bias", "k_proj.bias", "v_proj.bias")
            ):
                weights[name] *= 15
        save_file(weights, path, {"format": "pt"})


@contextmanager
def refused_captures():
    """Collects what is logged when the card refuses to capture a CUDA graph."""
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    log = logging.getLogger("core.llava.cuda_graphs")
    log.addHandler(handler)
    try:
        yield records
    finally:
        log.removeHandler(handler)


def has_two_cards() -> bool:
    """Whether there are two cards; skips the test, or says that it is left out, if not."""
    if torch.cuda.device_count() > 1:
        return True
    if __name__ != "__main__":
        pytest.skip("two CUDA graphics cards are needed")
    sys.stderr.write("left out, as two CUDA graphics cards are needed\n")
    return False


@contextmanager
def free_memory_of(size: int):
    """Makes loading believe that each card has this many bytes of free memory."""
    free_memory, found = device_module.free_memory, checkpoint_module.cards
    device_module.free_memory = lambda device: size
    checkpoint_module.cards = lambda: tuple(replace(card, free=size) for card in found())
    try:
        yield
    finally:
        device_module.free_memory, checkpoint_module.cards = free_memory, found


def random_weights_quickly(sizes: Sizes):
    """Drawn on the card and in half precision; norms as they are in `random_weights`."""
    weights = {}
    for name, shape in shapes(sizes).items():
        fan_in = shape[-1] if len(shape) > 1 else 0
        scale = fan_in**-0.5 if fan_in else 0.02
        tensor = torch.randn(shape, device="cuda", dtype=torch.float16) * scale
        is_norm = "norm" in name or "layrnorm" in name
        weights[name] = (tensor + (is_norm and name.endswith("weight"))).cpu()
    return weights


def _run_all() -> int:
    if not torch.cuda.is_available():
        sys.stderr.write("No CUDA graphics card is here; nothing was run.\n")
        return 0
    failed, words = 0, sys.argv[1:]
    for name, test in list(globals().items()):
        if name.startswith("test_") and (not words or any(word in name for word in words)):
            started = time.perf_counter()
            try:
                with tempfile.TemporaryDirectory() as folder:
                    test(*([Path(folder)] if signature(test).parameters else []))
                outcome = "ok"
            except Exception as error:
                traceback.print_exc()
                outcome = f"FAILED {type(error).__name__}: {error}"
                failed += 1
            sys.stderr.write(f"{name}: {outcome} ({time.perf_counter() - started:.1f} s)\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(_run_all())
