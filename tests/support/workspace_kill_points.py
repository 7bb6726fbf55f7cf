"""Edits of a workspace that are killed at one file operation after the other.

`workspace_kill_points.py SHIM ROOT WHICH STEP…`, with SHIM preloaded, lets the steps up to each
STEP happen in ROOT/STEP/POINT for each POINT, and kills the process at an operation of STEP; see
`kill_shim`, whose points these are.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

from PIL import Image

from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.message import Message
from core.workspace.bulk import AddTags
from core.workspace.data import CaptionMode, ReviewState, WorkspaceOptions
from core.workspace.workspace import Workspace
from tests.support.kill_shim import Shim, chosen_points

HERE = "here"
LOG = "synced.log"
"""What was written and synced, a line each; see `kill_points.c`."""
COUNT = 10
"""More than are written one by one so that a power cut loses none."""
FEW = 3
BEFORE = {
    "1.txt": b"a long caption that gets shorter",
    "2.txt": "früher\r\nund später\r\n".encode("cp1252"),
    "3.txt": "a cat, on a mat\n".encode("utf-16"),
    "4.txt": b"a cat\n" * 1000,
    "5.txt": b"",
    "6.txt": b"a dog , a cat\r\n",
    "7.txt": b"short\n",
}
TABLE = b'x;file_name;text\r\n1;1.png;"a; cat"\r\n2,5;3.png;a dog'


def text_of(name: str, turn: int) -> str:
    """The caption that an edit writes."""
    return f"{turn}: {name}" + " and more" * (len(name) + turn)


def opened(folder: Path) -> Workspace:
    """The workspace in a folder, with all captions read."""
    workspace = Workspace.open([folder / "images"], folder / "data", WorkspaceOptions())
    workspace.scan(Event(), lambda progress: None)
    return workspace


def opened_table(folder: Path) -> Workspace:
    """The workspace whose captions are in its table."""
    options = WorkspaceOptions(format=CaptionFormat.CSV, table="metadata.csv")
    workspace = Workspace.open([folder / "images"], folder / "data", options)
    workspace.scan(Event(), lambda progress: None)
    return workspace


def opened_keywords(folder: Path) -> Workspace:
    """The workspace whose captions are the keywords of XMP files."""
    options = WorkspaceOptions(format=CaptionFormat.XMP, mode=CaptionMode.TAGS)
    workspace = Workspace.open([folder / "images"], folder / "data", options)
    workspace.scan(Event(), lambda progress: None)
    return workspace


def _edited(folder: Path, count: int, turn: int) -> None:
    workspace = opened(folder)
    rows = workspace.rows(workspace.ids())[:count]
    captions = {row.id: text_of(row.path.name, turn) for row in rows}
    report = workspace.set_captions(captions, Message("Edit"))
    assert len(report.changed) == count
    workspace.close()


def edit(folder: Path) -> None:
    """Writes a caption for each image."""
    _edited(folder, COUNT, 1)


def edit_few(folder: Path) -> None:
    """Writes captions for some images, each so that it is on the disk."""
    _edited(folder, FEW, 2)


def edit_table(folder: Path) -> None:
    """Writes captions into a table, of which two have a row."""
    workspace = opened_table(folder)
    rows = workspace.rows(workspace.ids())
    captions = {row.id: text_of(row.path.name, 3) for row in rows}
    assert len(workspace.set_captions(captions, Message("Edit")).changed) == COUNT
    workspace.close()


def undo_table(folder: Path) -> None:
    """Undoes it."""
    workspace = opened_table(folder)
    assert workspace.undo()
    workspace.close()


def undo(folder: Path) -> None:
    """Undoes the last edit."""
    workspace = opened(folder)
    assert workspace.undo()
    workspace.close()


def redo(folder: Path) -> None:
    """Makes the edit again."""
    workspace = opened(folder)
    assert workspace.redo()
    workspace.close()


def move(folder: Path) -> None:
    """Moves some images to another folder."""
    workspace = opened(folder)
    ids = workspace.ids()[:FEW]
    assert len(workspace.move_to(ids, folder / "images" / "chosen").changed) == FEW
    workspace.close()


def move_rows(folder: Path) -> None:
    """Moves some images, of which two have a row in a table, to a folder with another one."""
    workspace = opened_table(folder)
    ids = workspace.ids()[:FEW]
    assert len(workspace.move_to(ids, folder / "images" / "other").changed) == FEW
    workspace.close()


def tag(folder: Path) -> None:
    """Adds a keyword to each image, of which one has an XMP file."""
    workspace = opened_keywords(folder)
    assert len(workspace.apply(workspace.ids(), AddTags(("cat", "dog"))).changed) == COUNT
    workspace.close()


def trash(folder: Path) -> None:
    """Moves some images to a trash, with their captions."""
    os.environ["XDG_DATA_HOME"] = str(folder / "home")
    workspace = opened(folder)
    assert len(workspace.trash(workspace.ids()[:FEW]).changed) == FEW
    workspace.close()


def take_over(folder: Path) -> None:
    """Writes captions and sets reviews, as an import does."""
    workspace = opened(folder)
    rows = workspace.rows(workspace.ids())
    captions = {row.id: text_of(row.path.name, 4) for row in rows}
    reviews = {row.id: ReviewState.REJECTED for row in rows[:FEW]}
    report = workspace.set_captions(captions, Message("Import"), reviews=reviews)
    assert len(report.changed) == COUNT
    workspace.close()


def run(folder: Path) -> None:
    """Writes captions as a folder run does, which keeps a journal of its own."""
    for number in range(1, FEW + 1):
        (folder / "images" / f"{number}.txt").write_bytes(b"again\n")


def keep_run(folder: Path) -> None:
    """Keeps what the run has written, so that it can be undone."""
    workspace = opened(folder)
    paths = [folder / "images" / f"{number}.png" for number in range(1, FEW + 1)]
    texts = [path.with_suffix(".txt") for path in paths]
    written = [
        (str(image), str(text), BEFORE[text.name], text.read_bytes(), False, "again")
        for image, text in zip(paths, texts, strict=True)
    ]
    workspace.answers.note_again(written, dict.fromkeys(paths, "again"))
    workspace.close()


STEPS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "edit": (edit,),
    "undo": (edit, undo),
    "redo": (edit, undo, redo),
    "edit-few": (edit, edit_few),
    "undo-few": (edit, edit_few, undo),
    "table": (edit_table,),
    "undo-table": (edit_table, undo_table),
    "move": (move,),
    "undo-move": (edit, move, undo),
    "move-rows": (move_rows,),
    "undo-move-rows": (edit_table, move_rows, undo_table),
}
"""What happens before a kill, by the name of the last step, in which it happens."""
FURTHER_STEPS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "keywords": (tag,),
    "trash": (trash,),
    "undo-trash": (edit_few, trash, undo),
    "import": (take_over,),
    "undo-again": (run, keep_run, undo),
}
"""What shares most of its operations with the others."""


def _prepare(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    for number in range(1, COUNT + 1):
        Image.new("RGB", (4, 4), "blue").save(folder / "images" / f"{number}.png")
    (folder / "images" / "metadata.csv").write_bytes(TABLE)
    described = xmp.described(None, description="A cat.", alt_text="", extension="png")
    (folder / "images" / "1.xmp").write_bytes(described)
    (folder / "images" / "other").mkdir()
    (folder / "images" / "other" / "metadata.csv").write_bytes(TABLE.splitlines(keepends=True)[0])
    for name, data in BEFORE.items():
        (folder / "images" / name).write_bytes(data)


def _kill(shim: Shim, root: Path, step: str, point: str) -> None:
    """Kills a fork of this process at this point of a step."""
    folder = root / HERE
    shutil.copytree(root / "made", folder, copy_function=shutil.copy2)
    if process := os.fork():
        os.waitpid(process, 0)
        folder.rename(root / point)
        return
    shim.log(folder / LOG)
    shim.kill((STEPS | FURTHER_STEPS)[step][-1], folder, point)


def main(shim: str, root: Path, which: str, steps: list[str]) -> None:
    """Makes a folder for each point of these steps."""
    library = Shim(shim)
    for step in steps:
        # Edits are kept with the paths of their files, so that every point happens in one place.
        folder = root / step / HERE
        _prepare(folder)
        for act in (STEPS | FURTHER_STEPS)[step][:-1]:
            act(folder)
        folder.rename(root / step / "made")
        _kill(library, root / step, step, "count")
        for point in chosen_points(which, step, root / step / "count"):
            _kill(library, root / step, step, point)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
