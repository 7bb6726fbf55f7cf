"""A LoRA of the original LLaVA goes into its base model's weights: W + scale · B · A.

Such a folder holds the two thin matrices of each changed one, and whole what was trained beside
them, the projector above all (`non_lora_trainables.bin`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.errors import CheckpointError
from core.model_safety import read_settings
from core.weights import from_original, from_transformers, open_shard, reading

TRAINED_WHOLE = "non_lora_trainables.bin"
_FILES = ("adapter_model.safetensors", "adapter_model.bin")
_PARTS = (".lora_A.weight", ".lora_B.weight")
# Each changes what the thin matrices mean, and none was used for LLaVA.
_OTHER_KINDS = (
    *("use_dora", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "modules_to_save"),
    *("layer_replication", "use_qalora", "trainable_token_indices"),
)


def from_trained_whole(name: str) -> str | None:
    """What a tensor of `TRAINED_WHOLE` is called in the model."""
    return from_original(_without_wrapper(name))


def _without_wrapper(name: str) -> str:
    name = name.removeprefix("base_model.")
    return name.removeprefix("model.") if name.startswith("model.model.") else name


@dataclass(frozen=True)
class _Change:
    """The two matrices of one of the model's: float (rank, in) and (out, rank)."""

    down: torch.Tensor
    up: torch.Tensor


@torch.no_grad()
def merge(model: nn.Module, folder: Path) -> None:
    """Add the LoRA in `folder` to `model`, whose weights are there, in 16 bits or more.

    Raises CheckpointError for one that is of another kind, or for another model.
    """
    scale = _scale(folder)
    own = {from_transformers(name): weight for name, weight in model.named_parameters()}
    for name, change in _changes(folder).items():
        weight = own.get(from_original(name))
        if weight is None or change.up.shape[1] != change.down.shape[0]:
            raise _damaged(folder)
        if (change.up.shape[0], change.down.shape[1]) != tuple(weight.shape):
            raise CheckpointError(
                f"The LoRA in “{folder.name}” is for another size of model than its base has. "
                "Put the base that adapter_config.json names beside it."
            )
        product = change.up.to(weight.device).float() @ change.down.to(weight.device).float()
        weight.copy_(weight.float() + scale * product)


def _scale(folder: Path) -> float:
    settings = read_settings(folder / "adapter_config.json")
    rank, alpha = settings.get("r"), settings.get("lora_alpha")
    others = [name for name in _OTHER_KINDS if settings.get(name)]
    if settings.get("bias", "none") != "none":
        others.append("bias")
    if settings.get("peft_type", "LORA") != "LORA":
        others.append(str(settings["peft_type"]))
    if others:
        raise CheckpointError(
            f"The adapter in “{folder.name}” uses {others[0]}, which Onlooker does not know. Merge "
            "it with its base model first."
        )
    if not (isinstance(rank, int) and isinstance(alpha, int | float) and 1 <= rank <= 65_536):
        raise _damaged(folder)
    return alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)


def _changes(folder: Path) -> dict[str, _Change]:
    """By the name of the matrix that changes, as the original layout calls it."""
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if path is None:
        raise CheckpointError(
            f"“{folder.name}” lacks adapter_model.safetensors or adapter_model.bin. Download it "
            "again."
        )
    shard = open_shard(path)
    found: dict[str, dict[str, Any]] = {}
    for name in shard.names():
        part = next((part for part in _PARTS if name.endswith(part)), None)
        if part is None:
            raise _damaged(folder)
        with reading(path):
            tensor = shard.tensor(name)
        if tensor.dim() != 2 or not tensor.is_floating_point():
            raise _damaged(folder)
        plain = _without_wrapper(name).removesuffix(part)
        found.setdefault(f"{plain}.weight", {})[part] = tensor
    if any(len(parts) != 2 for parts in found.values()):
        raise _damaged(folder)
    return {name: _Change(parts[_PARTS[0]], parts[_PARTS[1]]) for name, parts in found.items()}


def _damaged(folder: Path) -> CheckpointError:
    return CheckpointError(
        f"The adapter in “{folder.name}” is damaged or not one of LLaVA's. Download it again."
    )
