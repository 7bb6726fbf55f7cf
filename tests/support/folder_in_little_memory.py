"""A folder run in a process that may have little memory: `folder_in_little_memory.py FOLDER`.

Prints, as JSON, how it stood at the end.
"""

import json
import os
import resource
import sys
import threading
from pathlib import Path

from core.batch import Batch, BatchOptions, Control
from core.open_engine import open_engine
from core.transcript import ModelChoice, Sampling

SLOTS = 512
# The built-in model's cache in so many slots takes twice that.
MORE_BYTES = 1 << 30


def main(folder: Path) -> None:
    engine = open_engine(ModelChoice(device="cpu"), lambda *_: None, threading.Event())
    options = BatchOptions(("How many things are there?",), sampling=Sampling(max_new_tokens=8))
    batch = Batch.begin([folder], options, folder / "journals")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    tally = batch.run(engine, Control(), slots=SLOTS)
    batch.close()
    captions = {item.path.name: item.caption for item in batch.items}
    sys.stdout.write(json.dumps({"done": tally.done, "notes": batch.notes, "captions": captions}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
