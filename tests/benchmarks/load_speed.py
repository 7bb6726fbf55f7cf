"""Measures how soon weights are on the device, against a plain read and copy of the same files.

    python -m tests.benchmarks.load_speed FOLDER [--sizes built-in] [--device cpu] [--json]

Writes random weights in LLaVA-1.5-7b's sizes into FOLDER if there are none (13 GB, with the
built-in model's vocabulary), so that they are in the page cache. Then measures one thread that
reads the files into pinned memory and copies it to the GPU, several such threads, and `open_engine`
in each precision. Asserts nothing; the ratios count.
"""

import argparse
import gc
import json
import math
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from transformers import LlavaForConditionalGeneration

from core.checkpoint.folder import built_in_model
from core.device.choice import choose_device, device_name
from core.llava.tokenizer import Tokenizer
from core.open_engine import open_engine
from core.terminal.random_weights import SIZES, ModelSizes, random_config
from core.transcript import ModelChoice, Precision

SHARDS = 3
CHUNK = 64 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", default="llava-1.5-7b", choices=list(SIZES))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtypes", nargs="+", default=["16-bit", "8-bit", "4-bit"])
    parser.add_argument("--threads", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    # Imports are not part of loading.
    for module in ("core.llava.engine", "transformers.models.llava.modeling_llava"):
        import_module(module)
    device = choose_device(options.device)
    torch.ones(1, device=device).half().float()

    started = time.perf_counter()
    if not (options.folder / "config.json").is_file():
        write_checkpoint(options.folder, SIZES[options.sizes])
    written = time.perf_counter() - started
    files = sorted(options.folder.glob("*.safetensors"))
    size = sum(file.stat().st_size for file in files)

    plain = plain_seconds(files, device, 1)
    plain = min(plain, plain_seconds(files, device, 1))
    threaded = {str(count): plain_seconds(files, device, count) for count in options.threads}
    best = min(threaded.values())
    report: dict[str, Any] = {
        "device": device_name(device),
        "torch": torch.__version__,
        "bytes": size,
        "seconds_to_write": written,
        "plain_seconds": plain,
        "threaded_seconds": threaded,
        "engines": {},
    }
    for dtype in options.dtypes:
        figures = engine_figures(options.folder, str(device), dtype)
        figures["speed_by_plain"] = plain / figures["weights_seconds"]
        figures["speed_by_threaded"] = best / figures["weights_seconds"]
        report["engines"][dtype] = figures
    sys.stdout.write(json.dumps(report, indent=1) + "\n" if options.json else table(report))


def table(report: dict[str, Any]) -> str:
    size = report["bytes"]

    def row(name: str, seconds: float, note: str = "") -> str:
        return f"{name:32}{seconds:8.2f} s{size / seconds / 1e9:8.1f} GB/s  {note}\n"

    lines = [f"{report['device']}, torch {report['torch']}, {size / 1e9:.2f} GB of safetensors\n"]
    lines.append(row("plain, one thread", report["plain_seconds"]))
    for count, seconds in report["threaded_seconds"].items():
        lines.append(row(f"plain, {count} threads", seconds))
    for dtype, figures in report["engines"].items():
        speeds = figures["speed_by_plain"], figures["speed_by_threaded"]
        note = f"{speeds[0]:.2f} × plain, {speeds[1]:.2f} × threaded; "
        note += f"ready in {figures['ready_seconds']:.2f} s"
        if figures["peak_memory_bytes"]:
            note += f"; {figures['peak_memory_bytes'] / 1e9:.2f} GB at the peak"
        lines.append(row(f"open_engine, {dtype}", figures["weights_seconds"], note))
    return "".join(lines)


# ---- the figures -------------------------------------------------------------------------------


def plain_seconds(files: list[Path], device: torch.device, threads: int) -> float:
    """Seconds in which `threads` threads read the files through pinned memory onto the device."""
    on_card = device.type == "cuda"
    offsets = [0]
    for file in files:
        offsets.append(offsets[-1] + file.stat().st_size)
    target = torch.empty(offsets[-1], dtype=torch.uint8, device=device)
    chunk = CHUNK if threads == 1 else CHUNK // 4
    parts = [
        (file, begin, offset + begin, min(chunk, file.stat().st_size - begin))
        for file, offset in zip(files, offsets, strict=False)
        for begin in range(0, file.stat().st_size, chunk)
    ]
    if on_card:
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(_read, parts[number::threads], target) for number in range(threads)]
        for job in jobs:
            job.result()
    if on_card:
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - started
    del target, jobs
    _release_memory()
    return seconds


