"""Measures how long the window stands still over a huge folder:
python -m tests.benchmarks.workspace_stalls

Opens 100,000 images in one folder, or as many as the argument says, in the whole program, and does
what goes over all of them: selects all, adds a tag to all and takes it back, types a query while
statistics are counted, changes between grid and list and from one order to another, has half of the
images deleted from outside, and closes the program while a folder is read. Prints for each the
longest gaps of the event loop, and of the longest how much the GUI thread computed, waited for a
core, and waited for something else, which is mostly Python's lock; says where a result is wrong.
With `--table` the captions are in a table. Asserts nothing about times, which depend on the
machine. Needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtTest import QTest

from core.workspace import AddTags, SortKey
from gui.app.program import Program
from gui.window.commands import Command
from tests.benchmarks.typing_latency import Moment
from tests.benchmarks.window_stalls import scripted_program
from tests.benchmarks.workspace_window import make_folder, memory
from tests.gui.conftest import until

COUNT = 100_000
LONG_MS = 50
PATIENCE = 900


class Gaps(QObject):
    """Notes when the event loop ran, and what its thread had done until then."""

    def __init__(self) -> None:
        super().__init__()
        self._moments = [Moment.now()]
        self._timer = QTimer(self, interval=2, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()

    def report(self, name: str) -> None:
        """Stop, and print what was measured."""
        self._timer.stop()
        gaps = [
            (1000 * (after.at - before.at), before, after)
            for before, after in pairwise((*self._moments, Moment.now()))
        ]
        gaps.sort(key=lambda one: -one[0])
        long = sum(gap > LONG_MS for gap, *_ in gaps)
        gap, before, after = gaps[0]
        computed = 1000 * (after.computed - before.computed)
        waited = 1000 * (after.waited_for_core - before.waited_for_core)
        most = 1000 * max(after.computed - before.computed for _, before, after in gaps)
        whole = self._moments[-1].at - self._moments[0].at
        print(
            f"{name}: {whole:.2f} s, {long} gaps over {LONG_MS} ms, longest {gap:.0f} ms "
            f"(computed {computed:.0f}, waited for a core {waited:.0f}, for something else "
            f"{gap - computed - waited:.0f}, at {before.at - self._moments[0].at:.2f} s); "
            f"most computed {most:.0f} ms{'  MISSED' if most > LONG_MS else ''}",
            flush=True,
        )

    @Slot()
    def _on_timeout(self) -> None:
        self._moments.append(Moment.now())


class Stalls:
    """One thing after another is done in the program, and measured."""

    def __init__(self, program: Program, folder: Path, count: int):
        self._program, self._folder, self._count = program, folder, count
        self._window, self._workspace = program.window, program.workspace
        self._list = program.window.workspace_pane.list

    async def during(
        self,
        name: str,
        act: Callable[[], object],
        is_done: Callable[[], object] | None = None,
        rest: float = 0.5,
    ) -> None:
        """Does something, and measures until that is so, and for a moment after."""
        gaps = Gaps()
        act()
        if is_done is not None:
            await until(is_done, PATIENCE)
        await asyncio.sleep(rest)
        gaps.report(name)

    def expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            print(f"WRONG: {what}: {found}, not {wanted}", flush=True)

    @property
    def listed(self) -> int:
        return self._list.rows.rowCount()

    async def all(self) -> None:
        """Does all, in the order in which a person would."""
        await self._open()
        await self._scroll()
        await self._type()
        await self._lay_out()
        await self._sort()
        await self._select_found()
        await self._select()
        await self._edit()
        await self._delete()

    async def _open(self) -> None:
        workspace = self._workspace
        await self.during(
            "opened, all captions read",
            lambda: self._window.paths_opened.emit([self._folder]),
            lambda: workspace.counts.images == self._count and not workspace.counts.unread,
        )
        await until(lambda: self.listed == self._count, PATIENCE)
        await self.during("sizes are read", lambda: None, lambda: workspace.reading.is_done)
        print(f"{memory():.0f} MB")

    async def _scroll(self) -> None:
        bar = self._list.verticalScrollBar()
        gaps = Gaps()
        for step in (*range(60), *range(60, 0, -1)):
            bar.setValue(bar.maximum() * step // 60)
            await asyncio.sleep(0.02)
        gaps.report("scrolled")

    async def _type(self) -> None:
        line, listing = self._window.workspace_pane.query_line, self._workspace.listing
        gaps = Gaps()
        line.focus()
        for letter in "dog or rain chars:>10":
            QTest.keyClicks(line.edit, letter)
            await asyncio.sleep(0.1)
        await until(lambda: listing.query == line.edit.text(), PATIENCE)
        await asyncio.sleep(1)
        gaps.report("query typed")
        await self.during("query left", line.edit.clear, lambda: self.listed == self._count, 2)

    async def _lay_out(self) -> None:
        trigger = self._window.commands[Command.IMAGE_GRID].trigger
        for name in ("to the list", "to the grid"):
            before = self._list.is_grid
            await self.during(name, trigger, lambda before=before: self._list.is_grid is not before)

    async def _sort(self) -> None:
        box, listing = self._window.workspace_pane.query_line.sort_box, self._workspace.listing
        for key in (*SortKey, SortKey.NAME):
            place = box.findData(key)

            def sort(place: int = place) -> None:
                box.setCurrentIndex(place)
                box.activated.emit(place)

            answers: list[object] = []
            connection = listing.searched.connect(lambda answers=answers: answers.append(1))
            await self.during(f"sorted by {key}", sort, lambda answers=answers: answers)
            listing.searched.disconnect(connection)

    async def _select(self) -> None:
        self._list.setFocus()
        await until(lambda: self._window.state.workspace.has_focus)
        state = self._window.states
        await self.during(
            "all selected",
            lambda: QTest.keyClick(self._list, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier),
            lambda: state.state.workspace.selected == self._count,
        )
        invert = self._window.commands[Command.INVERT_SELECTION].trigger
        await self.during("inverted", invert, lambda: not state.state.workspace.selected)
        restore = self._window.commands[Command.RESTORE_SELECTION].trigger
        await self.during(
            "restored", restore, lambda: state.state.workspace.selected == self._count
        )

    async def _select_found(self) -> None:
        """Selects what a query finds, which is scattered over the list once the query is gone."""
        line, listing = self._window.workspace_pane.query_line, self._workspace.listing
        line.search_for("tag:dog")
        await until(lambda: listing.query == "tag:dog" and 0 < self.listed < self._count, PATIENCE)
        found = self.listed
        self._list.setFocus()
        await self.during("all found selected", self._list.selectAll)
        await self.during("query left", line.edit.clear, lambda: self.listed == self._count, 2)
        self.expect("still selected", self._list.selected_count, found)
        await self.during("inverted", self._window.commands[Command.INVERT_SELECTION].trigger)
        self.expect("selected", self._list.selected_count, self._count - found)
        await self.during("selected no more", self._list.clearSelection)

    async def _edit(self) -> None:
        workspace, ids = self._workspace, self._list.selected_ids
        done: list[object] = []
        workspace.edited.connect(done.append)
        with_caption = workspace.counts.with_caption
        for turn in range(2):
            done.clear()
            await self.during(
                f"a tag added to all, {turn + 1}",
                lambda: self._program.bulk_editing.apply(ids, AddTags(("a new tag",))),
                lambda: done,
                2,
            )
            self.expect("with caption", workspace.counts.with_caption, self._count)
            done.clear()
            await self.during(
                "undone", lambda: self._window.commands[Command.UNDO].trigger(), lambda: done, 2
            )
            self.expect("with caption", workspace.counts.with_caption, with_caption)
        self.expect("selected", self._list.selected_count, self._count)

    async def _delete(self) -> None:
        self._list.clearSelection()
        images = sorted(self._folder.rglob("*.jpg"))[::2]

        def delete() -> None:
            for image in images:
                image.unlink()

        left = self._count - len(images)
        gaps = Gaps()
        await asyncio.to_thread(delete)
        await until(lambda: self._workspace.counts.images == left, PATIENCE)
        await until(lambda: self.listed == left, PATIENCE)
        await asyncio.sleep(2)
        gaps.report(f"{len(images):,} deleted from outside")


def put_into_table(folder: Path) -> None:
    """Moves the captions of a folder into a table."""
    with (folder / "metadata.jsonl").open("w", encoding="utf-8") as table:
        for image in sorted(folder.glob("*.jpg")):
            beside = image.with_suffix(".txt")
            if beside.exists():
                text = beside.read_text(encoding="utf-8")
                table.write(json.dumps({"file_name": image.name, "text": text}) + "\n")
                beside.unlink()


async def measure(program: Program, folder: Path, count: int, closing: Path) -> None:
    living = asyncio.create_task(program.life([]))
    await until(program.window.isVisible)
    await asyncio.sleep(2)
    await Stalls(program, folder, count).all()
    # Closed while another folder is read.
    gaps = Gaps()
    program.window.paths_opened.emit([closing])
    await until(lambda: program.workspace.counts.images > count // 20, PATIENCE)
    began = time.perf_counter()
    program.quit()
    await living
    gaps.report("closed while a folder is read")
    print(f"closed after {time.perf_counter() - began:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=COUNT)
    parser.add_argument("--nested", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder, closing = Path(name) / "images", Path(name) / "others"
        for one in (folder, closing):
            one.mkdir()
            make_folder(one, options.count, is_nested=options.nested)
        if options.table:
            put_into_table(folder)
        with scripted_program() as (program, _, loop):
            loop.run_until_complete(measure(program, folder, options.count, closing))


if __name__ == "__main__":
    main()
