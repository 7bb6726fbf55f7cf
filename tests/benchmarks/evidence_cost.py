"""Measures what the evidence for words costs at LLaVA-1.5-7b's sizes, with random weights.

    python tests/benchmarks/evidence_cost.py [--dtype 4-bit] [--tokens 150] > cost.json

Prints medians in milliseconds, after one call to warm up: confidence, gain and doubt of all words;
one map; all maps at once; one question whether a thing is in the image, on the kept KV cache. Also
the memory that these passes need in addition to that of the answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.picture import Picture
from core.terminal.random_weights import SIZES, random_engine
from core.transcript import Ending, ModelChoice, Precision, Request, Sampling, Turn
from core.words import Word

NEVER = threading.Event()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--tokens", default=150, type=int)
    parser.add_argument("--times", default=7, type=int)
    parser.add_argument("--random-weights", default="llava-1.5-7b", choices=sorted(SIZES))
    options = parser.parse_args()
    choice = ModelChoice(device=options.device, dtype=Precision(options.dtype))
    engine = random_engine(choice, options.random_weights)
    # LLaVA-1.5's prompt: 625 positions.
    pixels = Image.radial_gradient("L").resize((640, 480)).convert("RGB")
    sampling = Sampling(max_new_tokens=options.tokens)
    question = "Please describe this image in detail."
    request = Request(Picture(None, pixels), (Turn(question),), sampling)
    answer = engine.answer(request, lambda _: None, NEVER)
    evidence = engine.evidence(request, answer, NEVER)
    words = evidence.words
    # Random weights generate no words that could be asked about.
    asked = replace(answer, text="A dog.", output_ids=(), ending=Ending.COMPLETE)
    dog = Word(2, 5, "dog", 1, 2, 1.0, (), 0.0, 0.0, True)

    def milliseconds(act: Callable[[], object]) -> float:
        act()
        took = []
        for _ in range(options.times):
            started = time.perf_counter()
            act()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            took.append(time.perf_counter() - started)
        return round(1e3 * statistics.median(took), 1)

    before = _allocated(peak=False)
    _reset_peak()
    figures = {
        "model": engine.facts.model,
        "device": engine.facts.device_name,
        "dtype": engine.facts.dtype,
        "positions": answer.input_tokens,
        "tokens": answer.tokens,
        "words": len(words),
        "confidence_gain_doubt_ms": milliseconds(lambda: engine.evidence(request, answer, NEVER)),
        "one_map_ms": milliseconds(lambda: engine.word_map(request, answer, words[-1])),
        "all_maps_ms": milliseconds(lambda: engine.word_maps(request, answer, words)),
        "look_again_ms": milliseconds(lambda: engine.look_again(request, asked, dog)),
        "extra_bytes": _allocated(peak=True) - before,
    }
    print(json.dumps(figures, indent=1))


def _allocated(*, peak: bool) -> int:
    if not torch.cuda.is_available():
        return 0
    return torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()


def _reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


if __name__ == "__main__":
    main()
