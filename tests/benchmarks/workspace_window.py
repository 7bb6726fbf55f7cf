"""Measures the window with a folder of many captions: python -m tests.benchmarks.workspace_window

Opens 10,000 images, or as many as the argument says, in the whole program, and prints how long it
takes until they are listed, and the longest gaps of the event loop while one opens the folder,
scrolls, types a query, and goes from image to image. Asserts nothing: times depend on the machine.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.app.program import Program
from gui.window.commands import Command
from tests.benchmarks.window_stalls import Heartbeat, scripted_program
from tests.gui.conftest import until

COUNT = 10_000
WORDS = ("cat", "dog", "beach", "mountain", "1girl", "smile", "night", "rain", "street", "red")


def make_folder(folder: Path, count: int) -> None:
    """Small JPEGs of which nine in ten have a caption of some tags."""
    Image.new("RGB", (320, 240), "teal").save(folder / "first.jpg")
    data = (folder / "first.jpg").read_bytes()
    (folder / "first.jpg").unlink()
    for number in range(count):
        (folder / f"{number:06}.jpg").write_bytes(data)
        if number % 10:
            tags = (WORDS[(number * step) % len(WORDS)] for step in (1, 3, 7))
            (folder / f"{number:06}.txt").write_text(", ".join(tags), encoding="utf-8")


async def measure(program: Program, folder: Path, count: int) -> None:
    living = asyncio.create_task(program.life([]))
    await until(program.window.isVisible)
    await asyncio.sleep(2)
    window, images = program.window, program.window.workspace_pane.list
    heartbeat, began = Heartbeat(), time.perf_counter()
    window.paths_opened.emit([folder])
    await until(lambda: images.rows.rowCount() == count, 300)
    print(f"{count:,} images listed after {time.perf_counter() - began:.2f} s")
    workspace = program.workspace
    await until(lambda: workspace.counts.images == count and not workspace.counts.unread, 300)
    print(f"captions read after {time.perf_counter() - began:.2f} s")
    await asyncio.sleep(1)
    heartbeat.report("opening")

    heartbeat = Heartbeat()
    bar = images.verticalScrollBar()
    for step in range(60):
        bar.setValue(bar.maximum() * step // 60)
        await asyncio.sleep(0.02)
    heartbeat.report("scrolling")

    heartbeat = Heartbeat()
    edit = window.workspace_pane.query_line.edit
    for letter in "cat or dog chars:>10":
        QTest.keyClicks(edit, letter)
        await asyncio.sleep(0.08)
    await asyncio.sleep(0.5)
    heartbeat.report("typing a query")
    edit.clear()
    await until(lambda: images.rows.rowCount() == count)

    heartbeat = Heartbeat()
    for _ in range(60):
        QTest.keyClick(window.prompt_box.prompt_edit, Qt.Key.Key_PageDown)
        await asyncio.sleep(0.033)
    heartbeat.report("held Page Down")

    heartbeat = Heartbeat()
    window.commands[Command.EDIT_CAPTION].trigger()
    for _ in range(10):
        QTest.keyClicks(window.caption_panel.editor, "x")
        QTest.keyClick(window.caption_panel.editor, Qt.Key.Key_PageDown)
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    heartbeat.report("edits and on to the next image")
    program.quit()
    await living


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "many"
        folder.mkdir()
        make_folder(folder, count)
        with scripted_program() as (program, _, loop):
            loop.run_until_complete(measure(program, folder, count))


if __name__ == "__main__":
    main()
