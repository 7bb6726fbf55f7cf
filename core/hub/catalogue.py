"""Models that can be had from the hub and are known to run here; a short list, in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from core.resources import RESOURCES


@dataclass(frozen=True)
class Offer:
    """`size` in bytes is about what is downloaded, the vision tower included: the parameters at
    the precision that the hub keeps them in. What it really is, the hub says when it is asked.
    `config` are the settings that memory depends on."""

    hub_id: str
    name: str
    licence: str
    is_gated: bool
    size: int
    parameters: int
    config: Mapping[str, Any] = field(repr=False)
    tower: str = ""


@cache
def offers() -> tuple[Offer, ...]:
    """In the order in which they are shown."""
    text = (RESOURCES / "models.json").read_text(encoding="utf-8")
    return tuple(Offer(**entry) for entry in json.loads(text))


def offer_of(hub_id: str) -> Offer | None:
    """The entry with this name on the hub, or None."""
    return next((offer for offer in offers() if offer.hub_id == hub_id), None)
