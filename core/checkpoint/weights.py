"""Finds each tensor of a model in a checkpoint's files, by names and shapes.

Only headers are read, and they are checked before any memory is allocated.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from core.checkpoint.folder import WEIGHT_FILES
from core.checkpoint.pickles import require_plain_pickle
from core.checkpoint.safety import files_in_index
from core.errors import CheckpointError
from core.files import open_regular
from core.message import translatable

# Maps a tensor's published name to the model's own; None if the tensor is not needed.
Rename = Callable[[str], str | None]


@dataclass(frozen=True)
class Source:
    """A folder of weights, and how its names map to ours; `file` is the one to read, "" for all."""

    folder: Path
    rename: Rename
    file: str = ""

    def files(self) -> dict[Path, list[str] | None]:
        """As `weight_files`."""
        path = self.folder / self.file
        return {path: None} if self.file else weight_files(self.folder)


# ---- names -------------------------------------------------------------------------------------
# Our names are those of transformers, without the prefixes that differ between its versions.


def from_transformers(name: str) -> str | None:
    """`LlavaForConditionalGeneration`, as transformers 4.36 and later have named it."""
    if _is_computed(name):
        return None
    name = name.removeprefix("model.")
    for ours, theirs in (
        ("lm_head.", "language_model.lm_head."),
        ("language_model.", "language_model.model."),
        ("vision_tower.", "vision_tower.vision_model."),
    ):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def from_original(name: str) -> str | None:
    """`LlavaLlamaForCausalLM`, whose vision tower is in a folder of its own."""
    if _is_computed(name) or name.startswith("model.vision_tower."):
        return None
    for ours, theirs in (
        ("multi_modal_projector.linear_1.", "model.mm_projector.0."),
        ("multi_modal_projector.linear_2.", "model.mm_projector.2."),
        ("language_model.", "model."),
    ):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


_OWN_TOWER = "model.vision_tower.vision_tower."


def from_original_with_tower(name: str) -> str | None:
    """The same, trained with `unfreeze_mm_vision_tower`: its own vision tower is used."""
    is_tower = name.startswith(_OWN_TOWER)
    return from_clip(name.removeprefix(_OWN_TOWER)) if is_tower else from_original(name)


_CLIP_TEXT = ("text_model.", "text_projection.", "visual_projection.", "logit_scale")


def from_clip(name: str) -> str | None:
    """A folder of CLIP: its vision tower, without the text tower."""
    if _is_computed(name) or name.startswith(_CLIP_TEXT):
        return None
    return f"vision_tower.{name.removeprefix('vision_model.')}"


def _is_computed(name: str) -> bool:
    return name.endswith((".rotary_emb.inv_freq", ".position_ids"))


# ---- files -------------------------------------------------------------------------------------


class _Shard(Protocol):
    def names(self) -> Iterable[str]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def tensor(self, name: str) -> torch.Tensor: ...


_LONGEST_HEADER = 32_000_000
_MOST_SHARED = 8


def _require_short_header(path: Path) -> None:
    """Raises ValueError for a header of more than some 300,000 tensors, all of which are parsed."""
    with open_regular(path, most=sys.maxsize) as file:
        (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST_HEADER:
        raise ValueError(f"{path} has a header of {length:,} bytes")


class _SafetensorsShard:
    def __init__(self, path: Path):
        _require_short_header(path)
        self._file = safe_open(path, framework="pt", device="cpu")

    def names(self) -> Iterable[str]:
        return self._file.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._file.get_slice(name).get_shape())

    def tensor(self, name: str) -> torch.Tensor:
        return self._file.get_tensor(name)


class _PickledShard:
    """A `.bin` of torch: memory-mapped, not read, and never unpickled with code in it."""

    def __init__(self, path: Path):
        require_plain_pickle(path)
        self._tensors = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        if not all(isinstance(tensor, torch.Tensor) for tensor in self._tensors.values()):
            raise ValueError(f"{path} holds other things than tensors")
        if any(
            tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized
            for tensor in self._tensors.values()
        ):
            raise ValueError(f"{path} holds tensors of another kind than weights")
        stored = [
            (tensor.untyped_storage().nbytes(), tensor.numel() * tensor.itemsize)
            for tensor in self._tensors.values()
        ]
        # Strides of 0 make a tensor of any size from one number; so does sharing, but a few
        # tensors are shared by right.
        if any(held < claimed for held, claimed in stored) or (
            sum(claimed for _, claimed in stored) > _MOST_SHARED * path.stat().st_size
        ):
            raise ValueError(f"{path} claims more than it holds")

    def names(self) -> Iterable[str]:
        return self._tensors.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._tensors[name].shape)

    def tensor(self, name: str) -> torch.Tensor:
        return self._tensors[name]


def open_shard(path: Path) -> _Shard:
    """Opens a file of weights, safetensors or pickled. Raises CheckpointError if it is damaged."""
    with reading(path):
        return _SafetensorsShard(path) if path.suffix == ".safetensors" else _PickledShard(path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what libraries raise for a damaged file into a CheckpointError that names it."""
    try:
        yield
    except (
        SafetensorError,
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        AttributeError,
        LookupError,
        EOFError,
        OSError,
        struct.error,
    ) as error:
        raise CheckpointError(
            translatable(
                "core",
                "“{name}” is damaged or incomplete. Download it again.",
            ).format(name=path.name)
        ) from error


