"""Checks of a model's folder: no code, no links to other places, no impossible sizes.

A model's folder is not trusted. Everything in it is read as data, and sizes that it states are
accepted only within bounds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.checkpoint.file_sizes import largest_size, require_small_files, size_error
from core.errors import CheckpointError
from core.files import UnreadableFile, read_regular
from core.message import translatable

_SETTINGS = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
)
# Upper bounds of sizes, by the end of the setting's name. The largest language models have about
# 130 layers, a hidden size of 20,000 and a vocabulary of 260,000 tokens.
_BOUNDS = (
    (re.compile(r"(num_(hidden_)?layers|depth|n_layers?)$"), 1_000),
    (re.compile(r"num_(local_)?experts$"), 4_096),
    (re.compile(r"(num_.*heads|num_channels|in_channels|in_chans)$"), 65_536),
    (re.compile(r"((hidden|embed|intermediate|head).*_(size|dim)|_size)$"), 4_000_000),
    (re.compile(r"vocab_size$"), 10_000_000),
    (re.compile(r"max_position_embeddings$"), 1 << 32),
)
_MOST_NESTED = 32
# Chameleon and Emu3 list their vocabulary of images, some 100,000 numbers in an object. Of lists a
# model may build a module for each entry; grids of tiles have 100.
_MOST_NUMBERS = 500_000
_LONGEST_LIST = 2_000
# The largest models have 100,000 tensors in 200 files.
_MOST_TENSORS = 500_000
_MOST_FILES = 2_000
_ASKS_FOR_CODE = {"auto_map", "custom_pipelines", "custom_generate"}


def read_settings(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file. Raises CheckpointError if the file holds anything else."""
    most = largest_size(path.name)
    try:
        content = json.loads(read_regular(path, most=most).decode())
    except UnreadableFile as error:
        raise size_error(path, error, most) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            translatable(
                "core",
                "“{name}” cannot be read. Download it again.",
            ).format(name=path.name)
        ) from error
    except MemoryError as error:
        raise CheckpointError(
            translatable(
                "core",
                "“{name}” needs more memory than is free. Close other programs, then try again.",
            ).format(name=path.name)
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            translatable(
                "core",
                "“{name}” contains no settings. Download it again.",
            ).format(name=path.name)
        )
    return content


def files_in_index(index: Path) -> dict[str, list[str]]:
    """Returns the names of the tensors in each weight file that an index names, all in order.

    An index may name files in its own folder, and none elsewhere on this disk. Raises
    CheckpointError.
    """
    files: dict[str, list[str]] = {}
    weight_map = read_settings(index).get("weight_map")
    if not isinstance(weight_map, dict) or len(weight_map) > _MOST_TENSORS:
        raise CheckpointError(
            translatable(
                "core",
                "“{name}” cannot be read. Download it again.",
            ).format(name=index.name)
        )
    for tensor, file in sorted(weight_map.items()):
        if not isinstance(file, str):
            raise CheckpointError(
                translatable(
                    "core",
                    "“{name}” cannot be read. Download it again.",
                ).format(name=index.name)
            )
        files.setdefault(file, []).append(tensor)
        if len(files) > _MOST_FILES:
            raise CheckpointError(
                translatable(
                    "core",
                    "“{name}” names more than {count} files. Download it again.",
                ).format(name=index.name, count=f"{_MOST_FILES:,}")
            )
    named: dict[str, list[str]] = {}
    for file, tensors in files.items():
        named.setdefault(Path(file).name, []).extend(tensors)
    return named


def require_safe_folder(folder: Path) -> None:
    """Raises CheckpointError for a folder with code, or with links that lead out of it.

    Links of the hub's cache are followed: its snapshots link to the model's blobs, which since
    huggingface_hub 2.4 link to blobs that all models of the cache share.
    """
    try:
        entries = sorted(folder.iterdir())
        home = folder.resolve()
        homes = [home]
        if home.parent.name == "snapshots":
            repository = home.parent.parent
            homes += [repository / "blobs", repository.parent / "blobs"]
        for entry in entries:
            if entry.is_symlink() and not any(
                entry.resolve().is_relative_to(home) for home in homes
            ):
                raise CheckpointError(
                    translatable(
                        "core",
                        "“{entry}” in “{folder}” is a link that leads out of the folder. Put the "
                        "file itself there.",
                    ).format(entry=entry.name, folder=folder.name)
                )
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle.
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” cannot be read ({reason}). Choose another folder.",
            ).format(folder=folder.name, reason=error)
        ) from error
    require_small_files(folder)
    for name in _SETTINGS:
        if (folder / name).is_file():
            settings = read_settings(folder / name)
            require_no_code(folder, settings)
            if "processor" in name:
                _require_short_lists(folder, name, settings)
    if any(entry.suffix == ".py" for entry in entries) or (folder / "custom_generate").exists():
        raise _code(folder)


