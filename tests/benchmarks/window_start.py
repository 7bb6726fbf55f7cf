"""Measures the time to the window's first paint: python -m tests.benchmarks.window_start

Starts the program five times with an empty home folder and prints the seconds from the start of the
process until its log says that the window is shown. Asserts nothing.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TIMES = 5


def seconds_to_window(home: Path) -> float:
    """Measured from before the interpreter starts; reads the log every 5 ms."""
    log = home / "logs" / "onlooker.log"
    log.unlink(missing_ok=True)
    environment = {"QT_QPA_PLATFORM": "offscreen"} | os.environ | {"ONLOOKER_HOME": str(home)}
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "gui"], env=environment) as program:
        while not log.exists() or "Window shown" not in log.read_text(encoding="utf-8"):
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        program.terminate()
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        seconds = [seconds_to_window(Path(home)) for _ in range(TIMES)]
    print("window painted after", ", ".join(f"{each:.2f}" for each in seconds), "s")


if __name__ == "__main__":
    main()
