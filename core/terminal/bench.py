"""How fast this computer answers, as a reader sees it, and how fast its memory would let it.

Every figure is that of an engine's reader: from the question to the pieces as they come.
"""

from __future__ import annotations

import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from PIL import Image

from core.batch import prepared_ahead
from core.checkpoint.folder import built_in_model
from core.device.card import card_count
from core.device.choice import choose_dtype
from core.device.float8 import has_float8
from core.engine import EngineFacts
from core.engine_group.cards import devices_for
from core.errors import Cancelled
from core.open_engine import open_engine
from core.picture import Picture, open_picture
from core.terminal.bandwidth import memory_bandwidth
from core.terminal.bench_cards import cards_figures
from core.terminal.random_weights import open_random
from core.terminal.several_cards import devices_on
from core.transcript import Answer, ModelChoice, Precision, Request, Sampling, Turn
from core.version import program_version

if TYPE_CHECKING:
    from core.open_engine import LocalEngine

PROMPT = "Please describe this image in detail."
# What the same question takes with LLaVA-1.5-7b's tokenizer and a longer prompt, as published
# figures use it.
_PROMPT_TOKENS = 625
_CAPTION_TOKENS = 64
# On a processor other programs come and go, so all is measured so often, in turns: the medians.
_ROUNDS = 3


@dataclass(frozen=True)
class Plan:
    """What to measure. No checkpoint is read if `random_weights` names sizes, as
    `open_random` takes them.

    `slots` are the numbers of images to caption at the same time; an empty tuple leaves that out.
    Each slot is filled `fillings` times.
    `cards` are the devices to caption on together, () standing for all cards.
    """

    choice: ModelChoice
    random_weights: str | None = None
    new_tokens: int = 256
    answers: int = 10
    slots: tuple[int, ...] | None = None
    fillings: int = 8
    cards: tuple[str, ...] = ()


def measure(
    plan: Plan, on_progress: Callable[[float, str], None], stop: threading.Event
) -> dict[str, Any]:
    """The figures by name, as JSON. Blocks; raises Cancelled once `stop` is set, and as
    `open_engine` and `Engine.answer` do."""
    devices_on(plan.choice.device, plan.cards)  # Refuses cards that are not there.
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
    report["cards"] = run.cards_figures()
    report["other_precisions"] = {}
    if engine.facts.device.startswith("cuda") and plan.choice.dtype is Precision.AUTO:
        others = [Precision.BITS_8, Precision.BITS_4]
        if has_float8(torch.device(engine.facts.device)):
            others.append(Precision.FP8)
        for precision in others:
            choice = replace(plan.choice, dtype=precision)
            report["other_precisions"][precision] = measure_alone(
                replace(plan, choice=choice), on_progress, stop
            )
    return report


def measure_alone(
    plan: Plan, on_progress: Callable[[float, str], None], stop: threading.Event
) -> dict[str, Any]:
    """The figures of our own loop alone, in the precision of `plan`."""
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
        choice = replace(plan.choice, model=plan.random_weights)
        return open_random(choice, lambda *_: None, stop)
    return open_engine(plan.choice, lambda *_: None, stop)


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
        limits = memory_bandwidth(torch.device(self._engine.facts.device), self._dtype)
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

    def cards_figures(self) -> dict[str, Any]:
        """Of all cards together; the engine must be closed, which leaves its memory to theirs."""
        plan = self._plan
        devices = devices_for(plan.choice.device, plan.cards, card_count())
        if len(devices) < 2 or not self._slots:
            return {"used": int(self._is_on_card), "devices": [self._engine.facts.device]}
        self._step(0.9, f"Captioning on {', '.join(devices)}")

        def requests(number: int, new_tokens: int) -> Iterator[Request]:
            return (self._request(new_tokens=new_tokens) for _ in range(number))

        return cards_figures(
            devices,
            plan.choice,
            plan.random_weights,
            requests,
            slots=max(self._slots),
            new_tokens=_CAPTION_TOKENS,
            stop=self._stop,
        )

    def own_figures(self, answers: int, begin: float = 0.0, share: float = 1.0) -> dict[str, Any]:
        """Those of the engine as it is, without `generate()` beside it."""
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()
        self._step(begin + 0.1 * share, "Asking")
        ours = self._figures(self._engine, answers)
        ours["peak_memory_bytes"] = _peak_memory(self._engine.facts.device)
        self._step(begin + 0.4 * share, "Captioning many images")
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
        number = most or max(8, self._plan.fillings * slots)
        requests = [self._request(new_tokens=_CAPTION_TOKENS) for _ in range(number)]
        # The first step with so many slots captures its graph. Of other pictures, since those that
        # a slot has seen cost it next to nothing.
        warm_up = [self._request(new_tokens=2) for _ in range(slots)]
        for _ in engine.answer_all(warm_up, self._stop, slots=slots):
            pass
        started = time.perf_counter()
        # As in a folder run, where threads prepare the next images.
        ready = prepared_ahead(requests, engine, ahead=max(4, slots))
        with closing(ready):
            for _ in engine.answer_all(ready, self._stop, slots=slots):
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


def _peak_memory(device: str) -> int:
    """Bytes: on a card what torch has taken at most, else what the process has."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    import psutil  # Comes with accelerate.

    return psutil.Process().memory_info().rss
