"""Measures what a processor does before a card can begin: from a file to the inputs of LLaVA-1.5.

    python -m tests.benchmarks.prepare_speed
    taskset -c 0 python -m tests.benchmarks.prepare_speed --times 200

The steps of a single answer, each alone, in µs: padding and resizing, normalising, tokenizing, and
the ids of the positions. The preparation of an image in a folder run, in ms of the processor, from
a JPEG and from a PNG. The median of many times, and the shortest, which other programs change
least.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from core.batch.opening import prepared
from core.checkpoint.folder import built_in_model
from core.engine import EngineFacts
from core.llava.prompt import prepare
from core.llava.tokenizer import Tokenizer
from core.picture import ImagePreprocessing, open_picture
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD, padded_square, pixel_values
from core.terminal.bench import PROMPT
from core.transcript import Precision, Turn

SIZES = ((256, 256), (640, 480), (1024, 768), (768, 1024), (1024, 1024), (4000, 3000))
SIDE = 336


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="for each step")
    times = parser.parse_args().times
    _single_answer(times)
    _folder_run(times)
    return 0


def _single_answer(times: int) -> None:
    _say("a single answer, µs: median (shortest)")
    for size in SIZES:
        pixels = _drawn(size)
        few = max(5, times * 640 * 480 // max(640 * 480, size[0] * size[1]))
        resized = _measured(partial(padded_square, pixels, SIDE), few)
        alone = _measured(partial(padded_square, pixels, SIDE, threads=1), few)
        whole = _measured(partial(pixel_values, pixels, SIDE), few)
        _say(f"  {size[0]} × {size[1]}: resized {resized}, in one thread {alone}, whole {whole}")
    square = _drawn((SIDE, SIDE))
    _say(f"  normalised: {_measured(partial(pixel_values, square, SIDE), times)}")
    tokenizer = Tokenizer.load(built_in_model())
    values = pixel_values(square, SIDE)
    turns = [Turn(PROMPT)]

    def prompt() -> list[int]:
        return prepare(turns, values, tokenizer, max_new_tokens=64).positions

    _say(f"  prompt and positions: {_measured(prompt, times)}")


def _folder_run(times: int) -> None:
    _say("an image of a folder run, ms of the processor: median (shortest)")
    preprocessing = ImagePreprocessing(SIDE, 14, CLIP_MEAN, CLIP_STD)
    facts = EngineFacts("", "cpu", "", Precision.AUTO, 0, 4096, preprocessing=preprocessing)
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            for suffix in ("jpg", "png"):
                path = Path(folder) / f"{size[0]}.{suffix}"
                _drawn(size).save(path, quality=90)
                few = max(5, times * 640 * 480 // max(640 * 480, 4 * size[0] * size[1]))
                opened = _measured(partial(open_picture, path), few, unit=1e-3)
                whole = _measured(partial(prepared, path, facts), few, unit=1e-3)
                _say(f"  {size[0]} × {size[1]} {suffix}: opened {opened}, prepared {whole}")


def _drawn(size: tuple[int, int]) -> Image.Image:
    """A picture with as much detail as a photograph."""
    random = np.random.default_rng(0)
    patches = random.integers(0, 255, (size[1] // 8 + 1, size[0] // 8 + 1, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC))
    noise = random.integers(-8, 9, smooth.shape)
    return Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8))


def _measured(function: Callable[[], object], times: int, unit: float = 1e-6) -> str:
    clock = time.perf_counter if unit < 1e-3 else time.thread_time
    function()
    seconds = []
    for _ in range(times):
        began = clock()
        function()
        seconds.append(clock() - began)
    median, least = statistics.median(seconds) / unit, min(seconds) / unit
    digits = 0 if unit < 1e-3 else 2
    return f"{median:.{digits}f} ({least:.{digits}f})"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
