"""Measures the window with a folder of many captions: python -m tests.benchmarks.workspace_window

Opens 10,000 images, or as many as the argument says, in the whole program; with `--nested` they are
in folders of 200, ten folders in one. Prints how long it takes until the first thumbnails are there
and all images are listed, the same for opening the folder again, the memory then, and the longest
gaps of the event loop while one opens the folder, scrolls, types a query, and goes from image to
image; at the end the figures beside the goals of issue 18. `--shot FILE` keeps a picture of the
window. Asserts nothing: times depend on the machine.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QPoint, Qt
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


class Goals:
    """Figures and what they should be at most."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, float, float, str]] = []

    def add(self, what: str, figure: float, most: float, unit: str) -> None:
        """Adds a figure."""
        self._rows.append((what, figure, most, unit))

    def report(self) -> None:
        """Prints all, and which are missed."""
        print(f"{'':<40} {'goal':>12} {'here':>12}")
        for what, figure, most, unit in self._rows:
            mark = "" if figure <= most else "  missed"
            print(f"{what:<40} {f'{most:,.0f} {unit}':>12} {f'{figure:,.0f} {unit}':>12}{mark}")


async def took_ms(act: Callable[[], object], is_done: Callable[[], bool]) -> float:
    """How long it takes until that is so, in milliseconds. Looks each millisecond: a loop without a
    pause would take Python's lock from the thread that is waited for half of the time."""
    began = time.perf_counter()
    act()
    while not is_done() and time.perf_counter() < began + 10:
        await asyncio.sleep(0.001)
    return 1000 * (time.perf_counter() - began)


def memory() -> float:
    """What the process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def open_folder(program: Program, folder: Path, count: int, goals: Goals | None) -> None:
    window, workspace = program.window, program.workspace
    images = window.workspace_pane.list

    def has_thumbnail() -> bool:
        first = images.rows.index(0, 0)
        row = images.rows.image(first) if first.isValid() else None
        return row is not None and window.thumbnails.get(row, images.side) is not None

    heartbeat, began = Heartbeat(), time.perf_counter()
    window.paths_opened.emit([folder])
    await until(has_thumbnail, 60)
    first = time.perf_counter() - began
    print(f"first thumbnails after {first:.2f} s")
    await until(lambda: images.rows.rowCount() == count, 600)
    print(f"{count:,} images listed after {time.perf_counter() - began:.2f} s")
    await until(lambda: workspace.counts.images == count and not workspace.counts.unread, 900)
    print(f"captions read after {time.perf_counter() - began:.2f} s, {memory():.0f} MB", flush=True)
    await asyncio.sleep(1)
    heartbeat.report("opening")
    if goals is not None:
        goals.add("folder opened, first thumbnails", 1000 * first, 1000, "ms")
        goals.add("memory then", memory(), 400 if count <= 10_020 else 1000, "MB")
        goals.add("opening, longest own work", heartbeat.longest_work_ms(), 50, "ms")


async def search(program: Program, count: int, goals: Goals) -> None:
    """Types queries, and chooses a tag."""
    line, listing = program.window.workspace_pane.query_line, program.workspace.listing
    answers: list[int] = []
    listing.searched.connect(lambda: answers.append(len(listing.ids)))
    heartbeat, longest = Heartbeat(), {}
    for text in ("cat or dog chars:>10", r"/be.ch\b/"):
        for end in range(1, len(text) + 1):
            typed = text[:end]
            answers.clear()
            letter = partial(QTest.keyClicks, line.edit, text[end - 1])
            # One that is not whole yet has no answer.
            ms = await took_ms(
                letter,
                lambda typed=typed: (
                    bool(answers) or (listing.query == typed and listing.query_error is not None)
                ),
            )
            longest[text] = max(longest.get(text, 0.0), ms)
        line.edit.clear()
        await until(lambda: program.window.workspace_pane.list.rows.rowCount() == count)
    heartbeat.report("typing queries")
    pause = "with the pause of 40 ms"
    for text, ms in longest.items():
        goals.add(f"“{text}”, {pause}", ms, 140, "ms")
    goals.add("typing, longest own work", heartbeat.longest_work_ms(), 50, "ms")
    tags = program.window.workspace_pane.statistics.list
    await until(lambda: bool(tags.values) and tags.viewport().isVisible())
    # At its beginning: of a narrow list the plus, which adds a tag, is in the middle.
    row = tags.visualRect(tags.model().index(0, 0))
    first = row.center() - QPoint(row.width() // 3, 0)
    click = partial(QTest.mouseClick, tags.viewport(), Qt.MouseButton.LeftButton, pos=first)
    answers.clear()
    goals.add("click on a tag", await took_ms(click, lambda: bool(answers)), 100, "ms")
    assert line.edit.text().startswith("tag:")
    line.edit.clear()
    await until(lambda: program.window.workspace_pane.list.rows.rowCount() == count)


async def go_on(program: Program, goals: Goals) -> None:
    """Goes to the next image without a caption, and from an edit to the next image."""
    window, pictures = program.window, program.pictures
    longest: dict[Command, float] = {}
    for command in (Command.NEXT_UNCAPTIONED, Command.NEXT_PICTURE):
        for _ in range(5):
            if command is Command.NEXT_PICTURE:
                window.commands[Command.EDIT_CAPTION].trigger()
                QTest.keyClicks(window.caption_panel.editor, "x")
            else:
                window.workspace_pane.list.setFocus()
            action, before = window.commands[command], pictures.path
            await until(action.isEnabled)
            ms = await took_ms(action.trigger, lambda before=before: pictures.path != before)
            longest[command] = max(longest.get(command, 0.0), ms)
            await asyncio.sleep(0.2)
    goals.add("next image without a caption", longest[Command.NEXT_UNCAPTIONED], 100, "ms")
    goals.add("one edit and on to the next image", longest[Command.NEXT_PICTURE], 50, "ms")


async def measure(program: Program, folder: Path, count: int, shot: Path | None) -> None:
    living = asyncio.create_task(program.life([]))
    await until(program.window.isVisible)
    await asyncio.sleep(2)
    window, images = program.window, program.window.workspace_pane.list
    print(f"{memory():.0f} MB before")
    goals = Goals()
    await open_folder(program, folder, count, goals)
    await program.pictures.open_image_data(next(folder.rglob("*.jpg")).read_bytes(), "another")
    print("again:")
    await open_folder(program, folder, count, None)
    if shot:
        window.grab().save(str(shot))

    heartbeat = Heartbeat()
    bar = images.verticalScrollBar()
    for step in range(60):
        bar.setValue(bar.maximum() * step // 60)
        await asyncio.sleep(0.02)
    heartbeat.report("scrolling")
    goals.add("scrolling, longest gap", heartbeat.longest_ms(), 50, "ms")

    await search(program, count, goals)
    await go_on(program, goals)

    heartbeat = Heartbeat()
    for _ in range(60):
        QTest.keyClick(window.prompt_box.prompt_edit, Qt.Key.Key_PageDown)
        await asyncio.sleep(0.033)
    heartbeat.report("held Page Down")
    goals.add("Page Down held, longest gap", heartbeat.longest_ms(), 50, "ms")

    heartbeat = Heartbeat()
    window.commands[Command.EDIT_CAPTION].trigger()
    for _ in range(10):
        QTest.keyClicks(window.caption_panel.editor, "x")
        QTest.keyClick(window.caption_panel.editor, Qt.Key.Key_PageDown)
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    heartbeat.report("edits and on to the next image")
    goals.report()
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
