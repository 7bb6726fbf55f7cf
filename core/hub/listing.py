"""Reads the hub's answers about a model: which files to download, and whether it can be run.

The answers come from a server and are validated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from core.checkpoint.safety import (
    read_settings,
    require_no_code,
    require_possible,
    require_safe_folder,
)
from core.errors import CheckpointError, HubError
from core.hub.location import HubFile, Record
from core.message import renamed, translatable
from core.model_reference import is_hub_id

# The settings that loaders read. No code, images or weights in other formats are downloaded.
_SETTINGS = frozenset(
    (
        *("config.json", "generation_config.json", "adapter_config.json"),
        *("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json"),
        *("chat_template.json", "chat_template.jinja"),
        *("tokenizer.json", "tokenizer_config.json", "tokenizer.model"),
        *("special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt"),
    )
)

# Vision towers by themselves, which generate no text.
_TOWERS = ("clip", "siglip", "siglip2", "clip_vision_model", "siglip_vision_model")


def wanted_files(files: Iterable[HubFile]) -> list[HubFile]:
    """Returns the files to download, small ones first.

    Takes one set of weights if there are several, and prefers safetensors to .bin.
    """
    by_name = {file.name: file for file in files}
    wanted = [file for name, file in by_name.items() if name in _SETTINGS]
    if "adapter_config.json" in by_name:
        adapters = ("adapter_model.safetensors", "adapter_model.bin")
        names = [name for name in adapters if name in by_name][:1]
        names += [name for name in ("non_lora_trainables.bin",) if name in by_name]
        return _small_first(wanted + [by_name[name] for name in names])
    for stem, suffix in (("model", ".safetensors"), ("pytorch_model", ".bin")):
        index = f"{stem}{suffix}.index.json"
        parts = [
            file
            for name, file in by_name.items()
            if name.startswith(f"{stem}-") and name.endswith(suffix) and "-of-" in name
        ]
        if index in by_name and parts:
            return _small_first([*wanted, by_name[index], *parts])
        if whole := by_name.get(stem + suffix):
            return _small_first([*wanted, whole])
    return _small_first(wanted)


def _small_first(files: list[HubFile]) -> list[HubFile]:
    return sorted(files, key=lambda file: (file.name != "config.json", file.size, file.name))


def sees_and_speaks(config: Mapping[str, Any]) -> bool:
    """Whether these settings belong to a model that answers questions about images."""
    return ("vision_config" in config or "mm_vision_tower" in config) and config.get(
        "model_type"
    ) not in _TOWERS


def record_of(hub_id: str, listing: dict[str, Any]) -> Record:
    """Reads files, revision and licence from the hub's answer about a model.

    Raises ValueError, KeyError or TypeError if the answer has another structure.
    """
    files: list[HubFile] = []
    siblings: list[dict[str, Any]] = listing["siblings"]
    for entry in siblings:
        large: dict[str, Any] = entry.get("lfs") or {}
        size: Any = large.get("size", entry.get("size"))
        checksum: Any = large.get("sha256") or entry.get("blobId")
        try:
            file = HubFile(entry["rfilename"], size, checksum)
        except (ValueError, TypeError):
            continue  # In a subfolder, or with an unsafe name.
        files.append(file)
    revision = listing["sha"]
    if not isinstance(revision, str) or not is_revision(revision):
        raise ValueError(revision)
    return Record(hub_id, revision, tuple(wanted_files(files)), _licence_of(listing))


# Readable names for the hub's identifiers of licences.
_LICENCES = {
    "apache-2.0": "Apache 2.0",
    "gemma": "Gemma",
    "llama2": "Llama 2",
    "llama3": "Llama 3",
    "llama3.1": "Llama 3.1",
    "llama3.2": "Llama 3.2",
    "mit": "MIT",
}
_LONGEST_LICENCE = 60


def _licence_of(listing: Mapping[str, Any]) -> str:
    """Returns the licence that the model card names, "" if it names none."""
    card = _mapping(listing.get("cardData"))
    licences = card.get("license")
    named: Any = licences
    if isinstance(licences, list) and licences:
        named = cast(list[Any], licences)[0]
    if named == "other":
        named = card.get("license_name") or named
    if not isinstance(named, str):
        return ""
    return _LICENCES.get(named, " ".join(named.split())[:_LONGEST_LICENCE])


def _mapping(value: object) -> Mapping[str, Any]:
    """Returns `value` if it is a JSON object, else an empty mapping."""
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def parameters_of(listing: Mapping[str, Any]) -> int | None:
    """Returns the model's number of parameters, None if the hub does not state it."""
    total = _mapping(listing.get("safetensors")).get("total")
    is_count = isinstance(total, int) and not isinstance(total, bool) and 0 < total < 10**13
    return total if is_count else None


def is_revision(text: str) -> bool:
    """Whether `text` is the hash of a commit: 40 hexadecimal digits."""
    return len(text) == 40 and all(character in "0123456789abcdef" for character in text)


def is_settings(file: HubFile) -> bool:
    """Whether the file holds settings rather than weights."""
    return file.name in _SETTINGS or file.name.endswith(".index.json")


def require_runnable(hub_id: str, folder: Path, is_part: bool) -> Mapping[str, Any]:
    """Returns the settings in `folder` once they are downloaded, before the weights are.

    Raises HubError for a model that no loader accepts, so that no gigabytes are wasted on it.
    """
    try:
        require_safe_folder(folder)
        config = read_settings(folder / "config.json")
    except CheckpointError as error:
        raise HubError(renamed(error.message, folder.name, hub_id)) from error
    require_loadable(hub_id, folder, config, is_part=is_part)
    return config


def require_loadable(
    hub_id: str, folder: Path, config: Mapping[str, Any], *, is_part: bool
) -> None:
    """Raises HubError for settings that no loader accepts, and for a model without vision."""
    try:
        require_no_code(folder, config)
        require_possible(folder, config)
    except CheckpointError as error:
        raise HubError(renamed(error.message, folder.name, hub_id)) from error
    if not (is_part or sees_and_speaks(config)):
        raise HubError(
            translatable(
                "core",
                "“{name}” does not take images. Choose another model.",
            ).format(name=hub_id)
        )


def tower_of(config: Mapping[str, Any]) -> str | None:
    """Returns the hub id of the vision tower that a model in the original layout refers to."""
    named = config.get("mm_vision_tower")
    is_wanted = isinstance(named, str) and is_hub_id(named) and "vision_config" not in config
    return named if is_wanted else None
