"""What is the name of a model at the Hugging Face hub."""

from __future__ import annotations

import re

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def is_hub_id(text: str) -> bool:
    """Whether `text` is “owner/name”, as the hub calls its models."""
    return bool(_HUB_ID.fullmatch(text)) and ".." not in text and "--" not in text


def hub_id_in(text: str) -> str:
    """The hub id that a person wrote, perhaps as the address of its page; "" if it is none."""
    scheme, found, path = text.strip().partition("://")
    parts = path.split("/")[1:3] if found and scheme in ("http", "https") else [text.strip()]
    hub_id = "/".join(parts).partition("?")[0]
    return hub_id if is_hub_id(hub_id) else ""
