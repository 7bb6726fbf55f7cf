"""What a `ModelChoice.model` refers to: the built-in model, a folder, an id at the hub, or a model
on servers.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.files import exists
from core.message import translatable
from core.transcript import BUILT_IN

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def folder_named(model: str) -> Path | None:
    """Returns the path that `model` is, with ~ expanded, or None for anything else.

    An absolute path need not exist. “owner/name” is a path only if it exists in the current folder;
    then it is not looked for at the hub.
    """
    if model == BUILT_IN or server_model(model):
        return None
    path = with_home(model)
    return path if path.is_absolute() or exists(path) else None


def with_home(text: str) -> Path:
    """Returns a path that a person typed, with ~ expanded where there is such a user."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (that of Path raises)


def is_hub_id(text: str) -> bool:
    """Whether `text` is “owner/name”, as the hub names its models."""
    return bool(_HUB_ID.fullmatch(text)) and ".." not in text and "--" not in text


def hub_id_in(text: str) -> str:
    """Returns the hub id that a person typed, perhaps as the address of its page, "" if none."""
    scheme, found, path = text.strip().partition("://")
    parts = path.split("/")[1:3] if found and scheme in ("http", "https") else [text.strip()]
    hub_id = "/".join(parts).partition("?")[0]
    return hub_id if is_hub_id(hub_id) else ""


def short_name(model: str) -> str:
    """Returns what a model is called on screen: the last part of its folder or hub id."""
    if model == BUILT_IN:
        return translatable("core", "Built-in model")
    named = server_model(model)
    name = named.name if named else model
    return Path(name).name or name


_ADDRESS = re.compile(r"https?://[^\s,]+(,[1-9]\d{0,2})?")
_MOST_SIDE = 16_384


@dataclass(frozen=True)
class ServerModel:
    """A model on one or several servers that all have it.

    `addresses` are like “http://localhost:8000”, each with the weight of its server. `name` is the
    model's id as the servers list it, "" for the only one of each server. Images are sent with at
    most `longest_side` pixels along the longer side, as JPEG, or as PNG if `sends_png`.
    """

    addresses: tuple[tuple[str, int], ...]
    name: str
    longest_side: int = 1024
    sends_png: bool = False

    @property
    def reference(self) -> str:
        """The text that stands for it in `ModelChoice.model`; `server_model` reads it."""
        usual = ServerModel(self.addresses, self.name)
        words = [
            address if weight == 1 else f"{address},{weight}" for address, weight in self.addresses
        ]
        if self.longest_side != usual.longest_side:
            words.append(f"side={self.longest_side}")
        if self.sends_png:
            words.append("png")
        return " ".join([*words, f"#{self.name}"])

    @property
    def hosts(self) -> str:
        """The servers as people name them: “gpubox:8000, localhost:8000”."""
        return ", ".join(host_of(address) for address, _ in self.addresses)


def host_of(address: str) -> str:
    """Returns host and port of a server's address, “gpubox:8000”."""
    return address.partition("://")[2].partition("/")[0]


def server_model(model: str) -> ServerModel | None:
    """Reads what `ServerModel.reference` returns; None for anything else."""
    head, found, name = model.partition(" #")
    words = head.split()
    if not found or not words or not all(map(_is_part, words)):
        return None
    addresses = [word for word in words if _ADDRESS.fullmatch(word)]
    sides = [int(word[5:]) for word in words if word.startswith("side=")]
    if not addresses:
        return None
    return ServerModel(
        tuple(weighted_address(address) for address in addresses),
        name,
        min(_MOST_SIDE, sides[-1]) if sides else 1024,
        "png" in words,
    )


def weighted_address(text: str) -> tuple[str, int]:
    """Splits “http://gpubox:8000,3” into the address and its weight, 1 if it has none."""
    address, comma, weight = text.rpartition(",")
    return (address, int(weight)) if comma and re.fullmatch(r"[1-9]\d{0,2}", weight) else (text, 1)


def _is_part(word: str) -> bool:
    return bool(_ADDRESS.fullmatch(word) or re.fullmatch(r"png|side=[1-9]\d{1,4}", word))
