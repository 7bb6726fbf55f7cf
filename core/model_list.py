"""Which models are on this computer, what they need, and how they are moved, checked, removed."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.catalogue import offer_of, offers
from core.errors import AppError, Cancelled, CheckpointError, HubError
from core.fit import PRECISIONS, cards, free_memory, memory_need
from core.hub import Found, Progress, checksum_of
from core.hub_listing import is_revision, is_settings, sees_and_speaks, wanted_files
from core.hub_place import (
    LICENCE,
    RECORD,
    CachePlace,
    FolderPlace,
    HubFile,
    Place,
    Record,
    are_on_one_disk,
    free_bytes,
    is_hub_id,
    records_inside,
    remove_downloaded,
)
from core.model_safety import read_settings
from core.pace import gigabytes
from core.transcript import BUILT_IN

_MOST_FOLDERS = 5000
_COPY_BYTES = 2**22


class Where(StrEnum):
    BUILT_IN = "built-in"
    CACHE = "cache"
    FOLDER = "folder"


@dataclass(frozen=True)
class LocalModel:
    """A model that is here, or begun. `model` is what `ModelChoice` takes.

    `size` are bytes on the disk, `total` those that it will have; `problem` is a sentence that
    says why it cannot be loaded, "" if it can. `is_ours` says that Onlooker downloaded it into
    its folder, and may move and remove it; what lies in the cache is everybody's and may too.
    `lacks` is the hub id of what it cannot be loaded without and is not here: its vision tower,
    the base of a LoRA, or itself where parts of it are missing.
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
    lacks: str = ""
    config: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    tower: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def is_whole(self) -> bool:
        return self.size >= self.total

    @property
    def can_move(self) -> bool:
        return self.where is Where.CACHE or self.is_ours


def find_models(folders: Iterable[Path], cache: Path) -> list[LocalModel]:
    """The built-in model, those in the hub's cache, and those in `folders` or one level below.

    Reads settings and sizes, no weights; asks no network. Takes as long as the disk does.
    """
    from core.model_folder import built_in_model

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
    needs: Mapping[str, int] = field(default_factory=dict, compare=False)


def shelf(models: Iterable[LocalModel], device: str, found: Iterable[Found] = ()) -> list[Entry]:
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


def _entry_of_found(found: Found, device: str) -> Entry:
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
) -> dict[str, int]:
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
class Room:
    """Where a model would compute: cpu or cuda:N, what people call it, and the bytes free there,
    None where nobody tells."""

    device: str
    name: str
    free: int | None

    def best(self, needs: Mapping[str, int]) -> str | None:
        """The finest precision that fits; None if none does."""
        if self.free is None:
            return next(iter(needs), None)
        return next((precision for precision, need in needs.items() if need <= self.free), None)


def room_here(device: str = "auto", taken: int = 0) -> Room:
    """What is free on auto, cpu, cuda or cuda:N; `taken` bytes there are given back before.

    Takes seconds the first time where there is a card, as torch is asked.
    """
    if device != "cpu" and _may_have_card():
        index = int(device.partition(":")[2] or 0)
        for card in cards():
            if card.index == index:
                return Room(f"cuda:{index}", card.name, card.free + taken)
    free = free_memory("cpu")
    return Room("cpu", "this computer", None if free is None else free + taken)


def _may_have_card() -> bool:
    """Without torch, which takes seconds to say no."""
    return (
        "torch" in sys.modules
        or Path("/proc/driver/nvidia/version").exists()
        or shutil.which("nvidia-smi") is not None
    )


def remove_model(model: LocalModel, cache: Path) -> None:
    """Delete a model's files, or what has come of them. A folder of the person's own is never
    touched: HubError."""
    try:
        if model.where is Where.CACHE:
            if not model.is_whole:
                _remove_begun_tower(model, cache)
            _remove_from_cache(CachePlace(cache, model.hub_id), cache)
        elif model.is_ours:
            remove_downloaded(model.folder)
        else:
            raise HubError(
                f"“{model.name}” was not downloaded by Onlooker. Remove its folder yourself."
            )
    except OSError as error:
        raise HubError(
            f"“{model.name}” cannot be removed ({error.strerror or error}). Unload it, and close "
            "other programs that use it."
        ) from error


