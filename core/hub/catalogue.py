"""A short list of models on the hub that are known to run, read from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from core.resources import RESOURCES


@dataclass(frozen=True)
class Offer:
    """A model of the list.

    `size` approximates the download in bytes, including the vision tower; `look_up` asks the hub
    for the exact one. `config` has the settings that determine how much memory the model needs.
    `tower` is the hub id of a vision tower that is downloaded too.
    """

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
    """Returns the models of the list, in the order in which they are shown."""
    text = (RESOURCES / "models.json").read_text(encoding="utf-8")
    return tuple(Offer(**entry) for entry in json.loads(text))


def offer_of(hub_id: str) -> Offer | None:
    """Returns the entry of this hub id, or None."""
    return next((offer for offer in offers() if offer.hub_id == hub_id), None)
