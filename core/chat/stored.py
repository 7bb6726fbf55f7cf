"""The tensors in a model's files, which are not read before they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.checkpoint.weights import open_shard, reading, weight_files
from core.errors import CheckpointError
from core.message import translatable


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file; `read` is what reads it."""

    path: Path
    name: str
    shape: tuple[int, ...]
    shard: Any

    @property
    def count(self) -> int:
        """How many numbers the tensor has."""
        return torch.Size(self.shape).numel()

    def read(self) -> Tensor:
        """Reads the tensor from its file. Raises CheckpointError if that is damaged."""
        with reading(self.path):
            return self.shard.tensor(self.name)


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Returns the tensors of a model's folder by name, of which only the headers are read.

    Raises CheckpointError if the index of the files and the files disagree.
    """
    stored = {}
    for path, listed in weight_files(folder).items():
        shard = open_shard(path)
        present = set(shard.names())
        for name in sorted(present) if listed is None else listed:
            if name not in present:
                raise CheckpointError(
                    translatable(
                        "core",
                        "“{name}” lacks {tensor}, which its index lists. Download both again.",
                    ).format(name=path.name, tensor=name)
                )
            stored[name] = StoredTensor(path, name, shard.shape(name), shard)
    return stored
