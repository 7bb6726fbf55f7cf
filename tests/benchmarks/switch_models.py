"""Measures how much GPU memory ten changes of model leave behind.

    python3 tests/benchmarks/switch_models.py [--switches 10] [--device cpu]

Loads tiny and middling models of both kinds through `open_engine`, as the model thread does, asks
each one question and closes it. Prints one JSON object and a line with the verdict; the exit status
is 1 if more than 50 MB stay allocated. Takes under a minute. On a CPU, where PyTorch does not count
memory, it only shows that everything runs.
"""

import argparse
import gc
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from PIL import Image

from core.checkpoint.folder import built_in_model
from core.open_engine import open_engine
from core.picture import Picture
from core.transcript import ModelChoice, Precision, Request, Sampling, Turn
from tests.support.tiny_chat import write_chat_model
from tests.support.tiny_llava import Sizes, write_original_layout

# 0.8 GB in float16, so that a copy left behind is noticed.
MIDDLING = Sizes(hidden=2048, mlp=5504, layers=8, heads=16, vision_hidden=256, vision_mlp=512)
DTYPES = ("16-bit", "8-bit", "4-bit")
MOST = 50_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--switches", default=10, type=int)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    is_card = options.device.startswith("cuda")
    if is_card and not torch.cuda.is_available():
        print("No CUDA graphics card is here; nothing was run.")
        return 2
    began = time.perf_counter()
    at_start = settled()
    with tempfile.TemporaryDirectory() as folder:
        models = [
            write_original_layout(Path(folder) / "middling", sizes=MIDDLING),
            write_chat_model(Path(folder) / "gemma3", "gemma3"),
            built_in_model(),
            write_chat_model(Path(folder) / "qwen2_5_vl", "qwen2_5_vl"),
        ]
        say(f"models written after {time.perf_counter() - began:.1f} s")
        # The first answer allocates what CUDA's libraries keep for the life of the process.
        switch(models[2], "16-bit", options.device)
        before = settled()
        rows = []
        for number in range(options.switches):
            model, dtype = models[number % len(models)], DTYPES[number % len(DTYPES)]
            then = time.perf_counter()
            most = switch(model, dtype, options.device)
            seconds = time.perf_counter() - then
            left = settled() - before
            rows.append(
                {"model": model.name, "dtype": dtype, "most": most, "left": left}
                | {"seconds": round(seconds, 2)}
            )
            say(f"{number + 1}. {model.name}, {dtype}: most {most:,}, left {left:,} bytes")
    report = {
        "device": torch.cuda.get_device_name() if is_card else "cpu",
        "at_start": at_start,
        "before": before,
        "most_left": max(row["left"] for row in rows),
        "left_since_start": settled() - at_start,
        "left_since_start_without_cublas": without_cublas() - at_start,
        "seconds": round(time.perf_counter() - began, 1),
        "switches": rows,
    }
    print(json.dumps(report, indent=1))
    if not is_card:
        print(f"{len(rows)} switches on the processor: nothing to measure.")
        return 0
    holds = report["most_left"] <= MOST and max(row["most"] for row in rows) > 10 * MOST
    print(
        f"{'HOLDS' if holds else 'DOES NOT HOLD'}: after each of {len(rows)} switches at most "
        f"{report['most_left'] / 1e6:.1f} MB stayed behind (aim {MOST / 1e6:.0f}); "
        f"{report['left_since_start'] / 1e6:.1f} MB since the process began, of which "
        f"{report['left_since_start_without_cublas'] / 1e6:.1f} MB are not cuBLAS's workspaces."
    )
    return 0 if holds else 1


def switch(model: Path, dtype: str, device: str) -> int:
    """Load a model, ask it, close it; returns the peak of allocated bytes."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    engine = open_engine(
        ModelChoice(str(model), device, Precision(dtype)), lambda *_: None, threading.Event()
    )
    picture = Picture(None, Image.radial_gradient("L").convert("RGB"))
    sampling = Sampling(max_new_tokens=16)
    engine.answer(Request(picture, (Turn("What?"),), sampling), lambda _: None, threading.Event())
    engine.close()
    return torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else 0


def settled() -> int:
    """Bytes allocated once everything unreachable is released."""
    gc.collect()
    if not torch.cuda.is_initialized():
        return 0
    torch.cuda.empty_cache()
    return torch.cuda.memory_allocated()


def without_cublas() -> int:
    """The same without cuBLAS's workspaces; no CUDA graph may be in use when this is called."""
    if torch.cuda.is_initialized():
        torch._C._cuda_clearCublasWorkspaces()
    return settled()


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
