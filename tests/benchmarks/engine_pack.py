"""The installed PyTorch for CUDA as an engine pack: packed into wheels, got, tried, chosen, used.

    python -m tests.benchmarks.engine_pack FOLDER [-- ARGUMENTS OF ONLOOKER]

Everything that `onlooker engines get` does except the network, on a real card: about 12 GB are
written to FOLDER. At the end the program runs with PyTorch from the pack: with the arguments after
`--`, or it describes a sample.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import threading
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

from core.engine_packs.choice import choose_engine, numbers, platform_tag, python_tag
from core.engine_packs.driver import ask_graphics
from core.engine_packs.get import get_pack, offline_sources
from core.engine_packs.installed import installed_packs
from core.engine_packs.offer import llava_needs, make_offer
from core.engine_packs.pins import PackPins, WheelPin
from core.resources import RESOURCES, SAMPLES
from core.transfer.meter import Progress

PARTS = ("torch", "torchgen", "functorch", "nvidia")
# What packaging/engine_pins.py leaves out at the least.
LEAVE_OUT = ("torch/include/*", "torch/test/*", "nvidia/*/include/*", "nvidia/*.a")
USE = """
import logging, sys, time
sys.path.insert(0, {folder!r})
logging.basicConfig(level=logging.INFO, format="%(message)s")
began = time.perf_counter()
import torch
print(torch.__file__, torch.version.cuda, f"{{time.perf_counter() - began:.1f}} s", file=sys.stderr)
from gui.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    wheels, data = options.folder / "wheels", options.folder / "data"
    own = options.folder / "program" / "engines"
    (own / "cpu").mkdir(parents=True, exist_ok=True)
    wheels.mkdir(exist_ok=True)

    graphics = timed("drivers asked", ask_graphics)
    print(graphics)
    pins = timed("wheels written", lambda: pins_of_installed(wheels))
    print(make_offer(graphics, [pins], [], llava_needs()).sentence)
    stages: dict[str, float] = {}

    def note(progress: Progress) -> None:
        stages.setdefault(progress.stage.partition(" ")[0], time.perf_counter())

    pack = timed(
        "pack got",
        lambda: get_pack(pins, data / "engines", offline_sources(wheels), note, threading.Event()),
    )
    begins = list(stages.items())
    print({name: round(at - begins[0][1], 1) for name, at in begins})
    print(pack.name, pack.card, pack.tried, f"{pack.size / 1e9:.2f} GB, {len(pack.files)} compared")
    chosen = timed("chosen", lambda: choose_engine(own, data, pins.torch))
    print(chosen, [found.state.value for found in installed_packs(data / "engines", pins.torch)])
    print("another version:", choose_engine(own, data, "9.9.9").note)
    use = ["-c", USE.format(folder=str(chosen.folder)), *(options.arguments or described())]
    subprocess.run([sys.executable, *use], env=os.environ | {"ONLOOKER_HOME": str(data)})


def described() -> list[str]:
    return ["caption", str(min(SAMPLES.glob("*.png"))), "--device", "cuda"]


def timed(title, work):
    began = time.perf_counter()
    done = work()
    print(f"── {title}: {time.perf_counter() - began:.3f} s", flush=True)
    return done


def pins_of_installed(folder: Path) -> PackPins:
    """Packs the installed PyTorch and NVIDIA's libraries into two wheels."""
    spec = find_spec("torch")
    assert spec
    assert spec.origin
    site = Path(spec.origin).parents[1]
    facts: dict[str, object] = {}
    exec((site / "torch" / "version.py").read_text(), facts)
    version, cuda = str(facts["__version__"]).partition("+")[0], str(facts["cuda"])
    tops = [site / part for part in PARTS] + list(site.glob("torch-*.dist-info"))
    files = [
        path
        for top in tops
        for path in sorted(top.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    groups = {
        name: [p for p in files if (p.relative_to(site).parts[0] == "nvidia") == is_nvidia]
        for name, is_nvidia in (("torch", False), ("nvidia", True))
    }
    wheels = tuple(
        wheel_of(folder / f"{name}-{version}-py3-none-any.whl", site, members)
        for name, members in groups.items()
        if members
    )
    return PackPins(
        name=f"cuda{cuda.replace('.', '')}",
        torch=version,
        cuda=cuda,
        platform=platform_tag(),
        python=python_tag(),
        needs_driver=f"{numbers(cuda)[0]}.0",
        driver="580",
        least_capability=(7, 0),
        most_capability=(99, 0),
        wheels=wheels,
        leave_out=LEAVE_OUT,
    )


def wheel_of(path: Path, site: Path, members: list[Path]) -> WheelPin:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            archive.write(member, member.relative_to(site).as_posix())
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    name, version, *_ = path.name.split("-")
    size = path.stat().st_size
    return WheelPin(name, version, path.name, digest, size, size, "its own", str(RESOURCES))


if __name__ == "__main__":
    main()
