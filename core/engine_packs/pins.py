"""Which wheels make an engine pack: names, versions and checksums, fixed when the program is built.

`packaging/engine_pins.py` writes the file `resources/engine_packs.json` that is read here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.engine_packs.choice import is_pack_name, platform_tag, public_version, python_tag
from core.errors import PackError
from core.files import read_regular
from core.message import translatable
from core.resources import RESOURCES

PINS_FILE = RESOURCES / "engine_packs.json"
PINS_FORMAT = 1
_FILENAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,200}\.whl", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class WheelPin:
    """A wheel. `size` is that of the file, `unpacked` that of its wanted content, in bytes.

    `index` is the address of the package index that was found to have it.
    """

    name: str
    version: str
    filename: str
    sha256: str
    size: int
    unpacked: int
    licence: str
    index: str

    def __post_init__(self) -> None:
        """The file's name becomes a path, and the checksum too."""
        if not _FILENAME.fullmatch(self.filename) or not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"no wheel: {self.filename!r}")


@dataclass(frozen=True)
class PackPins:
    """What makes one pack. `name` is cuda130 for CUDA 13.0.

    `needs_driver` is the CUDA version that the driver must support, `driver` the first version of
    the driver that does on this system. `least_capability` and `most_capability` are the compute
    capabilities of the cards that this PyTorch has code for; (99, 0) is no limit.
    """

    name: str
    torch: str
    cuda: str
    platform: str
    python: str
    needs_driver: str
    driver: str
    least_capability: tuple[int, int]
    most_capability: tuple[int, int]
    wheels: tuple[WheelPin, ...] = field(repr=False)
    leave_out: tuple[str, ...] = field(default=(), repr=False)

    @property
    def download_bytes(self) -> int:
        """What is fetched."""
        return sum(wheel.size for wheel in self.wheels)

    @property
    def disk_bytes(self) -> int:
        """What the pack takes on the disk."""
        return sum(wheel.unpacked for wheel in self.wheels)

    @property
    def licences(self) -> tuple[str, ...]:
        """The licences of the wheels, each once."""
        return tuple(dict.fromkeys(wheel.licence for wheel in self.wheels if wheel.licence))


@dataclass(frozen=True)
class EnginePins:
    """All packs of a program, `default_index` is the public package index."""

    torch: str
    default_index: str
    packs: tuple[PackPins, ...]

    def here(self, torch_version: str = "") -> tuple[PackPins, ...]:
        """The packs for this platform and Python, the newest CUDA first.

        () if the program has another version of PyTorch than `torch_version`.
        """
        if torch_version and public_version(torch_version) != self.torch:
            return ()
        tags = (platform_tag(), python_tag())
        found = [pack for pack in self.packs if (pack.platform, pack.python) == tags]
        return tuple(sorted(found, key=lambda pack: _version(pack.cuda), reverse=True))


NO_PINS = EnginePins("", "", ())


def read_pins(path: Path = PINS_FILE) -> EnginePins:
    """Reads the pins; NO_PINS where the program was built without. Raises PackError."""
    try:
        return _pins_of(json.loads(read_regular(path)))
    except FileNotFoundError:
        return NO_PINS
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise PackError(
            translatable("core", "The list of engine packs is damaged. Install Onlooker again.")
        ) from error


def _pins_of(content: dict[str, Any]) -> EnginePins:
    if content["format"] != PINS_FORMAT:
        raise ValueError(f"unknown format {content['format']}")
    wheels = {name: WheelPin(filename=name, **entry) for name, entry in content["wheels"].items()}
    leave_out = tuple(content["leave_out"])
    return EnginePins(
        content["torch"],
        content["default_index"],
        tuple(_pack_of(entry, content["torch"], wheels, leave_out) for entry in content["packs"]),
    )


def _pack_of(
    entry: dict[str, Any], torch: str, wheels: dict[str, WheelPin], leave_out: tuple[str, ...]
) -> PackPins:
    least, most = (_version(entry[key]) for key in ("least_capability", "most_capability"))
    if not is_pack_name(entry["name"]):
        raise ValueError(entry["name"])
    return PackPins(
        name=entry["name"],
        torch=torch,
        cuda=entry["cuda"],
        platform=entry["platform"],
        python=entry["python"],
        needs_driver=entry["needs_driver"],
        driver=entry["driver"],
        least_capability=(least[0], least[1]),
        most_capability=(most[0], most[1]),
        wheels=tuple(wheels[name] for name in entry["wheels"]),
        leave_out=leave_out,
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
