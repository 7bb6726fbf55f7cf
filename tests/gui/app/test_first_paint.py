"""What the program has imported when its window is painted for the first time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Starts the program as a person does, and closes it once its log says that the window is shown.
SCRIPT = """
import json, linecache, logging, sys
from gui.__main__ import main

class Shown(logging.Handler):
    def emit(self, record):
        if record.getMessage().startswith("Window shown"):
            from PySide6.QtWidgets import QApplication
            print(json.dumps({"modules": list(sys.modules), "sources": list(linecache.cache)}))
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
