"""How fast this machine answers, measured where the reader is, beside what it could do at best.

Every figure is that of an engine's reader: from the question to the pieces as they come.
"""

from __future__ import annotations

import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from PIL import Image
from torch.nn import functional
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from core.checkpoint.folder import built_in_model
from core.checkpoint.loading import allocate, assign_weights
from core.device.choice import (
    choose_device,
    choose_dtype,
    device_name,
    precision_of,
    require_memory,
)
from core.engine import EngineFacts
from core.errors import Cancelled
from core.llava.engine import LlavaEngine
from core.llava.quantized import QuantizedMatrix, quantize
from core.llava.tokenizer import Tokenizer
from core.open_engine import open_engine, rebuild_buffers
from core.picture import Picture, open_picture
from core.transcript import Answer, ModelChoice, Precision, Request, Sampling, Turn
from core.version import program_version

if TYPE_CHECKING:
    from core.open_engine import LocalEngine

PROMPT = "Please describe this image in detail."
# What the same question takes with LLaVA-1.5-7b's tokenizer and a longer prompt, as published
# figures use it.
_PROMPT_TOKENS = 625
_CAPTION_TOKENS = 64
# How often each slot is filled.
_FILLINGS = 8
# On a processor other programs come and go, so all is measured so often, in turns: the medians.
_ROUNDS = 3
# Of random weights.
_DEVIATION = 0.02


@dataclass(frozen=True)
class Plan:
    """What to measure. `random_weights` is a name in `SIZES`, and then no checkpoint is read.

    `slots` are the numbers of pictures looked at at once; none leaves them out.
    """

    choice: ModelChoice
    random_weights: str | None = None
    new_tokens: int = 256
    answers: int = 10
    slots: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Sizes:
    """Language model, then vision tower."""

    hidden: int
    inner: int
    layers: int
    heads: int
    vocabulary: int
    vision_hidden: int
    vision_inner: int
    vision_layers: int
    vision_heads: int


SIZES = {
    "llava-1.5-7b": Sizes(4096, 11008, 32, 32, 32000, 1024, 4096, 24, 16),
    "built-in": Sizes(256, 688, 7, 4, 4064, 320, 1024, 7, 5),
}


def measure(
    plan: Plan, on_progress: Callable[[float, str], None], stop: threading.Event
) -> dict[str, Any]:
    """The figures by name, as JSON. Blocks; raises Cancelled once `stop` is set, and as
    `open_engine` and `Engine.answer` do."""
    started = time.perf_counter()
    engine = _engine(plan, stop)
    load_seconds = time.perf_counter() - started
    try:
        run = _Run(plan, engine, on_progress, stop)
        report = {
            "machine": _machine(engine.facts),
            "model": {**engine.facts.record(), "has_random_weights": bool(plan.random_weights)},
            "load_seconds": load_seconds,
            **run.figures(),
        }
    finally:
        engine.close()
    report["other_precisions"] = {}
    if engine.facts.device.startswith("cuda") and plan.choice.dtype is Precision.AUTO:
        for precision in (Precision.BITS_8, Precision.BITS_4):
            choice = replace(plan.choice, dtype=precision)
            report["other_precisions"][precision] = _alone(
                replace(plan, choice=choice, slots=(1, 8)), on_progress, stop
            )
    return report


def _alone(
    plan: Plan, on_progress: Callable[[float, str], None], stop: threading.Event
) -> dict[str, Any]:
    """The figures of our own loop in one more precision."""
    # What cuBLAS took for generate() would be counted too.
    if torch.cuda.is_initialized():
        torch._C._cuda_clearCublasWorkspaces()
    engine = _engine(plan, stop)
    try:
        return _Run(plan, engine, on_progress, stop).own_figures(plan.answers)
    finally:
        engine.close()


def _engine(plan: Plan, stop: threading.Event) -> LocalEngine:
    if plan.random_weights is not None:
        return _random_engine(plan, SIZES[plan.random_weights])
    return open_engine(plan.choice, lambda *_: None, stop)


