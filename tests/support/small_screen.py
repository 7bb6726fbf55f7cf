"""The whole program on a screen of a given size: `python -m tests.support.small_screen FOLDER`.

The environment configures the screen. Prints, as JSON, what of each screen cannot be reached.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import qasync
from PySide6.QtWidgets import QApplication

from core.locations import writable_locations
from gui.app.program import Program
from gui.session.model_thread import ModelThread
from tests.support.layout import cut_off, described_rect
from tests.support.screens import FACTS, Screen, screens
from tests.support.scripted_engine import ScriptedCheckpoint


def faults_of(screen: Screen) -> list[str]:
    """Returns what is outside of the display, or of the window without a way to scroll to it."""
    window = screen.widget
    faults = []
    area, frame = window.screen().availableGeometry(), window.frameGeometry()
    if not area.contains(frame):
        faults.append(f"{described_rect(frame)} is not inside {described_rect(area)}")
    return [f"{screen.name}: {fault}" for fault in faults + cut_off(window)]


async def _visit(program: Program, folder: Path, faults: list[str]) -> None:
    async for screen in screens(program, folder):
        # Windows are fitted and laid out by events.
        await asyncio.sleep(0.05)
        faults += faults_of(screen)


def main(folder: Path) -> int:
    app = QApplication(sys.argv[:1])
    loop = qasync.QEventLoop(app)
    loop.set_default_executor(ThreadPoolExecutor(2))
    checkpoint = ScriptedCheckpoint()
    checkpoint.facts = FACTS
    model = ModelThread(checkpoint)
    program = Program(app, loop, writable_locations(), time.perf_counter(), model)
    faults: list[str] = []

    async def whole() -> None:
        living = asyncio.ensure_future(program.life([]))
        try:
            await _visit(program, folder, faults)
        except Exception:
            faults.append(traceback.format_exc())
        program.quit()
        await living

    loop.run_until_complete(whole())
    loop.close()
    sys.stdout.write(json.dumps(faults))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