def _remove_begun_tower(model: LocalModel, cache: Path) -> None:
    """It came for this model alone, and no list shows it."""
    named = model.config.get("mm_vision_tower")
    if isinstance(named, str) and is_hub_id(named):
        place = CachePlace(cache, named)
        if (place.root / RECORD).is_file():
            _remove_from_cache(place, cache)


def _remove_from_cache(place: CachePlace, cache: Path) -> None:
    from huggingface_hub import scan_cache_dir

    with place.lock():
        for repository in scan_cache_dir(cache).repos:
            if repository.repo_path == place.root:
                # The library knows which blobs other models share with this one.
                revisions = [revision.commit_hash for revision in repository.revisions]
                scan_cache_dir(cache).delete_revisions(*revisions).execute()
        if place.root.exists():
            shutil.rmtree(place.root)


def move_model(
    model: LocalModel,
    cache: Path,
    parent: Path,
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
) -> Path:
    """Bring a downloaded model into a folder of its own in `parent`, and give that folder.

    Of a download that is not finished what has come is brought, and gone on with there. What was
    is removed once all is there; on one disk no byte is copied. Blocks; raises HubError, and
    Cancelled with `stop`.
    """
    target = parent / model.name
    if target.resolve() == model.folder.resolve():
        raise HubError(f"“{model.name}” is in this folder already. Choose another one.")
    files = _record_of(model, cache)
    if files is None or not model.can_move:
        raise HubError(
            f"Where “{model.name}” came from is not known. Move its folder yourself, then add it."
        )
    total = sum(place.bytes_here(record) for place, record, _ in files)
    if not are_on_one_disk(model.folder, parent) and free_bytes(parent) < total:
        raise HubError(
            f"“{model.name}” needs {gigabytes(total)} in {parent}, where "
            f"{gigabytes(free_bytes(parent))} are free. Choose another folder.",
            "space",
        )
    told = _Counter(f"Moving {model.name}", total, on_progress, stop)
    try:
        for source, record, inside in files:
            place = FolderPlace(target / inside, record.hub_id)
            with source.lock(), place.lock():
                place.begin(record)
                for file in record.files:
                    _bring(source, place, record, file, told)
                if place.bytes_here(record) == record.size:
                    place.finish(record)
    except (OSError, Cancelled) as error:
        remove_downloaded(target)
        if isinstance(error, Cancelled):
            raise
        raise HubError(
            f"“{model.name}” cannot be written to {parent} ({error.strerror or error}). Choose "
            "another folder."
        ) from error
    remove_model(model, cache)
    return target


def check_model(
    model: LocalModel, on_progress: Callable[[Progress], None], stop: threading.Event
) -> list[str]:
    """Read all of a model again; gives what is wrong in sentences, [] if nothing is.

    Checksums are compared where they are known: in the hub's cache and in what Onlooker
    downloaded. Elsewhere the weights' files are looked at for their length.
    """
    if not model.is_whole:
        return [f"“{model.name}” is not all here. Go on with its download."]
    problems = [model.problem] if model.problem else []
    known = list(_known_files(model))
    told = _Counter(
        f"Checking {model.name}", sum(file.size for _, file in known), on_progress, stop
    )
    for path, file in known:
        try:
            is_right = checksum_of(file, path, stop, told.add) == file.checksum
        except OSError as error:
            problems.append(f"“{file.name}” cannot be read ({error.strerror}). Download it again.")
            continue
        if not is_right:
            problems.append(f"“{file.name}” is damaged. Remove the model and download it again.")
    checked = {path.name for path, _ in known}
    problems += [
        f"“{path.name}” is cut off or damaged. Copy it again from where it came."
        for path in sorted(model.folder.glob("*.safetensors"))
        if path.name not in checked and not _is_sound(path)
    ]
    return problems


# ---- what is where -----------------------------------------------------------------------------


# core.model_folder waits for its first use: the window imports this module before it is painted.


def _built_in() -> LocalModel:
    from core.model_folder import built_in_model

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
            place = CachePlace(cache, record.hub_id)
            folder = place.folder(record.revision)
            size, total = place.bytes_here(record), record.size
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
        size, total = FolderPlace(folder, record.hub_id).bytes_here(record), record.size
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
    lacks = _lacking(folder, config, hub_id, cache) if problem else ""
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
        lacks,
        config or (offer.config if offer else {}),
        _tower(folder, config),
    )


