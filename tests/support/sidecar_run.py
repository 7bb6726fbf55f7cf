"""Folder runs over one image with a hostile caption file, in a process of its own that is measured.

    python -m tests.support.sidecar_run FOLDER KIND FORM

FORM is one of `tests.support.sidecars`, or what else may have a file's name. Prints a JSON object:
`seconds` (of processor time), `bytes` (the most memory), and for each way of treating existing
captions the state of the row, its reason, and whether the file was as before after the run and
after its undo.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from core.batch import Batch, BatchOptions, Control
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from tests.support.folder_run import FolderEngine
from tests.support.sidecars import text_forms, xmp_forms


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(300_000_000)


OTHER_FORMS = {
    "pipe": os.mkfifo if os.name == "posix" else Path.mkdir,
    "folder": Path.mkdir,
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "300 MB": _sparse,
}


def main(folder: Path, kind: str, form: str) -> None:
    """Runs in every way over a copy of the form, and prints what became of it."""
    found: dict[str, Any] = {way: _run(folder / way, kind, form, way) for way in Existing}
    found["seconds"] = time.process_time()
    found["bytes"] = _most_memory()
    sys.stdout.write(json.dumps(found))


def _run(folder: Path, kind: str, form: str, way: Existing) -> dict[str, Any]:
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 6), "red").save(folder / "a.png")
    path = folder / f"a.{kind}"
    if form in OTHER_FORMS:
        OTHER_FORMS[form](path)
    else:
        path.write_bytes((xmp_forms() if kind == "xmp" else text_forms())[form])
    before = _content(path)
    options = BatchOptions(
        ("a, b x",), (CaptionFormat(kind),), way, separator=", ", drops_duplicates=kind == "txt"
    )
    batch = Batch.begin([folder], options, folder.parent / f"journals-{way}")
    batch.run(FolderEngine(), Control())
    item = batch.items[0]
    after = _content(path)
    batch.undo()
    batch.close()
    return {
        "state": item.state,
        "reason": item.reason,
        "is_same": after == before,
        "is_undone": _content(path) == before,
        "left": sorted(one.name for one in folder.iterdir()),
    }


def _content(path: Path) -> object:
    if path.is_symlink():
        return str(path.readlink())
    return path.read_bytes() if path.is_file() else path.lstat().st_mode


def _most_memory() -> int:
    if sys.platform == "win32":
        return 0
    if sys.platform == "linux":  # Not `ru_maxrss`, which is inherited from the test's process.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
