"""How quick a workspace is with 10,020 images that have tags, and with 100,000 in nested folders.

    python -m tests.benchmarks.workspace_speed [--images 10020] [--nested 100000] [--folder FOLDER]

Each figure is the best of three, but for what can be done once. Memory is what the process holds
beyond what it held before the workspace was opened. The images are links to one small PNG file, so
that 100,000 are made in seconds. Run it alone: the other programs' share of the disk is in it.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from PIL import Image

from core.message import Message
from core.workspace.bulk import AddTags, Replace
from core.workspace.data import CaptionMode, Sort, SortKey, WorkspaceOptions
from core.workspace.query import parse_query
from core.workspace.workspace import Workspace

WORDS = [f"word{number}" for number in range(3000)]
EDIT = Message("Edit")
TAGS = WorkspaceOptions(mode=CaptionMode.TAGS)


def make(folder: Path, count: int, per_folder: int) -> None:
    """Makes images with some fifteen tags each; each fifth has no caption."""
    chosen = random.Random(1)
    tags = [" ".join(chosen.sample(WORDS, chosen.choice([1, 1, 2]))) for _ in range(5000)]
    folder.mkdir(parents=True)
    original = folder.parent / "image.png"
    Image.new("RGB", (640, 480), "blue").save(original)
    data = original.read_bytes()
    for number in range(count):
        part = folder / f"part {number // per_folder // 10}" / f"{number // per_folder}"
        inside = part if count > per_folder else folder
        if number % per_folder == 0:
            inside.mkdir(parents=True, exist_ok=True)
        (inside / f"image {number}.png").write_bytes(data)
        if number % 5:
            caption = ", ".join(chosen.choices(tags, k=chosen.randint(5, 25)))
            (inside / f"image {number}.txt").write_text(f"{caption}\n")


def best(act: Callable[[], object], times: int = 3) -> float:
    """Returns the shortest of some measurements in milliseconds."""
    found: list[float] = []
    for _ in range(times):
        begin = time.perf_counter()
        act()
        found.append(time.perf_counter() - begin)
    return min(found) * 1000


def memory() -> float:
    """Returns what the process holds, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Figures:
    """The figures of one folder, printed as they come."""

    def __init__(self, folder: Path, data: Path):
        self._folder, self._data = folder, data

    def say(self, what: str, milliseconds: float) -> None:
        print(f"  {what:<52} {milliseconds:9.1f} ms", flush=True)

    def measure(self) -> None:
        """Measures all."""
        before = memory()
        self._first_opening()
        begin = time.perf_counter()
        workspace = Workspace.open([self._folder], self._data, TAGS)
        ids = workspace.ids()
        workspace.rows(ids[:200])
        self.say("opened again → first rows", (time.perf_counter() - begin) * 1000)
        self.say("rescan, nothing changed", best(lambda: self._scan(workspace), 1))
        print(f"  {'memory':<52} {memory() - before:9.1f} MB")
        self._searches(workspace)
        self._edits(workspace)
        workspace.close()

    def _scan(self, workspace: Workspace) -> None:
        workspace.scan(Event(), lambda progress: None)

    def _first_opening(self) -> None:
        begin = time.perf_counter()
        workspace = Workspace.open([self._folder], self._data, TAGS)
        marks: dict[str, float] = {}

        def on_progress(progress: object) -> None:
            if "first rows" not in marks and (ids := workspace.ids()):
                workspace.rows(ids[:200])
                marks["first rows"] = time.perf_counter() - begin
            stage = str(getattr(progress, "stage", ""))
            marks[f"end of {stage}"] = time.perf_counter() - begin

        workspace.scan(Event(), on_progress)
        for what, seconds in marks.items():
            self.say(f"opened first → {what}", seconds * 1000)
        workspace.close()

    def _searches(self, workspace: Workspace) -> None:
        for text in ("w", "wo", "word12", "zebra", "word12 word7", "tag:word12", "not has:caption"):
            query = parse_query(text)
            self.say(f"filter “{text}”", best(lambda query=query: workspace.ids(query)))
        for text in ("tag:word1*", r"/word12\d, w/", "chars:>200", "tags:>20", "is:duplicate"):
            query = parse_query(text)
            self.say(f"filter “{text}”", best(lambda query=query: workspace.ids(query)))
        self.say("statistics of all", best(lambda: workspace.statistics(None)))
        self.say("tags of all", best(workspace.tags))
        for key in SortKey:
            self.say(f"sort by {key}", best(lambda key=key: workspace.ids(None, Sort(key)), 1))
        self.say("rows for 200", best(lambda: workspace.rows(workspace.ids()[:200])))
        self.say("next without caption", best(lambda: self._next_without(workspace)))

    def _next_without(self, workspace: Workspace) -> int:
        return workspace.ids(parse_query("not has:caption"))[0]

    def _edits(self, workspace: Workspace) -> None:
        captioned = workspace.ids(parse_query("has:caption"))
        replace = Replace("word1", "changed").apply
        many = captioned[:10_000]
        change = lambda text: replace(text, CaptionMode.TAGS)  # noqa: E731

        def replaced() -> None:
            report = workspace.change_captions(many, change, EDIT)
            assert (report.conflicts, report.failures) == ((), ())

        def undone() -> None:
            report = workspace.undo()
            assert report
            assert (report.conflicts, report.failures) == ((), ())

        figures = [(best(replaced, 1), best(undone, 1)) for _ in range(3)]
        self.say(f"replace in {len(many):,} captions", min(one for one, _ in figures))
        self.say("its undo", min(two for _, two in figures))
        add = AddTags(("a new tag",)).apply
        some = captioned[:100]
        tagged = lambda: workspace.change_captions(  # noqa: E731
            some, lambda text: add(text, CaptionMode.TAGS), EDIT
        )
        figures = [(best(tagged, 1), best(undone, 1)) for _ in range(3)]
        self.say("tag on 100 selected", min(one for one, _ in figures))
        self.say("its undo", min(two for _, two in figures))
        one = captioned[5]
        texts = iter(range(100))
        self.say(
            "one edit, and the next row",
            best(
                lambda: (
                    workspace.set_captions({one: f"by hand {next(texts)}"}, EDIT),
                    workspace.rows([captioned[6]]),
                )
            ),
        )
        self._while_scanning(workspace)

    def _while_scanning(self, workspace: Workspace) -> None:
        stop = Event()
        scan = Thread(target=workspace.scan, args=(stop, lambda progress: None))
        scan.start()
        query = parse_query("word12")
        longest = max(best(lambda: workspace.ids(query), 1) for _ in range(20))
        stop.set()
        scan.join()
        self.say("filter while a scan goes on, longest of 20", longest)


def main() -> None:
    """Makes the folders if they are not there, and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_020)
    parser.add_argument("--nested", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=None, help="keeps the images here")
    options = parser.parse_args()
    place = options.folder or Path(tempfile.mkdtemp(prefix="workspace-speed-"))
    for count, per_folder in ((options.images, options.images), (options.nested, 200)):
        if not count:
            continue
        folder = place / f"{count}" / "images"
        if not folder.exists():
            make(folder, count, per_folder)
        data = Path(tempfile.mkdtemp(prefix="workspace-speed-data-"))
        print(f"{count:,} images in folders of {per_folder:,}", flush=True)
        Figures(folder, data).measure()
        shutil.rmtree(data)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")
    if options.folder is None:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
