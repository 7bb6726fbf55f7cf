"""Engine packs and wheels for tests: small files in the places of PyTorch's large ones."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.engine_packs.choice import platform_tag, python_tag
from core.engine_packs.pins import PackPins, WheelPin

LIBRARY = "torch/lib/libtorch_cuda.so"


def write_pack(folder: Path, **entries: Any) -> Path:
    """Writes a pack that has passed its trial; `entries` are those of its pack.json."""
    (folder / LIBRARY).parent.mkdir(parents=True)
    (folder / LIBRARY).write_bytes(b"x" * 40)
    content: dict[str, Any] = {
        "format": 1,
        "name": folder.name,
        "torch": "2.13.0",
        "cuda": "13.0",
        "platform": platform_tag(),
        "python": python_tag(),
        "needs_driver": "13.0",
        "size": 40,
        "files": {LIBRARY: 40},
        "trial": {"passed": "2026-11-29T12:00:00+00:00", "card": "NVIDIA H200"},
    }
    (folder / "pack.json").write_text(json.dumps(content | entries))
    return folder


# ---- stand-ins for PyTorch's and NVIDIA's wheels -------------------------------------------------

NVIDIA_LIBRARY = "nvidia/cu13/lib/libcublas.so.13"
_TORCH = """
import sys
from torch import version

__version__ = "2.13.0+cu130"
float16 = bfloat16 = float32 = "a dtype"


class dtype:
    pass


class Tensor:
    def __init__(self, device):
        self.device = device

    def __truediv__(self, other):
        return self

    __matmul__ = __truediv__

    def reshape(self, *sides):
        return self

    sum = reshape

    def item(self):
        return {on_card} if "cuda" in self.device else 7.0


def arange(count, dtype, device):
    return Tensor(device)


class cuda:
    @staticmethod
    def init():
        {init}

    @staticmethod
    def device_count():
        return {cards}

    @staticmethod
    def get_device_name(index):
        return "Stand-in card"

    @staticmethod
    def get_device_capability(index):
        return {capability}
{at_import}
"""
_BEHAVIOUR = {
    "on_card": "7.0",
    "init": "pass",
    "cards": "1",
    "capability": "(6, 1)",
    "at_import": "",
    "cuda": "13.0",
}


def torch_files(**behaviour: str) -> dict[str, bytes]:
    """The files of a stand-in for PyTorch's wheel, whose only card computes as the processor."""
    behaviour = _BEHAVIOUR | behaviour
    source = _TORCH
    for key, value in behaviour.items():
        source = source.replace(f"{{{key}}}", value)
    return {
        "torch/__init__.py": source.encode(),
        "torch/version.py": f"cuda = {behaviour['cuda']!r}\n".encode(),
        LIBRARY: random.Random(1).randbytes(300_000),
        "torch/include/torch.h": b"left out",
        "torch-2.13.0.dist-info/METADATA": b"Name: torch\nVersion: 2.13.0\n",
        "torch-2.13.0.data/purelib/functorch/__init__.py": b"",
        "torch-2.13.0.data/scripts/torchrun": b"left out",
    }


def nvidia_files() -> dict[str, bytes]:
    """The files of a stand-in for a wheel of NVIDIA's libraries."""
    return {
        NVIDIA_LIBRARY: random.Random(2).randbytes(200_000),
        "nvidia/cu13/include/cublas.h": b"left out",
        "nvidia_cublas-13.1.dist-info/licenses/License.txt": b"NVIDIA",
    }


TORCH_WHEEL = "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl"
NVIDIA_WHEEL = "nvidia_cublas-13.1-py3-none-manylinux_2_27_x86_64.whl"
WANTED = (
    *("torch/__init__.py", "torch/version.py", LIBRARY, "functorch/__init__.py", NVIDIA_LIBRARY),
    *("torch-2.13.0.dist-info/METADATA", "nvidia_cublas-13.1.dist-info/licenses/License.txt"),
)


def wheel_of(files: dict[str, bytes]) -> bytes:
    """A wheel with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # With the same time each, so that the checksum is the same in every process.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def make_wheels(**behaviour: str) -> dict[str, bytes]:
    """The two wheels of a pack, by file name."""
    return {
        TORCH_WHEEL: wheel_of(torch_files(**behaviour)),
        NVIDIA_WHEEL: wheel_of(nvidia_files()),
    }


def pins_of(wheels: dict[str, bytes], index: str = "", **others: Any) -> PackPins:
    """The pins of a pack of these wheels for this computer."""
    pins = tuple(
        WheelPin(
            name=name.partition("-")[0].replace("_", "-"),
            version=name.split("-")[1],
            filename=name,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            unpacked=400_000,
            licence="BSD-3-Clause" if name == TORCH_WHEEL else "NVIDIA Proprietary Software",
            index=index,
        )
        for name, content in wheels.items()
    )
    entries: dict[str, Any] = {
        "name": "cuda130",
        "torch": "2.13.0",
        "cuda": "13.0",
        "platform": platform_tag(),
        "python": python_tag(),
        "needs_driver": "13.0",
        "driver": "580",
        "least_capability": (6, 0),
        "most_capability": (99, 0),
        "wheels": pins,
        "leave_out": ("torch/include/*", "nvidia/*/include/*"),
    }
    return PackPins(**(entries | others))


def write_pins(path: Path, pins: PackPins, default_index: str, torch: str = "") -> Path:
    """Writes pins as `packaging/engine_pins.py` does; `torch` is another version than theirs."""
    content = {
        "format": 1,
        "torch": torch or pins.torch,
        "default_index": default_index,
        "leave_out": pins.leave_out,
        "wheels": {
            wheel.filename: {k: v for k, v in asdict(wheel).items() if k != "filename"}
            for wheel in pins.wheels
        },
        "packs": [
            {
                "name": pins.name,
                "cuda": pins.cuda,
                "platform": pins.platform,
                "python": pins.python,
                "needs_driver": pins.needs_driver,
                "driver": pins.driver,
                "least_capability": ".".join(map(str, pins.least_capability)),
                "most_capability": ".".join(map(str, pins.most_capability)),
                "wheels": [wheel.filename for wheel in pins.wheels],
            }
        ],
    }
    path.write_text(json.dumps(content))
    return path
