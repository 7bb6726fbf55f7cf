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

from core.errors import CheckpointError

_MOST_SETTINGS_BYTES = 64 << 20
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
_ASKS_FOR_CODE = {"auto_map", "custom_pipelines", "custom_generate"}


def read_settings(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file. Raises CheckpointError if the file holds anything else."""
    try:
        if not path.is_file():
            raise OSError("no file, or one that never ends")
        if path.stat().st_size > _MOST_SETTINGS_BYTES:
            raise CheckpointError(
                f"“{path.name}” is far too large for settings. Download it again."
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"“{path.name}” cannot be read. Download it again.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"“{path.name}” does not hold settings. Download it again.")
    return content


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
                    f"“{entry.name}” in “{folder.name}” is a link to a file elsewhere, which "
                    "Onlooker does not follow. Put the file itself into the folder."
                )
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle.
        raise CheckpointError(
            f"“{folder.name}” cannot be looked into ({error}). Choose another folder."
        ) from error
    for name in _SETTINGS:
        if (folder / name).is_file():
            require_no_code(folder, read_settings(folder / name))
    if any(entry.suffix == ".py" for entry in entries) or (folder / "custom_generate").exists():
        raise _code(folder)


def require_no_code(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raises CheckpointError for settings that ask transformers to run the folder's code."""
    if not _ASKS_FOR_CODE.isdisjoint(_names(settings)):
        raise _code(folder)


def _code(folder: Path) -> CheckpointError:
    return CheckpointError(
        f"“{folder.name}” brings program code of its own, which Onlooker never runs. Choose a "
        "model that transformers runs by itself."
    )


def require_possible(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises CheckpointError for numbers in a config.json that no model can have."""
    for name, value in _numbers(folder, config):
        most = next((most for pattern, most in _BOUNDS if pattern.search(name)), 1 << 62)
        least = 0 if most < 1 << 62 else -(1 << 62)
        if not (math.isfinite(value) and least <= value <= most):
            raise CheckpointError(
                f"config.json in “{folder.name}” gives {name} as {value!r}, which cannot be. "
                "Download it again."
            )


def require_layers_in(folder: Path, config: Mapping[str, Any], tensors: int) -> None:
    """Raises CheckpointError if config.json states more layers than the files have tensors.

    A million layers would take all memory before the first weight is read.
    """
    for name, value in _numbers(folder, config):
        if _BOUNDS[0][0].search(name) and value > tensors:
            raise CheckpointError(
                f"config.json in “{folder.name}” gives {name} as {value:g}, and the weights have "
                f"{tensors} tensors in all. Download the model's files again, all together."
            )


def _numbers(
    folder: Path, value: Any, name: str = "", nested: int = 0
) -> Iterator[tuple[str, Any]]:
    if nested > _MOST_NESTED:
        raise CheckpointError(
            f"config.json in “{folder.name}” is nested too deeply. Download it again."
        )
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            yield from _numbers(folder, inside, str(key), nested + 1)
    elif isinstance(value, list):
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
