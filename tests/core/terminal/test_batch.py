"""A folder run in a real terminal: its bar, and Ctrl+C as a person presses it."""

import io
import os
import re
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from core.batch.journal import read_lines
from core.terminal.main import main
from tests.support.tiers import slowly
from tests.support.tiny_llava import TINY, random_weights, write_original_layout

if os.name == "nt":
    pytest.skip("a pseudo-terminal", allow_module_level=True)

import fcntl
import pty
import select
import signal
import termios

ROOT = Path(__file__).parents[3]
CTRL_C = b"\x03"
# Two seconds, where other programs are not in the way; the captions would take minutes.
SOON = 20


class Terminal:
    """A process with a terminal of its own, into which keys are pressed."""

    def __init__(self, arguments, home):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))

        def take() -> None:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "core.terminal", "caption", *map(str, arguments)],
            cwd=ROOT,
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            preexec_fn=take,
            env=os.environ
            | {"ONLOOKER_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"},
        )
        os.close(slave)
        self.shown = ""

    def press(self, key):
        os.write(self._master, key)

    def wait_for(self, pattern, seconds=60.0):
        """Until the terminal shows it."""
        until = time.monotonic() + seconds
        while not re.search(pattern, self.shown):
            left = until - time.monotonic()
            assert left > 0, self.shown
            assert self._read(left) or re.search(pattern, self.shown), self.shown

    def let_work(self, seconds):
        """Until it has computed for so long, however busy the machine is."""
        process = psutil.Process(self.process.pid)
        until = process.cpu_times().user + seconds
        while process.cpu_times().user < until:
            assert self._read(0.05), self.shown

    def end(self, seconds=60.0):
        """The exit status."""
        until = time.monotonic() + seconds
        while self._read(max(0.0, until - time.monotonic())):
            assert time.monotonic() < until, self.shown
        out, _ = self.process.communicate(timeout=60)
        os.close(self._master)
        assert out == b""
        return self.process.returncode

    def _read(self, seconds):
        """Whether more may come; a terminal that nobody writes to any more ends with an error."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(30):
        Image.new("RGB", (8, 8), (8 * number, 0, 99)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def talkative(tmp_path_factory):
    """A tiny model whose captions are as long as they may be."""
    sizes = replace(TINY, context=4096)
    weights = random_weights(sizes)
    weights["lm_head.weight"][2] = 0  # The end of the sequence.
    return write_original_layout(tmp_path_factory.mktemp("talkative"), weights, sizes)


class Screen(io.StringIO):
    """Takes what is written to a terminal."""

    def isatty(self):
        return True


def loading(model):
    return ["--model", model, "--device", "cpu", "--dtype", "float32"]


@pytest.fixture
def start(talkative, folder, tmp_path):
    started = []

    def start(*arguments):
        arguments = [folder, *arguments, *loading(talkative)]
        started.append(Terminal(arguments, tmp_path / "home"))
        return started[-1]

    yield start
    for terminal in started:
        terminal.process.kill()
        terminal.process.communicate()


def whole_texts(folder, home):
    """How many captions there are; each is as the journal has it, and nothing lies half done."""
    assert not list(folder.glob(".*"))
    (journal,) = (home / "runs").glob("*.jsonl")
    said = {
        record["picture"]: record["caption"]
        for record in read_lines(journal)
        if record["kind"] == "item"
    }
    texts = {str(path.with_suffix(".png")): path.read_text() for path in folder.glob("*.txt")}
    assert texts == {picture: f"{caption}\n" for picture, caption in said.items()}
    return len(texts)


@pytest.mark.slow
def test_first_ctrl_c_ends_after_the_captions_under_way_and_resume_does_the_rest(
    start, talkative, folder, tmp_path, monkeypatch
):
    terminal = start("--write", "txt", "--max-new-tokens", 60, "--slots", 3)
    terminal.wait_for(r"[1-9]\d*/30")
    terminal.press(CTRL_C)
    terminal.wait_for("Stopping after the current captions")
    assert terminal.end() == 130
    assert "Use --resume to continue" in terminal.shown
    count = whole_texts(folder, tmp_path / "home")
    # Those under way are among them.
    assert 3 <= count < 30
    # The rest in this process, which saves the time for importing torch.
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    # One by one: captions are written many together, and what is left is known after the first.
    one_by_one = ["--resume", "--slots", "1", *map(str, loading(talkative))]
    assert main(["caption", str(folder), *one_by_one]) == 0
    assert re.search(r"\d+% .*\d+/30 .*/s, .* left", screen.getvalue())
    assert "30 captioned." in screen.getvalue()
    assert whole_texts(folder, tmp_path / "home") == 30


@pytest.mark.slow
def test_one_ctrl_c_ends_a_run_soon_however_long_its_captions_are(start, folder, tmp_path):
    terminal = start("--write", "txt,jsonl", "--max-new-tokens", 3000, "--slots", 4)
    terminal.wait_for("0/30")
    terminal.let_work(1.0)
    terminal.press(CTRL_C)
    pressed = time.monotonic()
    assert terminal.end() == 130
    assert time.monotonic() - pressed < SOON
    assert "Use --resume to continue" in terminal.shown
    assert whole_texts(folder, tmp_path / "home") < 30


@pytest.mark.parametrize("seconds", [slowly(0.4), 1.0, slowly(1.6)])
def test_one_ctrl_c_ends_what_is_still_loading_without_a_word_of_python(start, seconds):
    terminal = start("--write", "txt")
    terminal.let_work(seconds)
    terminal.press(CTRL_C)
    pressed = time.monotonic()
    assert terminal.end() in (130, -signal.SIGINT)
    assert time.monotonic() - pressed < SOON
    assert "Traceback" not in terminal.shown


@pytest.mark.slow
def test_second_ctrl_c_ends_at_once_and_loses_nothing(start, folder, tmp_path):
    terminal = start("--write", "txt,jsonl", "--max-new-tokens", 3000, "--slots", 4)
    terminal.wait_for("0/30")
    terminal.let_work(1.0)
    terminal.press(CTRL_C)
    terminal.wait_for("Stopping after the current captions")
    terminal.press(CTRL_C)
    pressed = time.monotonic()
    assert terminal.end() == 130
    assert time.monotonic() - pressed < SOON
    assert whole_texts(folder, tmp_path / "home") < 30
    (journal,) = (tmp_path / "home" / "runs").glob("*.jsonl")
    halves = [r["text"] for r in read_lines(journal) if r["kind"] == "stopped"]
    # A machine too busy for one more token in two seconds is left without them.
    assert halves or "Interrupted. Use --resume to continue." in terminal.shown, terminal.shown