def _require_short_lists(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Refuses what is looked through for each image, and has some 100 entries."""
    left: list[Any] = [settings]
    while left:
        this = left.pop()
        if isinstance(this, Mapping):
            left += this.values()
        elif isinstance(this, list):
            if len(this) > _LONGEST_LIST:
                raise CheckpointError(
                    translatable(
                        "core",
                        "“{name}” in “{folder}” has a list of {count} entries, far too long for a "
                        "model. Download it again.",
                    ).format(name=name, folder=folder.name, count=f"{len(this):,}")
                )
            left += this


def require_no_code(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raises CheckpointError for settings that ask transformers to run the folder's code."""
    if not _ASKS_FOR_CODE.isdisjoint(_names(settings)):
        raise _code(folder)


def _code(folder: Path) -> CheckpointError:
    return CheckpointError(
        translatable(
            "core",
            "“{folder}” contains program code, which Onlooker never runs. Choose a "
            "model that transformers runs by itself.",
        ).format(folder=folder.name)
    )


def require_possible(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises CheckpointError for numbers in a config.json that no model can have."""
    for count, (name, value) in enumerate(_numbers(folder, config)):
        if count >= _MOST_NUMBERS:
            raise _impossible(
                folder,
                translatable("core", "more than {count} numbers").format(
                    count=f"{_MOST_NUMBERS:,}"
                ),
            )
        most = next((most for pattern, most in _BOUNDS if pattern.search(name)), 1 << 62)
        least = 0 if most < 1 << 62 else -(1 << 62)
        # Comparisons with NaN are false. `math.isfinite` would fail for an int of 400 digits.
        if not (least <= value <= most) or value in (math.inf, -math.inf):
            raise _impossible(
                folder,
                translatable("core", "{name} is {value}").format(name=name, value=repr(value)),
            )


def _impossible(folder: Path, why: str) -> CheckpointError:
    return CheckpointError(
        translatable(
            "core",
            "config.json in “{folder}” is invalid ({reason}). Download it again.",
        ).format(folder=folder.name, reason=why)
    )


def require_layers_in(folder: Path, config: Mapping[str, Any], tensors: int) -> None:
    """Raises CheckpointError if config.json states more layers than the files have tensors.

    A million layers would take all memory before the first weight is read.
    """
    for name, value in _numbers(folder, config):
        if _BOUNDS[0][0].search(name) and value > tensors:
            raise CheckpointError(
                translatable(
                    "core",
                    "config.json in “{folder}” gives {name} as {value}, but the weights have "
                    "only {tensors} tensors. Download all files of the model again.",
                ).format(folder=folder.name, name=name, value=f"{value:g}", tensors=tensors)
            )


def _numbers(
    folder: Path, value: Any, name: str = "", nested: int = 0
) -> Iterator[tuple[str, Any]]:
    if nested > _MOST_NESTED:
        raise CheckpointError(
            translatable(
                "core",
                "config.json in “{folder}” is nested too deeply. Download it again.",
            ).format(folder=folder.name)
        )
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            yield from _numbers(folder, inside, str(key), nested + 1)
    elif isinstance(value, list):
        if len(value) > _LONGEST_LIST:
            raise _impossible(
                folder,
                translatable("core", "{count} entries under {name}").format(
                    count=f"{len(value):,}", name=name
                ),
            )
        for inside in value:
            yield from _numbers(folder, inside, name, nested + 1)


def _names(value: Any) -> Iterator[str]:
    """Yields all keys at any depth, without recursion, whose depth Python limits."""
    left = [value]
    while left:
        this = left.pop()
        if isinstance(this, Mapping):
            yield from this
            left += this.values()
        elif isinstance(this, list):
            left += this
