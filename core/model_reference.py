"""What a `ModelChoice.model` refers to: the built-in model, a folder, or an id at the hub."""

from __future__ import annotations

import os
import re
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
    if model == BUILT_IN:
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
    return (
        translatable("core", "Built-in model") if model == BUILT_IN else Path(model).name or model
    )
