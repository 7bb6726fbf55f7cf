"""Which engines a folder run uses, one a card, and where they come from."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from core.engine import Engine
from core.engine_group.group import EngineGroup, EngineSource
from core.engine_group.process import OPENER, EngineProcess
from core.transcript import ModelChoice

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def devices_for(device: str, wanted: Sequence[str], cards: int) -> tuple[str, ...]:
    """Returns the devices of a run: those `wanted`, () standing for all that `device` allows.

    `device` is auto, cpu, cuda or cuda:N, and `cards` how many cards there are.
    """
    if wanted:
        return tuple(wanted)
    if device in ("auto", "cuda") and cards > 1:
        return tuple(f"cuda:{index}" for index in range(cards))
    return (device,)


def sources_on(
    devices: Sequence[str], choice: ModelChoice, *, opener: str = OPENER
) -> list[EngineSource]:
    """Returns an engine in a child process for each device. What does not fit is no engine then:
    none of them is distributed over several devices."""
    seen: Counter[str] = Counter()
    sources: list[EngineSource] = []
    for device in devices:
        seen[device] += 1
        name = device if seen[device] == 1 else f"{device} ({seen[device]})"
        sources.append(_source(name, device, choice, opener, len(devices)))
    return sources


@contextmanager
def joined_by_others(
    engine: Engine, choice: ModelChoice, devices: Sequence[str], stop: threading.Event
) -> Generator[Engine]:
    """Gives `engine` together with others of the same `choice`, so that there is one on each of
    these devices; `engine` itself if that is all, or if it lies on several devices by itself.

    It stays open, and is used by another thread meanwhile.
    """
    own = engine.facts.device
    if list(devices) == [own] or engine.facts.is_split:
        yield engine
        return
    sources = sources_on(devices, choice)
    if own in devices:
        sources[devices.index(own)] = EngineSource(own, lambda _: engine, is_lent=True)
    group = EngineGroup(sources, stop)
    try:
        yield group
    finally:
        group.close()


def _source(name: str, device: str, choice: ModelChoice, opener: str, engines: int) -> EngineSource:
    chosen, environment = replace(choice, device=device, may_spread=False), dict[str, str]()
    if device.startswith("cuda:"):
        # The child sees its own card alone, so that it takes no memory of another.
        environment[_VISIBLE] = _visible(int(device.removeprefix("cuda:")))
        chosen = replace(chosen, device="cuda:0")
    elif device == "cpu":
        environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // engines))

    def open_in_child(stop: threading.Event) -> Engine:
        engine = EngineProcess(
            chosen, lambda *_: None, stop, opener=opener, environment=environment
        )
        engine.facts = replace(engine.facts, device=name)
        return engine

    return EngineSource(name, open_in_child)


def _visible(index: int) -> str:
    """Returns what names card `index` of this process to a child, which may see fewer."""
    listed = [name.strip() for name in os.environ.get(_VISIBLE, "").split(",") if name.strip()]
    return listed[index] if index < len(listed) else str(index)
