"""The terminal's `caption` with a model that does harm, as a person runs it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.support.hostile_models import HOSTILE

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow


@pytest.fixture
def start(chat_folders, tmp_path):
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "teal.png")

    def start(name: str) -> subprocess.Popen:
        kind, change = HOSTILE[name]
        folder = Path(shutil.copytree(chat_folders[kind], tmp_path / "model"))
        change(folder)
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "core.terminal", "caption", tmp_path / "teal.png"),
                *("--model", folder, "--device", "cpu", "--max-new-tokens", "4"),
            ],
            cwd=ROOT,
            env=os.environ | {"ONLOOKER_HOME": str(tmp_path / "home")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_sentence_and_exit_status_are_all_that_is_left(start):
    with start("tokenizer: replaces by much") as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-1].startswith(
        "onlooker: The tokenizer of “model” is unsafe (it replaces a few letters with 5,000,000)"
    )
    assert "Traceback" not in err


def cpu_seconds(process):
    """How long a process has computed; a trial that has begun computes without end."""
    return sum(process.cpu_times()[:2])


def test_one_interrupt_ends_the_trial(start):
    with start("template: power") as process:
        parent = psutil.Process(process.pid)
        while not (children := parent.children()) or cpu_seconds(children[0]) < 0.5:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert not any(child.is_running() for child in children)
