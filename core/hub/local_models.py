"""Finding the models that are on this computer: in the program, the hub's cache and folders.

Reads settings and sizes, no weights, and asks no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.checkpoint.safety import files_in_index, read_settings
from core.errors import AppError, CheckpointError
from core.files import is_file, is_folder, read_regular
from core.hub.catalogue import offer_of
from core.hub.listing import is_revision, is_settings, sees_and_speaks, wanted_files
from core.hub.location import (
    LICENCE,
    RECORD,
    CacheLocation,
    FolderLocation,
    HubFile,
    Record,
)
from core.message import renamed, translatable
from core.model_reference import is_hub_id, short_name
from core.transcript import BUILT_IN

_MOST_FOLDERS = 5000
# Bytes of what names a revision or a licence.
_LONGEST_TEXT = 10_000


class Where(StrEnum):
    """Where a model on this computer is stored."""

    BUILT_IN = "built-in"
    CACHE = "cache"
    FOLDER = "folder"


@dataclass(frozen=True)
class LocalModel:
    """A model that is here, or begun. `model` is what `ModelChoice` takes.

    `size` are bytes on the disk, `total` those that it will have; `problem` is a sentence that
    says why it cannot be loaded, "" if it can. `is_ours` means that Onlooker downloaded the model
    into its folder, and may move and remove it; so it may with any model in the hub's cache.
    `missing_id` is the hub id of the part that is missing: the vision tower, the base of a LoRA, or
    the model itself if some of its files are not here.
    """

    model: str
    name: str
    folder: Path
    where: Where
    size: int
    total: int
    hub_id: str = ""
    licence: str = ""
    problem: str = ""
    is_ours: bool = False
    missing_id: str = ""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    tower: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def is_complete(self) -> bool:
        """Whether all of its bytes are here."""
        return self.size >= self.total

    @property
    def can_move(self) -> bool:
        """Whether the program may move its files."""
        return self.where is Where.CACHE or self.is_ours


def find_models(folders: Iterable[Path], cache: Path) -> list[LocalModel]:
    """The built-in model, those in the hub's cache, and those in `folders` or one level below.

    Reads settings and sizes, no weights; asks no network. Takes as long as the disk does.
    """
    from core.checkpoint.folder import built_in_model

    found = [_built_in()]
    found += sorted(_in_cache(cache), key=lambda model: model.name.lower())
    seen: set[Path] = set()
    for folder in folders:
        for location in _model_folders(folder):
            resolved = location.resolve()
            if resolved not in seen and resolved != built_in_model().resolve():
                seen.add(resolved)
                found += _in_folder(location, cache)
    return found


# core.checkpoint.folder is imported on first use: the window imports this module before its first
# paint.


def _built_in() -> LocalModel:
    from core.checkpoint.folder import built_in_model

    folder = built_in_model()
    size = _size_of(folder)
    return LocalModel(
        BUILT_IN,
        translatable("core", "Built-in model"),
        folder,
        Where.BUILT_IN,
        size,
        size,
        licence="Apache 2.0",
        config=_config(folder),
    )


def _in_cache(cache: Path) -> Iterator[LocalModel]:
    for root in _folders_in(cache):
        hub_id = root.name.removeprefix("models--").replace("--", "/", 1)
        if not root.name.startswith("models--") or not is_hub_id(hub_id):
            continue
        record = Record.read(root)
        if record is not None:
            location = CacheLocation(cache, record.hub_id)
            folder = location.folder(record.revision)
            size, total = location.downloaded_bytes(record), record.size
        else:
            revision = _text(root / "refs" / "main")
            folder = root / "snapshots" / revision
            # Of many a model other programs have only fetched the settings.
            if not is_revision(revision) or not _holds_weights(folder):
                continue
            size = total = _size_of(folder)
        yield from _model(
            hub_id,
            short_name(hub_id),
            folder,
            Where.CACHE,
            size,
            total,
            hub_id,
            cache,
            licence=record.licence if record else _text(root / LICENCE),
        )


def _in_folder(folder: Path, cache: Path) -> Iterator[LocalModel]:
    record = Record.read(folder)
    size = total = _size_of(folder)
    if record is not None:
        size, total = FolderLocation(folder, record.hub_id).downloaded_bytes(record), record.size
    yield from _model(
        str(folder),
        folder.name,
        folder,
        Where.FOLDER,
        size,
        total,
        record.hub_id if record else "",
        cache,
        licence=record.licence if record else "",
        is_ours=record is not None,
    )


def _model(
    model: str,
    name: str,
    folder: Path,
    where: Where,
    size: int,
    total: int,
    hub_id: str,
    cache: Path,
    *,
    licence: str,
    is_ours: bool = False,
) -> Iterator[LocalModel]:
    """One, or none for what is no model that sees and speaks."""
    config = _config(folder)
    is_begun = size < total
    if config and not sees_and_speaks(config):
        return
    problem = "" if is_begun else _problem(folder, name)
    missing_id = _missing_id(folder, config, hub_id, cache) if problem else ""
    offer = offer_of(hub_id)
    yield LocalModel(
        model,
        name,
        folder,
        where,
        size,
        total,
        hub_id,
        offer.licence if offer else licence,
        problem,
        is_ours,
        missing_id,
        config or (offer.config if offer else {}),
        _tower(folder, config),
    )


def _problem(folder: Path, name: str) -> str:
    from core.checkpoint.folder import read_checkpoint

    if not _holds_weights(folder):
        return translatable(
            "core",
            "“{name}” has no weights in safetensors or .bin. Download it again.",
        ).format(name=name)
    if missing := _missing_parts(folder):
        text = translatable(
            "core", "“{name}” is incomplete ({count} weight files are missing). Download it again."
        )
        if missing == 1:
            text = translatable(
                "core", "“{name}” is incomplete (1 weight file is missing). Download it again."
            )
            return text.format(name=name)
        return text.format(name=name, count=missing)
    try:
        read_checkpoint(folder)
    except AppError as error:
        # In the cache a folder's name is that of a revision.
        return renamed(error.message, folder.name, name)
    return ""


def _holds_weights(folder: Path) -> bool:
    return any(
        not is_settings(file) or file.name.endswith(".index.json")
        for file in wanted_files(HubFile(name, 0, "0" * 40) for name in file_names(folder))
    )


def _missing_parts(folder: Path) -> int:
    """How many files an index names that are not there."""
    for stem in ("model.safetensors", "pytorch_model.bin"):
        try:
            names = files_in_index(folder / f"{stem}.index.json")
        except CheckpointError:
            continue
        return sum(not is_file(folder / name) for name in names)
    return 0


def _missing_id(folder: Path, config: Mapping[str, Any], hub_id: str, cache: Path) -> str:
    """The hub id of what is missing, where it can be had."""
    base = _read(folder / "adapter_config.json").get("base_model_name_or_path")
    tower = None if "vision_config" in config else config.get("mm_vision_tower")
    for named in (base, tower):
        if isinstance(named, str) and is_hub_id(named) and not _is_here(named, folder, cache):
            return named
    is_complete = _holds_weights(folder) and not _missing_parts(folder)
    return "" if is_complete else hub_id


def _is_here(hub_id: str, folder: Path, cache: Path) -> bool:
    name = short_name(hub_id)
    root = CacheLocation(cache, hub_id).root
    in_cache = root / "snapshots" / (_text(root / "refs" / "main") or "none")
    locations = (folder / hub_id, folder / name, folder.parent / name, in_cache)
    return any(_holds_weights(location) for location in locations)


def _tower(folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    named = config.get("mm_vision_tower")
    if not isinstance(named, str) or "vision_config" in config:
        return None
    return _config(folder / Path(named).name) or None


def _model_folders(folder: Path) -> list[Path]:
    """The folder itself if it holds a model, else those in it that do."""
    if _holds_model(folder):
        return [folder]
    return [inside for inside in _folders_in(folder) if _holds_model(inside)]


def _holds_model(folder: Path) -> bool:
    return is_file(folder / "config.json") or is_file(folder / RECORD)


def _folders_in(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if is_folder(path)]
    except OSError:
        return []
    return sorted(found)[:_MOST_FOLDERS]


def _size_of(folder: Path) -> int:
    """Bytes of the files in a folder and in those in it, links followed."""
    total = 0
    for path in folder.glob("*"):
        try:
            if is_file(path):
                total += path.stat().st_size
            elif is_folder(path) and _holds_model(path):
                total += _size_of(path)
        except OSError:
            continue
    return total


def _config(folder: Path) -> dict[str, Any]:
    return _read(folder / "config.json")


def _read(path: Path) -> dict[str, Any]:
    """The settings in a JSON file, {} where there are none."""
    try:
        return read_settings(path)
    except CheckpointError:
        return {}


def _text(path: Path) -> str:
    try:
        return read_regular(path, most=_LONGEST_TEXT).decode().strip()
    except (OSError, ValueError):
        return ""


def file_names(folder: Path) -> list[str]:
    """Of the files in a model's folder that may be a part of it."""
    return [path.name for path in folder.glob("[A-Za-z0-9]*") if is_file(path)]
