"""Folder runs on a disk with room for some of an image's files; the journal is on another disk."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState
from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from core.files import DiskFull
from tests.support.folder_run import FolderEngine

PAGE = 4096
CAPTION = "a long caption " * 200
BEFORE = {
    "1.txt": b"mine\n",
    "1.xmp": xmp.described(None, description="mine", alt_text=""),
}
OPTIONS = BatchOptions(
    ("What is it?",), writes=(CaptionFormat.TXT, CaptionFormat.XMP), existing=Existing.REPLACE
)


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own with one image."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={16 * PAGE}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this computer mounts nothing")
    Image.new("RGB", (8, 6), "red").save(folder / "1.png")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(disk):
    """Leaves room for the text file, and none for the longer XMP file."""
    status = os.statvfs(disk)
    (disk / "full").write_bytes(bytes((status.f_bavail - 2) * PAGE))


def captions(disk):
    return {path.name: path.read_bytes() for path in disk.iterdir() if path.name[:2] == "1."} | {
        path.name: b"" for path in disk.glob(".*")
    }


def run(batch, slots):
    engine = FolderEngine()
    engine.says["1.png"] = CAPTION
    return batch.run(engine, Control(), slots=slots), engine.asked


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("before", [{}, BEFORE], ids=["new", "existing"])
def test_image_waits_without_any_of_its_files_until_there_is_room(disk, tmp_path, before, slots):
    for name, content in before.items():
        (disk / name).write_bytes(content)
    at_first = captions(disk)
    fill(disk)
    batch = Batch.begin([disk], OPTIONS, tmp_path / "journals")
    with pytest.raises(DiskFull, match="Free some space"):
        run(batch, slots)
    assert batch.tally.waiting == 1
    assert captions(disk) == at_first
    # Again, in the same run and after a restart, as if it had been killed between the files.
    with pytest.raises(DiskFull):
        run(batch, slots)
    batch.close()
    (disk / "1.txt").write_text(f"{CAPTION.strip()}\n")
    batch = Batch.resume(batch.journal_path)
    assert batch.tally.done == 0
    assert "Free some space" in batch.items[0].reason
    assert captions(disk) == at_first
    batch.close()

    (disk / "full").unlink()
    batch = Batch.resume(batch.journal_path)
    tally, asked = run(batch, slots)
    assert (tally.done, asked) == (1, [])
    assert (disk / "1.txt").read_text() == f"{CAPTION.strip()}\n"
    assert xmp.description_of((disk / "1.xmp").read_bytes()) == CAPTION.strip()
    assert batch.undo() == []
    batch.close()
    assert captions(disk) == at_first


def test_table_without_all_captions_that_were_written_is_not_called_complete(disk, tmp_path):
    for name in ("first", "last"):
        (tmp_path / name).mkdir()
    for name in ("first/a.png", "first/b.png", "last/c.png"):
        Image.new("RGB", (8, 6), "red").save(tmp_path / name)
    fill(disk)
    options = replace(OPTIONS, writes=(*OPTIONS.writes, CaptionFormat.JSONL))
    roots = [tmp_path / "first", disk, tmp_path / "last"]
    batch = Batch.begin(roots, options, tmp_path / "journals")
    engine, is_last_asked = FolderEngine(), threading.Event()
    engine.says["1.png"] = CAPTION

    def on_answer(request):
        if request.picture.name == "c.png":
            is_last_asked.set()

    def on_item(number, item):
        if (number, item.state) == (0, ItemState.DONE):
            # So b.png and 1.png are written together, unless the engine's thread waits for this.
            is_last_asked.wait(0.5)

    engine.on_answer = on_answer
    with pytest.raises(DiskFull):
        batch.run(engine, Control(), on_item)
    assert [item.state.value for item in batch.items][:3] == ["done", "done", "waiting"]
    assert batch.complete_tables == []
    batch.close()
    table = tmp_path / "first" / "captions.jsonl"
    # On a busy machine c.png may be written before the disk is found full.
    done = {item.path.name for item in batch.items if item.state is ItemState.DONE}
    assert done >= {"a.png", "b.png"}
    assert done == {
        Path(json.loads(line)["file_name"]).name for line in table.read_text().splitlines()
    }
