"""What the program has imported when its window is painted for the first time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Each further one makes the window's first paint later. What the paint does not need, such as
# numpy, is imported where it is used.
LIBRARIES = {
    *("PySide6", "shiboken6", "shibokensupport", "signature_bootstrap", "qasync"),
    *("pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions"),
    *("PIL", "lxml", "cython_runtime", "regex", "platformdirs"),
}
MOST_OF_OURS = 600

# Starts the program as a person does, and closes it once its log says that the window is shown.
SCRIPT = """
import sys
before = set(sys.modules)
import json, linecache, logging
from gui.__main__ import main

class Shown(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith("Window shown"):
            from PySide6.QtWidgets import QApplication
            modules = [*set(sys.modules) - before]
            print(json.dumps({"modules": modules, "sources": [*linecache.cache]}))
            QApplication.instance().quit_asked.emit()

logging.getLogger("gui.app.program").addHandler(Shown())
sys.exit(main([]))
"""


@pytest.fixture(scope="module")
def at_first_paint(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen", "ONLOOKER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(run.stdout)


def test_reads_no_source_of_a_module(at_first_paint):
    """As Qt for Python would, and keep it."""
    folders = (ROOT / "core", ROOT / "gui")
    read = [Path(path) for path in at_first_paint["sources"]]
    assert not [path for path in read if any(map(path.is_relative_to, folders))]


def test_imports_no_library_that_can_wait(at_first_paint):
    tops = {name.partition(".")[0] for name in at_first_paint["modules"]}
    # Names of compilers and systems begin so: `_cython_3_1_2`, `_sysconfigdata__linux_…`.
    libraries = {name for name in tops - sys.stdlib_module_names if not name.startswith("_")}
    assert libraries - {"core", "gui"} <= LIBRARIES


def test_imports_not_many_more_modules_of_ours_than_it_does_now(at_first_paint):
    ours = [one for one in at_first_paint["modules"] if one.partition(".")[0] in ("core", "gui")]
    assert 0 < len(ours) <= MOST_OF_OURS
