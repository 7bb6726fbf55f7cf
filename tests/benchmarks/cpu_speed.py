"""What a processor does with a large model: python -m tests.benchmarks.cpu_speed

    [--sizes llava-1.5-7b] [--dtype 4-bit] [--new-tokens 32]

With random weights, by our own loop alone: `onlooker bench` also asks `generate()`, which takes
minutes with these sizes. Prints tokens a second and the seconds to the first token of a new image,
each for two answers. Asserts nothing.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

import numpy as np
import torch
from PIL import Image

from core.picture import Picture
from core.terminal.random_weights import SIZES, random_engine
from core.transcript import ModelChoice, Precision, Request, Sampling, Turn


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", choices=list(SIZES), default="llava-1.5-7b")
    parser.add_argument("--dtype", type=Precision, default=Precision.BITS_4)
    parser.add_argument("--new-tokens", type=int, default=32)
    options = parser.parse_args()
    began = time.perf_counter()
    engine = random_engine(ModelChoice(options.sizes, "cpu", options.dtype), options.sizes)
    say(
        f"{engine.facts.device_name}, {torch.get_num_threads()} threads, torch {torch.__version__};"
        f" {options.sizes} in {engine.facts.dtype}, made in {time.perf_counter() - began:.0f} s"
    )
    random = np.random.default_rng(0)
    sampling = Sampling(max_new_tokens=options.new_tokens)
    for _ in range(2):
        pixels = Image.fromarray(random.integers(0, 255, (480, 640, 3), dtype=np.uint8))
        request = Request(Picture(None, pixels), (Turn("Describe this image."),), sampling)
        answer = engine.answer(request, lambda _: None, threading.Event())
        say(
            f"{answer.tokens_per_second:.1f} tokens/s, first token after "
            f"{answer.seconds_to_first_token:.1f} s, prompt of {answer.input_tokens} tokens"
        )


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
