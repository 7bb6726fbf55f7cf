"""Measures how soon a typed letter is painted: python -m tests.benchmarks.typing_latency

Types into the prompt and into the caption editor of the whole program, while nothing else goes on,
while 10,000 captions are read as a folder opens, and while the built-in model captions a folder.
Prints for each the median, the 95 % point and the longest time from the moment a key was due until
its letter was painted. For the longest it says how much of it the GUI thread computed, waited for a
core, and waited for something else, which is mostly Python's lock. Asserts nothing: times depend on
the machine. Needs Linux.
"""

import argparse
import asyncio
import bisect
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from core.batch import Phase
from core.engine import Ready
from core.locations import locations
from core.resources import SAMPLES
from core.settings import Settings, save
from core.transcript import BUILT_IN
from gui.app.program import Program
from gui.window.commands import Command
from tests.benchmarks.workspace_window import make_folder
from tests.gui.conftest import until

COUNT, RUN_IMAGES = 10_000, 400
# Ten letters a second is fast typing; an odd interval meets the timers of the window at all phases.
BETWEEN_KEYS = 0.097
LETTERS = "the quick brown fox jumps over the lazy dog "
_PAINTED = QEvent.Type(QEvent.registerEventType())


@dataclass(frozen=True)
class Moment:
    """When something was, and what the GUI thread had done until then, all in seconds."""

    at: float
    computed: float
    waited_for_core: float

    @staticmethod
    def now() -> "Moment":
        computed, waited = Path("/proc/thread-self/schedstat").read_text().split()[:2]
        return Moment(time.perf_counter(), int(computed) / 1e9, int(waited) / 1e9)


