"""Compares the memory that `core.device.memory` predicts for a 7B model with what it then needs.

    python tests/benchmarks/fit_memory.py [--dtypes 16-bit,8-bit,4-bit] [--slots 1,64]

Needs a CUDA card with 60 GB for 64 slots in 16 bits; takes about a minute on an H200. The weights
are random. Prints one JSON object: for each setting the bytes predicted, and the peak bytes used by
tensors (`allocated`), by PyTorch (`reserved`) and on the whole card (`taken`). `error` is predicted
/ taken - 1; the aim is to be within 0.1.
"""

import argparse
import gc
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from PIL import Image

from core.device.memory import memory_need
from core.engine import Engine
from core.picture import Picture
from core.terminal.random_weights import SIZES, random_engine
from core.transcript import Answer, ModelChoice, Precision, Request, Sampling, Turn

NEW_TOKENS = 64
# About as many tokens as the real tokenizer makes of a longer question.
PROMPT = "Please describe this image in detail." + " please" * 40


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dtypes", default="16-bit,8-bit,4-bit")
    parser.add_argument("--slots", default="1,64")
    options = parser.parse_args()
    started = time.perf_counter()
    # Creates the CUDA context, which exists before the program asks how much memory is free.
    torch.ones(1, device="cuda")
    rows = []
    for dtype in options.dtypes.split(","):
        for slots in map(int, options.slots.split(",")):
            rows.append(measured(dtype, slots))
            gc.collect()
            torch.cuda.empty_cache()
    report = {
        "device_name": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "rows": rows,
        "largest_error": max((abs(row["error"]) for row in rows), default=0.0),
        "seconds": time.perf_counter() - started,
    }
    print(json.dumps(report, indent=1))


def measured(dtype: str, slots: int) -> dict[str, Any]:
    free_before = torch.cuda.mem_get_info()[0]
    torch.cuda.reset_peak_memory_stats()
    choice = ModelChoice(device="cuda", dtype=Precision(dtype))
    engine = random_engine(choice, "llava-1.5-7b")
    least_free = LeastFree()
    with least_free:
        tokens = answer_many(engine, slots)
    engine.close()
    need = memory_need(config(), Precision(dtype), slots=slots, length=tokens + 1, device="cuda")
    taken = free_before - least_free.value
    return {
        "dtype": dtype,
        "slots": slots,
        "positions": tokens + 1,
        "predicted": need.total,
        "predicted_weights": need.weights,
        "predicted_cache": need.cache,
        "allocated": torch.cuda.max_memory_allocated(),
        "reserved": torch.cuda.max_memory_reserved(),
        "taken": taken,
        "error": need.total / taken - 1,
    }


def config() -> dict[str, Any]:
    sizes = SIZES["llava-1.5-7b"]
    return {
        "image_seq_length": 576,
        "text_config": {
            "hidden_size": sizes.hidden,
            "intermediate_size": sizes.inner,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "vocab_size": sizes.vocabulary,
            "max_position_embeddings": 4096,
        },
    }


def answer_many(engine: Engine, slots: int) -> int:
    """Answer `slots` prompts at once; returns the most positions that a prompt with answer had."""
    random = np.random.default_rng(0)
    sampling = Sampling(max_new_tokens=NEW_TOKENS)
    requests = [
        Request(
            Picture(None, Image.fromarray(random.integers(0, 255, (96, 128, 3), dtype=np.uint8))),
            (Turn(PROMPT),),
            sampling,
        )
        for _ in range(slots)
    ]
    answers = engine.answer_all(requests, threading.Event(), slots=slots)
    return max(one.input_tokens + NEW_TOKENS for _, one in answers if isinstance(one, Answer))


class LeastFree(threading.Thread):
    """While entered, samples the card's free memory 200 times a second and keeps the least."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._is_over = threading.Event()
        self.value = torch.cuda.mem_get_info()[0]

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()
        self.value = min(self.value, torch.cuda.mem_get_info()[0])

    def run(self) -> None:
        while not self._is_over.wait(0.005):
            self.value = min(self.value, torch.cuda.mem_get_info()[0])


if __name__ == "__main__":
    main()
