"""Measures a folder run over several cards, and a model that is split over two.

    python -m tests.benchmarks.several_cards --json several_cards.json
    python -m tests.benchmarks.several_cards --devices cpu,cpu --sizes built-in --images 48 \
        --slots 4 --new-tokens 8

Measured are one engine in a child (`one`), one child a card (`all`), one engine in this process, as
with a single card (`plain`), one in this process beside children, as the window does it (`mixed`),
and one thread a card in this process (`threads`). In `failing`,
one card's process is killed in the middle. `split` is a model of 13B's sizes on two cards. What
there is no time left for is left out, and said. Needs no Qt.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.batch import Batch, BatchOptions, Control, ItemState
from core.batch.events import Captioned
from core.batch.journal import read_events
from core.batch.opening import openers_for
from core.engine_group.cards import sources_on
from core.engine_group.group import EngineGroup, EngineSource
from core.engine_group.process import EngineProcess
from core.picture import given_pixels, open_picture
from core.transcript import ModelChoice, Precision, Request, Sampling, Turn
from tests.benchmarks.folder_speed import make

if TYPE_CHECKING:
    from core.engine import Engine, EngineFacts

PROMPT = "Please describe this image in detail." + " please" * 16
_OPENER = "core.terminal.random_weights:open_random"
_STAGES = ("one", "all", "plain", "mixed", "failing", "threads", "split")
# Of the images, what each stage takes; a rate needs fewer than a proof.
_SHARES = {"one": 0.5, "all": 1.0, "failing": 0.5, "plain": 0.5, "threads": 0.75, "mixed": 0.75}
_SPLIT_TOKENS = 32


def main() -> int:
    # As the program itself does before torch is imported: see `gui.__main__.main`.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as home:
        report = _Benchmark(options, Path(home)).measure()
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 1 if report.get("failures") else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    add("--devices", type=lambda text: text.split(","), default=["cuda:0", "cuda:1"])
    add("--sizes", default="llava-1.5-7b", help="of the random weights")
    add("--split-sizes", default="llava-1.5-13b")
    add("--dtype", default="auto")
    add("--images", type=int, default=4000)
    add("--image-size", default="512x384")
    add("--slots", type=int, default=64, help="of each card")
    add("--new-tokens", type=int, default=64)
    add("--stages", type=lambda text: text.split(","), default=list(_STAGES))
    add("--seconds", type=float, default=390.0, help="stages for which less is left are left out")
    add("--folder", type=Path, help="where to make the pictures")
    add("--json", type=Path, help="written after each stage")
    return parser.parse_args()


class _Benchmark:
    """The stages, in order, and their figures."""

    def __init__(self, options: argparse.Namespace, home: Path):
        self._options, self._home = options, home
        self._began = time.perf_counter()
        self._report: dict[str, Any] = {"failures": [], "left_out": {}}
        self._children: list[EngineProcess] = []
        self._here: list[Engine] = []
        self._rate = 40.0 if "cuda" in options.devices[0] else 2.0
        self._choice = ModelChoice(options.sizes, dtype=Precision(options.dtype))

    def measure(self) -> dict[str, Any]:
        options = self._options
        # Before torch is imported, since the processes that paint are forks of this one.
        pictures = make(self._home / "pictures", options.images, options.image_size)
        large = make(self._home / "large", min(options.images, 512), "1632x1224")
        self._paths = sorted(pictures.iterdir())
        self._note("seconds_to_make", self._elapsed)
        try:
            self._prepare(large)
            for stage in options.stages:
                try:
                    self._stage(stage)
                except Exception as error:
                    self._fail(f"{stage}: {type(error).__name__}: {error}")
        finally:
            for engine in (*self._children, *self._here):
                engine.close()
        self._note("seconds", self._elapsed)
        return self._report

    def _prepare(self, large: Path) -> None:
        began = time.perf_counter()
        sources = sources_on(self._options.devices, self._choice, opener=_OPENER)
        with ThreadPoolExecutor(len(sources)) as pool:
            opened = pool.map(lambda source: source.open(threading.Event()), sources)
            self._children = [engine for engine in opened if isinstance(engine, EngineProcess)]
        facts = self._children[0].facts
        self._note("seconds_to_load", time.perf_counter() - began)
        self._note("engines", [engine.facts.record() for engine in self._children])
        self._note("cores", len(os.sched_getaffinity(0)))
        self._note("openers", openers_for(len(sources)))
        self._note("opened_per_second", _opening_rate(self._paths[:1000], facts, len(sources)))
        self._note(
            "opened_per_second_of_2_megapixels",
            _opening_rate(sorted(large.iterdir()), facts, len(sources)),
        )
        self._warm_up(self._children)

    def _stage(self, stage: str) -> None:
        if stage == "split":
            self._split()
            return
        images = max(2, round(_SHARES[stage] * self._options.images))
        count = 1 if stage in ("one", "plain") else len(self._options.devices)
        working = 1.5 if stage == "failing" else count
        if not self._has_time(stage, images / self._rate / working + 10):
            return
        if stage in ("plain", "threads", "mixed"):
            self._open_here(len(self._options.devices) if stage == "threads" else 1)
        engines: dict[str, Sequence[Engine]] = {
            "one": self._children[:1],
            "all": self._children,
            "failing": self._children,
            "plain": self._here[:1],
            "threads": self._here,
            "mixed": [*self._here[:1], *self._children[1:]],
        }
        self._run(stage, engines[stage], images)
        if stage in ("one", "plain"):
            self._rate = self._report[stage]["captions_per_second"]

    def _run(self, stage: str, engines: Sequence[Engine], images: int) -> None:
        """Captions a folder, and reads from its journal that each image has one caption."""
        sampling = Sampling(max_new_tokens=self._options.new_tokens)
        chosen = BatchOptions((PROMPT,), sampling=sampling, name=f"{{stem}}-{stage}")
        batch = Batch.begin(self._paths[:images], chosen, self._home / "runs")
        done = 0

        def on_item(number: int, item: Any) -> None:
            nonlocal done
            done += item.state is ItemState.DONE
            if stage == "failing" and done == round(0.4 * images):
                with suppress(ProcessLookupError):
                    os.kill(self._children[-1].pid, signal.SIGKILL)

        group = None if stage == "plain" else _group(engines)
        cpu, began = time.process_time(), time.perf_counter()
        try:
            tally = batch.run(group or engines[0], Control(), on_item, slots=self._options.slots)
            seconds = time.perf_counter() - began
            rate = tally.done / seconds
            kept = Counter(
                event.picture
                for event in read_events(batch.journal_path)
                if isinstance(event, Captioned)
            )
            figures = {
                "cards": len(engines),
                "images": images,
                "captions_per_second": round(rate, 2),
                "seconds": round(seconds, 1),
                "cores_used_by_this_process": round((time.process_time() - cpu) / seconds, 2),
                "lost": images - tally.done,
                "twice": sum(count > 1 for count in kept.values()),
                "notes": [*map(str, batch.notes)],
            }
            for base in ("one", "plain"):
                if base in self._report and len(engines) > 1 and stage != "failing":
                    alone = self._report[base]["captions_per_second"]
                    share = rate / (alone * len(engines))
                    figures[f"share_of_linear_growth_over_{base}"] = round(share, 3)
        finally:
            batch.close()
            if group is not None:
                group.close()
        self._note(stage, figures)
        if figures["lost"] or figures["twice"]:
            self._fail(f"{stage}: {figures['lost']} lost, {figures['twice']} twice")
        if stage == "failing" and not any(map(_is_about_a_failure, figures["notes"])):
            self._fail("failing: the run does not say that a card failed")

    def _warm_up(self, engines: Sequence[Engine]) -> None:
        """The first round of so many slots captures a CUDA graph."""
        with ThreadPoolExecutor(len(engines)) as pool:
            list(pool.map(self._warm, engines))

    def _warm(self, engine: Engine) -> None:
        slots = self._options.slots
        pictures = [_seen(path, engine.facts) for path in self._paths[-slots:]]
        sampling = Sampling(max_new_tokens=2)
        requests = [Request(picture, (Turn(PROMPT),), sampling) for picture in pictures]
        for _ in engine.answer_all(requests, threading.Event(), slots=slots):
            pass

    def _open_here(self, count: int) -> None:
        from core.terminal.random_weights import random_engine

        for device in self._options.devices[len(self._here) : count]:
            choice = replace(self._choice, device=device)
            self._here.append(random_engine(choice, self._options.sizes))
            self._warm_up(self._here[-1:])

    def _split(self) -> None:
        """Tokens a second of a model on one card, and split over two; both must say the same."""
        if not self._options.devices[0].startswith("cuda"):
            self._left_out("split", "it needs two cards")
            return
        if not self._has_time("split", 45):
            return
        from core.terminal.random_weights import random_engine

        for engine in (*self._children, *self._here):
            engine.close()
        sizes, choice = self._options.split_sizes, replace(self._choice, device="cuda:0")
        whole = random_engine(choice, sizes)
        weights = whole.facts.memory_bytes
        figures: dict[str, Any] = {"gigabytes": round(weights / 1e9, 1)}
        figures["one_card_tokens_per_second"], _ = self._tokens(whole)
        plain = whole.by_generate()
        figures["one_card_by_generate_tokens_per_second"], wanted = self._tokens(plain)
        plain.close()
        whole.close()
        limits: dict[int | str, int] = {0: round(0.55 * weights), 1: weights, "cpu": 0}
        both = random_engine(choice, sizes, limits)
        figures["split_tokens_per_second"], ids = self._tokens(both)
        figures["says_the_same"] = ids == wanted
        figures["note"] = both.facts.notes[-1]
        both.close()
        self._note("split", figures)
        if ids != wanted:
            self._fail("split: the ids differ from one card's")

    def _tokens(self, engine: Engine) -> tuple[float, list[tuple[int, ...]]]:
        """Returns tokens a second after the first one, and the ids; the first answer warms up."""
        sampling = Sampling(max_new_tokens=_SPLIT_TOKENS)
        answers = []
        for path in self._paths[:3]:
            request = Request(open_picture(path), (Turn(PROMPT),), sampling)
            answers.append(engine.answer(request, lambda _: None, threading.Event()))
        rate = max(answer.tokens_per_second for answer in answers[1:])
        return round(rate, 1), [answer.output_ids for answer in answers]

    # ---- the report

    @property
    def _elapsed(self) -> float:
        return round(time.perf_counter() - self._began, 1)

    def _has_time(self, stage: str, seconds: float) -> bool:
        left = self._options.seconds - self._elapsed
        if seconds <= left:
            return True
        self._left_out(stage, f"it takes some {seconds:.0f} s, and {left:.0f} are left")
        return False

    def _left_out(self, stage: str, reason: str) -> None:
        self._report["left_out"][stage] = reason
        self._note("seconds", self._elapsed)

    def _fail(self, text: str) -> None:
        self._report["failures"].append(text)
        self._note("seconds", self._elapsed)

    def _note(self, name: str, value: object) -> None:
        """Adds to the report, and writes what there is so far."""
        self._report[name] = round(value, 1) if isinstance(value, float) else value
        sys.stderr.write(f"{self._elapsed:.0f} s: {name}: {json.dumps(self._report[name])}\n")
        sys.stderr.flush()
        if self._options.json:
            self._options.json.write_text(json.dumps(self._report, indent=1), "utf-8")


def _group(engines: Sequence[Engine]) -> EngineGroup:
    """A group of engines that stay open after it."""

    def give(engine: Engine, _: threading.Event) -> Engine:
        return engine

    sources = [
        EngineSource(f"{engine.facts.device} ({number})", partial(give, engine), is_lent=True)
        for number, engine in enumerate(engines)
    ]
    return EngineGroup(sources, threading.Event())


def _is_about_a_failure(note: str) -> bool:
    return "failed" in note


def _seen(path: Path, facts: EngineFacts) -> Any:
    """Opens an image as a run does."""
    picture, preprocessing = open_picture(path), facts.preprocessing
    assert preprocessing is not None
    given = given_pixels(picture.pixels, preprocessing, is_one_of_many=True)
    return replace(picture, pixels=given)


def _opening_rate(paths: Sequence[Path], facts: EngineFacts, engines: int) -> float:
    """Images that the threads of a run open in a second, with nothing else to do."""
    open_one: Callable[[Path], Any] = partial(_seen, facts=facts)
    began = time.perf_counter()
    with ThreadPoolExecutor(openers_for(engines)) as openers:
        for _ in openers.map(open_one, paths):
            pass
    return len(paths) / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