def weight_files(folder: Path) -> dict[Path, list[str] | None]:
    """The folder's weight files, and the names of the tensors to read from each; None for all.

    Only files that the index names are read: the folders also hold `mm_projector.bin`, from the
    first stage of training.
    """
    for name in WEIGHT_FILES:
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _indexed(index)
        if (folder / name).is_file():
            return {folder / name: None}
    raise CheckpointError(
        translatable(
            "core",
            "“{folder}” has no weights. Choose the folder with model.safetensors or "
            "pytorch_model.bin, or their parts and index.",
        ).format(folder=folder.name)
    )


def count_tensors(folder: Path) -> int:
    """The number of tensors in the folder's weight files, from their headers or their index."""
    return sum(
        sum(1 for _ in open_shard(path).names()) if names is None else len(names)
        for path, names in weight_files(folder).items()
    )


def _indexed(index: Path) -> dict[Path, list[str] | None]:
    wanted: dict[Path, list[str] | None] = {
        index.parent / name: tensors for name, tensors in files_in_index(index).items()
    }
    # Unlike `Path.is_file`, False for names that are too long for the file system.
    missing = [path.name for path in wanted if not os.path.isfile(path)]  # noqa: PTH113
    if missing:
        raise CheckpointError(
            translatable(
                "core",
                "{count} of {total} weight files are missing ({names}). Download them into "
                "the model's folder.",
            ).format(count=len(missing), total=len(wanted), names=_listed(missing))
        )
    return wanted


# ---- the model's tensors in the files ----------------------------------------------------------


@dataclass(frozen=True)
class TensorLocation:
    """A tensor of the model in a checkpoint: the file, and its name there."""

    path: Path
    name: str


def find_weights(model: nn.Module, sources: Iterable[Source]) -> dict[str, TensorLocation]:
    """Returns the location of each tensor of `model`, by its name; a later source has precedence.

    Reads headers only. Raises CheckpointError if a tensor is missing, unexpected or has another
    shape; the embedding and the head may have more rows than the model.
    """
    own = {from_transformers(name): (name, tensor) for name, tensor in model.state_dict().items()}
    locations: dict[str, TensorLocation] = {}
    for source in sources:
        for path, listed in source.files().items():
            shard = open_shard(path)
            present = set(shard.names())
            for name in present if listed is None else listed:
                if (plain := source.rename(name)) is None:
                    continue
                if name not in present:
                    raise CheckpointError(
                        translatable(
                            "core",
                            "“{name}” lacks {tensor}, which its index lists. Download both again.",
                        ).format(name=path.name, tensor=name)
                    )
                if plain not in own:
                    raise CheckpointError(
                        translatable(
                            "core",
                            "“{name}” holds {tensor}, which LLaVA-1.5 does not have. Choose a "
                            "LLaVA-1.5 model.",
                        ).format(name=path.name, tensor=name)
                    )
                _require_shape(plain, shard.shape(name), tuple(own[plain][1].shape), path)
                locations[own[plain][0]] = TensorLocation(path, name)
    if "lm_head.weight" not in locations and _is_tied(model):
        embedding = own["language_model.embed_tokens.weight"][0]
        if embedding in locations:
            locations["lm_head.weight"] = locations[embedding]
    missing = [name for name, _ in own.values() if name not in locations]
    if missing:
        raise CheckpointError(
            translatable(
                "core",
                "The weights lack {count} of {total} tensors ({names}). Download the model again.",
            ).format(count=len(missing), total=len(own), names=_listed(missing))
        )
    return locations


def _is_tied(model: nn.Module) -> bool:
    return bool(getattr(getattr(model, "config", None), "tie_word_embeddings", False))


_VOCABULARY = ("language_model.embed_tokens.weight", "lm_head.weight")


def _require_shape(name: str, shape: tuple[int, ...], wanted: tuple[int, ...], path: Path) -> None:
    has_more_rows = name in _VOCABULARY and shape[1:] == wanted[1:] and shape[0] > wanted[0]
    if shape != wanted and not has_more_rows:
        raise CheckpointError(
            translatable(
                "core",
                "In “{name}”, {tensor} has the shape {shape}, but config.json and "
                "tokenizer need {needed}. Download all files of the model again.",
            ).format(name=path.name, tensor=name, shape=_shape(shape), needed=_shape(wanted))
        )


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or translatable("core", "a single number")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
