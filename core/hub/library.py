"""The list of models that are here or at the hub, and whether they fit in memory."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.device.memory import PRECISIONS, cards, free_memory, memory_need
from core.errors import CheckpointError
from core.hub.catalogue import offer_of, offers
from core.hub.client import HubModel
from core.hub.local_models import LocalModel
from core.message import translatable
from core.model_reference import ServerModel, server_model, short_name
from core.transcript import Precision


@dataclass(frozen=True)
class Entry:
    """A model in the list, whether it is here or not. `key` is its hub id, its folder, built-in, or
    the reference of a model on servers.

    `size` is roughly the bytes on the disk, 0 if only the hub knows; `needs` as `memory_needs`.
    """

    key: str
    name: str
    size: int
    hub_id: str = ""
    licence: str = ""
    is_gated: bool = False
    local: LocalModel | None = None
    needs: Mapping[Precision, int] = field(default_factory=dict[Precision, int], compare=False)

    @property
    def servers(self) -> ServerModel | None:
        """The servers that the model is on, None if it is not on servers."""
        return server_model(self.key)

    @staticmethod
    def on_servers(reference: str) -> Entry:
        """Returns the entry of a model on servers (`core.model_reference.ServerModel`)."""
        return Entry(reference, short_name(reference), 0)


def list_entries(
    models: Iterable[LocalModel], device: str, found: Iterable[HubModel] = ()
) -> list[Entry]:
    """The models that are here, then the offers that are not, then what was `found` at the hub.

    `device` is cpu or cuda:N.
    """
    models = list(models)
    here = {model.hub_id for model in models}
    entries = [_entry_of_local(model, device) for model in models]
    for offer in offers():
        if offer.hub_id not in here:
            needs = memory_needs(offer.config, device, parameters=offer.parameters)
            entries.append(
                Entry(
                    offer.hub_id,
                    offer.name,
                    offer.size,
                    offer.hub_id,
                    offer.licence,
                    offer.is_gated,
                    needs=needs,
                )
            )
    listed = {entry.hub_id for entry in entries}
    entries += [_entry_of_found(one, device) for one in found if one.hub_id not in listed]
    return entries


def _entry_of_found(found: HubModel, device: str) -> Entry:
    return Entry(
        found.hub_id,
        short_name(found.hub_id),
        found.size,
        found.hub_id,
        found.licence,
        found.is_gated,
        needs=memory_needs(found.config, device, parameters=found.parameters),
    )


def _entry_of_local(model: LocalModel, device: str) -> Entry:
    offer = offer_of(model.hub_id)
    name = offer.name if offer else model.name
    return Entry(
        model.model,
        name,
        model.total,
        model.hub_id,
        model.licence,
        bool(offer and offer.is_gated),
        model,
        memory_needs(model.config, device, model.tower),
    )


def memory_needs(
    config: Mapping[str, Any],
    device: str,
    tower: Mapping[str, Any] | None = None,
    parameters: int | None = None,
) -> dict[Precision, int]:
    """Bytes of memory in each of 16, 8 and 4 bits; {} where the settings do not tell."""
    if not config:
        return {}
    try:
        return {
            precision: memory_need(
                config, precision, device=device, tower=tower, parameters=parameters
            ).total
            for precision in PRECISIONS
        }
    except CheckpointError:
        return {}


def helpful_precisions(needs: Mapping[Precision, int]) -> tuple[Precision, ...]:
    """Returns those of `needs`, from the highest on, that need less memory than all before them.

    Quantized weights come with scales, and with room to dequantize them in: in a small model that
    is more than they save.
    """
    helpful: list[Precision] = []
    for precision, need in needs.items():
        if not helpful or need < needs[helpful[-1]]:
            helpful.append(precision)
    return tuple(helpful)


@dataclass(frozen=True)
class DeviceMemory:
    """Where a model would compute: cpu or cuda:N, what people call it, and the bytes free there,
    None if that is unknown."""

    device: str
    name: str
    free: int | None

    def best_precision(self, needs: Mapping[Precision, int]) -> Precision | None:
        """The highest precision that fits; None if none does."""
        if self.free is None:
            return next(iter(needs), None)
        return next((precision for precision, need in needs.items() if need <= self.free), None)


def device_memory(device: str = "auto", taken: int = 0) -> DeviceMemory:
    """The memory of auto, cpu, cuda or cuda:N; `taken` bytes of it will be freed before.

    Takes seconds the first time if there is a GPU, since it imports torch.
    """
    if device != "cpu" and _may_have_card():
        index = int(device.partition(":")[2] or 0)
        for card in cards():
            if card.index == index:
                return DeviceMemory(f"cuda:{index}", card.name, card.free + taken)
    free = free_memory("cpu")
    return DeviceMemory(
        "cpu", translatable("core", "this computer"), None if free is None else free + taken
    )


def _may_have_card() -> bool:
    """Whether torch is worth importing, which takes seconds."""
    return (
        "torch" in sys.modules
        or Path("/proc/driver/nvidia/version").exists()
        or shutil.which("nvidia-smi") is not None
    )
