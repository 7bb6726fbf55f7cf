"""Measures the longest gaps of the window's event loop: python -m tests.benchmarks.window_stalls

Starts a timer of a few milliseconds in the whole program and prints the longest gaps between two of
its timeouts: while torch and a model load, and while an answer streams at 400 and 1,000 words a
second. Loads the model of the folder given as argument, else the built-in one. Asserts nothing:
times depend on the machine.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PIL import Image
from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtWidgets import QApplication

from core.engine import Absent, Loading
from core.locations import locations
from core.settings import Settings, save
from core.transcript import BUILT_IN
from gui.app.program import Program
from gui.session.model_thread import ModelThread
from tests.gui.conftest import until
from tests.support.scripted_engine import ScriptedCheckpoint

BEAT_MS = 2
WORDS = 2000


class Heartbeat(QObject):
    """Records when the event loop ran, and the CPU time of its thread until then."""

    def __init__(self):
        super().__init__()
        self._beats = [(time.perf_counter(), time.thread_time())]
        self._timer = QTimer(self, interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()

    def longest_ms(self) -> float:
        """The longest gap so far, in milliseconds."""
        return 1000 * max(after - before for (before, _), (after, _) in pairwise(self._beats))

    def longest_work_ms(self) -> float:
        """The most CPU time of this thread between two beats, whatever else delayed it."""
        return 1000 * max(after - before for (_, before), (_, after) in pairwise(self._beats))

    def report(self, name: str) -> None:
        """Stop, and print the longest gaps: when each began and how much of it was own work.

        The remainder was spent waiting for a core or for the interpreter's lock.
        """
        self._timer.stop()
        began = self._beats[0][0]
        gaps = [
            (1000 * (after - before), 1000 * (worked_after - worked), before - began)
            for (before, worked), (after, worked_after) in pairwise(self._beats)
        ]
        gaps.sort(reverse=True)
        over = sum(gap > 50 for gap, *_ in gaps)
        print(f"{name}: {over} gaps over 50 ms, 99 % under {gaps[len(gaps) // 100][0]:.0f} ms")
        for gap, work, at in gaps[:4]:
            print(f"    {gap:4.0f} ms, of it own work {work:3.0f} ms, at {at:.2f} s", flush=True)

    @Slot()
    def _on_timeout(self) -> None:
        self._beats.append((time.perf_counter(), time.thread_time()))


async def streaming(program: Program, rate: int) -> None:
    heartbeat = Heartbeat()
    program.window.prompt_box.asked.emit(f"say {WORDS} words at {rate}")
    await until(lambda: program.session.is_answering)
    await until(lambda: not program.session.is_answering, seconds=120)
    await asyncio.sleep(0.5)  # What follows an answer counts too: Markdown, writing to disk.
    heartbeat.report(f"streaming {WORDS} words at {rate}/s")


async def stream(program: Program) -> None:
    living = asyncio.create_task(program.life([picture(locations().folder)]))
    await until(lambda: program.session.picture)
    for rate in (400, 1000, 400, 1000):
        await streaming(program, rate)
    program.quit()
    await living


async def load(program: Program) -> None:
    living = asyncio.create_task(program.life([]))
    await until(lambda: program.window.isVisible() and isinstance(program.model.state, Loading))
    heartbeat = Heartbeat()
    await until(lambda: not isinstance(program.model.state, Loading | Absent), seconds=300)
    await asyncio.sleep(0.2)
    heartbeat.report(f"loading until {type(program.model.state).__name__}")
    program.quit()
    await living


def picture(folder: Path) -> Path:
    path = folder / "red.png"
    Image.new("RGB", (1024, 768), "red").save(path)
    return path


@contextmanager
def scripted_program() -> Iterator[tuple[Program, QApplication, qasync.QEventLoop]]:
    """Yield the whole program with a scripted engine and a home of its own, and its Qt objects."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ONLOOKER_HOME"] = folder
        application = QApplication(sys.argv[:1])
        executor = ThreadPoolExecutor(2)
        with qasync.QEventLoop(application) as loop:
            loop.set_default_executor(executor)
            model = ModelThread(ScriptedCheckpoint())
            program = Program(application, loop, locations(), time.perf_counter(), model)
            yield program, application, loop


def main() -> None:
    with scripted_program() as (program, application, loop):
        loop.run_until_complete(stream(program))
        choice = sys.argv[1] if len(sys.argv) > 1 else BUILT_IN
        save(Settings(model=choice), locations().folder)
        program = Program(application, loop, locations(), time.perf_counter())
        loop.run_until_complete(load(program))


if __name__ == "__main__":
    main()
