"""Skinny products with a language model's matrices: python -m tests.benchmarks.skinny_matmul

On a CPU: float32, each matrix by itself and more of them than a cache holds, ours and torch's
linear(). With `cuda`: all matrices of random weights in LLaVA-1.5-7b's sizes, in 8 and 4 bits, as a
graph, with the skinny kernels and with dequantized matrices. Prints milliseconds; asserts nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from core.llava.cuda_graphs import try_capture
from core.llava.linear import Dequantizer, Matrix
from core.terminal.random_weights import random_engine
from core.transcript import ModelChoice, Precision

ROWS = (1, 2, 4, 8, 16, 20, 32, 64)
SHAPES = ((256, 768), (256, 256), (256, 1376), (688, 256), (256, 4064), (4096, 4096))
_MEMORY, _TIMES = 160_000_000, 9


def milliseconds(act: Callable[[], Any], wait: Callable[[], Any] = lambda: None) -> float:
    """The median of a few times."""
    act()
    taken = []
    for _ in range(_TIMES):
        wait()
        began = time.perf_counter()
        act()
        wait()
        taken.append(1e3 * (time.perf_counter() - began))
    return sorted(taken)[_TIMES // 2]


@torch.inference_mode()
def on_processor() -> None:
    sys.stdout.write(f"{torch.get_num_threads()} threads; in → out, rows: ours, linear(), ratio\n")
    for columns, size in SHAPES:
        number = max(2, _MEMORY // (4 * columns * size))
        modules = [nn.Linear(columns, size, bias=False) for _ in range(number)]
        matrices = [Matrix.joined([module], Dequantizer(None)) for module in modules]
        for rows in ROWS:
            states = torch.randn(rows, columns)

            def plain(states: torch.Tensor = states, modules: Any = modules) -> None:
                for module in modules:
                    functional.linear(states, module.weight)

            def ours(states: torch.Tensor = states, matrices: Any = matrices) -> None:
                for matrix in matrices:
                    matrix(states)

            mine, other = milliseconds(ours) / number, milliseconds(plain) / number
            sys.stdout.write(
                f"{columns:5} → {size:5} {rows:3}: {mine:8.3f} {other:8.3f} {other / mine:5.2f}\n"
            )


@torch.inference_mode()
def on_card(precision: str) -> None:
    engine = random_engine(ModelChoice("built-in", "cuda", Precision(precision)), "llava-1.5-7b")
    assert engine._loop is not None
    forward = engine._loop.forward
    kernels = forward.language_model.kernels
    assert kernels is not None
    sys.stdout.write(f"{precision}, rows: ours, dequantized\n")
    for rows in ROWS:
        narrow, wide = (
            torch.randn(rows, columns, device="cuda", dtype=forward.dtype)
            for columns in (kernels.shape.hidden, kernels.shape.inner)
        )

        def all_of_them(narrow: torch.Tensor = narrow, wide: torch.Tensor = wide) -> torch.Tensor:
            for layer in forward.language_model.layers:
                for matrix in (layer.query_key_value, layer.output, layer.gate_up):
                    matrix(narrow)
                layer.down(wide)
            return narrow

        times = []
        for has_skinny in (True, False):
            kernels._has_skinny = has_skinny
            graph = try_capture(all_of_them, [], forward.device)
            times.append(milliseconds(graph or all_of_them, torch.cuda.synchronize))
        kernels._has_skinny = True
        sys.stdout.write(f"{rows:3}: {times[0]:8.2f} {times[1]:8.2f}\n")
    engine.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["cuda"]:
        for bits in ("8-bit", "4-bit"):
            on_card(bits)
    else:
        on_processor()
