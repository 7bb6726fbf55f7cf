"""How fast a device reads its memory: what decoding could reach at best."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch.nn import functional


def memory_bandwidth(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """Bytes a second: of a copy, read and written, and of the best matrix times one row."""
    size = 1 << (30 if device.type == "cuda" else 27)
    with torch.inference_mode():
        block = torch.zeros(size, dtype=torch.uint8, device=device)
        target = torch.empty_like(block)
        copy = 2 * size / _best_seconds(partial(target.copy_, block), device)
        del block, target
        rates = []
        for rows, columns in ((22016, 4096), (4096, 11008), (4096, 4096)):
            # More than any cache holds, read in turn.
            count = max(2, size // (rows * columns * dtype.itemsize))
            matrices = [
                torch.zeros(rows, columns, device=device, dtype=dtype) for _ in range(count)
            ]
            row = torch.zeros(1, columns, device=device, dtype=dtype)

            def read(matrices: Sequence[torch.Tensor] = matrices, row: torch.Tensor = row) -> None:
                for matrix in matrices:
                    functional.linear(row, matrix)

            total = sum(matrix.nbytes for matrix in matrices)
            rates.append(total / _best_seconds(read, device))
            del matrices, read
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return {"copy_bytes_per_second": copy, "gemv_bytes_per_second": max(rates)}


def _best_seconds(act: Callable[[], Any], device: torch.device, times: int = 3) -> float:
    def once() -> float:
        started = time.perf_counter()
        act()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    once()
    return min(once() for _ in range(times))
