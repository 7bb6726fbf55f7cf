"""Captions a second of a folder run, against the slots alone on the same, opened pictures.

    python -m tests.benchmarks.folder_speed [MODEL [PICTURES [SLOTS]]]

The run reads its pictures from the disk, ahead, and writes text files and a journal.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from PIL import Image

from core.batch import Batch
from core.batch_plan import BatchOptions
from core.batch_run import Control
from core.checkpoint import open_engine
from core.picture import open_picture
from core.transcript import BUILT_IN, ModelChoice, Request, Sampling, Turn

PROMPT = "Please describe this image in detail."


def main(model: str = BUILT_IN, pictures: str = "64", slots: str = "8") -> None:
    stop = threading.Event()
    engine = open_engine(ModelChoice(model), lambda fraction, stage: None, stop)
    sampling = Sampling(max_new_tokens=48)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "pictures"
        paths = _make(folder, int(pictures))
        requests = [Request(open_picture(p), (Turn(PROMPT),), sampling) for p in paths]
        list(engine.answer_all(requests[: int(slots)], stop, slots=int(slots)))  # Warm.
        started = time.perf_counter()
        alone = list(engine.answer_all(requests, stop, slots=int(slots)))
        alone_rate = len(alone) / (time.perf_counter() - started)
        del requests, alone
        options = BatchOptions((PROMPT,), sampling=sampling)
        started = time.perf_counter()
        batch = Batch.begin([folder], options, Path(home) / "runs")
        tally = batch.run(engine, Control(), slots=int(slots))
        run_rate = tally.done / (time.perf_counter() - started)
        batch.close()
    print(
        f"slots alone {alone_rate:.2f}/s, folder run {run_rate:.2f}/s, {run_rate / alone_rate:.2f}"
    )
    engine.close()


def _make(folder: Path, count: int) -> list[Path]:
    """JPEG files of 0.3 to 3 megapixels, with noise so that they take work to decode."""
    folder.mkdir()
    dice = random.Random(0)
    paths = []
    for number in range(count):
        side = dice.randrange(500, 1800)
        small = Image.effect_noise((side // 8, side // 10), 60).convert("RGB")
        path = folder / f"{number}.jpg"
        small.resize((side, side * 4 // 5)).save(path, quality=90)
        paths.append(path)
    return paths


if __name__ == "__main__":
    main(*sys.argv[1:])
