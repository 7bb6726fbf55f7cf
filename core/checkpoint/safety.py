"""What a model's folder must not do: bring code, lead elsewhere, or describe what cannot be.

A folder comes from anybody. Whatever is in it, it is read as data, and what it says of sizes is
believed only within bounds.
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
# By the end of their names, what sizes count, and how large they may be. The largest language
# models have some 130 layers, 20,000 in width and 260,000 pieces.
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
    """The settings in a JSON file. Raises CheckpointError when it holds anything else."""
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
    """Raises CheckpointError for a folder with links out of it, or with code of its own.

    The hub's cache is made of links, from a snapshot into the blobs beside it, and from these,
    since huggingface_hub 2.4, into the blobs that all of its models share; these are followed.
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
    except (OSError, RuntimeError) as error:  # Links in a circle.
        raise CheckpointError(
            f"“{folder.name}” cannot be looked into ({error}). Choose another folder."
        ) from error
    for name in _SETTINGS:
        if (folder / name).is_file():
            require_no_code(folder, read_settings(folder / name))
    if any(entry.suffix == ".py" for entry in entries) or (folder / "custom_generate").exists():
        raise _code(folder)


def require_no_code(folder: Path, settings: Mapping[str, Any]) -> None:
    """Raises CheckpointError when settings ask for program code."""
    if not _ASKS_FOR_CODE.isdisjoint(_names(settings)):
        raise _code(folder)


def _code(folder: Path) -> CheckpointError:
    return CheckpointError(
        f"“{folder.name}” brings program code of its own, which Onlooker never runs. Choose a "
        "model that transformers runs by itself."
    )


def require_possible(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises CheckpointError for sizes and numbers in a config.json that no model has."""
    for name, value in _numbers(folder, config):
        most = next((most for pattern, most in _BOUNDS if pattern.search(name)), 1 << 62)
        least = 0 if most < 1 << 62 else -(1 << 62)
        if not (math.isfinite(value) and least <= value <= most):
            raise CheckpointError(
                f"config.json in “{folder.name}” gives {name} as {value!r}, which cannot be. "
                "Download it again."
            )


def require_layers_in(folder: Path, config: Mapping[str, Any], tensors: int) -> None:
    """Raises CheckpointError when a model has more layers than there are tensors in its files.

    So a model is not even built on paper that its files cannot fill.
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
    """All names in settings, however deep; without recursion, which has an end in Python."""
    left = [value]
    while left:
        this = left.pop()
        if isinstance(this, Mapping):
            yield from this
            left += this.values()
        elif isinstance(this, list):
            left += this
