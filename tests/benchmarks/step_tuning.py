"""Finds how much a warp should do in each product of a step.

    python -m tests.benchmarks.step_tuning [--sizes llava-1.5-7b] [--bits 16 8 4]

On a graphics card, with random weights. A product alone tells little, since kernels overlap: what
counts is the whole step. Prints milliseconds a token for each try.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import threading
from dataclasses import asdict, replace

import torch

from core.llava.forward import ForwardPass
from core.llava.kernels.build import GemvTuning, build_kernels, gemv_tuning
from core.llava.kernels.launch import Kernels
from core.llava.kernels.nvrtc import Nvrtc
from core.llava.passes import Prompt
from core.terminal.random_weights import open_random
from core.transcript import ModelChoice, Precision

# Rows of the matrix per warp, and loads of each in flight.
WORK = {
    16: [(1, 2), (1, 4), (1, 8), (2, 2), (2, 4), (4, 1), (4, 2), (4, 4)],
    8: [(1, 4), (2, 2), (2, 4), (4, 1), (4, 2)],
    4: [(1, 8), (2, 4), (2, 8), (4, 2), (4, 4), (8, 1), (8, 2)],
}
DTYPES = {16: Precision.BITS_16, 8: Precision.BITS_8, 4: Precision.BITS_4}
STEPS = 10


def milliseconds(forward: ForwardPass, tuning: GemvTuning) -> float:
    """Of a step, with some 700 positions filled, by kernels compiled with this `tuning`."""
    model = forward.language_model
    assert model.kernels is not None
    capability = torch.cuda.get_device_capability(forward.device)
    build = build_kernels(model.kernels.shape, capability, tuning, Nvrtc())
    model.kernels = model.operations = Kernels(build, forward.device)
    length = forward.cache.length
    forward.release()
    forward.reserve(1, length)
    forward.prefill(Prompt(0, 0, [5] * 690, None))
    forward.step().ids()
    times = []
    for _ in range(3):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(STEPS):
            forward.step()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / STEPS)
    return min(times)


def tuning_of(forward: ForwardPass) -> GemvTuning:
    """That of the kernels as they are."""
    kernels = forward.language_model.kernels
    assert kernels is not None
    return gemv_tuning(kernels.shape)


def tune(sizes: str, bits: int) -> GemvTuning:
    choice = ModelChoice(sizes, "cuda", DTYPES[bits])
    engine = open_random(choice, lambda *_: None, threading.Event())
    assert engine._loop is not None
    forward = engine._loop.forward
    assert isinstance(forward, ForwardPass)
    best = tuning_of(forward)
    for name in ("gemv_add", "norm_gemv_gated", "norm_gemv"):
        found = {
            work: milliseconds(forward, replace(best, **{name: work}))
            for work in WORK[bits]
            if name != "norm_gemv_gated" or work[0] > 1
        }
        best = replace(best, **{name: min(found, key=found.__getitem__)})
        times = ", ".join(f"{work}: {time:.3f}" for work, time in found.items())
        sys.stdout.write(f"{bits} bits, {name}: {times}\n")
    engine.close()
    gc.collect()
    torch.cuda.empty_cache()
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="llava-1.5-7b")
    parser.add_argument("--bits", type=int, nargs="+", choices=DTYPES, default=list(DTYPES))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This needs a CUDA graphics card.")
    best = {bits: asdict(tune(options.sizes, bits)) for bits in options.bits}
    sys.stdout.write(json.dumps(best) + "\n")


if __name__ == "__main__":
    main()
