"""Small folder runs that are killed at one file operation after the other.

`kill_points.py SHIM ROOT WHICH STEP…`, with SHIM preloaded, lets the steps up to each STEP happen
in ROOT/STEP/POINT for each POINT, and kills the process at an operation of STEP; see `kill_shim`,
whose points these are.

Each point is a fork of one process, which has read all modules: a point takes some 50 ms.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from PIL import Image

from core.batch import Batch, BatchOptions, Control, Item, ItemState, find_runs
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.errors import AppError
from core.transcript import Answer, Request
from tests.support.folder_run import FolderEngine
from tests.support.kill_shim import Shim, chosen_points

NAMES = ("1.png", "2.png", "3.png")
LOG = "synced.log"
"""What was written and synced, a line each; see `kill_points.c`."""
BEFORE = {"2.txt": "früher\r\n".encode("cp1252")}
"""The caption files that were there before the run."""
ADDED_TO = {"2.txt": "früher\n".encode()}
"""The same before runs that add to captions, which they must be able to read."""

TABLE = "metadata.jsonl"
TABLE_BEFORE = (
    b'{"file_name": "2.png", "n": 1.50, "text": "before"}\r\n'
    b'{"file_name": "9.png", "text": "other"}\r\n'
)

PROMPT = "What is it?"
ANOTHER_PROMPT = "And where?"
ALL = (CaptionFormat.TXT, CaptionFormat.XMP, CaptionFormat.CSV)
TEXTS = (CaptionFormat.TXT, CaptionFormat.XMP)
TABLES = (CaptionFormat.CSV, CaptionFormat.JSONL)
EDITS = {1: "two by hand", 2: "three by hand"}


def begin(folder: Path) -> None:
    """Captions all images."""
    _begin(folder, ALL)


def export(folder: Path) -> None:
    """Captions all images into tables alone, and edits one, so that the tables are written anew."""
    _begin(folder, TABLES)
    with_run(folder, lambda batch: batch.edit(1, EDITS[1]))


def tables(folder: Path) -> None:
    """Captions all images into tables alone."""
    _begin(folder, TABLES)


def continue_tables(folder: Path) -> None:
    """Captions all images once more, with another prompt, into the same tables."""
    _begin(folder, TABLES, ANOTHER_PROMPT)


def edit(folder: Path) -> None:
    """Edits one caption, then two at once."""
    with_run(folder, lambda batch: (batch.edit(0, "one by hand"), batch.edit_all(EDITS)))


def undo_edit(folder: Path) -> None:
    """Undoes the edit of two captions."""
    with_run(folder, Batch.undo_edit)


def redo_edit(folder: Path) -> None:
    """Makes the edit of two captions again."""
    with_run(folder, Batch.redo_edit)


def undo(folder: Path) -> None:
    """Undoes the run, its edits too."""
    with_run(folder, lambda batch: batch.undo(keeps_edits=False))


def texts(folder: Path) -> None:
    """Captions all images, without tables."""
    _begin(folder, TEXTS)


def replace(folder: Path) -> None:
    """Captions all images once more, with another prompt, in the place of the first captions."""
    _begin(folder, TEXTS, ANOTHER_PROMPT)


def add(folder: Path) -> None:
    """Captions all images, and adds the captions to those that are there."""
    _begin(folder, TEXTS, existing=Existing.APPEND)


class _AnswersAhead(FolderEngine):
    """`has_ended` once it has answered everything."""

    def __init__(self) -> None:
        super().__init__()
        self.has_ended = threading.Event()

    def answer_all(self, *asked: Any, **how: Any) -> Generator[tuple[Request, Answer]]:
        yield from super().answer_all(*asked, **how)
        self.has_ended.set()


def together(folder: Path) -> None:
    """Captions all images, and writes all captions but the first together."""
    options = BatchOptions((PROMPT,), writes=TEXTS, existing=Existing.REPLACE)
    batch = Batch.begin([folder / "images"], options, folder / "journals")
    engine = _AnswersAhead()

    def on_item(number: int, item: Item) -> None:
        if item.state is ItemState.DONE:
            engine.has_ended.wait(10)

    batch.run(engine, Control(), on_item, slots=len(NAMES))
    batch.close()


def fail(folder: Path) -> None:
    """Captions all images but one, about which the model fails."""
    _begin(folder, TEXTS, fails=True)


def retry(folder: Path) -> None:
    """Captions the image again that has failed."""
    with_run(folder, lambda batch: (batch.retry_failed(), batch.run(FolderEngine(), Control())))


def undo_without_edits(folder: Path) -> None:
    """Undoes the run, but for captions that were edited."""
    with_run(folder, Batch.undo)


def rows(folder: Path) -> None:
    """Captions all images into the rows of a table."""
    _begin(folder, (), tables=(TABLE,))


def edit_rows(folder: Path) -> None:
    """Edits two captions there at once."""
    with_run(folder, lambda batch: batch.edit_all(EDITS))


STEPS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "run": (begin,),
    "edit": (begin, edit),
    "undo-edit": (begin, edit, undo_edit),
    "redo-edit": (begin, edit, undo_edit, redo_edit),
    "undo": (begin, edit, undo),
    "export": (export,),
    "continue": (tables, continue_tables),
}
"""What happens before a kill, by the name of the last step, in which it happens."""
FURTHER_STEPS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "replace": (texts, replace),
    "together": (together,),
    "add": (add,),
    "edit-added": (add, edit),
    "retry": (fail, retry),
    "undo-without-edits": (begin, edit, undo_without_edits),
}
"""The same, for steps of which only rows and caption files are compared."""
ROW_STEPS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "rows": (rows,),
    "edit-rows": (rows, edit_rows),
    "undo-rows": (rows, edit_rows, undo),
}
"""The same, for captions in the rows of a table."""


def before(step: str) -> dict[str, bytes]:
    """The caption files that are there before anything happens."""
    if step in ROW_STEPS:
        return {TABLE: TABLE_BEFORE}
    return ADDED_TO if step in ("add", "edit-added") else BEFORE


def with_run(folder: Path, act: Callable[[Batch], object]) -> None:
    """Opens the last run, does something with it, and closes it."""
    batch = Batch.resume(find_runs(folder / "journals")[0].journal)
    act(batch)
    batch.close()


def _begin(
    folder: Path,
    writes: tuple[CaptionFormat, ...],
    prompt: str = PROMPT,
    *,
    existing: Existing = Existing.REPLACE,
    fails: bool = False,
    tables: tuple[str, ...] = (),
) -> None:
    options = BatchOptions((prompt,), writes=writes, existing=existing, tables=tables)
    batch = Batch.begin([folder / "images"], options, folder / "journals")
    is_written = threading.Event()
    is_written.set()

    def on_item(number: int, item: Item) -> None:
        if item.state in (ItemState.DONE, ItemState.FAILED):
            is_written.set()

    def on_answer(request: Request) -> None:
        # It waits for the last one to be written, so that operations have one order.
        is_written.wait(10)
        is_written.clear()

    engine = FolderEngine()
    engine.on_answer = on_answer
    if fails:
        engine.fail["2.png"] = AppError("Broken.")
    batch.run(engine, Control(), on_item)
    batch.close()


def _prepare(folder: Path, step: str) -> None:
    (folder / "images").mkdir(parents=True)
    for name in NAMES:
        Image.new("RGB", (4, 4), "blue").save(folder / "images" / name)
    for name, data in before(step).items():
        (folder / "images" / name).write_bytes(data)


def _kill(shim: Shim, folder: Path, step: str, point: str) -> None:
    """Kills a fork of this process at this point of a step."""
    _prepare(folder, step)
    if process := os.fork():
        os.waitpid(process, 0)
        return
    *earlier, last = (STEPS | FURTHER_STEPS | ROW_STEPS)[step]
    for act in earlier:
        act(folder)
    shutil.copytree(folder / "images", folder / "before")
    # What was written earlier is on the disk.
    synced = [path for path in folder.rglob("*.jsonl") if "before" not in path.parts]
    lines = [f"F\t{path.stat().st_size}\t{path}\n" for path in synced]
    (folder / LOG).write_text("".join(lines))
    shim.log(folder / LOG)
    shim.kill(last, folder, point)


def main(shim: str, root: Path, which: str, steps: list[str]) -> None:
    """Makes a folder for each point of these steps."""
    library = Shim(shim)
    for step in steps:
        _kill(library, root / step / "count", step, "count")
        for point in chosen_points(which, step, root / step / "count"):
            _kill(library, root / step / point, step, point)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
