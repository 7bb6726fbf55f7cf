"""Writes resources/engine_packs.json: which wheels make the engine packs of the installed PyTorch.

    python packaging/engine_pins.py [--torch VERSION] [--platform linux_x86_64] [--python cp311]

The wheels are looked up in the package indexes that pip uses here, and in PyTorch's own for what
PyPI does not have: CUDA for Windows, and an older CUDA. Only their metadata is read, no wheel is
downloaded. Packs for other platforms and Pythons stay in the file if they are for the same PyTorch.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bundle import ROOT, contents
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from wheel_lookup import PYPI, Found, Lookup, Target

sys.path.insert(0, str(ROOT))

from core.engine_packs.choice import platform_tag, public_version, python_tag
from core.engine_packs.fetching import Fetcher, Refused
from core.engine_packs.pins import PINS_FILE, PINS_FORMAT
from core.engine_packs.sources import sources_here
from core.errors import AppError
from core.transfer.meter import DownloadMeter

# The public default; --pytorch-index replaces it.
PYTORCH = "https://download.pytorch.org/whl"

# Of PyTorch's requirements only these come with a pack: the program has the others, and what
# excludes.toml leaves out of a build for CUDA (triton, Python's way to CUDA) is not needed.
_FOLLOWED = re.compile(r"nvidia-[a-z0-9-]+|cuda-toolkit")
# Their version is that of CUDA.
_TOOLKITS = ("cuda-toolkit", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12")
_PARTS = ("torch", "torchgen", "functorch", "nvidia")


@dataclass(frozen=True)
class Cuda:
    """What a CUDA version asks for: NVIDIA's table of minor version compatibility, and the compute
    capabilities that PyTorch's builds for it have code for.
    """

    needs_driver: str
    drivers: dict[str, str]
    least_capability: str
    most_capability: str = "99.0"


CUDA = {
    "13": Cuda("13.0", {"linux": "580", "win": "580"}, "7.5"),
    "12": Cuda("12.0", {"linux": "525", "win": "528"}, "7.0"),
    # The last builds for cards before Turing; they have no code for Blackwell.
    "12.6": Cuda("12.0", {"linux": "525", "win": "528"}, "5.0", "9.0"),
}
OLDER = ("12.6",)


async def make_pack(lookup: Lookup, target: Target, index: str = "") -> dict[str, Any] | None:
    """The entry of a pack with its wheels under "found"; None where there is no such PyTorch.

    PyTorch itself comes from `index`, "" for pip's; what it needs may come from either.
    """
    torch = await lookup.find(Requirement(f"torch=={target.torch}"), target, index)
    if torch is None:
        return None
    specifiers: dict[str, SpecifierSet] = {}
    while True:
        found = await required_by(torch, lookup, target, index, specifiers)
        # Where one wheel asks for any version of a library and another for a certain one, the
        # first choice was too new: all that was asked for counts from the beginning.
        if all(specifiers[name].contains(wheel.version, True) for name, wheel in found.items()):
            break
    toolkit = next((found[name].version for name in _TOOLKITS if name in found), "")
    cuda = ".".join(toolkit.split(".")[:2]) or cuda_of_local_version(torch.version)
    if not cuda:
        return None  # PyTorch for the processor, as PyPI has it for Windows.
    return describe(cuda, target, [torch, *(w for w in found.values() if w.has_content)])


async def required_by(
    torch: Found,
    lookup: Lookup,
    target: Target,
    index: str,
    specifiers: dict[str, SpecifierSet],
) -> dict[str, Found]:
    """The wheels that PyTorch needs, and those need, by name; adds to `specifiers` what they ask
    of one another's versions."""
    found: dict[str, Found] = {}
    waiting = [(requirement, "") for requirement in torch.requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name, marker = canonicalize_name(requirement.name), requirement.marker
        if not _FOLLOWED.fullmatch(name) or (
            marker and not marker.evaluate(target.environment(extra))
        ):
            continue
        specifiers[name] = specifiers.get(name, SpecifierSet()) & requirement.specifier
        wanted = Requirement(f"{name}{specifiers[name]}")
        wheel = await lookup.find(wanted, target) or (
            await lookup.find(wanted, target, index) if index else None
        )
        if wheel is None:
            raise SystemExit(f"No index has {wanted} for {target.platform}.")
        if found.get(name) is not wheel or requirement.extras:
            extras = requirement.extras or {""}
            waiting += [(needed, extra) for needed in wheel.requirements for extra in extras]
        found[name] = wheel
    return found


def cuda_of_local_version(version: str) -> str:
    """Returns "13.0" for 2.13.0+cu130, "" for others."""
    match = re.search(r"\+cu(\d+)(\d)$", version)
    return f"{match[1]}.{match[2]}" if match else ""


def describe(cuda: str, target: Target, wheels: list[Found]) -> dict[str, Any]:
    """The entry of a pack; raises SystemExit for a CUDA version that nobody has entered here."""
    facts = CUDA.get(cuda) or CUDA.get(cuda.partition(".")[0])
    if facts is None:
        raise SystemExit(f"Enter CUDA {cuda} in {Path(__file__).name}.")
    return {
        "name": f"cuda{cuda.replace('.', '')}",
        "cuda": cuda,
        "platform": target.platform,
        "python": target.python,
        "needs_driver": facts.needs_driver,
        "driver": facts.drivers[target.system],
        "least_capability": facts.least_capability,
        "most_capability": facts.most_capability,
        "found": wheels,
    }


def leave_out() -> list[str]:
    """Of what excludes.toml leaves out, the files and modules of what a pack holds, as patterns."""
    # Of NVIDIA's wheels only the libraries are needed, as in a build for CUDA.
    patterns = ["*.dist-info/RECORD", "nvidia/*/include/*", "nvidia/*.a", "nvidia/*.bc"]
    for exclusion in contents().exclusions:
        patterns += [file for file in exclusion.files if file.partition("/")[0] in _PARTS]
        for module in exclusion.modules:
            if module.partition(".")[0] in _PARTS:
                path = module.replace(".", "/")
                patterns += [f"{path}.py", f"{path}/*"]
    return patterns


async def look_up(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The packs for all platforms and Pythons that were asked for."""
    sources = sources_here(PYPI)
    meter, stop = DownloadMeter(""), threading.Event()
    packs: list[dict[str, Any]] = []
    async with Fetcher(sources, Path(), meter, stop) as fetcher:
        lookup = Lookup(sources, fetcher, leave_out())
        for platform in options.platform:
            for python in options.python:
                target = Target(public_version(options.torch), platform, python)
                pack = await make_pack(lookup, target)
                packs += [pack] if pack else []
                for cuda in options.cuda + ([] if pack else [options.cuda_of_windows]):
                    index = f"{options.pytorch_index}/cu{cuda.replace('.', '')}"
                    try:
                        more = await make_pack(lookup, target, index)
                    except (AppError, Refused) as error:
                        print(f"warning: no pack for CUDA {cuda}, {platform}, {python}: {error}")
                        continue
                    packs += [more] if more else []
    return packs


def merged(torch: str, packs: list[dict[str, Any]], output: Path) -> dict[str, Any]:
    """The new content of the file; packs of the same PyTorch for other targets stay."""
    wheels: dict[str, dict[str, Any]] = {}
    entries: list[dict[str, Any]] = []
    targets = {(pack["platform"], pack["python"]) for pack in packs}
    old: dict[str, Any] = json.loads(output.read_text("utf-8")) if output.is_file() else {}
    if old.get("torch") == torch:
        entries = [p for p in old["packs"] if (p["platform"], p["python"]) not in targets]
        kept = {name for pack in entries for name in pack["wheels"]}
        wheels = {name: entry for name, entry in old["wheels"].items() if name in kept}
    for pack in packs:
        found: list[Found] = pack.pop("found")
        wheels |= {wheel.file.filename: wheel.entry() for wheel in found}
        entries.append({**pack, "wheels": [wheel.file.filename for wheel in found]})
    order = sorted(entries, key=lambda pack: (pack["platform"], pack["name"], pack["python"]))
    return {
        "format": PINS_FORMAT,
        "torch": torch,
        "default_index": PYPI,
        "leave_out": leave_out(),
        "packs": order,
        "wheels": dict(sorted(wheels.items())),
    }


def main(arguments: list[str]) -> int:
    """Look the packs up and write the file; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default=version("torch"), help="instead of the installed one")
    parser.add_argument("--platform", action="append", help="as often as needed")
    parser.add_argument("--python", action="append", help="cp311 and the like")
    parser.add_argument("--cuda", action="append", help="older versions, of PyTorch's own index")
    parser.add_argument("--cuda-of-windows", default="13.0", help="where PyPI has no CUDA")
    parser.add_argument("--pytorch-index", default=PYTORCH)
    parser.add_argument("--output", type=Path, default=PINS_FILE)
    options = parser.parse_args(arguments)
    options.platform = options.platform or [platform_tag()]
    options.python = options.python or [python_tag()]
    options.cuda = options.cuda if options.cuda is not None else list(OLDER)
    try:
        packs = asyncio.run(look_up(options))
    except (AppError, Refused) as error:
        print(f"engine_pins: {error}", file=sys.stderr)
        return 1
    content = merged(public_version(options.torch), packs, options.output)
    made = {(pack["platform"], pack["python"]) for pack in packs}
    missing = [(pf, py) for pf in options.platform for py in options.python if (pf, py) not in made]
    for platform, python in missing:
        print(f"engine_pins: no pack for {platform}, {python}", file=sys.stderr)
    options.output.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    for pack in content["packs"]:
        sizes = [content["wheels"][name] for name in pack["wheels"]]
        fetched, disk = (sum(w[key] for w in sizes) / 1e9 for key in ("size", "unpacked"))
        target = f"{pack['name']} {pack['platform']} {pack['python']}"
        print(f"{target}: {len(sizes)} wheels, {fetched:.2f} GB fetched, {disk:.2f} GB on the disk")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
