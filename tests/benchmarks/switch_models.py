"""Ten switches of model on a graphics card: what stays behind of the ones before.

    python tests/benchmarks/switch_models.py [--switches 10]

Loads tiny and middling models of both kinds through `open_engine`, as the window's thread does,
asks each something and closes it. Prints one JSON object: the bytes that PyTorch held before the
first, and after each. `most_left` within 50 MB is the aim. Under a minute.
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

from core.checkpoint import open_engine
from core.model_folder import built_in_model
from core.picture import Picture
from core.transcript import ModelChoice, Request, Sampling, Turn
from tests.tiny_chat import write_chat_model
from tests.tiny_llava import Sizes, write_original_layout

# 0.8 GB in float16, so that a copy left behind is seen.
MIDDLING = Sizes(hidden=2048, mlp=5504, layers=8, heads=16, vision_hidden=256, vision_mlp=512)
DTYPES = ("16-bit", "8-bit", "4-bit")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--switches", default=10, type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = [
            write_original_layout(Path(folder) / "middling", sizes=MIDDLING),
            write_chat_model(Path(folder) / "gemma3", "gemma3"),
            built_in_model(),
            write_chat_model(Path(folder) / "qwen2_5_vl", "qwen2_5_vl"),
        ]
        # What CUDA's libraries keep for good comes with the first answer.
        switch(models[2], "16-bit")
        before = settled()
        left, rows = [], []
        for number in range(options.switches):
            model, dtype = models[number % len(models)], DTYPES[number % len(DTYPES)]
            began = time.perf_counter()
            most = switch(model, dtype)
            left.append(settled() - before)
            rows.append(
                {
                    "model": model.name,
                    "dtype": dtype,
                    "most": most,
                    "left": left[-1],
                    "seconds": time.perf_counter() - began,
                }
            )
    report = {"before": before, "most_left": max(left), "switches": rows}
    print(json.dumps(report, indent=1))


def switch(model: Path, dtype: str) -> int:
    """Bytes at most while it was loaded."""
    torch.cuda.reset_peak_memory_stats()
    choice = ModelChoice(str(model), "cuda", dtype)
    engine = open_engine(choice, lambda *_: None, threading.Event())
    picture = Picture(None, Image.radial_gradient("L").convert("RGB"))
    sampling = Sampling(max_new_tokens=16)
    engine.answer(Request(picture, (Turn("What?"),), sampling), lambda _: None, threading.Event())
    engine.close()
    return torch.cuda.max_memory_allocated()


def settled() -> int:
    gc.collect()
    torch.cuda.empty_cache()
    return torch.cuda.memory_allocated()


if __name__ == "__main__":
    main()
