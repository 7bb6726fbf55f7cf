"""What keeps others from a workspace's columns, and for how long:

    python -m tests.benchmarks.workspace_holds [COUNT] [--folder FOLDER]

Opens 100,000 images in folders of 200, or as many as the argument says, twice, counts, sorts, edits
and undoes, and prints for each the longest time for which the lock of the columns was held: in
processor time of the thread that held it, so that other programs make no difference, and by whom.
The list's rows, and a query that is typed, wait for as long as that. Asserts nothing.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType, SimpleNamespace
from unittest.mock import patch

from core.workspace.bulk import Prefix
from core.workspace.data import (
    CaptionMode,
    ReviewState,
    ScanProgress,
    ScanStage,
    Sort,
    SortKey,
    WorkspaceOptions,
)
from core.workspace.ongoing import OngoingEdit
from core.workspace.query import parse_query
from core.workspace.workspace import Workspace
from tests.benchmarks.workspace_window import make_folder

TAGS = WorkspaceOptions(mode=CaptionMode.TAGS)
SHOWN = 3
FRAMES = 4


class MeasuredLock:
    """A lock that may be taken again by the thread that has it, as `threading.RLock`. `longest` has
    how long it was held at most, in milliseconds of the processor, by who released it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth, self._since = 0, 0.0
        self.longest: dict[str, float] = {}

    def __enter__(self) -> MeasuredLock:
        self._lock.acquire()
        self._depth += 1
        if self._depth == 1:
            self._since = time.thread_time()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._depth == 1:
            held = 1000 * (time.thread_time() - self._since)
            if held > 1:
                who = _callers(sys._getframe(1))
                self.longest[who] = max(held, self.longest.get(who, 0.0))
        self._depth -= 1
        self._lock.release()


def _callers(frame: FrameType | None) -> str:
    found: list[str] = []
    while frame is not None and len(found) < FRAMES:
        found.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(found)


def measure(what: str, lock: MeasuredLock, act: Callable[[], object]) -> None:
    """Does something, and prints what held the lock longest."""
    lock.longest.clear()
    begin = time.process_time()
    act()
    print(f"{what}: {time.process_time() - begin:.2f} s of the processor", flush=True)
    for who, held in sorted(lock.longest.items(), key=lambda one: -one[1])[:SHOWN]:
        print(f"    {held:5.0f} ms  {who}", flush=True)


def opened(folder: Path, data: Path) -> tuple[Workspace, MeasuredLock]:
    """Returns a workspace and its lock."""
    lock = MeasuredLock()
    with patch("core.workspace.workspace.threading", SimpleNamespace(RLock=lambda: lock)):
        return Workspace.open([folder], data, TAGS), lock


def go_on_to_the_end(ongoing: OngoingEdit) -> None:
    """Makes an edit part by part, as the window does."""
    while not ongoing.is_done:
        ongoing.go_on()


def use(workspace: Workspace, lock: MeasuredLock) -> None:
    """Does what a person does with all images."""
    measure("statistics", lock, lambda: workspace.statistics(None))
    for key in SortKey:
        measure(f"sort by {key}", lock, lambda key=key: workspace.ids(None, Sort(key, seed=1)))
    for text in ("dog", "tag:dog", "chars:>20"):
        measure(f"filter “{text}”", lock, lambda text=text: workspace.ids(parse_query(text)))
    ids = workspace.ids()
    edits: dict[str, Callable[[], OngoingEdit]] = {
        "prefix in all": lambda: workspace.begin_apply(ids, Prefix("new, ")),
        "its undo": workspace.begin_undo,
        "all reviewed": lambda: workspace.begin_set_review(ids, ReviewState.ACCEPTED),
        "their undo": workspace.begin_undo,
    }
    for what, begin in edits.items():
        measure(what, lock, lambda begin=begin: go_on_to_the_end(begin()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("--folder", type=Path, help="keeps the images here")
    options = parser.parse_args()
    gc.disable()  # As the window does, which collects in its own thread.
    with tempfile.TemporaryDirectory() as name:
        folder = (options.folder or Path(name)) / f"many {options.count}"
        if not folder.exists():
            folder.mkdir(parents=True)
            make_folder(folder, options.count, is_nested=True)
        for what in ("opened first", "opened again"):
            workspace, lock = opened(folder, Path(name) / "data")

            def list_again(progress: ScanProgress, workspace: Workspace = workspace) -> None:
                if progress.has_changed and progress.stage is ScanStage.FOLDERS:
                    workspace.ids()

            measure(what, lock, partial(workspace.scan, Event(), list_again))
            if what == "opened again":
                use(workspace, lock)
            measure("closed", lock, workspace.close)


if __name__ == "__main__":
    main()
