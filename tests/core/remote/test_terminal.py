"""`onlooker caption --server` and `onlooker servers` in the terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from core.batch import answered_runs
from core.locations import locations
from core.terminal import main as terminal
from tests.support.model_server import MODEL, Fault, ModelServer, colour_name

pytestmark = pytest.mark.usefixtures("ring")

SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def pictures(tmp_path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (40, 30), (40 * number, 80, 120)).save(folder / f"{number}.png")
    return folder


def test_image_is_captioned_by_a_server(server, pictures, capsys):
    image = pictures / "2.png"
    arguments = ["--server", server.address, "--prompt", "What?", "--image-format", "png"]
    assert terminal.main(["caption", str(image), *arguments]) == 0
    with Image.open(image) as pixels:
        assert capsys.readouterr().out.strip() == f"{colour_name(pixels)} for What?"


def test_folder_is_captioned_by_two_servers_with_their_keys_which_are_kept_nowhere(
    pictures, home, ring, monkeypatch, capsys
):
    with ModelServer().running() as first, ModelServer().running() as second:
        first.key, second.key = SECRET, "other"
        host = second.address.partition("//")[2]
        monkeypatch.setenv("ONLOOKER_SERVER_KEY", f"{host}=other")
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\n"))
        assert terminal.main(["servers", "key", first.address]) == 0
        both = ["--server", f"{first.address}/v1,2", "--server", second.address]
        arguments = [*both, "--model", MODEL, "--parallel", "3", "--write", "txt"]
        assert terminal.main(["caption", str(pictures), *arguments]) == 0
        assert {*first.keys} == {f"Bearer {SECRET}"}
        assert {*second.keys} == {"Bearer other"}
        assert len(first.captions()) + len(second.captions()) == 6
    assert len(list(pictures.glob("*.txt"))) == 6
    written = [path for path in home.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err


def test_models_caption_a_folder_in_turn_and_their_answers_are_compared(server, pictures, capsys):
    server.models = [MODEL, "tests/other"]
    (pictures / "0.txt").write_text("by hand")
    asked = ["caption", str(pictures), "--server", server.address, "--prompt", "What?"]
    models = ["--model", MODEL, "--then-model", "tests/none", "--then-model", "tests/other"]
    arguments = [*asked, *models, "--write", "txt", "--existing", "generated"]
    assert terminal.main(arguments) == 1
    shown = capsys.readouterr().err
    assert "none (2 of 3)" in shown  # It is not there, and the next one follows.
    images = sorted(pictures.glob("*.png"))
    other, first = answered_runs(locations().runs, images)
    assert (first.model, other.model) == (MODEL, "tests/other")
    assert len(first.captions) == len(other.captions) == 5
    assert (pictures / "0.txt").read_text() == "by hand"


THIRD = "tests/third"


@pytest.fixture
def killed(server, pictures, home):
    """A run with three models in turn, whose process is killed inside the second of these, when
    that has answered about two images."""
    server.models = [MODEL, "tests/other", THIRD]
    server.faults = [*(Fault() for _ in range(8)), Fault(stream="hang")]
    asked = ["caption", str(pictures), "--server", server.address, "--prompt", "What?"]
    models = ["--model", MODEL, "--then-model", "tests/other", "--then-model", THIRD]
    arguments = [*asked, *models, "--write", "txt", "--existing", "replace", "--parallel", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "core.terminal", *arguments],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"ONLOOKER_HOME": str(home), "PYTHONUTF8": "1"},
    )
    try:
        assert server.is_held.wait(120)
        while process.poll() is None and len(answered(pictures)[0].captions) != 2:
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait(60)
        server.go_on.set()


def answered(pictures):
    return answered_runs(locations().runs, sorted(pictures.glob("*.png")))


def models_that_answered(pictures):
    runs = answered(pictures)
    assert all(len(one.captions) == 6 for one in runs)
    return [one.model for one in runs]


@pytest.mark.usefixtures("killed")
def test_killed_run_goes_on_with_its_model_and_those_that_were_to_follow(server, pictures, capsys):
    asked_before = len(server.captions())
    assert terminal.main(["caption", str(pictures), "--resume"]) == 0
    assert models_that_answered(pictures) == [THIRD, "tests/other", MODEL]
    shown = capsys.readouterr().err
    assert "other (2 of 3)" in shown
    assert "third (3 of 3)" in shown
    asked = [body["model"] for body in server.captions()[asked_before:]]
    # What is in the journal is not asked again.
    assert asked.count("tests/other") == 4
    assert asked.count(THIRD) == 6
    # A resumed series that is done is not done again.
    assert terminal.main(["caption", str(pictures), "--resume"]) == 0
    assert len(server.captions()) == asked_before + len(asked)


@pytest.mark.usefixtures("killed")
def test_killed_run_goes_on_with_a_model_that_is_named(server, pictures):
    server.models = [MODEL, THIRD]
    arguments = ["--server", server.address, "--model", MODEL, "--resume"]
    assert terminal.main(["caption", str(pictures), *arguments]) == 0
    third, second, first = models_that_answered(pictures)
    assert (third, first) == (THIRD, MODEL)
    assert second == f"tests/other, {MODEL}"


def test_runs_that_are_left_are_named_when_one_is_stopped(server, pictures, capsys):
    server.models = [MODEL, "tests/other"]
    server.faults = [Fault(status=403) for _ in range(50)]
    asked = ["caption", str(pictures), "--server", server.address, "--model", MODEL]
    arguments = [*asked, "--then-model", "tests/other", "--write", "txt", "--existing", "replace"]
    assert terminal.main(arguments) == 1
    assert "Not started: other. Use --resume to do these too." in capsys.readouterr().err
    server.faults = []
    assert terminal.main(["caption", str(pictures), "--resume"]) == 0
    assert models_that_answered(pictures) == ["tests/other", MODEL]


def test_server_is_tested(server, capsys):
    assert terminal.main(["servers", "test", server.address, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["models"], record["sees_images"]) == ([MODEL], True)
    server.is_blind = True
    assert terminal.main(["servers", "test", server.address]) == 1
    assert "does not see images" in capsys.readouterr().out


def test_server_that_is_not_there_is_told(capsys):
    assert terminal.main(["servers", "test", "127.0.0.1:1"]) == 1
    assert "cannot be reached (connection refused)" in capsys.readouterr().err
    assert terminal.main(["servers", "test", "http://"]) == 1
    assert "not a server's address" in capsys.readouterr().err


def test_forgotten_server_has_no_key_any_more(server, ring, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\n"))
    server.key = SECRET
    terminal.main(["servers", "key", server.address])
    assert terminal.main(["servers", "test", server.address]) == 0
    terminal.main(["servers", "forget", server.address])
    assert terminal.main(["servers", "test", server.address]) == 1
