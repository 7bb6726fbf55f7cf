"""What to suggest about the graphics card: a pack to get, a driver to update, or nothing.

A pure function of what was found on the computer and what the program was built with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.device.memory import PRECISIONS, memory_need
from core.engine_packs.choice import numbers
from core.engine_packs.driver import Graphics, Maker, NvidiaCard
from core.engine_packs.installed import InstalledPack, PackState
from core.engine_packs.pins import PackPins
from core.formatting import format_bytes
from core.resources import RESOURCES
from core.transcript import Precision

LLAVA_7B = "LLaVA-1.5-7b"
_HUB_ID = "llava-hf/llava-1.5-7b-hf"


class Advice(StrEnum):
    """What a person can do."""

    GET = "get"
    REPLACE = "replace"
    """Get the pack for this version of the program in place of an old one."""
    READY = "ready"
    FAILED = "failed"
    """The pack failed its trial and is put aside."""
    UPDATE_DRIVER = "update driver"
    INSTALL_DRIVER = "install driver"
    RESTART = "restart"
    """The driver does not answer."""
    CARD_TOO_OLD = "card too old"
    OTHER_MAKER = "other maker"
    NO_CARD = "no card"
    NO_PACK = "no pack"
    """This program was built without packs for this system."""


@dataclass(frozen=True)
class Offer:
    """An advice, `sentence` for the person, and what it is about, as far as it applies.

    `precision` is the best one in which LLaVA-1.5-7b fits on the card, None if it fits in none.
    `download_bytes` and `disk_bytes` are those of `pack`, `licences` those of its wheels.
    """

    advice: Advice
    sentence: str
    card: NvidiaCard | None = None
    pack: PackPins | None = None
    precision: Precision | None = None
    replaces: str = ""

    @property
    def is_actionable(self) -> bool:
        """Whether `pack` can be got now."""
        return self.advice in (Advice.GET, Advice.REPLACE, Advice.FAILED)


def make_offer(
    graphics: Graphics,
    pins: Sequence[PackPins],
    packs: Sequence[InstalledPack],
    needs: Mapping[Precision, int],
) -> Offer:
    """Returns what to suggest. `pins` are the packs for this system, the newest CUDA first.

    `needs` are the bytes that LLaVA-1.5-7b takes on a card, by precision, the best one first.
    """
    if graphics.is_hanging:
        return Offer(
            Advice.RESTART,
            "NVIDIA's driver does not answer. Restart the computer; until then the processor is "
            "used.",
        )
    if not graphics.cards:
        return _without_card(graphics)
    if not pins:
        return Offer(
            Advice.NO_PACK,
            "This build of Onlooker has no engine packs for this system.",
            graphics.cards[0],
        )
    return _with_card(graphics, pins, packs, needs)


def llava_needs() -> Mapping[Precision, int]:
    """Returns the bytes that LLaVA-1.5-7b takes on a card, by precision, the best one first."""
    models = json.loads((RESOURCES / "models.json").read_text(encoding="utf-8"))
    config = next(model["config"] for model in models if model["hub_id"] == _HUB_ID)
    return {precision: memory_need(config, precision).total for precision in PRECISIONS}


def obstacle_to(pack: PackPins, graphics: Graphics) -> str:
    """Returns a sentence that says why this pack could not run here, "" if it can."""
    if not graphics.cards:
        return make_offer(graphics, [pack], [], {}).sentence
    suited = [card for card in graphics.cards if _has_code_for(pack, card)]
    if not suited:
        name = graphics.cards[0].name
        return f"The pack {pack.name} has no code for {name}. See: onlooker engines list"
    return "" if _driver_suits(pack, graphics) else _driver_sentence(graphics, pack, suited[0])


def _without_card(graphics: Graphics) -> Offer:
    makers = graphics.makers
    if Maker.NVIDIA in makers:
        return Offer(
            Advice.INSTALL_DRIVER,
            "There is an NVIDIA graphics card, but its driver cannot be reached. Install the "
            "driver from NVIDIA, then start Onlooker again.",
        )
    for maker, sentence in _OTHERS.items():
        if maker in makers:
            return Offer(Advice.OTHER_MAKER, sentence)
    return Offer(Advice.NO_CARD, "There is no graphics card that Onlooker can use.")


_OTHERS = {
    Maker.APPLE: "Onlooker does not use Apple's graphics (Metal) yet. Models run on the processor.",
    Maker.AMD: "There are no engine packs for AMD cards; models run on the processor. From source, "
    "PyTorch's ROCm build may use the card, which we have not tried.",
    Maker.INTEL: "Onlooker does not use Intel's graphics. Models run on the processor.",
}


def _with_card(
    graphics: Graphics,
    pins: Sequence[PackPins],
    packs: Sequence[InstalledPack],
    needs: Mapping[Precision, int],
) -> Offer:
    cards = sorted(graphics.cards, key=lambda card: card.memory, reverse=True)
    usable = [(pack, card) for pack in pins for card in cards if _has_code_for(pack, card)]
    runnable = [pair for pair in usable if _driver_suits(pair[0], graphics)]
    if not usable:
        capability = ".".join(map(str, cards[0].capability))
        return Offer(
            Advice.CARD_TOO_OLD,
            f"PyTorch {pins[0].torch} has no code for {cards[0].name} (compute capability "
            f"{capability}). Models run on the processor.",
            cards[0],
        )
    # The card counts more than the CUDA version: on some computers there is an old one as well.
    pack, card = max(runnable or usable, key=lambda pair: (pair[1].memory, numbers(pair[0].cuda)))
    precision = next((p for p, need in needs.items() if need <= card.memory), None)
    if not runnable:
        return Offer(Advice.UPDATE_DRIVER, _driver_sentence(graphics, pack, card), card, pack)
    return _for_pack(pack, card, precision, packs)


def _has_code_for(pack: PackPins, card: NvidiaCard) -> bool:
    return pack.least_capability <= card.capability <= pack.most_capability


def _driver_suits(pack: PackPins, graphics: Graphics) -> bool:
    return graphics.driver_cuda >= numbers(pack.needs_driver)


def _driver_sentence(graphics: Graphics, pack: PackPins, card: NvidiaCard) -> str:
    has = f" {graphics.driver}" if graphics.driver else ""
    return (
        f"The driver{has} of {card.name} is too old. Install NVIDIA's driver {pack.driver} or "
        "newer to use the card."
    )


def _for_pack(
    pack: PackPins,
    card: NvidiaCard,
    precision: Precision | None,
    packs: Sequence[InstalledPack],
) -> Offer:
    there = {found.name: found for found in packs if found.state is not PackState.PARTIAL}
    ready = [found for found in packs if found.state is PackState.READY]
    if ready:
        sentence = f"The engine pack {ready[0].name} is ready for {card.name}."
        return Offer(Advice.READY, sentence, card, pack, precision)
    outdated = [found for found in packs if found.state is PackState.OUTDATED]
    size = f"{format_bytes(pack.download_bytes)} are fetched"
    if outdated:
        old = next((found for found in outdated if found.name == pack.name), outdated[0])
        sentence = (
            f"The engine pack {old.name} is for an earlier version of Onlooker. Get the one for "
            f"this version to use {card.name} again; {size}, and the old one is removed."
        )
        return Offer(Advice.REPLACE, sentence, card, pack, precision, old.name)
    aside = there.get(pack.name)
    if aside and aside.state is PackState.FAILED:
        sentence = (
            f"The engine pack {pack.name} {aside.note} Update the driver and try it again, or "
            "remove it."
        )
        return Offer(Advice.FAILED, sentence, card, pack, precision)
    sentence = (
        f"{card.name} can run models many times faster than the processor. {_fit(precision)} "
        f"{size}; the licences of PyTorch and NVIDIA apply."
    )
    return Offer(Advice.GET, sentence, card, pack, precision)


def _fit(precision: Precision | None) -> str:
    match precision:
        case None:
            return f"{LLAVA_7B} does not fit on it, smaller models do."
        case Precision.BITS_16:
            return f"{LLAVA_7B} fits in 16 bits."
        case _:
            return f"{LLAVA_7B} fits in {precision.weight_bits} bits."
