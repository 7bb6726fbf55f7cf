"""Finds how much a warp should do in each product of a step.

    python -m tests.benchmarks.step_tuning [--sizes llava-1.5-7b] [--dtype 16-bit 4-bit]

On a graphics card, with random weights. A product alone tells little, since kernels overlap: what
counts is the whole step. Prints milliseconds a token for each try.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import torch

from core.llava.forward import ForwardPass
from core.llava.kernels.build import KernelBuild, build_kernels
from core.llava.kernels.cubin_cache import CubinCache
from core.llava.kernels.gemv import (
    GemvTuning,
    GemvWork,
    gemv_tuning,
    head_bits,
    reaching,
)
from core.llava.kernels.launch import Kernels
from core.llava.kernels.nvrtc import Nvrtc
from core.llava.passes import Prompt
from core.terminal.random_weights import open_random
from core.transcript import ModelChoice, Precision

# Rows of the matrix in flight, and loads of each, by the bits of the weights.
WORK = {
    16: [(1, 2), (1, 4), (2, 2), (2, 4), (4, 2), (4, 4)],
    8: [(2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)],
    4: [(2, 1), (4, 1), (8, 1), (16, 1), (2, 2), (4, 2), (8, 2)],
}
WARPS = [8, 12, 16, 24, 32]
"""That a multiprocessor is given."""
PRECISIONS = ("16-bit", "fp8", "8-bit", "4-bit")
KERNELS = ("gemv_add", "norm_gemv_gated", "norm_gemv", "norm_gemv_logits")
STEPS = 10


class Tuner:
    """Times decode steps of one model, by kernels compiled with any tuning."""

    def __init__(self, forward: ForwardPass, folder: Path):
        kernels = forward.language_model.kernels
        assert kernels is not None
        self._forward, self._shape = forward, kernels.shape
        self._length = forward.cache.length
        self._cache, self._compiler = CubinCache(folder), Nvrtc()
        self.best = gemv_tuning(self._shape)

    def build(self, tuning: GemvTuning) -> KernelBuild:
        capability = torch.cuda.get_device_capability(self._forward.device)
        return build_kernels(self._shape, capability, tuning, self._compiler, cache=self._cache)

    def milliseconds(self, tuning: GemvTuning) -> float:
        """Of a step, with some 700 positions filled."""
        forward, model = self._forward, self._forward.language_model
        model.kernels = model.operations = Kernels(self.build(tuning), forward.device)
        forward.release()
        forward.reserve(1, self._length)
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

    def works(self, name: str) -> list[tuple[int, int]]:
        """The rows and loads that kernel `name` is tried with."""
        shape = self._shape
        bits = head_bits(shape) if name == "norm_gemv_logits" else shape.bits
        columns = max(shape.hidden, shape.inner) if name == "gemv_add" else shape.hidden
        pair = 2 if name == "norm_gemv_gated" else 1
        tried = [GemvWork(rows, loads, 0) for rows, loads in WORK[bits] if rows >= pair]
        works = [reaching(work, columns, bits, pair) for work in tried]
        return list(dict.fromkeys((work.rows, work.loads) for work in works))

    def choose(self, name: str, tries: Sequence[GemvWork]) -> None:
        tunings = {work: replace(self.best, **{name: work}) for work in tries}
        with ThreadPoolExecutor() as threads:
            list(threads.map(self.build, tunings.values()))
        found = {work: self.milliseconds(tuning) for work, tuning in tunings.items()}
        self.best = replace(self.best, **{name: min(found, key=found.__getitem__)})
        times = ", ".join(
            f"{tuple(vars(work).values())}: {time:.3f}" for work, time in found.items()
        )
        sys.stdout.write(f"{name}: {times}\n")

    def tune(self) -> GemvTuning:
        for name in KERNELS:
            warps = getattr(self.best, name).warps
            self.choose(name, [GemvWork(*work, warps) for work in self.works(name)])
        for name in KERNELS:
            best = getattr(self.best, name)
            self.choose(name, [replace(best, warps=number) for number in WARPS])
        return self.best


def tune(sizes: str, precision: Precision) -> GemvTuning:
    choice = ModelChoice(sizes, "cuda", precision)
    engine = open_random(choice, lambda *_: None, threading.Event())
    assert engine._loop is not None
    forward = engine._loop.forward
    assert isinstance(forward, ForwardPass)
    with tempfile.TemporaryDirectory() as folder:
        tuner = Tuner(forward, Path(folder))
        before = tuner.milliseconds(tuner.best)
        best = tuner.tune()
        sys.stdout.write(f"{precision}: {before:.3f} ms, now {tuner.milliseconds(best):.3f}\n")
    engine.close()
    gc.collect()
    torch.cuda.empty_cache()
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="llava-1.5-7b")
    parser.add_argument("--dtype", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This needs a CUDA graphics card.")
    best = {dtype: asdict(tune(options.sizes, Precision(dtype))) for dtype in options.dtype}
    sys.stdout.write(json.dumps(best) + "\n")


if __name__ == "__main__":
    main()
