"""What fits on small cards: python -m tests.benchmarks.small_cards [--gigabytes 6 8 12 16] [--json]

On a large card. A second process holds all of its memory but so many GiB, as `mem_get_info` sees
it; what CUDA itself takes in this process counts as used, as on a real card of that size. With
random weights in LLaVA-1.5-7b's sizes, in 4 and 8 bits, with the KV cache in full and in 8 bits:
how many slots are taken, and captions of 64 tokens a second. `grows` begins a run while little is
free and then frees more. Asserts nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
import torch
from PIL import Image

from core.errors import OutOfMemory
from core.llava.engine import LlavaEngine
from core.picture import Picture
from core.terminal.random_weights import random_engine
from core.transcript import ModelChoice, Precision, Request, Sampling, Turn

SIZES = "llava-1.5-7b"
_TOKENS, _FILLINGS, _MOST = 64, 2, 64
_HOLDER = """
import sys, torch
left = int(sys.argv[1])
torch.zeros(1, device="cuda")
free, _ = torch.cuda.mem_get_info()
held = torch.empty(max(0, free - left), dtype=torch.uint8, device="cuda")
print("ready", flush=True)
for line in sys.stdin:
    del held
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(max(0, free - int(line)), dtype=torch.uint8, device="cuda")
    print("ready", flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[6, 8, 12, 16])
    parser.add_argument("--precisions", nargs="+", default=["4-bit", "8-bit"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for size in options.gigabytes:
        with holder(size) as hold:
            for precision, quantizes in product(options.precisions, (False, True)):
                choice = ModelChoice(SIZES, "cuda:0", Precision(precision), False, quantizes)
                found.append({"gigabytes": size, **measured(choice)})
                if not options.json:
                    sys.stdout.write(line_of(found[-1]) + "\n")
                    sys.stdout.flush()
            if size == options.gigabytes[0]:
                found.append(grown(hold, size, options.gigabytes[-1]))
                sys.stdout.write(json.dumps(found[-1]) + "\n")
    if options.json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")


def line_of(figures: dict[str, Any]) -> str:
    size, cache = figures["gigabytes"], "8-bit" if figures["quantizes_cache"] else "full"
    begin = f"{size:4.0f} GiB, {figures['precision']:6} {cache:5} KV cache: "
    if "error" in figures:
        return begin + figures["error"]
    return (
        begin + f"{figures['slots']:2} slots, {figures['captions_per_second']:5.1f} captions/s, "
        f"{figures['tokens_per_second']:5.1f} tokens/s alone; at least "
        f"{figures['least_free'] / 2**30:.1f} GiB stayed free"
    )


def measured(choice: ModelChoice) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "precision": choice.dtype.value,
        "quantizes_cache": choice.quantizes_cache,
    }
    try:
        engine = random_engine(choice, SIZES)
    except OutOfMemory as error:
        return {**figures, "error": str(error)}
    try:
        alone = engine.answer(_request(128), lambda _: None, threading.Event())
        figures["tokens_per_second"] = round(alone.tokens / alone.seconds, 1)
        figures["slots"] = slots = engine.facts.slots_that_fit
        answer_all(engine, slots, slots, new_tokens=2)
        began, count = time.perf_counter(), max(8, _FILLINGS * slots)
        answer_all(engine, count, slots)
        figures["captions_per_second"] = round(count / (time.perf_counter() - began), 2)
        figures["least_free"] = torch.cuda.mem_get_info()[0]
    except OutOfMemory as error:
        figures["error"] = str(error)
    finally:
        engine.close()
        del engine
        gc.collect()
        torch.cuda.empty_cache()
    return figures


def grown(hold: subprocess.Popen[str], first: float, later: float) -> dict[str, Any]:
    """How many answers were in work at once, at the beginning and at the end of one run."""
    choice = ModelChoice(SIZES, "cuda:0", Precision.BITS_4, False, quantizes_cache=True)
    engine = random_engine(choice, SIZES)
    begun, ended, at_once = 0, 0, []
    ask = engine.answer_all

    def requests() -> Iterator[Request]:
        nonlocal begun
        for _ in range(24 * max(1, engine.facts.slots_that_fit)):
            begun += 1
            at_once.append(begun - ended)
            yield _request(8)

    try:
        for _ in ask(requests(), threading.Event(), slots=_MOST):
            ended += 1
            if ended == 4:
                leave(hold, later)
        leave(hold, first)
        return {"grows": True, "from": max(at_once[:8]), "to": max(at_once), "answers": ended}
    finally:
        engine.close()


def answer_all(engine: LlavaEngine, count: int, slots: int, new_tokens: int = _TOKENS) -> None:
    requests = [_request(new_tokens) for _ in range(count)]
    for _ in engine.answer_all(requests, threading.Event(), slots=slots):
        pass


def _pictures() -> Iterator[Picture]:
    """No two alike, since a slot knows an image again that it has just seen."""
    random = np.random.default_rng(0)
    while True:
        patches = random.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        yield Picture(None, Image.fromarray(patches).resize((640, 480)))


PICTURES = _pictures()


def _request(new_tokens: int) -> Request:
    turns = (Turn("Describe this image."),)
    return Request(next(PICTURES), turns, Sampling(max_new_tokens=new_tokens))


@contextmanager
def holder(gigabytes: float) -> Iterator[subprocess.Popen[str]]:
    """Within, a process holds all of the card's memory but this."""
    command = [sys.executable, "-c", _HOLDER, str(int(gigabytes * 2**30))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def leave(process: subprocess.Popen[str], gigabytes: float) -> None:
    """The process holds all but this from now on, beside what this process has."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{int(gigabytes * 2**30)}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"


if __name__ == "__main__":
    main()
