import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.engine_packs.choice import Chosen, choose_engine, platform_tag, python_tag
from tests.support import driver_library
from tests.support.packs import write_pack

ROOT = Path(__file__).parents[3]
VERSION = "2.13.0+cpu"


@pytest.fixture(scope="module")
def drivers(tmp_path_factory) -> Path:
    return driver_library.build(tmp_path_factory.mktemp("drivers"))


@pytest.fixture
def program(tmp_path) -> Path:
    engines = tmp_path / "program" / "engines"
    (engines / "cpu").mkdir(parents=True)
    return engines


@pytest.fixture
def data(tmp_path) -> Path:
    return tmp_path / "data"


def choose(program: Path, data: Path, drivers: Path, **environment: str) -> Chosen:
    """What a process with this driver and environment chooses."""
    script = (
        "import sys, pathlib as p; from core.engine_packs.choice import choose_engine\n"
        "c = choose_engine(p.Path(sys.argv[1]), p.Path(sys.argv[2]), sys.argv[3])\n"
        "import json; print(json.dumps([str(c.folder), c.name, c.note]))\n"
        "assert not {'torch', 'core.files', 'platformdirs'} & set(sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(program), str(data), VERSION],
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(drivers), "CUDA": "13000", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    folder, name, note = json.loads(run.stdout)
    return Chosen(Path(folder), name, note)


def test_pack_that_fits_is_chosen(program, data, drivers):
    pack = write_pack(data / "engines" / "cuda130")
    assert choose(program, data, drivers) == Chosen(pack, "cuda130")


def test_newest_cuda_is_chosen_and_an_older_one_where_the_driver_is_old(program, data, drivers):
    write_pack(data / "engines" / "cuda126", cuda="12.6", needs_driver="12.0")
    write_pack(data / "engines" / "cuda130")
    assert choose(program, data, drivers).name == "cuda130"
    chosen = choose(program, data, drivers, CUDA="12040")
    assert chosen.name == "cuda126"
    assert "cuda130 is not used" in chosen.note
    assert "driver for CUDA 13.0" in chosen.note


def test_no_driver_means_the_processor(program, data, tmp_path):
    write_pack(data / "engines" / "cuda130")
    chosen = choose(program, data, tmp_path)
    assert (chosen.folder, chosen.name) == (program / "cpu", "cpu")
    assert "driver" in chosen.note


def test_user_chooses_by_file_and_by_environment(program, data, drivers):
    write_pack(data / "engines" / "cuda126", cuda="12.6", needs_driver="12.0")
    write_pack(data / "engines" / "cuda130")
    (data / "engines" / "use").write_text("cuda126\n")
    assert choose(program, data, drivers) == Chosen(data / "engines" / "cuda126", "cuda126")
    (data / "engines" / "use").write_text("cpu")
    assert choose(program, data, drivers) == Chosen(program / "cpu", "cpu")
    assert choose(program, data, drivers, ONLOOKER_ENGINE="cuda130").name == "cuda130"
    (data / "engines" / "use").write_bytes(b"\xff\xfe")
    assert choose(program, data, drivers).name == "cpu"
    assert choose(program, data, drivers, ONLOOKER_ENGINE="CPU").name == "cpu"


def damaged(folder: Path, text: str | bytes) -> None:
    write_pack(folder)
    (folder / "pack.json").write_bytes(text.encode() if isinstance(text, str) else text)


def with_entry(key: str, value: object):
    def change(folder: Path) -> None:
        write_pack(folder)
        content = json.loads((folder / "pack.json").read_text())
        if value is None:
            del content[key]
        else:
            content[key] = value
        (folder / "pack.json").write_text(json.dumps(content))

    return change


def as_pipe(folder: Path) -> None:
    write_pack(folder)
    (folder / "pack.json").unlink()
    os.mkfifo(folder / "pack.json")


def as_link_to_nothing(folder: Path) -> None:
    write_pack(folder)
    (folder / "pack.json").unlink()
    (folder / "pack.json").symlink_to(folder / "nowhere")


def shortened(folder: Path) -> None:
    write_pack(folder)
    (folder / "torch" / "lib" / "libtorch_cuda.so").write_bytes(b"half")


def as_file(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"")


ODD = {
    "empty file": lambda folder: damaged(folder, ""),
    "half a file": lambda folder: damaged(folder, '{"format": 1, "name": "cud'),
    "no UTF-8": lambda folder: damaged(folder, b"\xff\xfe\x00"),
    "a list": lambda folder: damaged(folder, "[]"),
    "a number": lambda folder: damaged(folder, "7"),
    "null": lambda folder: damaged(folder, "null"),
    "deep": lambda folder: damaged(folder, "[" * 100_000),
    "huge": lambda folder: damaged(folder, " " * 5_000_000),
    "a pipe": as_pipe,
    "a link to nothing": as_link_to_nothing,
    "a file in the folder's place": as_file,
    "a later format": with_entry("format", 2),
    "another version of PyTorch": with_entry("torch", "2.12.0"),
    "another platform": with_entry("platform", "win_amd64"),
    "another Python": with_entry("python", "cp39"),
    "another name": with_entry("name", "cuda131"),
    "a newer driver needed": with_entry("needs_driver", "13.1"),
    "a version that is none": with_entry("needs_driver", "new"),
    "not tried": with_entry("trial", None),
    "trial failed": with_entry("trial", {"failure": "It crashed."}),
    "trial of a wrong type": with_entry("trial", [1]),
    "trial passed at a number": with_entry("trial", {"passed": 7, "card": "x"}),
    "no files": with_entry("files", {}),
    "files as a list": with_entry("files", ["torch/lib/libtorch_cuda.so"]),
    "a file outside": with_entry("files", {"../../elsewhere": 1}),
    "an absolute file": with_entry("files", {"/etc/passwd": 1}),
    "a size that is none": with_entry("files", {"torch/lib/libtorch_cuda.so": "40"}),
    "a missing file": with_entry("files", {"torch/lib/libother.so": 40}),
    "a shortened file": shortened,
}


@pytest.fixture(scope="module")
def choices(tmp_path_factory, drivers) -> dict[str, Chosen]:
    """What one process chooses for each odd pack."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "program" / "cpu").mkdir(parents=True)
    for number, make in enumerate(ODD.values()):
        make(folder / str(number) / "engines" / "cuda130")
    script = (
        "import json, sys, pathlib as p; from core.engine_packs.choice import choose_engine\n"
        "root = p.Path(sys.argv[1])\n"
        f"for number in range({len(ODD)}):\n"
        "    c = choose_engine(root / 'program', root / str(number), '2.13.0')\n"
        "    print(json.dumps([str(c.folder), c.name, c.note]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(drivers), "CUDA": "13000"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return {name: Chosen(Path(f), n, note) for name, (f, n, note) in zip(ODD, lines, strict=True)}


@pytest.mark.parametrize("kind", ODD)
def test_odd_pack_means_the_processor(choices, kind):
    assert choices[kind].name == "cpu"
    assert choices[kind].folder.parts[-2:] == ("program", "cpu")
    if "place" not in kind:
        assert choices[kind].note.startswith("The engine pack cuda130 is not used: it ")


def test_rests_of_downloads_are_no_packs(program, data):
    for name in (".getting-cuda130", "cuda130 failed", "cuda130.failed", "CUDA130"):
        write_pack(data / "engines" / name, name="cuda130")
    (data / "engines" / "cuda126").mkdir()
    assert choose_engine(program, data, VERSION) == Chosen(program / "cpu", "cpu")


def test_program_that_was_built_for_a_card_uses_its_own_engine(tmp_path, data):
    (tmp_path / "own" / "cuda130").mkdir(parents=True)
    write_pack(data / "engines" / "cuda130")
    chosen = choose_engine(tmp_path / "own", data, VERSION)
    assert chosen == Chosen(tmp_path / "own" / "cuda130", "cuda130")


def test_folders_that_are_not_there_mean_the_processor(tmp_path):
    nowhere = tmp_path / "nowhere"
    assert choose_engine(nowhere, nowhere, "") == Chosen(nowhere / "cpu", "cpu")


def test_tags_are_those_of_this_python():
    assert python_tag() == f"cp3{sys.version_info.minor}"
    assert platform_tag().partition("_")[0] in ("linux", "macosx", "win")
