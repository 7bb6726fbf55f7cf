"""Folder runs in a process of their own, whose journals are in `naming_run JOURNALS`.

Each line of standard input is a JSON list: the folder, and kind, treatment and name of its caption
files. Prints a JSON object a line: the state of each image's row, and the caption in each caption
file, or the error. Then the run is undone.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from core.batch import Batch, BatchOptions, Control
from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from tests.support.folder_run import FolderEngine


def main(journals: Path) -> None:
    """Does one run after the other."""
    for number, line in enumerate(sys.stdin):
        folder, *how = json.loads(line)
        try:
            found = captioned(Path(folder), journals / str(number), *how)
        except Exception:
            found = {"error": traceback.format_exc()}
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


def captioned(folder: Path, journals: Path, kind: str, existing: str, name: str) -> dict[str, Any]:
    """Runs, undoes the run, and returns what there was before that."""
    options = BatchOptions(("x",), (CaptionFormat(kind),), Existing(existing), name=name)
    batch = Batch.begin([folder], options, journals)
    batch.run(FolderEngine(), Control())
    captions = {
        path.name: said(path)
        for path in folder.iterdir()
        if path.suffix.lower() in (".txt", ".xmp")
    }
    states = {item.path.name: item.state for item in batch.items}
    batch.undo()
    batch.close()
    return {"states": states, "captions": captions}


def said(path: Path) -> str:
    """Returns the caption in a file."""
    data = path.read_bytes()
    is_xmp = path.suffix.lower() == ".xmp"
    return xmp.description_of(data) if is_xmp else data.decode().strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
