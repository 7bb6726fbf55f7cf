"""Measures the time to the window's first paint: python -m tests.benchmarks.window_start [TIMES]

Starts the program so often with an empty home folder and prints the seconds from the start of the
process until its log says that the window is shown, and those of the processor until then, which
other programs change less. A start that is not counted writes Python's bytecode, as an installed
program has it. Asserts nothing.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

TIMES = int(sys.argv[1]) if len(sys.argv) > 1 else 5


def seconds_to_window(home: Path) -> tuple[float, float]:
    """Measured from before the interpreter starts; reads the log every 5 ms. The second are the
    processor's."""
    log = home / "logs" / "onlooker.log"
    log.unlink(missing_ok=True)
    environment = {"QT_QPA_PLATFORM": "offscreen"} | os.environ | {"ONLOOKER_HOME": str(home)}
    # Where it is set, all modules are compiled again at each start, which takes twice as long.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "gui"], env=environment) as program:
        while not log.exists() or "Window shown" not in log.read_text(encoding="utf-8"):
            if program.poll() is not None:
                sys.exit("The program ended before its window was shown.")
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        used = psutil.Process(program.pid).cpu_times()
        program.terminate()
    return seconds, used.user + used.system


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        seconds_to_window(Path(home))
        seconds = [seconds_to_window(Path(home)) for _ in range(TIMES)]
    for name, each in zip(("painted after", "processor"), zip(*seconds, strict=True), strict=True):
        print(
            f"{name}:", ", ".join(f"{one:.2f}" for one in each), "s, shortest", f"{min(each):.2f}"
        )


if __name__ == "__main__":
    main()
