"""Measures what a folder run over a server costs this computer, with a server that answers at once.

    taskset -c 0,1 python -m tests.benchmarks.remote_speed
    taskset -c 0,1 python -m tests.benchmarks.remote_speed --pictures 100000 --side 64
    taskset -c 0,1 python -m tests.benchmarks.remote_speed --pictures 200 --side 4000 --height 3000

The server is a process of its own on loopback; it reads each request whole and sends the same
stream. The run reads its images from the disk, sends them as JPEG, and writes text files and a
journal. Also prints the processor time for each caption, which other programs' load changes little,
and how much memory was in use after each quarter of the images.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from core.batch import Batch, BatchOptions, Control, Item, ItemState
from core.model_reference import ServerModel
from core.remote.engine import RemoteEngine
from core.remote.loop_thread import LoopThread
from core.remote.opening import facts_of
from core.remote.server import Server

PROMPT = "Please describe this image in detail."
SAID = "A drawing of a red apple on a white table beside a book and a cup of tea."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--side", type=int, default=256, help="width of the images")
    parser.add_argument("--height", type=int, help="default: as the width")
    parser.add_argument("--parallel", type=int, default=16)
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    started = cpu_seconds(server.pid)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "pictures"
        make(folder, options.pictures, (options.side, options.height or options.side))
        report = measured(folder, Path(home) / "journals", port, options.parallel)
    seconds = cpu_seconds(server.pid) - started
    report["server_cpu_ms"] = round(1000 * seconds / options.pictures, 2)
    server.terminate()
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 0


def measured(folder: Path, journals: Path, port: int, parallel: int) -> dict[str, Any]:
    count = sum(1 for _ in folder.iterdir())
    engine = opened(port)
    memory: list[int] = []
    lock = threading.Lock()
    done = 0

    def on_item(number: int, item: Item) -> None:
        nonlocal done
        if item.state is ItemState.DONE:
            with lock:
                done += 1
                if done % max(1, count // 4) == 0:
                    memory.append(psutil.Process().memory_info().rss)

    batch = Batch.begin([folder], BatchOptions((PROMPT,)), journals)
    began, cpu = time.perf_counter(), time.process_time()
    tally = batch.run(engine, Control(), on_item, slots=parallel)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    batch.close()
    engine.close()
    assert tally.captioned == count, tally
    return {
        "cores": len(os.sched_getaffinity(0)),
        "pictures": count,
        "captions_per_second": round(count / seconds, 1),
        "client_cpu_ms": round(1000 * cpu / count, 2),
        "memory_mb": [round(one / 1e6) for one in memory],
    }


def opened(port: int) -> RemoteEngine:
    """Without the question whether the model sees: this one does not."""
    named = ServerModel(((f"http://127.0.0.1:{port}", 1),), "quick")
    server = Server(named.addresses[0][0], named.name)
    return RemoteEngine(facts_of(named, (), {}), LoopThread("servers"), [(server, 1)])


def make(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Writes JPEGs of noise that is smoothed to what photographs take."""
    folder.mkdir()
    noise = Image.effect_noise((size[0] // 4 + 1, size[1] // 4 + 1), 60).resize(size).convert("RGB")
    noise.save(folder / "0.jpg", quality=85)
    content = (folder / "0.jpg").read_bytes()
    for number in range(1, count):
        (folder / f"{number}.jpg").write_bytes(content)


def cpu_seconds(process: int | None) -> float:
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


# The server


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


def _answer(kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def serve(pipe: Connection) -> None:
    """Answers on loopback until the process is ended; sends its port through `pipe`."""
    words = [{"choices": [{"delta": {"content": f" {word}"}}]} for word in SAID.split()]
    end = {
        "choices": [{"delta": {}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 600, "completion_tokens": len(words)},
    }
    stream = b"".join(map(_event, [*words, end])) + b"data: [DONE]\n\n"
    said = _answer("text/event-stream", stream)
    listed = _answer("application/json", json.dumps({"data": [{"id": "quick"}]}).encode())

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Client(said, listed), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class _Client(asyncio.Protocol):
    """One connection of a client. Stands for another computer, so it takes as little as it can."""

    transport: asyncio.Transport

    def __init__(self, said: bytes, listed: bytes):
        self._said, self._listed = said, listed
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head, head = b"", head.lower()
            if head.startswith(b"get"):
                self.transport.write(self._listed)
                return
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._left = int(length) - len(body)
        assert self._left >= 0, "A client sends the next request before it has the answer."
        if not self._left:
            self.transport.write(self._said)


if __name__ == "__main__":
    sys.exit(main())
