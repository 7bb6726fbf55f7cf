"""Which wheels the packaging script pins, from an index on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.engine_packs.pins import read_pins
from tests.support.index_server import IndexServer
from tests.support.packs import wheel_of

ROOT = Path(__file__).parents[1]
LINUX = 'platform_system == "Linux"'


def wheel(name: str, version: str, *files: str, needs: tuple[str, ...] = (), licence: str = ""):
    lines = [f"Name: {name}", f"Version: {version}", f"License-Expression: {licence}"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = "\n".join(["Metadata-Version: 2.4", *lines, "", ""]).encode()
    return wheel_of({**dict.fromkeys(files, b"x" * 1000), f"{folder}/METADATA": metadata})


def torch(version: str = "2.13.0") -> bytes:
    needs = (
        "sympy",
        f"cuda-toolkit[cublas,nvrtc]==13.0.3; {LINUX}",
        f"nvidia-cudnn-cu13==9.20; {LINUX}",
        f'triton==3.7.1; {LINUX} and python_version < "3.15"',
        f"cuda-bindings<14; {LINUX}",
        'optree; extra == "optree"',
    )
    files = ("torch/__init__.py", "torch/lib/libtorch_cuda.so", "torch/include/torch.h")
    return wheel("torch", version, *files, needs=needs, licence="BSD-3-Clause")


TOOLKIT = (
    'nvidia-cublas==13.1.*; extra == "cublas"',
    'nvidia-cuda-nvrtc==13.0.*; extra == "nvrtc"',
    'nvidia-cufft==12.*; extra == "cufft"',
)
LINUX_TAGS = "py3-none-manylinux_2_27_x86_64"
FILES = {
    "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl": torch(),
    # Of the index that builds for the processor come from.
    "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl": wheel(
        "torch", "2.13.0+cpu", "torch/__init__.py"
    ),
    "torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl": torch(),
    "torch-2.12.0-cp311-cp311-manylinux_2_28_x86_64.whl": torch("2.12.0"),
    "torch-2.13.0-cp311-cp311-win_amd64.whl": wheel("torch", "2.13.0", "torch/__init__.py"),
    "cuda_toolkit-13.0.3-py3-none-any.whl": wheel("cuda-toolkit", "13.0.3", needs=TOOLKIT),
    f"nvidia_cudnn_cu13-9.20-{LINUX_TAGS}.whl": wheel(
        "nvidia-cudnn-cu13", "9.20", "nvidia/cudnn/lib/libcudnn.so.9", needs=("nvidia-cublas",)
    ),
    # A newer one than the toolkit wants; cuDNN would take any.
    f"nvidia_cublas-13.10-{LINUX_TAGS}.whl": wheel(
        "nvidia-cublas", "13.10", "nvidia/cu13/lib/libcublas.so.13"
    ),
    f"nvidia_cublas-13.1.2-{LINUX_TAGS}.whl": wheel(
        "nvidia-cublas", "13.1.2", "nvidia/cu13/lib/libcublas.so.13", licence="NVIDIA"
    ),
    "nvidia_cublas-13.1.2-py3-none-win_amd64.whl": wheel("nvidia-cublas", "13.1.2", "a.dll"),
    f"nvidia_cuda_nvrtc-13.0.9-{LINUX_TAGS}.whl": wheel(
        *("nvidia-cuda-nvrtc", "13.0.9", "nvidia/cu13/lib/libnvrtc.so.13"),
        *("nvidia/cu13/lib/libnvrtc.alt.so.13", "nvidia/cu13/include/nvrtc.h"),
    ),
    f"nvidia_cufft-12.0-{LINUX_TAGS}.whl": wheel("nvidia-cufft", "12.0", "nvidia/x.so"),
    f"triton-3.7.1-{LINUX_TAGS}.whl": wheel("triton", "3.7.1", "triton/__init__.py"),
    "cuda_bindings-13.0-py3-none-any.whl": wheel("cuda-bindings", "13.0", "cuda/a.py"),
}


@pytest.fixture
def server():
    server = IndexServer()
    server.files = dict(FILES)
    with server.running():
        yield server


def pin(server: IndexServer, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the script with this index as pip's, and no older CUDA unless it is asked for."""
    return subprocess.run(
        [
            *(sys.executable, "packaging/engine_pins.py", "--torch", "2.13.0+cpu"),
            *("--output", str(output), "--pytorch-index", f"{server.address}/whl", *arguments),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": "",
            "PIP_INDEX_URL": server.address,
        },
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("is_json", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_wheels_of_the_pack_are_pinned_for_each_python(server, tmp_path, is_json):
    server.is_json = is_json
    output = tmp_path / "pins.json"
    pythons = ("--python", "cp311", "--python", "cp312")
    run = pin(server, output, "--platform", "linux_x86_64", *pythons)
    assert run.returncode == 0, run.stderr
    pins = read_pins(output)
    assert [(pack.name, pack.python) for pack in pins.packs] == [
        ("cuda130", "cp311"),
        ("cuda130", "cp312"),
    ]
    pack = pins.packs[0]
    assert {(wheel.name, wheel.version) for wheel in pack.wheels} == {
        ("torch", "2.13.0"),
        ("nvidia-cudnn-cu13", "9.20"),
        ("nvidia-cublas", "13.1.2"),
        ("nvidia-cuda-nvrtc", "13.0.9"),
    }
    assert (pack.cuda, pack.needs_driver, pack.driver) == ("13.0", "13.0", "580")
    sizes = {wheel.name: wheel.unpacked for wheel in pack.wheels}
    assert 2000 < sizes["torch"] < 3000
    assert 1000 < sizes["nvidia-cuda-nvrtc"] < 2000
    assert pack.licences == ("BSD-3-Clause", "NVIDIA")
    assert server.address not in output.read_text()


def test_windows_pack_comes_from_pytorch_s_own_index(server, tmp_path):
    own = {
        "torch-2.13.0+cu130-cp311-cp311-win_amd64.whl": wheel(
            "torch", "2.13.0+cu130", "torch/__init__.py", "torch/lib/cudart64_13.dll"
        )
    }
    with IndexServer().running() as pytorch:
        pytorch.files = own
        # Its address has the CUDA version: /whl/cu130/torch/.
        pytorch.prefix = "/simple/cu130/"
        output = tmp_path / "pins.json"
        run = pin(
            *(server, output, "--platform", "win_amd64", "--python", "cp311"),
            *("--pytorch-index", pytorch.address),
        )
    assert run.returncode == 0, run.stderr + run.stdout
    (pack,) = read_pins(output).packs
    assert (pack.name, pack.driver) == ("cuda130", "580")
    assert [wheel.filename for wheel in pack.wheels] == list(own)
    assert pack.wheels[0].index == f"{pytorch.address}/cu130"


def test_one_command_pins_all_packs_of_a_release(server, tmp_path):
    own = {
        name: wheel("torch", f"2.13.0+cu{cuda}", "torch/__init__.py", needs=needs)
        for name, cuda, needs in (
            ("torch-2.13.0+cu130-cp311-cp311-win_amd64.whl", "130", ()),
            ("torch-2.13.0+cu126-cp311-cp311-win_amd64.whl", "126", ()),
            (
                "torch-2.13.0+cu126-cp311-cp311-manylinux_2_28_x86_64.whl",
                "126",
                (f"nvidia-cuda-runtime-cu12==12.6.77; {LINUX}",),
            ),
        )
    }
    runtime = f"nvidia_cuda_runtime_cu12-12.6.77-{LINUX_TAGS}.whl"
    library = "nvidia/cuda_runtime/lib/libcudart.so.12"
    own[runtime] = wheel("nvidia-cuda-runtime-cu12", "12.6.77", library)
    server.files |= own
    server.others = {
        f"whl/cu{cuda}": {name for name in own if f"+cu{cuda}" in name or name == runtime}
        for cuda in ("130", "126")
    }
    output = tmp_path / "pins.json"
    platforms = ("--platform", "linux_x86_64", "--platform", "win_amd64")
    run = pin(server, output, *platforms, "--python", "cp311")
    assert run.returncode == 0, run.stderr + run.stdout
    assert "warning" not in run.stdout
    packs = {(pack.platform, pack.name): pack for pack in read_pins(output).packs}
    assert set(packs) == {
        (platform, name)
        for platform in ("linux_x86_64", "win_amd64")
        for name in ("cuda130", "cuda126")
    }
    older = packs["linux_x86_64", "cuda126"]
    assert {wheel.index for wheel in older.wheels} == {f"{server.address}/whl/cu126"}
    assert {wheel.name for wheel in older.wheels} == {"torch", "nvidia-cuda-runtime-cu12"}
    assert (older.driver, older.most_capability) == ("525", (9, 0))
    assert packs["win_amd64", "cuda126"].driver == "528"


@pytest.mark.slow
def test_target_without_a_pack_is_reported(server, tmp_path):
    run = pin(server, tmp_path / "pins.json", "--platform", "linux_sparc", "--python", "cp311")
    assert run.returncode == 1
    assert "linux_sparc" in run.stdout + run.stderr


@pytest.mark.slow
def test_pins_of_other_pythons_stay_and_those_of_an_earlier_pytorch_go(server, tmp_path):
    output = tmp_path / "pins.json"
    assert pin(server, output, "--platform", "linux_x86_64", "--python", "cp311").returncode == 0
    assert pin(server, output, "--platform", "linux_x86_64", "--python", "cp312").returncode == 0
    assert [pack.python for pack in read_pins(output).packs] == ["cp311", "cp312"]
    old = json.loads(output.read_text())
    output.write_text(json.dumps({**old, "torch": "2.12.0"}))
    assert pin(server, output, "--platform", "linux_x86_64", "--python", "cp312").returncode == 0
    assert [pack.python for pack in read_pins(output).packs] == ["cp312"]
