"""A living program that kills itself, as the system does: `python -m … between|again FOLDER`.

`between` captions the images of the folder, and is killed before the two runs that are to follow.
`again` captions them once more, and is killed after the first one.
"""

import os
import signal
import sys
import time
from pathlib import Path

import qasync
from PySide6.QtWidgets import QApplication

from core.batch import BatchOptions, Phase
from core.captions.sidecar import Existing
from core.engine import Ready
from core.locations import writable_locations
from gui.app.program import Program
from gui.session.model_thread import ModelThread
from tests.gui.conftest import until
from tests.support.scripted_engine import ScriptedCheckpoint


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_end(phase: Phase) -> None:
    if phase is Phase.OVER:
        kill()


async def visit(program: Program) -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    run = program.folder_run
    await until(lambda: isinstance(program.model.state, Ready))
    if kind == "between":
        run.phase_changed.connect(kill_at_end)
        then = ("model:other", "model:third")
        options = BatchOptions(("say 3 words",), existing=Existing.REPLACE, then=then)
    else:
        images = tuple(map(str, folder.glob("*.png")))
        options = BatchOptions(
            ("then hold",), existing=Existing.REPLACE, replaces_edited=images, is_again=True
        )
    await run.choose([folder], options=options)
    program.tasks.begin(run.start(options, 1))
    await until(lambda: any("First." in one.read_text() for one in folder.glob("*.txt")))
    kill()


def main() -> None:
    application = QApplication([])
    loop = qasync.QEventLoop(application)
    model = ModelThread(ScriptedCheckpoint())
    program = Program(application, loop, writable_locations(), time.perf_counter(), model)
    loop.run_until_complete(program.life([], "", visit))


if __name__ == "__main__":
    main()
