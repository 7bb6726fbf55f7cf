"""Which models are on this computer or to be had, and what memory they need."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from core.checkpoint.safety import read_settings
from core.device.memory import PRECISIONS, cards, free_memory, memory_need
from core.errors import AppError, CheckpointError
from core.hub.catalogue import offer_of, offers
from core.hub.client import HubModel
from core.hub.listing import is_revision, is_settings, sees_and_speaks, wanted_files
from core.hub.location import (
    LICENCE,
    RECORD,
    CacheLocation,
    FolderLocation,
    HubFile,
    Record,
    is_hub_id,
)
from core.transcript import BUILT_IN, Precision

_MOST_FOLDERS = 5000


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
        for place in _model_folders(folder):
            resolved = place.resolve()
            if resolved not in seen and resolved != built_in_model().resolve():
                seen.add(resolved)
                found += _in_folder(place, cache)
    return found


@dataclass(frozen=True)
class Entry:
    """A model as lists show it, here or to be had. `key` is its hub id, its folder or built-in;
    `size` bytes on the disk, about, 0 where only the hub knows; `needs` as `memory_needs`."""

    key: str
    name: str
    size: int
    hub_id: str = ""
    licence: str = ""
    is_gated: bool = False
    local: LocalModel | None = None
    needs: Mapping[Precision, int] = field(default_factory=dict[Precision, int], compare=False)


def list_entries(
    models: Iterable[LocalModel], device: str, found: Iterable[HubModel] = ()
) -> list[Entry]:
    """The models that are here, then the offers that are not, then what was `found` at the hub.

    `device` is cpu or cuda:N.
    """
    models = list(models)
    here = {model.hub_id for model in models}
    entries = [_entry_of_local(model, device) for model in models]
    for offer in offers():
        if offer.hub_id not in here:
            needs = memory_needs(offer.config, device, parameters=offer.parameters)
            entries.append(
                Entry(
                    offer.hub_id,
                    offer.name,
                    offer.size,
                    offer.hub_id,
                    offer.licence,
                    offer.is_gated,
                    needs=needs,
                )
            )
    listed = {entry.hub_id for entry in entries}
    entries += [_entry_of_found(one, device) for one in found if one.hub_id not in listed]
    return entries


def _entry_of_found(found: HubModel, device: str) -> Entry:
    return Entry(
        found.hub_id,
        found.hub_id.rpartition("/")[2],
        found.size,
        found.hub_id,
        found.licence,
        found.is_gated,
        needs=memory_needs(found.config, device, parameters=found.parameters),
    )


def _entry_of_local(model: LocalModel, device: str) -> Entry:
    offer = offer_of(model.hub_id)
    name = offer.name if offer else model.name
    return Entry(
        model.model,
        name,
        model.total,
        model.hub_id,
        model.licence,
        bool(offer and offer.is_gated),
        model,
        memory_needs(model.config, device, model.tower),
    )


def memory_needs(
    config: Mapping[str, Any],
    device: str,
    tower: Mapping[str, Any] | None = None,
    parameters: int | None = None,
) -> dict[Precision, int]:
    """Bytes of memory in each of 16, 8 and 4 bits; {} where the settings do not tell."""
    if not config:
        return {}
    try:
        return {
            precision: memory_need(
                config, precision, device=device, tower=tower, parameters=parameters
            ).total
            for precision in PRECISIONS
        }
    except CheckpointError:
        return {}


@dataclass(frozen=True)
class DeviceMemory:
    """Where a model would compute: cpu or cuda:N, what people call it, and the bytes free there,
    None if that is unknown."""

    device: str
    name: str
    free: int | None

    def best_precision(self, needs: Mapping[Precision, int]) -> Precision | None:
        """The finest precision that fits; None if none does."""
        if self.free is None:
            return next(iter(needs), None)
        return next((precision for precision, need in needs.items() if need <= self.free), None)


def device_memory(device: str = "auto", taken: int = 0) -> DeviceMemory:
    """What is free on auto, cpu, cuda or cuda:N; `taken` bytes there are given back before.

    Takes seconds the first time where there is a card, as torch is asked.
    """
    if device != "cpu" and _may_have_card():
        index = int(device.partition(":")[2] or 0)
        for card in cards():
            if card.index == index:
                return DeviceMemory(f"cuda:{index}", card.name, card.free + taken)
    free = free_memory("cpu")
    return DeviceMemory("cpu", "this computer", None if free is None else free + taken)


def _may_have_card() -> bool:
    """Without torch, which takes seconds to say no."""
    return (
        "torch" in sys.modules
        or Path("/proc/driver/nvidia/version").exists()
        or shutil.which("nvidia-smi") is not None
    )


# ---- what is where -----------------------------------------------------------------------------


# core.checkpoint.folder is imported on first use: the window imports this module before its first
# paint.


def _built_in() -> LocalModel:
    from core.checkpoint.folder import built_in_model

    folder = built_in_model()
    size = _size_of(folder)
    return LocalModel(
        BUILT_IN,
        "Built-in model",
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
            place = CacheLocation(cache, record.hub_id)
            folder = place.folder(record.revision)
            size, total = place.downloaded_bytes(record), record.size
        else:
            revision = _text(root / "refs" / "main")
            folder = root / "snapshots" / revision
            # Of many a model other programs have only fetched the settings.
            if not is_revision(revision) or not _holds_weights(folder):
                continue
            size = total = _size_of(folder)
        yield from _model(
            hub_id,
            hub_id.rpartition("/")[2],
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
        return f"“{name}” has no weights in safetensors or .bin. Download it again."
    if missing := _missing_parts(folder):
        parts = "part of its weights is" if missing == 1 else "parts of its weights are"
        return f"“{name}” is not whole: {missing} {parts} missing. Download it again."
    try:
        read_checkpoint(folder)
    except AppError as error:
        # In the cache a folder's name is that of a revision.
        return str(error).replace(folder.name, name)
    return ""


def _holds_weights(folder: Path) -> bool:
    return any(
        not is_settings(file) or file.name.endswith(".index.json")
        for file in wanted_files(HubFile(name, 0, "0" * 40) for name in file_names(folder))
    )


def _missing_parts(folder: Path) -> int:
    """How many files an index names that are not there."""
    for stem in ("model.safetensors", "pytorch_model.bin"):
        index = _read(folder / f"{stem}.index.json")
        named = index.get("weight_map")
        if isinstance(named, dict):
            files = cast(dict[str, Any], named).values()
            parts = {part for part in files if isinstance(part, str)}
            return sum(not (folder / Path(part).name).is_file() for part in parts)
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
    name = hub_id.rpartition("/")[2]
    root = CacheLocation(cache, hub_id).root
    in_cache = root / "snapshots" / (_text(root / "refs" / "main") or "none")
    places = (folder / hub_id, folder / name, folder.parent / name, in_cache)
    return any(_holds_weights(place) for place in places)


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
    return (folder / "config.json").is_file() or (folder / RECORD).is_file()


def _folders_in(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []
    return sorted(found)[:_MOST_FOLDERS]


def _size_of(folder: Path) -> int:
    """Bytes of the files in a folder and in those in it, links followed."""
    total = 0
    for path in folder.glob("*"):
        try:
            if path.is_file():
                total += path.stat().st_size
            elif path.is_dir() and _holds_model(path):
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
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def file_names(folder: Path) -> list[str]:
    """Of the files in a model's folder that may be a part of it."""
    return [path.name for path in folder.glob("[A-Za-z0-9]*") if path.is_file()]
