"""Measures whether threads or processes read and shrink large originals sooner, for a server.

    taskset -c 0,1 python -m tests.benchmarks.large_originals
    taskset -c 0,1 python -m tests.benchmarks.large_originals --pictures 48 --rounds 5 --workers 2

Each image is opened as a folder run over servers opens it: a JPEG of 12 megapixels is decoded at a
part of its size, reduced and encoded again. What a process makes is sent back to the run, as it
would be. Both alternate, since other programs may use the cores; the medians of the rounds count,
and the processor's time for each image, which others change little. One line of JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from core.picture import USUAL_SENDING, Picture, open_to_send
from tests.benchmarks.remote_speed import make

SIZE = (4000, 3000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    spawned = multiprocessing.get_context("spawn")
    found: dict[str, list[dict[str, float]]] = {"threads": [], "processes": []}
    with (
        tempfile.TemporaryDirectory() as home,
        ThreadPoolExecutor(options.workers) as threads,
        ProcessPoolExecutor(options.workers, spawned) as processes,
    ):
        make(Path(home) / "pictures", options.pictures, SIZE)
        paths = sorted((Path(home) / "pictures").iterdir())
        pools: dict[str, Executor] = {"threads": threads, "processes": processes}
        for pool in pools.values():  # Imports what they need.
            list(pool.map(_opened, paths[: 2 * options.workers]))
        for _ in range(options.rounds):
            for name, pool in pools.items():
                found[name].append(_measured(pool, paths))
    report: dict[str, Any] = {"pictures": len(paths), "workers": options.workers}
    for name, rounds in found.items():
        report[name] = {
            figure: round(statistics.median(one[figure] for one in rounds), 2)
            for figure in rounds[0]
        }
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def _opened(path: Path) -> Picture:
    return open_to_send(path, USUAL_SENDING)


def _measured(pool: Executor, paths: list[Path]) -> dict[str, float]:
    began, cpu = time.perf_counter(), _cpu_seconds()
    for picture in pool.map(_opened, paths):
        assert max(picture.pixels.size) == USUAL_SENDING.longest_side
    seconds = time.perf_counter() - began
    return {
        "images_per_second": len(paths) / seconds,
        "cpu_ms_per_image": 1000 * (_cpu_seconds() - cpu) / len(paths),
    }


def _cpu_seconds() -> float:
    mine = psutil.Process()
    return sum(sum(one.cpu_times()[:2]) for one in (mine, *mine.children()))


if __name__ == "__main__":
    sys.exit(main())
