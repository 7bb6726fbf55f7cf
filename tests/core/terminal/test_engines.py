import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import driver_library
from tests.support.index_server import IndexServer
from tests.support.packs import make_wheels, pins_of, write_pack, write_pins

ROOT = Path(__file__).parents[3]
WHEELS = make_wheels()
PINS = pins_of(WHEELS)
SLOW = pytest.mark.slow  # Each call starts a process.
CARD = "NVIDIA GeForce RTX 3060|12884901888|8|6"
_MAIN = """
import argparse, sys, threading
from pathlib import Path
from core.terminal.engines import add_verb, run

parser = argparse.ArgumentParser()
add_verb(parser.add_subparsers().add_parser)
options = parser.parse_args(["engines", *sys.argv[2:]])
sys.exit(run(options, threading.Event(), print, Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def drivers(tmp_path_factory) -> Path:
    return driver_library.build(tmp_path_factory.mktemp("drivers"))


@pytest.fixture
def server():
    with IndexServer(WHEELS).running() as server:
        yield server


@pytest.fixture
def engines(tmp_path, drivers, server):
    """Calls `onlooker engines` of a program whose packs come from the server."""
    path = write_pins(tmp_path / "pins.json", PINS, server.address)

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "ONLOOKER_HOME": str(tmp_path / "home"),
            "LD_LIBRARY_PATH": str(drivers),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": "",
            "CUDA": "13000",
            "CARDS": CARD,
            "DRIVER": "580.65.06",
        }
        return subprocess.run(
            [sys.executable, "-c", _MAIN, str(path), *arguments],
            cwd=ROOT,
            env={**os.environ, **settings, **environment},
            capture_output=True,
            text=True,
        )

    return call


@SLOW
def test_pack_is_listed_got_chosen_and_removed(engines, tmp_path):
    listed = engines("list")
    assert "NVIDIA GeForce RTX 3060, 12.9 GB, compute capability 8.6" in listed.stdout
    assert "NVIDIA driver 580.65.06, for CUDA 13.0" in listed.stdout
    assert "available" in listed.stdout
    assert "LLaVA-1.5-7b, which fits in 8 bits" in listed.stdout
    assert listed.stdout.endswith("onlooker engines get cuda130\n")
    got = engines("get", "cuda130")
    assert (got.returncode, got.stdout.partition(".")[0]) == (
        *(0, "cuda130 is ready for Stand-in card"),
    )
    assert "\r" not in got.stderr
    assert "ready" in engines("list").stdout
    assert engines("use", "cpu").returncode == 0
    assert (tmp_path / "home" / "engines" / "use").read_text() == "cpu\n"
    assert engines("use", "auto").returncode == 0
    assert engines("use", "cuda999").returncode == 2
    nowhere = engines("get", "cuda130", "--from", str(tmp_path / "nowhere"))
    assert (nowhere.returncode, "There is no folder" in nowhere.stderr) == (1, True)
    removed = engines("remove", "cuda130")
    assert removed.stdout.startswith("Removed cuda130, ")
    again = engines("remove", "cuda130")
    assert (again.returncode, "no engine pack “cuda130”" in again.stderr) == (1, True)


def test_wheels_can_be_fetched_elsewhere_and_brought_in_a_folder(engines, server, tmp_path):
    listed = engines("get", "cuda130", "--wheels").stdout.splitlines()
    assert [line.split("  ")[1] for line in listed] == list(WHEELS)
    for name, content in WHEELS.items():
        (tmp_path / name).write_bytes(content)
    got = engines("get", "cuda130", "--from", str(tmp_path))
    assert got.returncode == 0, got.stderr
    assert not server.asked


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"CUDA": "12020", "DRIVER": "535.1"}, "driver 580 or newer"),
        pytest.param({"CARDS": "GT 710|2000000000|3|5"}, "no code for GT 710", marks=SLOW),
        pytest.param({"CARDS": ""}, "graphics card", marks=SLOW),
    ],
)
def test_nothing_is_fetched_where_the_pack_could_not_run(engines, server, environment, sentence):
    got = engines("get", "cuda130", **environment)
    assert (got.returncode, sentence in got.stderr) == (1, True), got.stderr
    assert not server.asked


@SLOW
def test_pip_s_index_is_asked_in_place_of_the_public_one(engines, server):
    with IndexServer().running() as mirror:
        mirror.files = server.files
        got = engines("get", "cuda130", PIP_INDEX_URL=mirror.address)
        assert got.returncode == 0, got.stderr
        assert mirror.asked
    assert not server.asked


def test_unknown_pack_is_a_wrong_use_that_names_the_others(engines):
    got = engines("get", "cuda999")
    assert (got.returncode, "Available: cuda130" in got.stderr) == (2, True)


@SLOW
def test_json_has_the_same(engines, tmp_path):
    write_pack(tmp_path / "home" / "engines" / "cuda130", torch="2.12.0")
    content = json.loads(engines("list", "--json").stdout)
    assert content["advice"] == "replace"
    assert content["cards"][0]["capability"] == [8, 6]
    (pack,) = content["packs"]
    assert (pack["name"], pack["state"]) == ("cuda130", "outdated")
    assert "PyTorch 2.12.0" in pack["problem"]


def test_verb_is_one_of_the_program(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "gui", "engines"],
        cwd=ROOT,
        env={**os.environ, "ONLOOKER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("PyTorch ")
