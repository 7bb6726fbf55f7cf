"""A folder run in a process of its own: `naming_run FOLDER JOURNALS KIND EXISTING NAME`.

Prints a JSON object: the state of each image's row, and the caption in each caption file. Then the
run is undone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from core.batch import Batch, BatchOptions, Control
from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.sidecar import Existing
from tests.support.folder_run import FolderEngine


def main(folder: Path, journals: Path, kind: str, existing: str, name: str) -> None:
    """Runs, prints and undoes."""
    options = BatchOptions(("x",), (CaptionFormat(kind),), Existing(existing), name=name)
    batch = Batch.begin([folder], options, journals)
    batch.run(FolderEngine(), Control())
    captions = {
        path.name: said(path)
        for path in folder.iterdir()
        if path.suffix.lower() in (".txt", ".xmp")
    }
    states = {item.path.name: item.state for item in batch.items}
    sys.stdout.write(json.dumps({"states": states, "captions": captions}))
    batch.undo()
    batch.close()


def said(path: Path) -> str:
    """Returns the caption in a file."""
    data = path.read_bytes()
    is_xmp = path.suffix.lower() == ".xmp"
    return xmp.description_of(data) if is_xmp else data.decode().strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:6])
