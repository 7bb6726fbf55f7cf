"""Ctrl+C while the program starts: it ends at once and without a traceback."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

# Sends itself what Ctrl+C sends, when the module is about to be imported. What a shell starts in
# the background ignores that, and so would this process.
SCRIPT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["onlooker", *{arguments!r}]
from gui.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("argparse", []),
        ("core.version", []),
        ("gui.app.program", []),
        ("PySide6", []),
        ("core.terminal.main", ["caption", "x"]),
        ("core.batch", ["caption", "x"]),
    ],
)
def test_ctrl_c_at_an_import_ends_quietly(module, arguments, tmp_path):
    script = SCRIPT.format(module=module, arguments=arguments)
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"QT_QPA_PLATFORM": "offscreen", "ONLOOKER_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) in ((-signal.SIGINT, b""), (130, b""))


def test_nothing_of_ours_is_imported_before_ctrl_c_is_seen_to():
    script = (
        "import signal, sys, typing\n"
        "known = set(sys.modules)\n"
        "import gui.__main__\n"
        "print(*sorted(set(sys.modules) - known))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["gui", "gui.__main__"]
