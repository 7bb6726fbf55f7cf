"""Which folder PyTorch is imported from: the program's own engine, or an engine pack that fits.

The packaged program calls `choose_engine` before it imports anything else. So this module imports
the standard library and `core.message` alone, and whatever is odd leads to the program's own engine
and a note.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from core.message import from_record, translatable

ENGINES = "engines"
"""The folder of packs in the user's data folder, and that of the program's own engine."""

CPU = "cpu"
PACK_FILE = "pack.json"
PREFERENCE = "use"
"""A file beside the packs: the name of the engine to use; without it the newest pack is used."""
VARIABLE = "ONLOOKER_ENGINE"
"""The same for one start of the program, as an environment variable."""

PACK_FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9]{0,31}", re.ASCII)
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){1,3}", re.ASCII)
_LARGEST_PACK_FILE = 4_000_000
# Constants, since PyInstaller packages a library that a call names literally, and these belong to
# the graphics card's driver.
_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


@dataclass(frozen=True)
class Chosen:
    """The folder to import PyTorch from, its name, and why a pack is left out, "" if none is."""

    folder: Path
    name: str
    note: str = ""


@dataclass(frozen=True)
class Pack:
    """What a pack's `pack.json` says.

    `torch` is the version of PyTorch without its local part, `cuda` that of CUDA. `needs_driver` is
    the CUDA version that the driver must support; both are 0.0 for a pack without CUDA. `files` are
    sizes in bytes of the files that are compared at start, by their path. `tried` is when the pack
    passed its trial, and `card` on which card; both are "" before. `failure` is why it failed.
    """

    folder: Path
    name: str
    torch: str
    cuda: str
    platform: str
    python: str
    needs_driver: str
    size: int
    files: Mapping[str, int] = field(repr=False)
    tried: str = ""
    card: str = ""
    failure: str = ""


class NoPack(ValueError):
    """A folder that holds no pack, or a damaged one; the message completes "the pack …"."""

    @property
    def reason(self) -> str:
        """The message, which can still be translated."""
        return self.args[0]


def choose_engine(program_engines: Path, data_folder: Path, torch_version: str) -> Chosen:
    """Returns the engine to use. Never raises, imports no torch, and takes some milliseconds.

    `program_engines` is the program's folder with its own engine, `torch_version` the version of
    PyTorch in there. A pack of `data_folder` is taken if it is whole, passed its trial and is for
    this version, platform and Python, and the driver can run it.
    """
    own = _own_engine(program_engines)
    try:
        return _choose(own, data_folder / ENGINES, torch_version)
    except Exception as error:
        note = translatable(
            "core", "Engine packs cannot be read ({reason}). Models run on the processor."
        )
        return Chosen(own, own.name, note.format(reason=error))


def _own_engine(program_engines: Path) -> Path:
    cpu = program_engines / CPU
    try:
        if cpu.is_dir():
            return cpu
        return min((path for path in program_engines.iterdir() if path.is_dir()), default=cpu)
    except OSError:
        return cpu


def _choose(own: Path, engines: Path, torch_version: str) -> Chosen:
    wanted = preferred_engine(engines)
    # A program that was built for CUDA brings what a pack would bring.
    if wanted == CPU or own.name != CPU or not engines.is_dir():
        return Chosen(own, own.name)
    note = ""
    for folder in _candidates(engines, wanted):
        try:
            pack = read_pack(folder)
        except NoPack as error:
            obstacle = error.reason
        else:
            obstacle = obstacle_of(pack, torch_version)
        if not obstacle:
            return Chosen(folder, folder.name, note)
        note = note or (
            translatable("core", "The engine pack {pack} is not used: it {obstacle}.").format(
                pack=folder.name, obstacle=obstacle
            )
        )
    if wanted and not note:
        note = translatable(
            "core", "There is no engine pack “{pack}”. Models run on the processor."
        ).format(pack=wanted)
    return Chosen(own, own.name, note)


def preferred_engine(engines: Path) -> str:
    """Returns the name of the engine that the user wants, "" for the newest that fits."""
    return os.environ.get(VARIABLE, "").strip().lower() or chosen_engine(engines)


def chosen_engine(engines: Path) -> str:
    """Returns the engine that was chosen for all starts, "" for the newest that fits."""
    path = engines / PREFERENCE
    try:
        return _read_small(path).decode(errors="replace").strip().lower()
    except OSError:
        return ""


def _candidates(engines: Path, wanted: str) -> list[Path]:
    """The folders that may be packs: the wanted one, or all, that for the newest CUDA first."""
    found = [
        path
        for path in engines.iterdir()
        if is_pack_name(path.name) and path.is_dir() and os.path.lexists(path / PACK_FILE)
    ]
    if wanted:
        return [path for path in found if path.name == wanted]
    return sorted(found, key=lambda path: (_number_in(path.name), path.name), reverse=True)


def _number_in(name: str) -> int:
    digits = re.search(r"\d+$", name)
    return int(digits[0]) if digits else 0


def is_pack_name(name: str) -> bool:
    """Whether a folder may be called so. Downloads and the like begin with a full stop."""
    return bool(_NAME.fullmatch(name)) and name != CPU


def read_pack(folder: Path) -> Pack:
    """Reads a folder's `pack.json`. Raises NoPack."""
    try:
        content: object = json.loads(_read_small(folder / PACK_FILE))
    except OSError as error:
        raise NoPack(
            translatable("core", "cannot be read ({reason})").format(reason=error.strerror or error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise NoPack(translatable("core", "is damaged")) from error
    try:
        pack = _pack_of(folder, cast(dict[str, Any], content))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NoPack(
            translatable("core", "is damaged, or made by another version of Onlooker")
        ) from error
    if pack.name != folder.name and is_pack_name(folder.name):
        raise NoPack(translatable("core", "is called {pack} inside").format(pack=pack.name))
    return pack


def _pack_of(folder: Path, content: dict[str, Any]) -> Pack:
    if content["format"] != PACK_FORMAT:
        raise ValueError(content["format"])
    texts = {
        key: _text(content[key])
        for key in ("name", "torch", "cuda", "platform", "python", "needs_driver")
    }
    for key in ("torch", "cuda", "needs_driver"):
        if not _VERSION.fullmatch(texts[key]):
            raise ValueError(texts[key])
    if not is_pack_name(texts["name"]):
        raise ValueError(texts["name"])
    files = {_relative(name): _size(size) for name, size in content["files"].items()}
    if not files:
        raise ValueError("no files")
    trial: dict[str, object] = content.get("trial") or {}
    return Pack(
        folder=folder,
        size=_size(content["size"]),
        files=files,
        tried=_text(trial.get("passed", "")),
        card=_text(trial.get("card", "")),
        failure=_failure(trial),
        **texts,
    )


def _failure(trial: Mapping[str, object]) -> str:
    """Why the trial failed, still translatable if this version or a later one wrote it."""
    text = _text(trial.get("failure", ""))
    try:
        message = from_record(trial.get("reason", text))
    except ValueError:
        return text
    return message if message == text else text


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1_000:
        raise TypeError(value)
    return value


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**44:
        raise TypeError(value)
    return value


def _relative(name: str) -> str:
    parts = name.split("/")
    if "\\" in name or ":" in name or "\0" in name or {"", ".", ".."} & set(parts):
        raise ValueError(name)
    return name


def _read_small(path: Path) -> bytes:
    """Reads a regular file; a pipe in its place would keep the program waiting. Raises OSError."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_PACK_FILE:
        raise OSError(0, "it is not an ordinary file")
    return path.read_bytes()


def obstacle_of(pack: Pack, torch_version: str) -> str:
    """Returns why the pack cannot be used now, "" if it can; it completes "the pack …"."""
    torch = public_version(torch_version)
    if pack.torch != torch:
        return translatable(
            "core", "is for PyTorch {pack_torch}, and this program has {torch}"
        ).format(pack_torch=pack.torch, torch=torch)
    if (pack.platform, pack.python) != (platform_tag(), python_tag()):
        return translatable("core", "is for {platform} and {python}").format(
            platform=pack.platform, python=pack.python
        )
    if not pack.tried:
        return translatable("core", "has not passed its trial")
    for name, size in pack.files.items():
        if _size_on_disk(pack.folder / name) != size:
            return translatable("core", "is damaged ({name})").format(name=name)
    needed = numbers(pack.needs_driver)
    if not any(needed):
        return ""
    driver = driver_cuda()
    if driver is None:
        return translatable("core", "needs NVIDIA's driver, which cannot be reached")
    if driver < needed:
        return translatable(
            "core", "needs a driver for CUDA {needed}, and the driver here is for {has}"
        ).format(needed=pack.needs_driver, has=".".join(map(str, driver)))
    return ""


def _size_on_disk(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def driver_cuda() -> tuple[int, ...] | None:
    """Returns the CUDA version that the installed driver supports; None without a driver.

    Only loads the driver's library, which does not wake the card.
    """
    name = _DRIVERS.get(sys.platform)
    if name is None:
        return None
    version = ctypes.c_int()
    try:
        library = ctypes.CDLL(name)
        if library.cuDriverGetVersion(ctypes.byref(version)):
            return None
    except (OSError, AttributeError):
        return None
    return cuda_version(version.value)


def cuda_version(number: int) -> tuple[int, ...] | None:
    """Returns (13, 0) for 13000, as the driver counts, and None for 0."""
    return (number // 1000, number % 1000 // 10) if number > 0 else None


def public_version(version: str) -> str:
    """Returns "2.13.0" for "2.13.0+cpu"."""
    return version.partition("+")[0]


def numbers(version: str) -> tuple[int, ...]:
    """Returns (12, 6) for "12.6"; what is no number ends it."""
    found: list[int] = []
    for part in version.split("."):
        digits = re.match(r"\d+", part)
        if not digits:
            break
        found.append(int(digits[0]))
    return tuple(found)


def platform_tag() -> str:
    """Returns the platform as pins and packs name it: linux_x86_64, win_amd64, macosx_arm64."""
    if sys.platform == "win32":
        return f"win_{os.environ.get('PROCESSOR_ARCHITECTURE', 'AMD64').lower()}"
    system = "macosx" if sys.platform == "darwin" else sys.platform
    return f"{system}_{os.uname().machine}"


def python_tag() -> str:
    """Returns the Python that compiled modules are for: cp311."""
    return f"cp{sys.version_info.major}{sys.version_info.minor}"