def _read(parts: list[tuple[Path, int, int, int]], target: torch.Tensor) -> None:
    """Copy each part (file, offset in it, offset in `target`, bytes) to `target`."""
    on_card = target.is_cuda
    stream = torch.cuda.Stream(target.device) if on_card else None
    largest = max(size for *_, size in parts)
    buffers = [torch.empty(largest, dtype=torch.uint8, pin_memory=on_card) for _ in range(2)]
    copied: list[Any] = [None, None]
    with torch.cuda.stream(stream):
        for turn, (file, begin, at, size) in enumerate(parts):
            if copied[turn % 2] is not None:
                copied[turn % 2].synchronize()
            buffer = buffers[turn % 2][:size]
            with file.open("rb", buffering=0) as opened:
                opened.seek(begin)
                assert opened.readinto(buffer.numpy().data) == size
            target[at : at + size].copy_(buffer, non_blocking=True)
            copied[turn % 2] = stream.record_event() if stream is not None else None


def engine_figures(folder: Path, device: str, dtype: str) -> dict[str, Any]:
    times: dict[str, float] = {}

    def on_progress(_: float, stage: str) -> None:
        times.setdefault(stage, time.perf_counter())

    on_card = device.startswith("cuda")
    if on_card:
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    # The stage "Loading the weights" is first reported when some of it is done, hence the one
    # before.
    engine = open_engine(
        ModelChoice(str(folder), device, Precision(dtype)), on_progress, threading.Event()
    )
    ready = time.perf_counter()
    figures = {
        "ready_seconds": ready - started,
        "weights_seconds": times["Preparing the model"] - times["Reading the weights"],
        "making_ready_seconds": ready - times["Preparing the model"],
        "memory_bytes": engine.facts.memory_bytes,
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if on_card else None,
    }
    engine.close()
    del engine
    _release_memory()
    return figures


def _release_memory() -> None:
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


# ---- the checkpoint ----------------------------------------------------------------------------


def write_checkpoint(folder: Path, sizes: ModelSizes) -> None:
    """Write shards in transformers' layout concurrently, from one repeated random block."""
    folder.mkdir(parents=True, exist_ok=True)
    built_in = built_in_model()
    for file in built_in.iterdir():
        if file.is_file() and not file.name.startswith("model"):
            shutil.copy(file, folder)
    vocabulary = Tokenizer.load(built_in).size
    config: Any = random_config(replace(sizes, vocabulary=vocabulary))
    with torch.device("meta"):
        shapes = {
            name: tuple(tensor.shape)
            for name, tensor in LlavaForConditionalGeneration(config).state_dict().items()
        }
    random = (torch.randn(CHUNK // 2) * 0.02).half().numpy().tobytes()
    total = sum(map(math.prod, shapes.values()))
    names: list[list[str]] = [[] for _ in range(SHARDS)]
    done = 0
    for name, shape in shapes.items():
        names[min(SHARDS - 1, done * SHARDS // total)].append(name)
        done += math.prod(shape)
    paths = [folder / f"model-{n + 1:05}-of-{SHARDS:05}.safetensors" for n in range(SHARDS)]
    with ThreadPoolExecutor(SHARDS) as pool:
        jobs = zip(paths, names, strict=True)
        list(pool.map(lambda job: _write_shard(job[0], job[1], shapes, random), jobs))
    weight_map = {name: path.name for path, here in zip(paths, names, strict=True) for name in here}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}), "utf-8")
    settings = json.loads((built_in / "config.json").read_text("utf-8"))
    settings |= {"text_config": config.text_config.to_dict(), "image_token_index": vocabulary}
    settings["vision_config"] = config.vision_config.to_dict()
    # Last, since its presence means that everything else is there.
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")


def _write_shard(
    path: Path, names: list[str], shapes: dict[str, tuple[int, ...]], random: bytes
) -> None:
    header: dict[str, Any] = {}
    end = 0
    for name in names:
        begin, end = end, end + 2 * math.prod(shapes[name])
        header[name] = {"dtype": "F16", "shape": shapes[name], "data_offsets": [begin, end]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with path.open("wb", buffering=0) as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for part in _repeated(random, end):
            file.write(part)


def _repeated(random: bytes, size: int) -> Iterator[memoryview]:
    for begin in range(0, size, len(random)):
        yield memoryview(random)[: min(len(random), size - begin)]


if __name__ == "__main__":
    main()
