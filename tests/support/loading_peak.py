"""Loads a folder by itself: `python -m tests.support.loading_peak FOLDER DEVICE DTYPE`.

Prints, in bytes, by how much the process grew at its peak, and the size of the weights. Only Linux
reports the peak; it is that of a process, so each measurement needs a new process.
"""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]


def measure(folder: Path, device: str, dtype: str) -> tuple[int, int]:
    """Returns the peak and the size of the weights in bytes, measured in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.loading_peak", str(folder), device, dtype],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
    )
    peak, size = ran.stdout.split()
    return int(peak), int(size)


def _resident(kind: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(kind)).split()[1]) * 1024


def _main(folder: str, device: str, dtype: str) -> None:
    from core.open_engine import open_engine
    from core.transcript import ModelChoice, Precision

    # What the first load of a process costs (imports, the device's context, its libraries'
    # workspaces) is not part of loading this model.
    open_engine(ModelChoice(device=device), lambda *_: None, threading.Event()).close()
    gc.collect()
    before = _resident("VmRSS")
    choice = ModelChoice(folder, device, Precision(dtype))
    engine = open_engine(choice, lambda *_: None, threading.Event())
    sys.stdout.write(f"{_resident('VmHWM') - before} {engine.facts.memory_bytes}\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
