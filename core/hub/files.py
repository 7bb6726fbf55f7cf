"""Models that are on this computer are moved, checked and removed."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

from core.errors import Cancelled, HubError, HubNeed
from core.formatting import format_bytes
from core.hub.listing import wanted_files
from core.hub.local_models import LocalModel, Where, file_names
from core.hub.location import (
    RECORD,
    CacheLocation,
    FolderLocation,
    HubFile,
    ModelLocation,
    Record,
    are_on_one_disk,
    free_bytes,
    records_inside,
    remove_downloaded,
)
from core.hub.verification import known_files
from core.message import translatable
from core.model_reference import is_hub_id
from core.transfer.meter import ByteCounter, OnProgress

_COPY_BYTES = 2**22


def remove_model(model: LocalModel, cache: Path) -> None:
    """Delete a model's files, or what has come of them. A folder of the person's own is never
    touched: HubError."""
    try:
        if model.where is Where.CACHE:
            if not model.is_complete:
                _remove_begun_tower(model, cache)
            _remove_from_cache(CacheLocation(cache, model.hub_id), cache)
        elif model.is_ours:
            remove_downloaded(model.folder)
        else:
            raise HubError(
                translatable(
                    "core",
                    "“{name}” was not downloaded by Onlooker. Remove its folder yourself.",
                ).format(name=model.name)
            )
    except OSError as error:
        raise HubError(
            translatable(
                "core",
                "“{name}” cannot be removed ({reason}). Unload it, and close other "
                "programs that use it.",
            ).format(name=model.name, reason=error.strerror or error)
        ) from error


def _remove_begun_tower(model: LocalModel, cache: Path) -> None:
    """It came for this model alone, and no list shows it."""
    named = model.config.get("mm_vision_tower")
    if isinstance(named, str) and is_hub_id(named):
        location = CacheLocation(cache, named)
        if (location.root / RECORD).is_file():
            _remove_from_cache(location, cache)


def _remove_from_cache(location: CacheLocation, cache: Path) -> None:
    from huggingface_hub import scan_cache_dir

    with location.lock():
        for repository in scan_cache_dir(cache).repos:
            if repository.repo_path == location.root:
                # The library knows which blobs other models share with this one.
                revisions = [revision.commit_hash for revision in repository.revisions]
                scan_cache_dir(cache).delete_revisions(*revisions).execute()
        if location.root.exists():
            shutil.rmtree(location.root)


def move_model(
    model: LocalModel,
    cache: Path,
    parent: Path,
    on_progress: OnProgress,
    stop: threading.Event,
) -> Path:
    """Bring a downloaded model into a folder of its own in `parent`, and give that folder.

    Of a download that is not finished what has come is brought, and gone on with there. What was
    is removed once all is there; on one disk no byte is copied. Blocks; raises HubError, and
    Cancelled with `stop`.
    """
    target = parent / model.name
    files = _require_movable(model, cache, target)
    total = sum(location.downloaded_bytes(record) for location, record, _ in files)
    _require_space(model, parent, total)
    counter = ByteCounter(
        translatable("core", "Moving {name}").format(name=model.name), total, on_progress, stop
    )
    try:
        for source, record, inside in files:
            location = FolderLocation(target / inside, record.hub_id)
            with source.lock(), location.lock():
                location.begin(record)
                for file in record.files:
                    _bring(source, location, record, file, counter)
                if location.downloaded_bytes(record) == record.size:
                    location.finish(record)
    except (OSError, Cancelled) as error:
        remove_downloaded(target)
        if isinstance(error, Cancelled):
            raise
        raise HubError(
            translatable(
                "core",
                "“{name}” cannot be written to “{folder}” ({reason}). Choose another folder.",
            ).format(name=model.name, folder=parent, reason=error.strerror or error)
        ) from error
    remove_model(model, cache)
    return target


# ---- files ---------------------------------------------------------------------------------------

_Files = list[tuple[ModelLocation, Record, str]]


def _require_movable(model: LocalModel, cache: Path, target: Path) -> _Files:
    """What to take along to `target`; raises HubError if the model cannot be moved there."""
    if target.resolve() == model.folder.resolve():
        raise HubError(
            translatable(
                "core",
                "“{name}” is already in this folder. Choose another one.",
            ).format(name=model.name)
        )
    files = _record_of(model, cache)
    if files is None or not model.can_move:
        raise HubError(
            translatable(
                "core",
                "The origin of “{name}” is unknown. Move its folder yourself, then add it.",
            ).format(name=model.name)
        )
    return files


def _require_space(model: LocalModel, parent: Path, total: int) -> None:
    """Raises HubError if the `total` bytes would have to be copied and do not fit."""
    if are_on_one_disk(model.folder, parent) or (free := free_bytes(parent)) >= total:
        return
    raise HubError(
        translatable(
            "core",
            "“{name}” needs {size} in “{folder}”, where {free} is free. Choose another folder.",
        ).format(name=model.name, size=format_bytes(total), folder=parent, free=format_bytes(free)),
        HubNeed.SPACE,
    )


def _record_of(model: LocalModel, cache: Path) -> _Files | None:
    """What to take along: from where, which files, into which folder inside; None where
    their checksums are not known. A tower in the cache stays there, where loaders find it."""
    if model.where is Where.CACHE:
        location = CacheLocation(cache, model.hub_id)
        if begun := Record.read(location.root):
            return [(location, begun, "")]
        known = wanted_files(file for _, file in known_files(model))
        there = wanted_files(HubFile(name, 0, "0" * 40) for name in file_names(model.folder))
        if {file.name for file in known} != {file.name for file in there}:
            return None  # Where there are no links, as on some Windows, names tell nothing.
        record = Record(model.hub_id, model.folder.name, tuple(known), model.licence)
        return [(location, record, "")]
    records = [(model.folder, Record.read(model.folder), "")]
    records += [
        (folder, Record.read(folder), folder.name) for folder in records_inside(model.folder)
    ]
    if records[0][1] is None:
        return None
    return [
        (FolderLocation(folder, record.hub_id), record, inside)
        for folder, record, inside in records
        if record
    ]


def _bring(
    source: ModelLocation,
    target: ModelLocation,
    record: Record,
    file: HubFile,
    counter: ByteCounter,
) -> None:
    """Moves a file, or the part of it that has come."""
    if source.is_complete(record, file):
        source.commit(record, file)  # In the cache it may be there without its name.
        _copy(source.path_of(record, file), target.partial_path(file), counter)
        target.commit(record, file)
    elif source.partial_path(file).exists():
        _copy(source.partial_path(file), target.partial_path(file), counter)


def _copy(source: Path, target: Path, counter: ByteCounter) -> None:
    target.unlink(missing_ok=True)
    try:
        # A second name for the same bytes; the first one goes when all files have theirs.
        os.link(source.resolve(), target)
    except OSError:
        _copy_bytes(source, target, counter)
    else:
        counter.add(target.stat().st_size)


def _copy_bytes(source: Path, target: Path, counter: ByteCounter) -> None:
    with source.open("rb") as read, target.open("wb") as written:
        while block := read.read(_COPY_BYTES):
            written.write(block)
            counter.add(len(block))
