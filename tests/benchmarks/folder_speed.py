"""Measures captions a second of a folder run, against the slots alone on the same, opened images.

    python -m tests.benchmarks.folder_speed
    python -m tests.benchmarks.folder_speed --random-weights llava-1.5-7b --slots 64 --pictures 2000
    taskset -c 0,1 python -m tests.benchmarks.folder_speed --device cpu --rounds 3

The run reads its images ahead from the disk and writes text files and a journal. Also prints how
many images a second the CPU could open without a model, which is the limit if the slots could
answer more, and on a GPU how much of the time it was busy, its watts, and for how much of the time
its power limit lowered its clock.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from core.batch import Batch, BatchOptions, Control
from core.batch.run import openers_for
from core.picture import Picture, given_pixels, open_picture
from core.transcript import BUILT_IN, ModelChoice, Precision, Request, Sampling, Turn

if TYPE_CHECKING:
    from core.engine import Engine

PROMPT = "Please describe this image in detail."
# How many files are made of each painted image; they differ only in contrast.
_ALIKE = 32


def main() -> int:
    # As the program itself does before torch is imported: see `gui.__main__.main`.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    options = _options()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=options.folder) as home:
        # Before torch is imported, since the processes that paint are forks of this one.
        folders = [
            (name, make(Path(home) / name, options.pictures, name)) for name in options.sizes
        ]
        made = time.perf_counter()
        engine = open_engine_of(options)
        report: dict[str, Any] = {
            "device": engine.facts.device_name,
            "model": engine.facts.model,
            "cores": len(os.sched_getaffinity(0)),
            "openers": openers_for(1),
            "dtype": engine.facts.dtype,
            "cache_bits": options.cache,
            "slots": options.slots,
            "new_tokens": options.new_tokens,
            "seconds_to_make": round(made - started, 1),
            "seconds_to_load": round(time.perf_counter() - made, 1),
        }
        _say(json.dumps(report))
        for name, folder in folders:
            report[name] = _measured(engine, folder, options)
            _say(f"{name}: {json.dumps(report[name])}")
        engine.close()
    report["seconds"] = round(time.perf_counter() - started, 1)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    add_model_options(parser)
    add("--pictures", type=int, default=64)
    add("--slots", type=int, default=8)
    add("--new-tokens", type=int, default=48)
    add(
        "--sizes",
        type=lambda text: text.split(","),
        default=["small"],
        help="some of small (0.3 to 3 megapixels), mixed (to 12), or megapixels as a number",
    )
    add("--rounds", type=int, default=1, help="of each of the two, alternating; the best counts")
    add(
        "--streamed",
        action="store_true",
        help="receive captions piece by piece, as the window does",
    )
    add("--most-seconds", type=float, default=600.0, help="of each run")
    add("--folder", type=Path, help="where to make the pictures")
    add("--json", type=Path)
    return parser.parse_args()


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """What `open_engine_of` takes."""
    add = parser.add_argument
    add("--model", default=BUILT_IN)
    add("--device", default="auto")
    add("--random-weights", choices=["llava-1.5-7b", "built-in"], help="in place of --model")
    add("--dtype", type=Precision, default=Precision.AUTO, choices=list(Precision))
    add("--cache", type=int, default=16, choices=(16, 8), help="bits of the KV cache")


def open_engine_of(options: argparse.Namespace) -> Engine:
    """The engine that the options name."""
    from core.open_engine import open_engine
    from core.terminal.random_weights import random_engine

    choice = ModelChoice(
        options.model, options.device, options.dtype, quantizes_cache=options.cache == 8
    )
    if options.random_weights:
        return random_engine(choice, options.random_weights)
    return open_engine(choice, lambda fraction, stage: None, threading.Event())


# ---- measuring ---------------------------------------------------------------------------------


def _measured(engine: Engine, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    paths = sorted(folder.iterdir())
    # Fills the slots so often that the last round, with empty slots, counts little.
    measured = paths[: max(8 * options.slots, 64)]
    started = time.perf_counter()
    Image.core.set_blocks_max(3 * openers_for(1))
    with ThreadPoolExecutor(openers_for(1)) as openers:
        pictures = list(openers.map(lambda path: _seen(engine, path), measured))
    opened_rate = len(measured) / (time.perf_counter() - started)
    sampling = Sampling(max_new_tokens=options.new_tokens)
    requests = [Request(picture, (Turn(PROMPT),), sampling) for picture in pictures]
    # The first call with this number of slots captures a CUDA graph. It takes the last images,
    # since an image that a slot still holds when its turn comes would cost almost nothing.
    for _ in engine.answer_all(requests[-options.slots :], threading.Event(), slots=options.slots):
        pass
    alone, run = [], []
    for number in range(options.rounds):
        alone.append(_alone(engine, requests, options.slots))
        run.append(measure_run(engine, folder, sampling, options, number))
        _say(json.dumps([alone[-1], run[-1]]))
    best = max(run, key=lambda figures: figures["captions_per_second"])
    best_alone = max(alone, key=lambda figures: figures["captions_per_second"])
    return {
        "slots_alone": best_alone,
        "folder_run": best,
        "ratio": round(best["captions_per_second"] / best_alone["captions_per_second"], 3),
        "ratios": [
            round(r["captions_per_second"] / a["captions_per_second"], 3)
            for a, r in zip(alone, run, strict=True)
        ],
        "opened_per_second_without_a_model": round(opened_rate, 1),
        "limit": _limit(opened_rate, best_alone["captions_per_second"]),
    }


def _limit(opened: float, answered: float) -> str:
    """A sentence that names what limits the speed of a run."""
    if opened < answered:
        return (
            f"the opening of pictures: {opened:.1f} a second by {openers_for(1)} threads without a "
            f"model, less than the {answered:.1f} that the slots alone answer"
        )
    return f"the slots: pictures open {opened / answered:.1f} times as fast as they are answered"


def _seen(engine: Engine, path: Path) -> Picture:
    """Open an image as a run does."""
    picture = open_picture(path)
    preprocessing = engine.facts.preprocessing
    assert preprocessing is not None
    given = given_pixels(picture.pixels, preprocessing, is_one_of_many=True)
    return replace(picture, pixels=given)


def _alone(engine: Engine, requests: Sequence[Request], slots: int) -> dict[str, Any]:
    def answer() -> int:
        return sum(1 for _ in engine.answer_all(requests, threading.Event(), slots=slots))

    return _timed(answer, engine)


def measure_run(
    engine: Engine, folder: Path, sampling: Sampling, options: argparse.Namespace, number: int
) -> dict[str, Any]:
    """One folder run, whose files have `number` in their names; returns its figures."""
    chosen = BatchOptions((PROMPT,), sampling=sampling, name=f"{{stem}}-{number}")
    control = Control()
    pieces: list[str] = []

    def receive(_: int, piece: str) -> None:
        pieces.append(piece)

    def caption() -> int:
        batch = Batch.begin([folder], chosen, folder.parent / "runs")
        on_piece = receive if options.streamed else None
        done = batch.run(engine, control, on_piece=on_piece, slots=options.slots).done
        batch.close()
        return done

    timer = threading.Timer(options.most_seconds, control.stop_after_this)
    timer.start()
    try:
        return _timed(caption, engine)
    finally:
        timer.cancel()


def _timed(work: Callable[[], int], engine: Engine) -> dict[str, Any]:
    """Run `work`, which returns how many captions it has made, and return its figures."""
    before, started = time.process_time(), time.perf_counter()
    with _busy(engine.facts.device) as samples:
        count = work()
    seconds = time.perf_counter() - started
    figures = {
        "captions": count,
        "seconds": round(seconds, 2),
        "captions_per_second": round(count / seconds, 3),
        "cores_used": round((time.process_time() - before) / seconds, 2),
        # On a machine with other work, this means more than the captions a second.
        "processor_ms_per_caption": round(1000 * (time.process_time() - before) / count, 1),
    }
    if samples:
        busy, watts, is_held = zip(*samples, strict=True)
        figures["gpu_busy_percent"] = round(statistics.mean(busy), 1)
        figures["gpu_watts"] = round(statistics.mean(watts))
        figures["gpu_held_back_by_its_power_limit_percent"] = round(100 * statistics.mean(is_held))
    return figures


Sample = tuple[float, float, bool]
"""A GPU's utilisation in per cent, its watts, and whether its power limit lowers its clock."""


