"""The packs on this computer: listed, preferred, removed, and what is left over cleared away.

In the folder of packs, `<name>` is a pack that is used, `.getting-<name>` one that is being fetched
or has failed its trial, and `.old-<name>` one that was replaced. A pack without its `pack.json` is
none: so a removal that was cut short is only continued.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.engine_packs.choice import (
    PACK_FILE,
    PREFERENCE,
    NoPack,
    Pack,
    chosen_engine,
    is_pack_name,
    obstacle_of,
    public_version,
    read_pack,
)
from core.errors import PackError
from core.files import reason, write_atomically
from core.message import translatable

GETTING, OLD, UNPACKED = ".getting-", ".old-", ".pack"


class PackState(StrEnum):
    """What can be done with a pack on the disk."""

    READY = "ready"
    OUTDATED = "outdated"
    """It is for another version of the program."""
    UNUSABLE = "unusable"
    """It is damaged, or the driver cannot run it."""
    FAILED = "failed"
    """It did not pass its trial and was put aside."""
    PARTIAL = "partial"
    """A part of it has been fetched."""


@dataclass(frozen=True)
class InstalledPack:
    """A pack on the disk. `note` completes "the pack …" where it cannot be used.

    `pack` is what it says about itself, None if it cannot say. `size` in bytes.
    """

    name: str
    state: PackState
    size: int
    note: str = ""
    pack: Pack | None = None


def installed_packs(engines: Path, torch_version: str) -> list[InstalledPack]:
    """All packs for any version, by name; failed and partial ones after the others."""
    found: list[InstalledPack] = []
    for folder in _folders(engines):
        if is_pack_name(folder.name) and _has_pack_file(folder):
            found.append(_installed(folder, torch_version))
        elif folder.name.startswith(GETTING):
            found.append(_getting(folder))
    return sorted(found, key=lambda pack: (pack.state in _ASIDE, pack.name))


_ASIDE = (PackState.FAILED, PackState.PARTIAL)


def _installed(folder: Path, torch_version: str) -> InstalledPack:
    try:
        pack = read_pack(folder)
    except NoPack as error:
        size = measured(folder)
        return InstalledPack(folder.name, PackState.UNUSABLE, size, error.reason)
    obstacle = obstacle_of(pack, torch_version)
    is_outdated = pack.torch != public_version(torch_version)
    state = PackState.OUTDATED if is_outdated else PackState.UNUSABLE
    if not obstacle:
        state = PackState.READY
    return InstalledPack(folder.name, state, pack.size, obstacle, pack)


def _getting(folder: Path) -> InstalledPack:
    name = folder.name.removeprefix(GETTING)
    with suppress(NoPack):
        pack = read_pack(folder / UNPACKED)
        if pack.failure:
            note = translatable("core", "failed its trial: {failure}").format(failure=pack.failure)
            return InstalledPack(name, PackState.FAILED, pack.size, note, pack)
    note = translatable("core", "is not complete yet")
    return InstalledPack(name, PackState.PARTIAL, measured(folder), note)


def prefer_engine(engines: Path, name: str) -> None:
    """Has the program use this engine from its next start; "" for the newest that fits.

    Raises StoreError.
    """
    path = engines / PREFERENCE
    if name:
        engines.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{name}\n".encode())
    else:
        path.unlink(missing_ok=True)


def remove_pack(engines: Path, name: str) -> int:
    """Deletes a pack, also one that failed or is not complete; returns the bytes that it freed.

    What the running program has open on Windows is deleted at the next chance. Raises PackError.
    """
    folders = [engines / name, engines / f"{GETTING}{name}", engines / f"{OLD}{name}"]
    there = [folder for folder in folders if folder.is_dir()] if is_pack_name(name) else []
    if not there:
        raise PackError(
            translatable("core", "There is no engine pack “{pack}” here.").format(pack=name)
        )
    before = sum(map(measured, there))
    for folder in there:
        discard(folder)
    if chosen_engine(engines) == name:
        prefer_engine(engines, "")
    return before - sum(measured(folder) for folder in there if folder.is_dir())


def retire_pack(engines: Path, name: str) -> None:
    """Keeps a pack from being used from the next start on; the running program keeps its files.

    `clear_leftovers` deletes them then. Raises PackError.
    """
    _delete_pack_file(engines / name)


def discard_download(engines: Path, name: str) -> None:
    """Deletes what has been fetched of a pack; one that is in use stays. Raises PackError."""
    if is_pack_name(name):
        discard(engines / f"{GETTING}{name}")


def discard(folder: Path) -> None:
    """Deletes a pack's folder, `pack.json` first, so that what remains is no pack.

    Raises PackError if not even that is possible.
    """
    _delete_pack_file(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _delete_pack_file(folder: Path) -> None:
    try:
        (folder / PACK_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise PackError(
            translatable(
                "core", "“{folder}” cannot be deleted ({reason}). Allow writing there, then retry."
            ).format(folder=folder, reason=reason(error))
        ) from error


def clean_up(engines: Path) -> None:
    """Deletes what replacements and removals have left over. Never raises.

    Nobody else may be getting a pack meanwhile.
    """
    for folder in _folders(engines):
        is_rest = is_pack_name(folder.name) and not _has_pack_file(folder)
        if is_rest or folder.name.startswith(OLD):
            shutil.rmtree(folder, ignore_errors=True)


def measured(folder: Path) -> int:
    """The bytes of all files below `folder`; what vanishes meanwhile is not counted."""
    total = 0
    with suppress(OSError):
        for path in folder.rglob("*"):
            with suppress(OSError):
                total += path.lstat().st_size if not path.is_dir() else 0
    return total


def _folders(engines: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(path for path in engines.iterdir() if path.is_dir())
    return []


def _has_pack_file(folder: Path) -> bool:
    return (folder / PACK_FILE).exists() or (folder / PACK_FILE).is_symlink()
