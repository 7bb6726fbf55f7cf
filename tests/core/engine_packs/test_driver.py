import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.engine_packs.driver import Maker, ask_graphics
from tests.support import driver_library

ROOT = Path(__file__).parents[3]
CARDS = "NVIDIA GeForce RTX 3060|12884901888|8|6|192|7501;Tesla P4|8053063680|6|1|0|0"


def asked(drivers: Path, timeout: float = 10, **environment: str) -> dict:
    """What a process with these driver libraries finds."""
    script = (
        "import sys, json, dataclasses, pathlib\n"
        "from core.engine_packs.driver import ask_graphics\n"
        "g = ask_graphics(float(sys.argv[1]), pathlib.Path('/nowhere'))\n"
        "print(json.dumps(dataclasses.asdict(g) | {'makers': sorted(g.makers)}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(timeout)],
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(drivers), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return json.loads(run.stdout)


@pytest.fixture(scope="module", params=["NVML", "CUDA"])
def drivers(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drivers")
    return driver_library.build(folder, nvml=request.param == "NVML")


def test_cards_and_driver_are_found(drivers):
    found = asked(drivers, CUDA="13010", CARDS=CARDS, DRIVER="580.65.06")
    assert found["cards"] == [
        {
            "name": "NVIDIA GeForce RTX 3060",
            "memory": 12884901888,
            "capability": [8, 6],
            "bandwidth": 360_048_000_000,
        },
        {"name": "Tesla P4", "memory": 8053063680, "capability": [6, 1], "bandwidth": 0},
    ]
    assert found["driver_cuda"] == [13, 1]
    if (drivers / "libnvidia-ml.so.1").exists():
        assert found["driver"] == "580.65.06"
    assert found["makers"] == ["NVIDIA"]


def test_driver_that_does_not_know_the_bandwidth_finds_its_cards(tmp_path):
    drivers = driver_library.build(tmp_path, bandwidth=False)
    found = asked(drivers, CUDA="13010", CARDS=CARDS, DRIVER="580.65.06")
    assert [card["bandwidth"] for card in found["cards"]] == [0, 0]


def test_driver_without_cards_finds_none(drivers):
    found = asked(drivers, CUDA="13000", DRIVER="580")
    assert (found["cards"], found["is_hanging"]) == ([], False)


def test_driver_that_refuses_finds_none(drivers):
    assert asked(drivers)["cards"] == []


def test_driver_that_hangs_does_not_keep_the_program(drivers):
    began = time.monotonic()
    found = asked(drivers, 0.3, CUDA="13000", CARDS=CARDS, DRIVER="580", HANG="60")
    assert found["is_hanging"]
    assert time.monotonic() - began < 30


def test_library_that_lacks_functions_or_is_none_finds_none(tmp_path):
    (tmp_path / "libnvidia-ml.so.1").write_bytes(b"no library")
    (tmp_path / "libcuda.so.1").write_bytes(b"no library")
    assert asked(tmp_path)["cards"] == []


def device(pci: Path, number: int, vendor: str, kind: str) -> None:
    folder = pci / f"0000:0{number}:00.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(f"{vendor}\n")
    (folder / "class").write_text(f"{kind}\n")


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's list of devices")
def test_makers_of_cards_without_a_driver_are_found(tmp_path):
    device(tmp_path, 1, "0x1002", "0x030000")
    device(tmp_path, 2, "0x8086", "0x038000")
    device(tmp_path, 3, "0x10de", "0x040300")  # Its sound.
    device(tmp_path, 4, "0x1234", "0x030000")
    (tmp_path / "0000:05:00.0").mkdir()
    assert ask_graphics(10, tmp_path).makers >= {Maker.AMD, Maker.INTEL}
    assert ask_graphics(10, tmp_path / "nowhere").makers <= {Maker.NVIDIA}
