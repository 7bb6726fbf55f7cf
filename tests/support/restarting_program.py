"""Runs the window on an image, restarts it once, and ends.

Each time one line is added to the file that RESTART_LOG names: the image that is open, and the
variable that chooses an engine.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from gui.app.program import Program
from gui.app.start import run
from tests.gui.conftest import until


async def visit(program: Program) -> None:
    log = Path(os.environ["RESTART_LOG"])
    await until(lambda: program.window.drop_zone.has_picture)
    (path,) = program.pictures.paths
    with log.open("a") as opened:
        opened.write(f"{path} engine={os.environ.get('ONLOOKER_ENGINE', '')}\n")
    if len(log.read_text().splitlines()) < 2:
        program.restart()
    else:
        program.quit()


if __name__ == "__main__":
    sys.exit(run([Path(path) for path in sys.argv[1:]], time.perf_counter(), visit))
