"""Merges a LoRA of the original LLaVA into the weights of its base model: W + scale · B · A.

The folder of a LoRA holds the matrices A and B of each adapted weight, and in full whatever was
trained without LoRA, such as the projector (`non_lora_trainables.bin`).

The plain kind is merged here; all published LoRAs of LLaVA are of this kind. Variants such as DoRA
are merged by peft, an optional dependency. Packages do not include it: it takes seconds to import,
and imports models of transformers that the packages leave out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.checkpoint.safety import read_settings
from core.checkpoint.weights import from_original, from_transformers, open_shard, reading
from core.errors import CheckpointError
from core.message import translatable

TRAINED_WHOLE = "non_lora_trainables.bin"
_FILES = ("adapter_model.safetensors", "adapter_model.bin")
_DOWN, _UP, _MAGNITUDE = ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"
_PARTS = (_DOWN, _UP, _MAGNITUDE)
# Variants of LoRA that peft merges.
_FOR_PEFT = ("use_dora", "rank_pattern", "alpha_pattern")
# Each adds other tensors or layers. No LoRA of LLaVA is known to use one.
_OTHER_KINDS = (
    *("modules_to_save", "layer_replication", "use_qalora", "trainable_token_indices"),
    *("lora_bias", "target_parameters", "alora_invocation_tokens", "megatron_config"),
)
# These initialisations subtract from the base weights, and the folder does not say how much.
_CHANGES_BASE = re.compile("pissa|olora|corda|loftq|lora_ga", re.IGNORECASE)
_LARGEST_RANK = 65_536


def from_trained_whole(name: str) -> str | None:
    """Returns the model's name for a tensor of `TRAINED_WHOLE`, None if it has no such tensor."""
    return from_original(_without_wrapper(name))


def _without_wrapper(name: str) -> str:
    name = name.removeprefix("base_model.")
    return name.removeprefix("model.") if name.startswith("model.model.") else name


@dataclass(frozen=True)
class _Change:
    """A and B of one weight: float (rank, in) and (out, rank). DoRA adds a magnitude (out,)."""

    down: Tensor
    up: Tensor
    magnitude: Tensor | None = None


@torch.no_grad()
def merge(model: nn.Module, folder: Path) -> None:
    """Adds the LoRA in `folder` to the weights of `model`, which are loaded and unquantised.

    Raises CheckpointError for an adapter of an unknown kind or for another model.
    """
    settings = _settings(folder)
    changes = _changes(folder)
    own = {from_transformers(name): weight for name, weight in model.named_parameters()}
    weights: dict[str, Tensor] = {}
    for name, change in changes.items():
        weight = own.get(from_original(f"{name}.weight"))
        if weight is None or change.up.shape[1] != change.down.shape[0]:
            raise _damaged(folder)
        if (change.up.shape[0], change.down.shape[1]) != tuple(weight.shape):
            raise CheckpointError(
                translatable(
                    "core",
                    "The LoRA in “{folder}” does not fit the size of its base model. Put the "
                    "model that adapter_config.json names beside it.",
                ).format(folder=folder.name)
            )
        weights[name] = weight
    if kinds := [kind for kind in _FOR_PEFT if settings.get(kind)]:
        _merge_with_peft(folder, kinds[0], settings, weights, changes)
        return
    scale = settings["lora_alpha"] / (
        math.sqrt(settings["r"]) if settings.get("use_rslora") else settings["r"]
    )
    for name, weight in weights.items():
        change = changes[name]
        if change.magnitude is not None or len(change.down) != settings["r"]:
            raise _damaged(folder)
        product = change.up.to(weight.device).float() @ change.down.to(weight.device).float()
        weight.copy_(weight.float() + scale * product)


def _settings(folder: Path) -> dict[str, Any]:
    """Returns adapter_config.json, if the adapter can be merged here or by peft."""
    settings = read_settings(folder / "adapter_config.json")
    others = [name for name in _OTHER_KINDS if settings.get(name)]
    if settings.get("bias", "none") != "none":
        others.append("bias")
    if settings.get("peft_type", "LORA") != "LORA":
        others.append(str(settings["peft_type"]))
    if _CHANGES_BASE.match(begin := str(settings.get("init_lora_weights"))):
        others.append(begin)
    if others:
        raise CheckpointError(
            translatable(
                "core",
                "The adapter in “{folder}” uses {kind}, which Onlooker does not know. "
                "Merge it with its base model first.",
            ).format(folder=folder.name, kind=others[0])
        )
    if not (_is_rank(settings.get("r")) and _is_number(settings.get("lora_alpha"))):
        raise _damaged(folder)
    # peft compiles the keys as regular expressions, and the folder is not trusted.
    patterns = (
        (settings.get("rank_pattern"), _is_rank),
        (settings.get("alpha_pattern"), _is_number),
    )
    for pattern, is_right in patterns:
        if not all(
            re.fullmatch(r"\^?[\w.]+", key) and is_right(value)
            for key, value in _pairs(folder, pattern)
        ):
            raise _damaged(folder)
    return settings


