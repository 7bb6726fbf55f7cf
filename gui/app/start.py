"""The process around the program: one copy at a time, a log, the loop, and the exit status."""

from __future__ import annotations

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import qasync

from core.locations import writable_locations
from gui.app.application import Application, unix_signals_calling
from gui.app.faults import crash_file, open_log
from gui.app.program import Program, Visit
from gui.app.restart import start_again
from gui.app.single_instance import SingleInstance

log = logging.getLogger(__name__)


def run(paths: list[Path], started: float, visit: Visit | None = None) -> int:
    """Open the window on `paths`, and return the exit status once it is closed.

    `started` is `time.perf_counter()` at the program's first line. `visit` runs beside the
    window from its first paint on, to try the program without a person.
    """
    places = writable_locations()
    application = Application(sys.argv[:1])
    if getattr(sys, "frozen", False):
        # PyInstaller set it, and Qt has read it by now. Qt needs it: a comma in the path of the
        # program breaks its other way of finding plugins. A Qt program started from here must not
        # inherit it.
        os.environ.pop("QT_PLUGIN_PATH", None)
    instance = SingleInstance(places.folder)
    if not instance.takes_part(paths):
        return 0
    open_log(places.logs)
    status = 0
    with crash_file(places.logs) as crash:
        loop = qasync.QEventLoop(application)
        loop.set_default_executor(ThreadPoolExecutor(2, thread_name_prefix="helper"))
        program = Program(application, loop, places, started)
        application.quit_asked.connect(program.quit)
        application.paths_opened.connect(program.come_forward)
        instance.paths_received.connect(program.come_forward)
        with program.faults.catching(loop), unix_signals_calling(program.quit):
            try:
                is_clean = loop.run_until_complete(program.life(paths, crash, visit))
            except Exception:
                log.critical("Onlooker cannot continue", exc_info=True)
                if sys.stderr:
                    sys.stderr.write(f"Onlooker cannot continue. See the log in {places.logs}.\n")
                is_clean, status = False, 1
    if program.restarts_on is not None:
        instance.close()
        logging.shutdown()
        start_again(program.restarts_on)
    if not is_clean:
        # Nothing can interrupt a library that is being imported, and Qt aborts a process that
        # leaves a thread behind. Everything of the user's is saved by now.
        log.info("Ended while the model's thread was at work")
        logging.shutdown()
        os._exit(status)
    loop.close()
    return status