@contextmanager
def _busy(device: str) -> Iterator[list[Sample]]:
    """Sample the GPU ten times a second; empty without nvidia-smi."""
    samples: list[Sample] = []
    tool = shutil.which("nvidia-smi")
    if not device.startswith("cuda") or tool is None:
        yield samples
        return
    number = device.partition(":")[2] or "0"
    fields = "utilization.gpu,power.draw,clocks_throttle_reasons.sw_power_cap"
    query = [f"--query-gpu={fields}", "--format=csv,noheader,nounits", "-lms", "100"]
    with subprocess.Popen(
        [tool, "-i", number, *query], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        reader = threading.Thread(target=_collect, args=(process, samples), daemon=True)
        reader.start()
        try:
            yield samples
        finally:
            process.terminate()
            reader.join()


def _collect(process: subprocess.Popen[str], samples: list[Sample]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        with suppress(ValueError):  # Of what a card does not tell.
            busy, watts, held = line.split(", ")
            samples.append((float(busy), float(watts), held.strip() == "Active"))


# ---- pictures ----------------------------------------------------------------------------------


def make(folder: Path, count: int, sizes: str) -> Path:
    """Write JPEG files, all different, with enough detail to be as large as photographs.

    One in `_ALIKE` is painted, on all cores; the others differ from it only in contrast, by another
    value in the JPEG file's quantisation table.
    """
    folder.mkdir()
    dice = random.Random(0)
    painted = max(1, -(-count // _ALIKE))
    jobs = [(folder, number, count, *_size(dice, sizes)) for number in range(painted)]
    with ProcessPoolExecutor() as painters:
        for _ in painters.map(_paint, jobs):
            pass
    return folder


def _size(dice: random.Random, sizes: str) -> tuple[int, int]:
    if sizes.isdecimal():
        return 4000, round(int(sizes) * 1e6 / 4000)
    if "x" in sizes:
        width, _, height = sizes.partition("x")
        return int(width), int(height)
    megapixels = dice.choice(
        (0.3, 0.5, 1, 2, 3) if sizes == "small" else (0.3, 0.5, 1, 2, 3, 6, 12)
    )
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = width * 3 // 4
    return (width, height) if dice.random() < 0.6 else (height, width)


def _paint(job: tuple[Path, int, int, int, int]) -> None:
    folder, number, count, width, height = job
    dice = np.random.default_rng(number)
    small = dice.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    path = folder / f"{number}-0.jpg"
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)
    data = bytearray(path.read_bytes())
    # After the marker, the length and the table's number: the step of the mean brightness.
    offset = data.index(b"\xff\xdb") + 5
    for alike in range(1, _ALIKE):
        if number * _ALIKE + alike >= count:
            return
        data[offset] = 3 + alike
        (folder / f"{number}-{alike}.jpg").write_bytes(data)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