def table(report: dict[str, Any]) -> str:
    """The report for a person to read."""
    machine, model, limits = report["machine"], report["model"], report["limits"]
    ours, theirs = report["loop"], report["generate"]
    lines = [
        f"{machine['device_name']}, {machine['threads']} threads, torch {machine['torch']}, "
        f"transformers {machine['transformers']}",
        f"{model['model']}, {model['dtype']} on {model['device']}; loaded in "
        f"{report['load_seconds']:.1f} s; prompt of {ours['prompt_tokens']} tokens",
        f"a copy moves {limits['copy_bytes_per_second'] / 1e9:.0f} GB/s, one row times a matrix "
        f"reads {limits['gemv_bytes_per_second'] / 1e9:.0f} GB/s; decoding reads "
        f"{100 * ours['share_of_gemv']:.0f} % of that",
        "",
        f"{'':34}{'Onlooker':>12}{'generate()':>12}{'ratio':>8}",
    ]

    def row(name: str, mine: float, other: float | None, digits: int, inverse: bool) -> None:
        ratio = "" if not other else f"{(other / mine if inverse else mine / other):.2f}"
        beside = "" if other is None else f"{other:.{digits}f}"
        lines.append(f"{name:34}{mine:>12.{digits}f}{beside:>12}{ratio:>8}")

    row("tokens per second", ours["tokens_per_second"], theirs["tokens_per_second"], 1, False)
    for key, name in (
        ("seconds_to_first_token", "ms to first token, new picture"),
        ("follow_up_seconds_to_first_token", "ms to first token, follow-up"),
    ):
        row(name, 1e3 * ours[key], 1e3 * theirs[key], 1, True)
    for slots, rate in ours["captions_per_second"].items():
        other = theirs["captions_per_second"].get(slots)
        row(f"captions per second, {slots} at once", rate, other, 2, False)
    row("first answer's time by the last's", ours["first_answer_ratio"], None, 2, False)
    row("peak memory in GB", ours["peak_memory_bytes"] / 1e9, None, 2, False)
    for precision, figures in report["other_precisions"].items():
        lines.append("")
        row(f"{precision}: tokens per second", figures["tokens_per_second"], None, 1, False)
        for key, name in (
            ("seconds_to_first_token", "ms to first token, new picture"),
            ("follow_up_seconds_to_first_token", "ms to first token, follow-up"),
        ):
            row(f"  {name}", 1e3 * figures[key], None, 1, False)
        for slots, rate in figures["captions_per_second"].items():
            row(f"  captions per second, {slots} at once", rate, None, 2, False)
        row("  peak memory in GB", figures["peak_memory_bytes"] / 1e9, None, 2, False)
    return "\n".join(lines)


