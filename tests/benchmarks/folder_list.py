"""Measures how soon a list of 100,000 images can be scrolled, and how long the window freezes.

    python -m tests.benchmarks.folder_list [IMAGES] [TIMES]

In the whole window, offscreen, each time in a process of its own. A folder is dropped and chosen,
and its run begins; captions arrive at 40 a second while the list is scrolled, rows are selected and
the list is filtered; then the run is stopped. Next, a run in which every image has a caption and a
doubtful word is opened, searched, sorted, replaced in and undone; then everything is closed. Prints
for each of these the longest gap of the event loop: the median of several times, and the worst.
Asserts nothing: times depend on the machine.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.batch import Batch, BatchOptions, ItemState, Phase, find_runs
from core.engine import Ready
from core.locations import locations
from gui.app.program import Program
from gui.batch.row_filter import SortKey
from gui.batch.rows import Column
from gui.session.model_thread import ModelThread
from tests.benchmarks.window_stalls import Heartbeat
from tests.gui.conftest import until
from tests.support.scripted_engine import ScriptedCheckpoint

MOST_SECONDS = 120.0
# 40 captions a second, of eight words each.
PROMPT = "say 8 words at 320"
STEPS = 60
STEP_SECONDS = 0.03


def main(count: int = 100_000, times: int = 5) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "pictures")
        _make(folder, count)
        figures = []
        for number in range(times):
            program_home = Path(home, f"ours-{number}")
            figures.append(
                json.loads(
                    subprocess.run(
                        [sys.executable, "-m", "tests.benchmarks.folder_list", "in", str(folder)],
                        env=os.environ | {"ONLOOKER_HOME": str(program_home)},
                        stdout=subprocess.PIPE,
                        check=True,
                    ).stdout.splitlines()[-1]
                )
            )
            # Otherwise the next time would find captions beside the images.
            for path in folder.glob("*.txt"):
                path.unlink()
            print(json.dumps(figures[-1]), flush=True)
    for key in figures[0]:
        of_key = [each[key] for each in figures]
        print(f"{key:24} {statistics.median(of_key):9.2f}, at most {max(of_key):9.2f}")


def _make(folder: Path, count: int) -> None:
    """Make `count` hard links to a few images; the list does not read their contents."""
    folder.mkdir()
    first = folder / "0.png"
    Image.new("RGB", (64, 48), "teal").save(first)
    for number in range(1, count):
        # Some file systems allow at most 65,000 hard links to a file.
        if number % 30_000 == 0:
            first = folder / f"{number}.png"
            Image.new("RGB", (64, 48), "teal").save(first)
        else:
            os.link(first, folder / f"{number}.png")


def measured_in(folder: Path) -> None:
    _keep_captioned_run(folder)
    gc.collect()
    application = QApplication([])
    with ThreadPoolExecutor(2) as executor, qasync.QEventLoop(application) as loop:
        loop.set_default_executor(executor)
        model = ModelThread(ScriptedCheckpoint())
        program = Program(application, loop, locations(), time.perf_counter(), model)
        session = _ListSession(program, folder)
        loop.run_until_complete(session.play())
        print(json.dumps(session.figures), flush=True)
        os._exit(0)


def _keep_captioned_run(folder: Path) -> None:
    """Write the journal of a run in which every image has a caption and a doubtful word."""
    batch = Batch.begin([folder], BatchOptions((PROMPT,)), locations().runs)
    names = [str(item.path) for item in batch.items]
    path = batch.journal_path
    batch.close()
    with path.open("a") as file:
        for number, name in enumerate(names):
            caption = f"A red square and {number} blue circles beside a white house."
            item = {"kind": "item", "picture": name, "caption": caption, "answers": []}
            written = {"kind": "written", "picture": name}
            doubt = {"kind": "doubt", "picture": name, "caption": caption, "word": "circles"}
            grade = {"doubt": number % 97 / 97, "step": number % 3}
            for record in ({**item, "recipe": "", "files": []}, written, {**doubt, **grade}):
                file.write(json.dumps(record) + "\n")
        file.write(json.dumps({"kind": "end", "done": len(names), "failed": 0}) + "\n")


class _ListSession:
    """What a person does with the list, and how long each step took or froze the window."""

    def __init__(self, program: Program, folder: Path):
        self._program, self._folder = program, folder
        self._run, self._panel = program.folder_run, program.window.batch_panel
        self.figures: dict[str, float] = {}

    async def play(self) -> None:
        program, run = self._program, self._run
        asyncio.create_task(program.life([]))  # noqa: RUF006 (The process ends with it.)
        await until(lambda: isinstance(program.model.state, Ready), MOST_SECONDS)
        self.figures["mib_before"] = _peak_mib()
        program.window.show_batch_panel()
        self._panel.show_rows()
        captioned = await run.last()
        assert captioned
        with self._timed("drop"):
            program.window.dialogs.run_chosen.emit([self._folder])
            await until(lambda: program.session.picture and self._panel.model.items, MOST_SECONDS)
            await self._settle()
        with self._timed("choose"):
            await run.choose([self._folder])
            await self._painted_at_the_end()
        with self._timed("begin"):
            beginning = asyncio.create_task(run.start(BatchOptions((PROMPT,)), slots=1))
            await until(lambda: run.phase is Phase.RUNNING, MOST_SECONDS)
            await self._painted_at_the_end()
        with self._felt("captions"):
            await asyncio.sleep(3)
        await self._read("running")
        with self._felt("stop"):
            run.stop_now()
            await beginning
            await self._settle()
        with self._timed("reopen"):
            await run.reopen(captioned)
            await self._painted_at_the_end()
        await self._read("captioned")
        await self._replace()
        with self._timed("undo"):
            await run.undo()
            await self._settle()
        with self._felt("choose_again"):
            await run.choose([self._folder])
            await self._settle()
        (newest, *_) = find_runs(locations().runs)
        with self._felt("reopen_stopped"):
            await run.reopen(newest)
            await self._settle()
        with self._felt("close"):
            await run.close()
            await self._settle()
        self.figures["mib_at_most"] = _peak_mib()

    async def _read(self, name: str) -> None:
        """Scroll, select, filter and search."""
        panel, rows = self._panel, self._panel.list
        bar, count = rows.verticalScrollBar(), len(panel.model.items)
        with self._felt(f"scroll_{name}"):
            await self._step(lambda step: bar.setValue(bar.maximum() * step // STEPS))
        with self._felt(f"select_{name}"):
            await self._step(
                lambda step: rows.setCurrentIndex(
                    panel.model.index(count * step // STEPS, Column.PICTURE)
                )
            )
            await self._step(lambda _: QTest.keyClick(rows, Qt.Key.Key_PageUp))
        with self._felt(f"filter_{name}"):
            for state in (ItemState.DONE, ItemState.WAITING, ItemState.FAILED, None):
                panel.filter_bar.state_box.setCurrentIndex(
                    panel.filter_bar.state_box.findData(state)
                )
                await self._settle()
        with self._felt(f"search_{name}"):
            for words in ("1", "12", "square", "nowhere", ""):
                panel.filter_bar.find_edit.setText(words)
                await self._settle()

    async def _replace(self) -> None:
        panel, bar = self._panel, self._panel.replace_bar
        with self._felt("doubt"):
            for key in (SortKey.DOUBT, SortKey.RUN_ORDER):
                panel.model.sort_by(key)
                await self._settle()
            panel.filter_bar.state_box.setCurrentText("Doubtful")
            await self._settle()
            panel.filter_bar.state_box.setCurrentIndex(0)
            await self._settle()
        with self._felt("preview"):
            panel.filter_bar.replace_button.click()
            for words in ("s", "square", "99 blue", "99 blue circles"):
                bar.find_edit.setText(words)
                bar.by_edit.setText("round " + words)
                await self._settle()
            panel.list.verticalScrollBar().setValue(1_000)
            await self._settle()
        with self._felt("replace"):
            bar.replace_button.click()
            await self._settle()
            await until(lambda: panel.filter_bar.undo_edit_button.isVisible(), MOST_SECONDS)
        with self._felt("undo_edit"):
            panel.filter_bar.undo_edit_button.click()
            await until(lambda: not panel.filter_bar.undo_edit_button.isVisible(), MOST_SECONDS)
            await self._settle()

    async def _step(self, act: Callable[[int], object]) -> None:
        for step in range(STEPS):
            act(step)
            await asyncio.sleep(STEP_SECONDS)

    async def _settle(self) -> None:
        """Wait, since what follows a step counts too: slices of work, painting, garbage."""
        await asyncio.sleep(1.2)

    async def _painted_at_the_end(self) -> None:
        await asyncio.sleep(0)
        self._panel.list.scrollToBottom()
        self._panel.list.viewport().repaint()

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        """Record the longest gap, and how long the step took."""
        started = time.perf_counter()
        with self._felt(name):
            yield
        self.figures[f"{name}_seconds"] = round(time.perf_counter() - started, 2)

    @contextmanager
    def _felt(self, name: str) -> Iterator[None]:
        """Record the longest gap of the event loop."""
        beat = Heartbeat()
        yield
        self.figures[f"{name}_gap_ms"] = round(beat.longest_ms(), 1)
        beat.deleteLater()


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["in"]:
        measured_in(Path(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:]))
