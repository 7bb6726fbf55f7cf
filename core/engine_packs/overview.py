"""Everything about engines at a glance, for the window and the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.engine_packs.current import current_engine
from core.engine_packs.driver import Graphics, ask_graphics
from core.engine_packs.installed import InstalledPack, installed_packs
from core.engine_packs.offer import Offer, llava_needs, make_offer
from core.engine_packs.pins import EnginePins, PackPins


@dataclass(frozen=True)
class Overview:
    """What is used, what is on the disk, and what is suggested.

    `in_use` is the name of the engine of this process, "" where it runs from source, with the
    PyTorch of its environment; `note` says why a pack was left out. `available` are the packs that
    can be got for this system.
    """

    torch: str
    in_use: str
    note: str
    graphics: Graphics
    packs: tuple[InstalledPack, ...]
    available: tuple[PackPins, ...]
    offer: Offer


def overview(engines: Path, pins: EnginePins) -> Overview:
    """Looks at the disk and asks the drivers; blocks for some tenths of a second, imports no torch.

    Where a driver hangs, it takes ten seconds.
    """
    torch, current = torch_version() or pins.torch, current_engine()
    graphics = ask_graphics()
    packs = tuple(installed_packs(engines, torch))
    available = pins.here(torch)
    offer = make_offer(graphics, available, packs, llava_needs())
    in_use, note = (current.name, current.note) if current else ("", "")
    return Overview(torch, in_use, note, graphics, packs, available, offer)


def torch_version() -> str:
    """Returns the version of the PyTorch that this process uses, "" if there is none."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""
