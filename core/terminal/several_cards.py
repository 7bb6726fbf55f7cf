"""A folder run of the terminal, or the server, on several graphics cards."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from core.device.card import card_count
from core.engine import Engine, EngineFacts
from core.engine_group.cards import devices_for, sources_on
from core.engine_group.group import EngineGroup
from core.errors import CheckpointError
from core.terminal.options import CaptionOptions
from core.terminal.output import say
from core.transcript import ModelChoice


def devices_of_run(options: CaptionOptions, images: int) -> tuple[str, ...]:
    """Returns the devices for a folder run over so many images; one if the captions are printed.

    Raises CheckpointError if a card that was asked for is not there.
    """
    run, device = options.folder_run, options.choice.device
    if run is None or images < 2:
        return (run.cards[0] if run and run.cards else device,)
    return devices_on(device, run.cards)[:images]


def devices_on(device: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Returns the devices that are `wanted`, () standing for all that `device` allows.

    Raises CheckpointError if a card that was asked for is not there.
    """
    may_be_several = wanted or device in ("auto", "cuda")
    cards = card_count() if may_be_several else 0
    devices = devices_for(device, wanted, cards)
    for name in devices:
        if name.startswith("cuda:") and int(name.removeprefix("cuda:")) >= cards:
            raise CheckpointError(
                f"There is no graphics card {name}. Use --cards all, or leave it out."
            )
    return devices


def open_several(devices: Sequence[str], choice: ModelChoice, stop: threading.Event) -> Engine:
    """Opens the model on each device, in processes of their own, and says so as each is open."""

    def on_opened(name: str, facts: EngineFacts) -> None:
        say(f"{name} ({facts.device_name}) is ready.")

    say(f"Loading the model on {', '.join(devices)}.")
    return EngineGroup(sources_on(devices, choice), stop, on_opened)
