"""A model that no one device holds lies on several: on all cards, the rest in host memory.

accelerate moves what lies in host memory to the card for as long as it is computed with, so an
answer reads that part over the bus for each token. Such models answer through `generate()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from core.device.memory import Card, MemoryNeed

Shares = dict[int | str, int]
"""Bytes that weights may take, by the number of the card, and "cpu"."""


def shares(need: MemoryNeed, main: int, cards: Sequence[Card], host: int | None) -> Shares | None:
    """How much of the weights may lie where; None when they do not fit even so.

    Beside its part each card keeps room for the cache and for what is computed, the `main` one,
    where pictures and words go in, for all of it. `host` is what is free of the host's memory,
    which also holds all the weights while they are read.
    """
    beside = need.cache + need.activations + need.overhead
    room: Shares = {}
    for card in sorted(cards, key=lambda card: card.index != main):
        kept = beside if card.index == main else beside - need.cache // 2
        if card.free > kept:
            room[card.index] = card.free - kept
    room["cpu"] = max(0, (host or 0) - need.overhead)
    fits = sum(room.values()) >= need.weights and room["cpu"] >= need.weights
    return room if main in room and fits else None


def spread(model: Any, room: Shares, main: int) -> str:
    """Put `model`, whose weights are in host memory, where `room` is; says in words where it is."""
    from accelerate import dispatch_model

    places = placed(model, room)
    dispatch_model(model, places, main_device=torch.device("cuda", main))
    return told(places)


def placed(model: Any, room: Shares) -> dict[str, Any]:
    """Where each part of `model` goes: what a picture and words meet first into the first room."""
    from accelerate import infer_auto_device_map

    # accelerate fills cards by their numbers; the main one is to be the first.
    cards = [card for card in room if card != "cpu"]
    memory: dict[int | str, int | str] = {n: room[card] for n, card in enumerate(cards)}
    memory["cpu"] = room["cpu"]
    # The vision tower, the projector and the table of words are the first parts of a model.
    places = infer_auto_device_map(
        model,
        max_memory=memory,
        no_split_module_classes=list(model._no_split_modules or ()),
        dtype=model.dtype,
    )
    return {
        name: cards[place] if isinstance(place, int) else str(place)
        for name, place in places.items()
    }


def told(places: dict[str, Any]) -> str:
    """A sentence for the person about a model that lies in several places."""
    cards = sorted({place for place in places.values() if isinstance(place, int)})
    where = [f"on {len(cards)} graphics cards" if len(cards) > 1 else "on the graphics card"]
    if any(place == "cpu" for place in places.values()):
        where.append("in the computer's own memory, which makes its answers slow")
    return f"The model lies {' and '.join(where)}."
