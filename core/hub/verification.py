"""Checking a model that is here: are its files whole, and what the hub has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from core.hub.checksum import checksum_of
from core.hub.local_models import LocalModel, Where
from core.hub.location import HubFile, Record
from core.message import translatable
from core.transfer.meter import ByteCounter, OnProgress


def check_model(model: LocalModel, on_progress: OnProgress, stop: threading.Event) -> list[str]:
    """Reads all of a model again; returns what is wrong in sentences, [] if nothing is.

    Checksums are compared where they are known: in the hub's cache and in what Onlooker
    downloaded. Elsewhere the weights' files are looked at for their length.
    """
    if not model.is_complete:
        return [
            translatable(
                "core",
                "“{name}” is incomplete. Resume its download.",
            ).format(name=model.name)
        ]
    problems = [model.problem] if model.problem else []
    known = list(known_files(model))
    counter = ByteCounter(
        translatable("core", "Checking {name}").format(name=model.name),
        sum(file.size for _, file in known),
        on_progress,
        stop,
    )
    for path, file in known:
        try:
            is_right = checksum_of(file, path, stop, counter.add) == file.checksum
        except OSError as error:
            problems.append(
                translatable(
                    "core",
                    "“{name}” cannot be read ({reason}). Download it again.",
                ).format(name=file.name, reason=error.strerror or error)
            )
            continue
        if not is_right:
            problems.append(
                translatable(
                    "core",
                    "“{name}” is damaged. Remove the model, then download it again.",
                ).format(name=file.name)
            )
    checked = {path.name for path, _ in known}
    problems += [
        translatable(
            "core",
            "“{name}” is damaged or incomplete. Copy it again.",
        ).format(name=path.name)
        for path in sorted(model.folder.glob("*.safetensors"))
        if path.name not in checked and not _is_sound(path)
    ]
    return problems


def known_files(model: LocalModel) -> Iterator[tuple[Path, HubFile]]:
    """The files whose checksums are known, with the paths where they lie."""
    record = Record.read(model.folder) if model.is_ours else None
    if record is not None:
        yield from ((model.folder / file.name, file) for file in record.files)
    elif model.where is Where.CACHE:
        for path in sorted(model.folder.glob("*")):
            # The cache names a blob by its checksum; the blob may be a link itself.
            try:
                yield path, HubFile(path.name, path.stat().st_size, path.readlink().name)
            except (OSError, ValueError):
                continue


def _is_sound(path: Path) -> bool:
    """Whether the file is as long as its header says."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            return True
    except (SafetensorError, OSError):
        return False