class Typist(QObject):
    """Types a letter into `editor` every `BETWEEN_KEYS`, and notes when it is painted.

    A key that is due while the window does something else counts from when it was due.
    """

    def __init__(self, editor: QPlainTextEdit):
        super().__init__()
        self._editor = editor
        self._begun = time.perf_counter() + BETWEEN_KEYS
        self._typed = 0
        self._pending: list[float] = []
        self._moments = [Moment.now()]
        self._latencies: list[tuple[float, Moment, Moment]] = []
        self._key_timer = self._timer(self._on_key_due)
        self._key_timer.setSingleShot(True)
        self._beat = self._timer(self._on_beat)
        self._beat.start(2)
        editor.viewport().installEventFilter(self)
        editor.setFocus()
        self._key_timer.start(round(1000 * BETWEEN_KEYS))

    def _timer(self, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        timer.timeout.connect(slot)
        return timer

    @property
    def typed(self) -> int:
        """How many letters were painted."""
        return len(self._latencies)

    def report(self, name: str) -> None:
        """Stop, and print what was measured."""
        self._key_timer.stop()
        self._beat.stop()
        self._editor.viewport().removeEventFilter(self)
        times = sorted(self._latencies, key=lambda one: one[0])
        if not times:
            print(f"{name}: no letter was painted")
            return
        median, most, longest = (
            1000 * times[int(share * (len(times) - 1))][0] for share in (0.5, 0.95, 1)
        )
        _, before, after = times[-1]
        computed = 1000 * (after.computed - before.computed)
        waited = 1000 * (after.waited_for_core - before.waited_for_core)
        other = 1000 * (after.at - before.at) - computed - waited
        print(
            f"{name}: {len(times)} letters, median {median:.0f} ms, 95 % {most:.0f}, "
            f"longest {longest:.0f} ms (computed {computed:.0f}, waited for a core {waited:.0f}, "
            f"for something else {other:.0f})",
            flush=True,
        )

    @Slot()
    def _on_beat(self) -> None:
        self._moments.append(Moment.now())

    @Slot()
    def _on_key_due(self) -> None:
        self._pending.append(self._begun + BETWEEN_KEYS * self._typed)
        QTest.keyClicks(self._editor, LETTERS[self._typed % len(LETTERS)])
        self._typed += 1
        left = self._begun + BETWEEN_KEYS * self._typed - time.perf_counter()
        self._key_timer.start(max(0, round(1000 * left)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Once the viewport is painted, the loop delivers `_PAINTED`."""
        if event.type() == QEvent.Type.Paint and self._pending:
            QCoreApplication.postEvent(
                self, QEvent(_PAINTED), Qt.EventPriority.HighEventPriority.value
            )
        return False

    def customEvent(self, event: QEvent) -> None:
        now = Moment.now()
        for due in self._pending:
            begun = max(0, bisect.bisect(self._moments, due, key=lambda one: one.at) - 1)
            self._latencies.append((now.at - due, self._moments[begun], now))
        self._pending.clear()


async def type_while(editor: QPlainTextEdit, is_over: Callable[[], bool], name: str) -> None:
    typist = Typist(editor)
    await until(is_over, 900)
    typist.report(name)


async def type_for(editor: QPlainTextEdit, letters: int, name: str) -> None:
    typist = Typist(editor)
    await until(lambda: typist.typed >= letters, 900)
    typist.report(name)


async def caption_editor(program: Program) -> QPlainTextEdit:
    """Show the caption of the image in view."""
    window = program.window
    await until(lambda: window.state.workspace.is_known)
    window.commands[Command.EDIT_CAPTION].trigger()
    await until(lambda: window.caption_panel.editor.isVisible())
    return window.caption_panel.editor


async def while_reading(program: Program, folders: list[Path], count: int) -> None:
    window, workspace = program.window, program.workspace
    prompt = window.prompt_box.prompt_edit

    def is_read() -> bool:
        counts = workspace.counts
        return counts.images == count and not counts.unread and workspace.reading.progress is None

    for folder, kind in zip(folders, ("prompt", "caption"), strict=True):
        window.paths_opened.emit([folder])
        await until(lambda: not is_read())
        editor = prompt if kind == "prompt" else await caption_editor(program)
        await type_while(editor, is_read, f"{kind}, while {count:,} captions are read")
        await asyncio.sleep(1)
        await type_for(editor, 40, f"{kind}, {count:,} captions in the list")


async def while_captioning(program: Program, folder: Path) -> None:
    window, run, workspace = program.window, program.folder_run, program.workspace
    window.paths_opened.emit([folder])
    await until(lambda: window.state.workspace.total == RUN_IMAGES)
    await until(lambda: not workspace.counts.unread and workspace.reading.progress is None)
    window.commands[Command.GENERATE].trigger()
    await until(lambda: len(run.items) == RUN_IMAGES)
    window.commands[Command.RUN_START].trigger()
    await until(lambda: run.phase is Phase.RUNNING and workspace.counts.with_caption > 3)
    window.show_conversation()
    await type_for(window.prompt_box.prompt_edit, 100, "prompt, while a folder is captioned")
    editor = await caption_editor(program)
    await type_for(editor, 100, "caption, while a folder is captioned")
    print(f"the run was {run.phase.name.lower()} then")
    window.commands[Command.RUN_PAUSE].trigger()
    await until(lambda: not window.state.run.is_running)


async def measure(program: Program, folder: Path, count: int) -> None:
    living = asyncio.create_task(program.life([]))
    await until(lambda: program.window.isVisible() and isinstance(program.model.state, Ready))
    await asyncio.sleep(2)
    await type_for(program.window.prompt_box.prompt_edit, 40, "prompt, nothing else going on")
    folders = [folder / "first", folder / "second"]
    for one in folders:
        await asyncio.to_thread(one.mkdir)
        await asyncio.to_thread(make_folder, one, count, is_nested=False)
    await while_reading(program, folders, count)
    samples = sorted(SAMPLES.glob("*.png"))
    (folder / "run").mkdir()
    for number in range(RUN_IMAGES):
        shutil.copyfile(samples[number % len(samples)], folder / "run" / f"{number}.png")
    await while_captioning(program, folder / "run")
    program.quit()
    await living


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=COUNT)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as executor:
        os.environ["ONLOOKER_HOME"] = str(Path(name) / "home")
        save(Settings(model=BUILT_IN), locations().folder)
        application = QApplication([])
        with qasync.QEventLoop(application) as loop:
            loop.set_default_executor(executor)
            program = Program(application, loop, locations(), time.perf_counter())
            loop.run_until_complete(measure(program, Path(name), options.count))


if __name__ == "__main__":
    main()
