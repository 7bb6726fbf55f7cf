"""Standard streams that are closed, full, at their end, or a terminal that shows nothing typed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses a shell")

ROOT = Path(__file__).parents[3]
PLAN = "plan --images 5"


@pytest.fixture
def shell(tmp_path):
    """Runs the command line with redirections."""
    Image.new("RGB", (8, 6), "red").save(tmp_path / "a.png")
    home = str(tmp_path / "home")
    environment = os.environ | {"ONLOOKER_HOME": home, "PYTHONPATH": str(ROOT)}
    program = f"'{sys.executable}' -m core.terminal"

    def shell(line):
        return subprocess.run(
            ["sh", "-c", f"{program} {line}"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return shell


@pytest.mark.parametrize(
    "line", [PLAN, f"{PLAN} --json", "presets", "caption a.png --max-new-tokens 4"]
)
def test_full_output_is_a_sentence(shell, line):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    ended = shell(f"{line} >/dev/full")
    assert ended.returncode == 1
    assert "onlooker: The output cannot be written (No space left on device)." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize(
    "closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"]
)
def test_closed_streams_change_nothing_else(shell, closed):
    lines = [PLAN, f"{PLAN} --json"]
    if closed == ">&- 2>&-":  # Loading a model takes seconds.
        lines.append("caption a.png --format json --max-new-tokens 4")
    for line in lines:
        ended = shell(f"{line} {closed}")
        assert ended.returncode == 0, (line, ended.stderr)
        assert "Traceback" not in ended.stderr
    ended = shell(f"caption none.png --format json {closed}")
    assert (ended.returncode, ended.stdout) == (1, "")


@pytest.mark.parametrize("line", ["servers key http://127.0.0.1:9", "serve --set-key"])
@pytest.mark.parametrize("given", ["<&-", "</dev/null"])
def test_no_key_at_all_removes_none(shell, line, given):
    ended = shell(f"{line} {given}")
    assert ended.returncode == 2
    assert ended.stderr == "onlooker: No key was given. Type one, or pipe it in.\n"


def test_key_that_is_not_typed_after_all_leaves_the_terminal_as_it_was(tmp_path):
    termios = pytest.importorskip("termios")
    for key, status in (("\x03", 130), ("\x04", 2)):
        ours, theirs = os.openpty()
        before = termios.tcgetattr(theirs)
        process = subprocess.Popen(
            [sys.executable, "-m", "core.terminal", "serve", "--set-key"],
            cwd=ROOT,
            env=os.environ | {"ONLOOKER_HOME": str(tmp_path)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
        )
        said = b""
        while b"Key for clients" not in said:
            said += os.read(ours, 1000)
        deadline = time.monotonic() + 60
        while termios.tcgetattr(theirs)[3] & termios.ECHO and time.monotonic() < deadline:
            time.sleep(0.01)
        os.write(ours, key.encode())
        assert process.wait(60) == status
        assert termios.tcgetattr(theirs) == before
        os.close(ours)
        os.close(theirs)


def test_mistyped_names_are_said_at_once(shell):
    for line, words in (
        ("caption nope.png", "nope.png: There is no such file or folder. Check the name."),
        ("caption a.png --vocabulary nope.txt", "--vocabulary: nope.txt: no such file or folder."),
        ("presets import nope.json", "nope.json: no such file or folder."),
        ("presets import .", "“.” cannot be read (it is a folder, not a file)."),
        ("presets export Tags --output .", "“.” cannot be written (it is a folder, not a file)."),
        ("caption a.png --prompt ' '", "argument --prompt: must be a question"),
        ("bench --cards 3", "There is no graphics card cuda:3. Use --cards all, or leave it out."),
        ("plan --images 0", "must be a number from 1 to 1,000,000,000,000"),
    ):
        ended = shell(line)
        assert ended.returncode in (1, 2)
        assert words in ended.stderr
        assert "drawings" not in ended.stderr  # No model was loaded.


def test_program_knows_words_that_are_no_commands(tmp_path):
    def onlooker(*words):
        return subprocess.run(
            [sys.executable, "-m", "gui", *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "ONLOOKER_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )

    ended = onlooker("captoin", "a.png")
    assert ended.returncode == 2
    assert "there is no file, folder or command “captoin”" in ended.stderr
    assert "caption, bench, models" in " ".join(onlooker("--help").stdout.split())
