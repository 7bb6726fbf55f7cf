"""Measures the window with a folder of many captions: python -m tests.benchmarks.workspace_window

Opens 10,000 images, or as many as the argument says, in the whole program; with `--nested` they are
in folders of 200, ten folders in one. Prints how long it takes until the first thumbnails are there
and all images are listed, the same for opening the folder again, the memory then, and the longest
gaps of the event loop while one opens the folder, scrolls, types a query, and goes from image to
image. `--shot FILE` keeps a picture of the window. Asserts nothing: times depend on the machine.
"""

import argparse
import asyncio
import os
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


PER_FOLDER = 200


def make_folder(folder: Path, count: int, *, is_nested: bool) -> None:
    """Small JPEGs of which nine in ten have a caption of some tags."""
    first = folder.parent / "first.jpg"
    Image.new("RGB", (320, 240), "teal").save(first)
    for number in range(count):
        inside = folder
        if is_nested:
            part = number // PER_FOLDER
            inside = folder / f"part {part // 10}" / f"{part}"
        if number % PER_FOLDER == 0:
            inside.mkdir(parents=True, exist_ok=True)
        if number % 10_000 == 0:  # A file has only so many names.
            data = first.read_bytes()
            original = inside / f"{number:06}.jpg"
            original.write_bytes(data)
        else:
            os.link(original, inside / f"{number:06}.jpg")
        if number % 10:
            tags = (WORDS[(number * step) % len(WORDS)] for step in (1, 3, 7))
            (inside / f"{number:06}.txt").write_text(", ".join(tags), encoding="utf-8")


def memory() -> float:
    """What the process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def open_folder(program: Program, folder: Path, count: int) -> None:
    window, workspace = program.window, program.workspace
    images = window.workspace_pane.list

    def has_thumbnail() -> bool:
        first = images.rows.index(0, 0)
        row = images.rows.image(first) if first.isValid() else None
        return row is not None and window.thumbnails.get(row.path, images.side) is not None

    heartbeat, began = Heartbeat(), time.perf_counter()
    window.paths_opened.emit([folder])
    await until(has_thumbnail, 60)
    print(f"first thumbnails after {time.perf_counter() - began:.2f} s")
    await until(lambda: images.rows.rowCount() == count, 600)
    print(f"{count:,} images listed after {time.perf_counter() - began:.2f} s")
    await until(lambda: workspace.counts.images == count and not workspace.counts.unread, 900)
    print(f"captions read after {time.perf_counter() - began:.2f} s, {memory():.0f} MB", flush=True)
    await asyncio.sleep(1)
    heartbeat.report("opening")


async def measure(program: Program, folder: Path, count: int, shot: Path | None) -> None:
    living = asyncio.create_task(program.life([]))
    await until(program.window.isVisible)
    await asyncio.sleep(2)
    window, images = program.window, program.window.workspace_pane.list
    print(f"{memory():.0f} MB before")
    await open_folder(program, folder, count)
    await program.pictures.open_image_data(next(folder.rglob("*.jpg")).read_bytes(), "another")
    print("again:")
    await open_folder(program, folder, count)
    if shot:
        window.grab().save(str(shot))

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=COUNT)
    parser.add_argument("--nested", action="store_true")
    parser.add_argument("--folder", type=Path, help="keeps the images here")
    parser.add_argument("--shot", type=Path)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = (options.folder or Path(name)) / f"many {options.count}"
        if not folder.exists():
            folder.mkdir(parents=True)
            make_folder(folder, options.count, is_nested=options.nested)
        with scripted_program() as (program, _, loop):
            loop.run_until_complete(measure(program, folder, options.count, options.shot))


if __name__ == "__main__":
    main()