def _pairs(folder: Path, pattern: Any) -> Iterator[tuple[str, Any]]:
    if pattern and not isinstance(pattern, Mapping):
        raise _damaged(folder)
    yield from (pattern or {}).items()


def _is_rank(value: Any) -> bool:
    return _is_number(value) and isinstance(value, int) and 1 <= value <= _LARGEST_RANK


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _merge_with_peft(
    folder: Path,
    kind: str,
    settings: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    changes: Mapping[str, _Change],
) -> None:
    """Merges with peft, one weight at a time, to keep the additional memory small."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise _needs_peft(folder, kind) from error
    config = LoraConfig(
        r=settings["r"],
        lora_alpha=settings["lora_alpha"],
        use_rslora=bool(settings.get("use_rslora")),
        use_dora=bool(settings.get("use_dora")),
        rank_pattern=dict(settings.get("rank_pattern") or {}),
        alpha_pattern=dict(settings.get("alpha_pattern") or {}),
        target_modules=list(weights),
        inference_mode=True,
    )
    tree = _Tree(weights)
    inject_adapter_in_model(config, tree, low_cpu_mem_usage=True)
    for name, weight in weights.items():
        layer: Any = tree.get_submodule(name)
        change = changes[name]
        parts = {"lora_A": change.down, "lora_B": change.up}
        if change.magnitude is not None:
            parts["lora_magnitude_vector"] = change.magnitude
        try:
            wanted = {key for key in layer.state_dict() if "lora_" in key}
            given = {
                f"{part}.default.weight": tensor.to(weight.device).float()
                for part, tensor in parts.items()
            }
            if wanted != set(given):
                raise _damaged(folder)
            layer.load_state_dict(given, strict=False, assign=True)
            layer.merge()
        except RuntimeError as error:
            raise _damaged(folder) from error
        # Some kinds replace the tensor, but the model's is a view into a buffer that others share.
        weight.copy_(layer.get_base_layer().weight)
        layer.delete_adapter("default")


def _needs_peft(folder: Path, kind: str) -> CheckpointError:
    return CheckpointError(
        translatable(
            "core",
            "The adapter in “{folder}” uses {kind}, which needs peft. Install "
            "onlooker[lora], or merge the adapter with its base model first.",
        ).format(folder=folder.name, kind=kind)
    )


class _Tree(nn.Module):
    """A module tree with nothing but a linear layer for each weight, under the weight's name."""

    def __init__(self, weights: Mapping[str, Tensor]):
        super().__init__()
        for name, weight in weights.items():
            module: nn.Module = self
            *parents, last = name.split(".")
            for parent in parents:
                if parent not in dict(module.named_children()):
                    module.add_module(parent, nn.Module())
                module = module.get_submodule(parent)
            with torch.device("meta"):
                linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            # A parameter of its own, over the same memory.
            linear.weight = nn.Parameter(weight.data, requires_grad=False)
            module.add_module(last, linear)


def _changes(folder: Path) -> dict[str, _Change]:
    """Returns the changes by module name, as the original layout names it."""
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if path is None:
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” lacks adapter_model.safetensors or adapter_model.bin. Download "
                "it again.",
            ).format(folder=folder.name)
        )
    shard = open_shard(path)
    found: dict[str, dict[str, Any]] = {}
    for name in shard.names():
        plain = name.removesuffix(".weight") if f"{_MAGNITUDE}." in name else name
        part = next((part for part in _PARTS if plain.endswith(part)), None)
        if part is None:
            raise _damaged(folder)
        with reading(path):
            tensor = shard.tensor(name)
        if tensor.dim() != (1 if part == _MAGNITUDE else 2) or not tensor.is_floating_point():
            raise _damaged(folder)
        found.setdefault(_without_wrapper(plain).removesuffix(part), {})[part] = tensor
    if any(_DOWN not in parts or _UP not in parts for parts in found.values()):
        raise _damaged(folder)
    return {
        name: _Change(parts[_DOWN], parts[_UP], parts.get(_MAGNITUDE))
        for name, parts in found.items()
    }


def _damaged(folder: Path) -> CheckpointError:
    return CheckpointError(
        translatable(
            "core",
            "The adapter in “{folder}” is damaged, or not for LLaVA. Download it again.",
        ).format(folder=folder.name)
    )
