"""Models that were made to hang or fill the machine, or are broken: each ends in a sentence.

They are opened and asked one after the other in a process of their own, as a person would try one
after the other.
"""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.hostile_models import HOSTILE
from tests.support.tiers import mostly_slow

ROOT = Path(__file__).parents[3]
MOST_BYTES = 2_000_000_000
# For a machine that does nothing else. The limits within are those of computing time, mostly.
MOST_SECONDS = 30
PATIENCE_SECONDS = 3 * MOST_SECONDS
# Refused without a child, at once; and of those that take some seconds, one that fills the memory
# and one that would take long. tests/core/isolation has one that hangs.
SAMPLE = (
    "template: 20 MB",
    "template: a pipe",
    "tokenizer: a gigabyte",
    "settings: a gigabyte",
    "settings: a number of 4,000 digits",
    "settings: layers without end",
    "settings: tables of terabytes",
    "weights: header of 100 MB",
    "weights: index of a gigabyte",
    "weights: a pickle of code",
    "weights: a number as a terabyte",
    "tokenizer: grows step by step",
    "processor: crop of 100,000",
)
# Nothing is wrong with these, but for what it costs to look at them.
HARMLESS = ("tokenizer: repeated pattern", "settings: ends without end")


class Opener:
    """The process that opens models."""

    def __init__(self, home: Path):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.hostile_models"],
            cwd=ROOT,
            env=os.environ | {"ONLOOKER_HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines = queue.Queue()
        self._errors = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def open(self, folder: Path) -> dict:
        assert self._process.stdin
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()
        line = self._lines.get(timeout=PATIENCE_SECONDS)
        assert line, f"the process died: {''.join(self._errors)[-2000:]}"
        return json.loads(line) | {"printed": "".join(self._errors)}

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put("")

    def _read_errors(self) -> None:
        for line in self._process.stderr or ():
            self._errors.append(line)


@pytest.fixture(scope="module")
def opener(tmp_path_factory):
    opener = Opener(tmp_path_factory.mktemp("home"))
    yield opener
    opener.close()


@pytest.fixture
def originals(chat_folders, tiny_original_layout, tiny_transformers_layout):
    return {
        **chat_folders,
        "original": tiny_original_layout,
        "transformers": tiny_transformers_layout,
    }


@pytest.mark.parametrize(
    "name",
    mostly_slow(HOSTILE, SAMPLE),
)
def test_hostile_model_ends_in_a_sentence(opener, originals, tmp_path, name):
    kind, change = HOSTILE[name]
    folder = Path(shutil.copytree(originals[kind], tmp_path / "model"))
    change(folder)
    ended = opener.open(folder)
    assert "Traceback" not in ended["said"]
    assert ended["printed"] == ""
    assert ended["seconds"] < PATIENCE_SECONDS
    assert ended["peak"] < MOST_BYTES
    assert bool(ended["said"]) != (name in HARMLESS)
    if ended["said"]:
        assert re.fullmatch(r"[^\n]{20,700}\.", ended["said"])


def test_there_are_sixty_hostile_models():
    assert len(HOSTILE) >= 60
