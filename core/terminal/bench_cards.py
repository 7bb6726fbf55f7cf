"""How many captions a second all graphics cards together write, for `onlooker bench`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from core.engine_group.cards import sources_on
from core.engine_group.group import EngineGroup
from core.engine_group.process import OPENER
from core.errors import Cancelled
from core.transcript import ModelChoice, Request

_RANDOM_OPENER = "core.terminal.random_weights:open_random"
# How often each slot is filled.
_FILLINGS = 4

MakeRequests = Callable[[int, int], Iterable[Request]]
"""Makes so many requests, each for so many new tokens."""


def cards_figures(
    devices: Sequence[str],
    choice: ModelChoice,
    random_weights: str | None,
    make_requests: MakeRequests,
    *,
    slots: int,
    new_tokens: int,
    stop: threading.Event,
) -> dict[str, Any]:
    """Returns how many cards were used, and their captions a second with so many `slots` on each.

    Blocks; raises Cancelled once `stop` is set, and as opening the model does.
    """
    opener = _RANDOM_OPENER if random_weights else OPENER
    choice = replace(choice, model=random_weights or choice.model)
    opened: list[str] = []
    sources = sources_on(devices, choice, opener=opener)
    group = EngineGroup(sources, stop, lambda name, _: opened.append(name))
    try:
        # A card that the model does not fit on is none of them after a while.
        while len(opened) < group.facts.engines and not stop.wait(0.05):
            pass
        used = len(opened)
        _answer(group, list(make_requests(2 * used * slots, 2)), slots, stop)
        requests = list(make_requests(_FILLINGS * used * slots, new_tokens))
        seconds = _answer(group, requests, slots, stop)
    finally:
        group.close()
    return {
        "used": used,
        "devices": opened,
        "slots": slots,
        "captions_per_second": len(requests) / seconds,
    }


def _answer(
    group: EngineGroup, requests: Sequence[Request], slots: int, stop: threading.Event
) -> float:
    """Returns the seconds that all answers take."""
    began = time.perf_counter()
    for _ in group.answer_all(requests, stop, slots=slots):
        pass
    if stop.is_set():
        raise Cancelled("Measuring was cancelled.")
    return time.perf_counter() - began
