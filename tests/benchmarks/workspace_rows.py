"""How a workspace's columns, index and searches grow with the number of images:

    python -m tests.benchmarks.workspace_rows [COUNT …]

Rows as the files of that many images would give them, in folders of 200, without the files. Prints
the processor time of each thing that is done to all of them, and how many times as long it takes as
with the first count: where that is more than the images became, it does not grow in proportion.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from core.workspace.data import Sort, SortKey
from core.workspace.images import Images
from core.workspace.index import Index
from core.workspace.orders import Orders
from core.workspace.query import parse_query
from tests.benchmarks.workspace_speed import memory

COUNTS = (100_000, 400_000, 1_000_000)
PER_FOLDER = 200
QUERIES = (
    *("word12", "word12 word7", "tag:word12", "-tag:word12", "tag:*12", r"tag:/word12\d/"),
    *("tags:>20", "chars:>200", r"/word12\d, w/", "name:*12*", "path:*3/1*", "not has:caption"),
)


def filled(count: int) -> Images:
    """Returns the columns of that many images, four of five of which have a caption."""
    chosen = random.Random(1)
    words = [f"word{number}" for number in range(3000)]
    tags = [" ".join(chosen.sample(words, chosen.choice([1, 1, 2]))) for _ in range(5000)]
    images = Images([Path("/images")])
    for number in range(count):
        part = number // PER_FOLDER
        folder = images.folder_id(f"/images/part {part // 10}/{part}")
        id = images.add(folder, f"image {number}.png")
        images.set_file(id, 1000 + number % 977, 1.7e9 + number % 9973)
        images.set_size(id, 640, 480 + number % 7)
        caption = ", ".join(chosen.choices(tags, k=chosen.randint(5, 25))) if number % 5 else ""
        images.set_caption(id, caption, (number, len(caption)))
    return images


Figure = tuple[str, float, str]
"""What was measured, how much, and its unit."""


def took(what: str, act: Callable[[], object]) -> Figure:
    """Measures how long the processor works for something."""
    begin = time.process_time()
    act()
    return what, 1000 * (time.process_time() - begin), "ms"


def write(count: int, path: Path) -> list[Figure]:
    """Writes an index of that many images."""
    index, images = Index(path), filled(count)
    index.load(Images())
    images.ordered(Sort())
    written = took("index written", lambda: index.save(images))
    index.close()
    return [written, ("index on the disk", path.stat().st_size / 1e6, "MB")]


def read(count: int, path: Path) -> list[Figure]:
    """Reads it, and does what goes over all images."""
    before, images, index = memory(), Images([Path("/images")]), Index(path)
    figures = [took("index read", lambda: index.load(images))]
    assert len(images) == count
    index.close()
    figures.append(("memory then", memory() - before, "MB"))
    figures.append(took("tags indexed", lambda: _index_tags(images)))
    figures.append(("memory with it", memory() - before, "MB"))
    ids = images.ordered(Sort())
    for text in QUERIES:
        query = parse_query(text)
        assert query is not None
        query.test.among(images, ids)
        search = partial(query.test.among, images, ids)
        figures.append(took(f"filter “{text}”", search))
    images.orders = Orders()
    for key in SortKey:
        figures.append(took(f"sort by {key}", partial(images.ordered, Sort(key, seed=1))))
    return figures


def _index_tags(images: Images) -> None:
    while not images.tag_index.go_on(images.captions):
        continue


def in_process(act: Callable[[int, Path], list[Figure]], count: int, path: Path) -> list[Figure]:
    """Measures in a process of its own, whose memory nothing else has used."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(act, count, path).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="*", default=COUNTS)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}")
    first: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        for count in options.counts:
            print(f"{count:,} images", flush=True)
            path = Path(place) / f"{count}.sqlite"
            for what, figure, unit in (
                *in_process(write, count, path),
                *in_process(read, count, path),
            ):
                times = figure / (first.setdefault(what, figure) or 1)
                print(f"  {what:<30} {figure:10,.0f} {unit} {times:7.1f} times", flush=True)


if __name__ == "__main__":
    main()
