"""A model too large for one device is distributed over all GPUs and host memory.

accelerate copies what is in host memory to the GPU while it is computed with, so each token reads
that part over the bus. Such models answer through `generate()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from core.device.memory import Card, MemoryNeed
from core.message import translatable

MaxMemory = dict[int | str, int]
"""Bytes that weights may take, by the index of the GPU, and "cpu"."""


def max_memory(
    need: MemoryNeed, main: int, cards: Sequence[Card], host: int | None
) -> MaxMemory | None:
    """How many bytes of the weights may go to each device; None if they do not fit even so.

    Memory for the cache and the activations stays free on each GPU: all of it on `main`, which
    takes the inputs. `host` is the free host memory, which also holds all weights while they are
    read.
    """
    working = need.cache + need.activations + need.overhead
    limits: MaxMemory = {}
    for card in sorted(cards, key=lambda card: card.index != main):
        kept_free = working if card.index == main else working - need.cache // 2
        if card.free > kept_free:
            limits[card.index] = card.free - kept_free
    limits["cpu"] = max(0, (host or 0) - need.overhead)
    fits = sum(limits.values()) >= need.weights and limits["cpu"] >= need.weights
    return limits if main in limits and fits else None


def dispatch(model: Any, limits: MaxMemory, main: int) -> str:
    """Distributes `model`, whose weights are in host memory; returns a sentence that says where."""
    from accelerate import dispatch_model

    devices = device_map(model, limits)
    dispatch_model(model, devices, main_device=torch.device("cuda", main))
    return description(devices)


def device_map(model: Any, limits: MaxMemory) -> dict[str, Any]:
    """The device of each module by its name: a GPU's index, or "cpu".

    The first device in `limits` takes the modules that the inputs meet first.
    """
    from accelerate import infer_auto_device_map

    # accelerate fills GPUs in the order of their indices, so they are renumbered.
    cards = [card for card in limits if card != "cpu"]
    renumbered: dict[int | str, int | str] = {n: limits[card] for n, card in enumerate(cards)}
    renumbered["cpu"] = limits["cpu"]
    # The vision tower, the projector and the embedding are the first modules of a model.
    devices = infer_auto_device_map(
        model,
        max_memory=renumbered,
        no_split_module_classes=unsplit_modules(model),
        dtype=model.dtype,
    )
    return {
        name: cards[device] if isinstance(device, int) else str(device)
        for name, device in devices.items()
    }


def unsplit_modules(model: Any) -> list[str]:
    """Names of the module classes that must stay on one device, by transformers' private list.

    Without the list accelerate may split a layer with a residual connection, and fails or is slow.
    """
    return list(getattr(model, "_no_split_modules", None) or ())


def description(devices: dict[str, Any]) -> str:
    """A sentence for the person about where a distributed model is."""
    cards = sorted({device for device in devices.values() if isinstance(device, int)})
    is_slow = any(device == "cpu" for device in devices.values())
    if len(cards) > 1:
        text = translatable("core", "The model is split across {count} graphics cards.")
        if is_slow:
            text = translatable(
                "core",
                "The model is split across {count} graphics cards and the computer's memory, "
                "so its answers are slow.",
            )
        return text.format(count=len(cards))
    if is_slow:
        return translatable(
            "core",
            "The model is split across the graphics card and the computer's memory, so "
            "its answers are slow.",
        )
    return translatable("core", "The model is on the graphics card.")
