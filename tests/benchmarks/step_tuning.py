"""Finds how much a warp should do in each product of a step: -m tests.benchmarks.step_tuning.

On a graphics card, with random weights in LLaVA-1.5-7b's sizes. A product alone tells little,
since kernels overlap: what counts is the whole step. Prints milliseconds a token for each try.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import asdict, replace

import torch

from core.llava.forward import ForwardPass
from core.llava.kernels.build import GEMV_TUNING, GemvTuning, build_kernels
from core.llava.kernels.launch import Kernels
from core.llava.kernels.nvrtc import Nvrtc
from core.llava.passes import Prompt
from core.terminal.random_weights import random_engine
from core.transcript import ModelChoice, Precision

WORK = [(1, 2), (1, 4), (1, 8), (2, 2), (2, 4), (2, 8), (4, 1), (4, 2), (4, 4)]
DTYPES = {16: Precision.FLOAT16, 8: Precision.BITS_8, 4: Precision.BITS_4}
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


def tune(bits: int) -> GemvTuning:
    engine = random_engine(ModelChoice("built-in", "cuda", DTYPES[bits]), "llava-1.5-7b")
    assert engine._loop is not None
    forward = engine._loop.forward
    best = GEMV_TUNING[bits]
    for name in ("gemv_add", "norm_gemv_gated", "norm_gemv"):
        found = {
            work: milliseconds(forward, replace(best, **{name: work}))
            for work in WORK
            if name != "norm_gemv_gated" or work[0] > 1
        }
        best = replace(best, **{name: min(found, key=found.__getitem__)})
        times = ", ".join(f"{work}: {time:.3f}" for work, time in found.items())
        sys.stdout.write(f"{bits} bits, {name}: {times}\n")
    engine.close()
    gc.collect()
    torch.cuda.empty_cache()
    return best


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("This needs a CUDA graphics card.")
    sys.stdout.write(json.dumps({bits: asdict(tune(bits)) for bits in DTYPES}) + "\n")
