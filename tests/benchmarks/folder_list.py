"""How soon the list of a folder of 100,000 pictures can be scrolled, and in how much memory.

    python -m tests.benchmarks.folder_list [PICTURES] [TIMES]

In the whole window without a screen, each time in a process of its own: a folder is chosen, its
list scrolled to the end and painted; then the run is begun, ended at once and opened again from
its journal. Nothing is asserted: times belong to the machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PIL import Image
from PySide6.QtWidgets import QApplication

from core.batch import find_runs
from core.batch_plan import BatchOptions, Phase
from core.settings import locations
from core.transcript import Ready
from gui.app import Program
from gui.model_thread import ModelThread
from tests.benchmarks.window_stalls import Heartbeat
from tests.gui.conftest import until
from tests.scripted_engine import ScriptedCheckpoint

MOST_SECONDS = 120.0


def main(count: int = 100_000, times: int = 5) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "pictures")
        _make(folder, count)
        figures = []
        for number in range(times):
            place = str(Path(home, f"ours-{number}"))
            figures.append(
                json.loads(
                    subprocess.run(
                        [sys.executable, "-m", "tests.benchmarks.folder_list", "in", str(folder)],
                        env=os.environ | {"ONLOOKER_HOME": place},
                        stdout=subprocess.PIPE,
                        check=True,
                    ).stdout.splitlines()[-1]
                )
            )
            print(json.dumps(figures[-1]), flush=True)
    print({key: statistics.median(each[key] for each in figures) for key in figures[0]})


def _make(folder: Path, count: int) -> None:
    """Names of one picture: what is in it is not looked at yet."""
    folder.mkdir()
    first = folder / "0.png"
    Image.new("RGB", (64, 48), "teal").save(first)
    for number in range(1, count):
        # A file has at most 65,000 names on some systems.
        if number % 30_000 == 0:
            first = folder / f"{number}.png"
            Image.new("RGB", (64, 48), "teal").save(first)
        else:
            os.link(first, folder / f"{number}.png")


def measured_in(folder: Path) -> None:
    application = QApplication([])
    with ThreadPoolExecutor(2) as executor, qasync.QEventLoop(application) as loop:
        loop.set_default_executor(executor)
        model = ModelThread(ScriptedCheckpoint())  # type: ignore[arg-type]
        program = Program(application, loop, locations(), time.perf_counter(), model)
        figures = loop.run_until_complete(_life(program, folder))
        print(json.dumps(figures), flush=True)
        os._exit(0)


async def _life(program: Program, folder: Path) -> dict[str, float]:
    asyncio.create_task(program.life([]))  # noqa: RUF006 (The process ends with it.)
    await until(lambda: isinstance(program.model.state, Ready), MOST_SECONDS)
    run, figures = program.folder_run, {"mib_before": _peak_mib()}
    beat = Heartbeat()
    program.window.show_batch_panel()

    started = time.perf_counter()
    await run.choose([folder])
    _paint_to_the_end(program)
    figures["chosen_seconds"] = time.perf_counter() - started

    started = time.perf_counter()
    beginning = asyncio.create_task(run.start(BatchOptions(("hold",))))
    await until(lambda: run.phase is Phase.RUNNING, MOST_SECONDS)
    _paint_to_the_end(program)
    figures["begun_seconds"] = time.perf_counter() - started
    run.stop_now()
    await beginning

    (kept,) = find_runs(locations().runs)
    started = time.perf_counter()
    await run.reopen(kept)
    _paint_to_the_end(program)
    figures["reopened_seconds"] = time.perf_counter() - started
    figures["longest_gap_ms"] = beat.longest_ms()
    figures["mib_at_most"] = _peak_mib()
    return {key: round(value, 3) for key, value in figures.items()}


def _paint_to_the_end(program: Program) -> None:
    panel = program.window.batch_panel
    panel.list.scrollToBottom()
    panel.grab()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["in"]:
        measured_in(Path(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:]))