class _Run:
    """The questions, in order."""

    def __init__(
        self,
        plan: Plan,
        engine: LocalEngine,
        on_progress: Callable[[float, str], None],
        stop: threading.Event,
    ):
        self._plan, self._engine, self._stop = plan, engine, stop
        self._progress = on_progress
        self._pictures = _samples() if engine.facts.knows_only_drawings else _pictures()
        self._prompt = PROMPT
        usual = (1, 8, 32, 64) if self._is_on_card else (1, 8)
        self._slots = plan.slots if plan.slots is not None else usual

    def figures(self) -> dict[str, Any]:
        self._step(0.0, "Measuring the memory")
        limits = _limits(torch.device(self._engine.facts.device), self._dtype)
        count = 1 if self._is_on_card else _ROUNDS
        rounds = [self._round(number, count) for number in range(count)]
        ours, theirs = (_medians(each) for each in zip(*rounds, strict=True))
        # Only one is the first after loading.
        ours["first_answer_ratio"] = rounds[0][0]["first_answer_ratio"]
        seconds_of_reading = self._engine.bytes_per_token / limits["gemv_bytes_per_second"]
        ours["share_of_gemv"] = ours["tokens_per_second"] * seconds_of_reading
        self._step(1.0, "")
        return {"limits": limits, "loop": ours, "generate": theirs}

    def _round(self, number: int, count: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """One of `count`: ours, and those of `generate()`, which takes long on a card."""
        answers = -(-self._plan.answers // count)
        ours = self.own_figures(answers, number / count, 1 / count)
        self._step((number + 0.7) / count, "Asking generate()")
        plain = self._engine.by_generate()
        theirs = self._figures(plain, min(2, answers) if self._is_on_card else answers)
        one_by_one = {str(n): self._captions(plain, n, most=4) for n in self._slots if n == 1}
        return ours, theirs | {"captions_per_second": one_by_one}

    def own_figures(self, answers: int, begin: float = 0.0, share: float = 1.0) -> dict[str, Any]:
        """Those of the engine as it is, without `generate()` beside it."""
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()
        self._step(begin + 0.1 * share, "Asking")
        ours = self._figures(self._engine, answers)
        ours["peak_memory_bytes"] = _peak_memory(self._engine.facts.device)
        self._step(begin + 0.4 * share, "Captioning many pictures")
        ours["captions_per_second"] = {str(n): self._captions(self._engine, n) for n in self._slots}
        return ours

    @property
    def _is_on_card(self) -> bool:
        return self._engine.facts.device.startswith("cuda")

    @property
    def _dtype(self) -> torch.dtype:
        facts = self._engine.facts
        return choose_dtype(facts.dtype, torch.device(facts.device), 0)

    def _step(self, fraction: float, stage: str) -> None:
        if self._stop.is_set():
            raise Cancelled("Measuring was cancelled.")
        self._progress(fraction, stage)

    def _figures(self, engine: LocalEngine, answers: int) -> dict[str, Any]:
        """New pictures, each with a follow-up; the medians."""
        first, *_ = firsts = [self._ask(engine)]
        self._lengthen_prompt(first.input_tokens)
        follow_ups: list[Answer] = []
        for _ in range(answers):
            firsts.append(self._ask(engine))
            follow_ups.append(self._follow_up(engine))
        return {
            "prompt_tokens": firsts[-1].input_tokens,
            "new_tokens": statistics.median(a.tokens for a in firsts[1:]),
            "tokens_per_second": statistics.median(a.tokens_per_second for a in firsts[1:]),
            "seconds_to_first_token": _median(a.seconds_to_first_token for a in firsts[1:]),
            "follow_up_seconds_to_first_token": _median(
                a.seconds_to_first_token for a in follow_ups
            ),
            "first_answer_ratio": _seconds_per_token(first) / _seconds_per_token(firsts[-1]),
        }

    def _lengthen_prompt(self, tokens: int) -> None:
        # A trained model is asked what it was trained to answer.
        if self._plan.random_weights and self._prompt == PROMPT:
            self._prompt += " please" * max(0, _PROMPT_TOKENS - tokens)

    def _request(self, turns: tuple[Turn, ...] = (), new_tokens: int | None = None) -> Request:
        sampling = Sampling(max_new_tokens=new_tokens or self._plan.new_tokens)
        return Request(next(self._pictures), turns or (Turn(self._prompt),), sampling)

    def _ask(self, engine: LocalEngine) -> Answer:
        self._asked = self._request()
        self._answer = self._reader(engine, self._asked)
        return self._answer

    def _follow_up(self, engine: LocalEngine) -> Answer:
        """About the picture just asked about, some 20 tokens."""
        before = replace(self._asked.turns[0], answer=self._answer.text)
        question = Turn("Please tell me more about what is there on the left of it.")
        sampling = Sampling(max_new_tokens=8)
        return self._reader(
            engine, replace(self._asked, turns=(before, question), sampling=sampling)
        )

    def _reader(self, engine: LocalEngine, request: Request) -> Answer:
        if self._stop.is_set():
            raise Cancelled("Measuring was cancelled.")
        return engine.answer(request, lambda _: None, self._stop)

    def _captions(self, engine: LocalEngine, slots: int, most: int | None = None) -> float:
        """Captions a second of pictures asked for one after the other: of so many that the last,
        when slots are empty, count little."""
        number = most or max(8, _FILLINGS * slots)
        requests = [self._request(new_tokens=_CAPTION_TOKENS) for _ in range(number)]
        # The first step with so many slots captures its graph. Of other pictures, since those that
        # a slot has seen cost it next to nothing.
        warm_up = [self._request(new_tokens=2) for _ in range(slots)]
        for _ in engine.answer_all(warm_up, self._stop, slots=slots):
            pass
        started = time.perf_counter()
        for _ in engine.answer_all(requests, self._stop, slots=slots):
            pass
        if self._stop.is_set():
            raise Cancelled("Measuring was cancelled.")
        return len(requests) / (time.perf_counter() - started)


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)


def _medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the figures of each name, however deep."""
    return {
        name: _medians([each[name] for each in rounds])
        if isinstance(figure, dict)
        else statistics.median(each[name] for each in rounds)
        for name, figure in rounds[0].items()
    }


def _seconds_per_token(answer: Answer) -> float:
    return answer.seconds / max(1, answer.tokens)


def _samples() -> Iterator[Picture]:
    """The samples over and over, no two alike: what the built-in model has some 60 words for."""
    paths = sorted((built_in_model().parent / "samples").glob("*.png"))
    for number in count():
        picture = open_picture(paths[number % len(paths)])
        picture.pixels.putpixel((0, 0), (number % 256, number // 256 % 256, number // 65536))
        yield picture


def _pictures() -> Iterator[Picture]:
    """Pictures without end, no two alike."""
    random = np.random.default_rng(0)
    while True:
        patches = random.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        pixels = Image.fromarray(patches).resize((640, 480), Image.Resampling.BICUBIC)
        yield Picture(None, pixels)


# ---- the machine ------------------------------------------------------------------------------


def _machine(facts: EngineFacts) -> dict[str, Any]:
    return {
        "device_name": facts.device_name,
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "onlooker": program_version() or "not installed",
    }


def _limits(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """Bytes a second: of a copy, read and written, and of the best matrix times one row."""
    size = 1 << (30 if device.type == "cuda" else 27)
    with torch.inference_mode():
        block = torch.zeros(size, dtype=torch.uint8, device=device)
        target = torch.empty_like(block)
        copy = 2 * size / _best_seconds(partial(target.copy_, block), device)
        del block, target
        rates = []
        for rows, columns in ((22016, 4096), (4096, 11008), (4096, 4096)):
            # More than any cache holds, read in turn.
            count = max(2, size // (rows * columns * dtype.itemsize))
            matrices = [
                torch.zeros(rows, columns, device=device, dtype=dtype) for _ in range(count)
            ]
            row = torch.zeros(1, columns, device=device, dtype=dtype)

            def read(matrices: Sequence[torch.Tensor] = matrices, row: torch.Tensor = row) -> None:
                for matrix in matrices:
                    functional.linear(row, matrix)

            total = sum(matrix.nbytes for matrix in matrices)
            rates.append(total / _best_seconds(read, device))
            del matrices, read
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return {"copy_bytes_per_second": copy, "gemv_bytes_per_second": max(rates)}


def _best_seconds(act: Callable[[], Any], device: torch.device, times: int = 3) -> float:
    def once() -> float:
        started = time.perf_counter()
        act()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    once()
    return min(once() for _ in range(times))


def _peak_memory(device: str) -> int:
    """Bytes: on a card what torch has taken at most, else what the process has."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    import psutil  # Comes with accelerate.

    return psutil.Process().memory_info().rss


# ---- random weights ---------------------------------------------------------------------------


def _random_engine(plan: Plan, sizes: Sizes) -> LlavaEngine:
    """A LLaVA-1.5 of these sizes that talks nonsense, at the speed of a real one."""
    tokenizer = Tokenizer.load(built_in_model())
    with torch.device("meta"):
        model: Any = LlavaForConditionalGeneration(_config(sizes))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    device, bits = choose_device(plan.choice.device), plan.choice.dtype.weight_bits
    dtype = choose_dtype(plan.choice.dtype, device, parameters)
    require_memory(parameters * (bits or 8 * dtype.itemsize) // 8, device)
    buffers = allocate(model, device, dtype, bits)
    torch.manual_seed(0)
    for name, buffer in buffers.items():
        _fill_randomly(name, buffer, dtype)
    assign_weights(model, buffers)
    rebuild_buffers(model, device)
    model.eval().requires_grad_(False)
    # Its answers are as long as they may be, and in a follow-up they are the same ids again.
    words = _words(tokenizer)
    others = [number for number in range(sizes.vocabulary) if number not in words]
    for weights in model.lm_head.state_dict().values():
        weights[others] = 0
    facts = EngineFacts(
        model=f"Random weights in the sizes of {plan.random_weights}",
        device=str(device),
        device_name=device_name(device),
        dtype=precision_of(dtype, bits),
        memory_bytes=sum(tensor.nbytes for tensor in model.state_dict().values()),
        context_length=4096,
    )
    return LlavaEngine(model, tokenizer, facts)


def _words(tokenizer: Tokenizer) -> set[int]:
    """The ids that stand for a whole word wherever it is written."""
    before = tokenizer.encode("a")
    texts = {number: tokenizer.decode([number]) for number in range(3, tokenizer.size)}
    return {
        number
        for number, text in texts.items()
        if text.isalpha() and tokenizer.encode(f"a {text}") == [*before, number]
    }


def _fill_randomly(name: str, place: torch.Tensor | QuantizedMatrix, dtype: torch.dtype) -> None:
    """As transformers begins a Llama: one matrix at a time is whole in 16 bits."""
    if isinstance(place, QuantizedMatrix):
        weight = torch.empty(place.shape, dtype=dtype, device=place.values.device)
        quantize(weight.normal_(0, _DEVIATION), place.bits, out=place)
    elif place.dim() > 1:
        place.normal_(0, _DEVIATION)
    else:
        place.fill_(0 if name.endswith("bias") else 1)


def _config(sizes: Sizes) -> LlavaConfig:
    config = LlavaConfig(
        text_config=LlamaConfig(
            vocab_size=sizes.vocabulary,
            hidden_size=sizes.hidden,
            intermediate_size=sizes.inner,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            max_position_embeddings=4096,
            rms_norm_eps=1e-5,
        ),
        vision_config=CLIPVisionConfig(
            hidden_size=sizes.vision_hidden,
            intermediate_size=sizes.vision_inner,
            num_hidden_layers=sizes.vision_layers,
            num_attention_heads=sizes.vision_heads,
            image_size=336,
            patch_size=14,
        ),
    )
    config._attn_implementation = "sdpa"
    return config
