"""Do our loop's greedy ids equal those of `generate()`? python -m tests.benchmarks.same_ids

The built-in model in float32, on pictures made of its samples by cutting, turning and mirroring:
each is described by transformers' `generate()`, by the loop alone, and by the loop among seven
others. Prints how many of the answers are the same ids; all should be.
"""

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from core.open_engine import open_engine
from core.picture import Picture, open_picture
from core.transcript import ModelChoice, Precision, Request, Sampling, Turn

SAMPLES = Path(__file__).parents[2] / "resources" / "samples"
PROMPTS = ("Please describe this image in detail.", "Give a short caption for this image.")


def pictures(count: int, seed: int) -> Iterator[Picture]:
    random = np.random.default_rng(seed)
    samples = [open_picture(path).pixels for path in sorted(SAMPLES.glob("*.png"))]
    for number in range(count):
        whole = samples[number % len(samples)]
        width, height = (random.uniform(0.4, 1.0, 2) * whole.size).astype(int)
        left = int(random.integers(0, whole.width - width + 1))
        top = int(random.integers(0, whole.height - height + 1))
        part = whole.crop((left, top, left + int(width), top + int(height)))
        if random.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield Picture(None, part.rotate(float(random.uniform(-20, 20)), expand=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--new-tokens", type=int, default=64)
    options = parser.parse_args()
    stop = threading.Event()
    choice = ModelChoice("built-in", options.device, Precision.FLOAT32)
    engine = open_engine(choice, lambda *_: None, stop)
    plain = engine.by_generate()
    requests = [
        Request(
            picture,
            (Turn(PROMPTS[number % len(PROMPTS)]),),
            Sampling(max_new_tokens=options.new_tokens),
        )
        for number, picture in enumerate(pictures(options.count, options.seed))
    ]
    many = {id(request): answer for request, answer in engine.answer_all(requests, stop, slots=8)}
    same_alone = same_among = tokens = 0
    for request in requests:
        right = plain.answer(request, lambda _: None, stop).output_ids
        same_alone += engine.answer(request, lambda _: None, stop).output_ids == right
        same_among += many[id(request)].output_ids == right
        tokens += len(right)
    json.dump(
        {
            "pictures": len(requests),
            "tokens": tokens,
            "same_alone": same_alone,
            "same_among_eight": same_among,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