def _problem(folder: Path, name: str) -> str:
    from core.model_folder import read_checkpoint

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
        for file in wanted_files(HubFile(name, 0, "0" * 40) for name in _file_names(folder))
    )


def _missing_parts(folder: Path) -> int:
    """How many files an index names that are not there."""
    for stem in ("model.safetensors", "pytorch_model.bin"):
        index = _read(folder / f"{stem}.index.json")
        named = index.get("weight_map")
        if isinstance(named, dict):
            parts = {part for part in named.values() if isinstance(part, str)}
            return sum(not (folder / Path(part).name).is_file() for part in parts)
    return 0


def _lacking(folder: Path, config: Mapping[str, Any], hub_id: str, cache: Path) -> str:
    """The hub id of what is missing, where it can be had."""
    base = _read(folder / "adapter_config.json").get("base_model_name_or_path")
    tower = None if "vision_config" in config else config.get("mm_vision_tower")
    for named in (base, tower):
        if isinstance(named, str) and is_hub_id(named) and not _is_here(named, folder, cache):
            return named
    is_whole = _holds_weights(folder) and not _missing_parts(folder)
    return "" if is_whole else hub_id


def _is_here(hub_id: str, folder: Path, cache: Path) -> bool:
    name = hub_id.rpartition("/")[2]
    root = CachePlace(cache, hub_id).root
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


# ---- files -------------------------------------------------------------------------------------


def _known_files(model: LocalModel) -> Iterator[tuple[Path, HubFile]]:
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


def _record_of(model: LocalModel, cache: Path) -> list[tuple[Place, Record, str]] | None:
    """What to take along: from which place, which files, into which folder inside; None where
    their checksums are not known. A tower in the cache stays there, where loaders find it."""
    if model.where is Where.CACHE:
        place = CachePlace(cache, model.hub_id)
        if begun := Record.read(place.root):
            return [(place, begun, "")]
        known = wanted_files(file for _, file in _known_files(model))
        there = wanted_files(HubFile(name, 0, "0" * 40) for name in _file_names(model.folder))
        if {file.name for file in known} != {file.name for file in there}:
            return None  # Where there are no links, as on some Windows, names tell nothing.
        record = Record(model.hub_id, model.folder.name, tuple(known), model.licence)
        return [(place, record, "")]
    records = [(model.folder, Record.read(model.folder), "")]
    records += [
        (folder, Record.read(folder), folder.name) for folder in records_inside(model.folder)
    ]
    if records[0][1] is None:
        return None
    return [
        (FolderPlace(folder, record.hub_id), record, inside)
        for folder, record, inside in records
        if record
    ]


def _bring(source: Place, place: Place, record: Record, file: HubFile, told: _Counter) -> None:
    """A file, or the half of it that has come."""
    if source.is_whole(record, file):
        source.put(record, file)  # In the cache it may be there without its name.
        _copy(source.whole(record, file), place.half(file), told)
        place.put(record, file)
    elif source.half(file).exists():
        _copy(source.half(file), place.half(file), told)


def _file_names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("[A-Za-z0-9]*") if path.is_file()]


def _copy(source: Path, target: Path, told: _Counter) -> None:
    target.unlink(missing_ok=True)
    try:
        # A second name for the same bytes; the first one goes when all files have theirs.
        os.link(source.resolve(), target)
    except OSError:
        _copy_bytes(source, target, told)
    else:
        told.add(target.stat().st_size)


def _copy_bytes(source: Path, target: Path, told: _Counter) -> None:
    with source.open("rb") as read, target.open("wb") as written:
        while block := read.read(_COPY_BYTES):
            written.write(block)
            told.add(len(block))


def _is_sound(path: Path) -> bool:
    """Whether the file is as long as its header says."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            return True
    except (SafetensorError, OSError):
        return False


class _Counter:
    """Counts bytes and tells of them; ends when it is told to."""

    def __init__(
        self,
        stage: str,
        total: int,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
    ):
        self._stage, self._total = stage, total
        self._on_progress, self._stop = on_progress, stop
        self._done = 0

    def add(self, count: int) -> None:
        if self._stop.is_set():
            raise Cancelled(f"{self._stage} was ended.")
        self._done += count
        self._on_progress(Progress(self._stage, self._done, self._total))
