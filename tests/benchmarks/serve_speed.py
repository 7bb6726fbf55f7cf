"""Measures captions a second through `onlooker serve`, beside a local folder run of the same files.

    python -m tests.benchmarks.serve_speed
    python -m tests.benchmarks.serve_speed --slots 64 --pictures 512 --sizes mixed
    python -m tests.benchmarks.serve_speed --random-weights llava-1.5-7b --slots 64 --pictures 1024
    taskset -c 0,1 python -m tests.benchmarks.serve_speed --device cpu --rounds 3

The server is a process of its own, asked on loopback by this one, which reads each file and sends
it as a data URL. With random weights both processes have the model in memory. The folder run is
that of `folder_speed`. The report is one line of JSON. Both alternate; the best of each counts,
and the goal is a ratio of 0.95. Where other programs use the cores, compare the processor's time
for each caption instead.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from core.transcript import Sampling
from tests.benchmarks import folder_speed
from tests.benchmarks.folder_speed import PROMPT


def main() -> int:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    options = _options()
    if options.serves:
        return _serve(options)
    with tempfile.TemporaryDirectory() as home:
        folder = folder_speed.make(Path(home) / "images", options.pictures, options.sizes)
        paths = sorted(folder.iterdir())
        engine = folder_speed.open_engine_of(options)
        sampling = Sampling(max_new_tokens=options.new_tokens)
        local, served = [], []
        with _server(options) as (address, process):
            _served(address, process, paths[: options.slots], options)  # Warms it up.
            for number in range(options.rounds):
                served.append(_served(address, process, paths, options))
                local.append(folder_speed.measure_run(engine, folder, sampling, options, number))
                sys.stderr.write(f"{json.dumps([served[-1], local[-1]])}\n")
        engine.close()
    best_served, best_local = (
        max(each, key=lambda figures: figures["captions_per_second"]) for each in (served, local)
    )
    report = {
        "device": engine.facts.device_name,
        "slots": options.slots,
        "served": best_served,
        "folder_run": best_local,
        "ratio": round(best_served["captions_per_second"] / best_local["captions_per_second"], 3),
        "processor_ratio": round(
            best_local["processor_ms_per_caption"] / best_served["processor_ms_per_caption"], 3
        ),
    }
    sys.stdout.write(f"{json.dumps(report)}\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    folder_speed.add_model_options(parser)
    add("--pictures", type=int, default=64)
    add("--slots", type=int, default=8)
    add("--new-tokens", type=int, default=48)
    add("--sizes", default="small", help="small, mixed, or megapixels as a number")
    add("--rounds", type=int, default=1)
    add("--serves", action="store_true", help="be the server, as the benchmark starts it")
    parser.set_defaults(streamed=False, most_seconds=600.0)
    return parser.parse_args()


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[tuple[str, psutil.Process]]:
    """A server on any free port: its address and its process."""
    command = [sys.executable, "-m", "tests.benchmarks.serve_speed", "--serves"]
    command += ["--model", options.model, "--device", options.device, "--slots", options.slots]
    command += ["--dtype", options.dtype, "--cache", options.cache]
    if options.random_weights:
        command += ["--random-weights", options.random_weights]
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield line.strip(), psutil.Process(process.pid)
        finally:
            process.terminate()


def _serve(options: argparse.Namespace) -> int:
    """What `onlooker serve` does, also with random weights; until its standard input ends."""
    from core.serve.server import ServeOptions, serving

    rules = ServeOptions(options.model, port=0, slots=options.slots, queue=10_000)
    with serving(rules, lambda stop: folder_speed.open_engine_of(options)) as server:
        sys.stdout.write(f"{server.address}/v1\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


def _served(
    address: str, process: psutil.Process, paths: list[Path], options: argparse.Namespace
) -> dict[str, Any]:
    """Asks about all files, twice as many at a time as there are slots."""
    before, started = sum(process.cpu_times()[:2]), time.perf_counter()
    with ThreadPoolExecutor(2 * options.slots) as clients:
        texts = list(clients.map(lambda path: _ask(address, path, options), paths))
    seconds = time.perf_counter() - started
    used = sum(process.cpu_times()[:2]) - before
    assert all(isinstance(text, str) for text in texts)
    return {
        "captions": len(texts),
        "seconds": round(seconds, 2),
        "captions_per_second": round(len(texts) / seconds, 3),
        "cores_used": round(used / seconds, 2),
        "processor_ms_per_caption": round(1000 * used / len(texts), 1),
    }


def _ask(address: str, path: Path, options: argparse.Namespace) -> str:
    image = f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}"
    parts = [
        {"type": "image_url", "image_url": {"url": image}},
        {"type": "text", "text": PROMPT},
    ]
    body = {
        "model": options.model,
        "messages": [{"role": "user", "content": parts}],
        "max_tokens": options.new_tokens,
    }
    parsed = urlsplit(address)
    assert parsed.hostname is not None
    connection = http.client.HTTPConnection(parsed.hostname, parsed.port)
    kind = {"Content-Type": "application/json"}
    connection.request("POST", f"{parsed.path}/chat/completions", json.dumps(body), kind)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert "choices" in answer, answer
    return answer["choices"][0]["message"]["content"]


if __name__ == "__main__":
    sys.exit(main())
