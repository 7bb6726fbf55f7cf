"""What to suggest about the graphics card: a pack to get, a driver to update, or nothing.

A pure function of what was found on the computer and what the program was built with.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.device.memory import PRECISIONS, memory_need
from core.engine_packs.choice import numbers
from core.engine_packs.driver import Graphics, Maker, NvidiaCard
from core.engine_packs.installed import InstalledPack, PackState
from core.engine_packs.pins import PackPins
from core.formatting import format_bytes
from core.message import Message, joined, translatable
from core.resources import RESOURCES
from core.transcript import Precision

LLAVA_7B = "LLaVA-1.5-7b"
_SYSTEMS = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}
_HUB_ID = "llava-hf/llava-1.5-7b-hf"
# What `onlooker bench` measured there (README, How fast). Each token reads all weights, so other
# cards write about as much fewer as their memory is slower; in 8 and 4 bits rather more than that,
# since an H200 then waits for other things.
_TOKENS_ON_H200 = {Precision.BITS_16: 289, Precision.BITS_8: 441, Precision.BITS_4: 554}
_H200 = 2 * 3_201_000_000 * 6_144 // 8  # Bytes a second of its memory.
# PyTorch for this CUDA has code for cards that the newest has none for. It is on PyTorch's own
# index alone, which not every build reaches (packaging/engine_pins.py).
_OLDER_CUDA, _OLDEST_FOR_OLDER_CUDA = (12, 6), (5, 0)
# Older cards compute with PyTorch's operations, which we have not measured.
_OWN_KERNELS = (7, 0)


class Advice(StrEnum):
    """What a person can do."""

    GET = "get"
    REPLACE = "replace"
    """Get the pack for this version of the program in place of an old one."""
    READY = "ready"
    FAILED = "failed"
    """The pack failed its trial and is put aside."""
    UPDATE_DRIVER = "update-driver"
    INSTALL_DRIVER = "install-driver"
    RESTART = "restart"
    """The driver does not answer."""
    CARD_TOO_OLD = "card-too-old"
    OTHER_MAKER = "other-maker"
    NO_CARD = "no-card"
    NO_PACK = "no-pack"
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
    if ready := next((found for found in packs if found.state is PackState.READY), None):
        return _for_ready(ready, graphics, pins, needs)
    if graphics.is_hanging:
        return Offer(
            Advice.RESTART,
            translatable(
                "core",
                "NVIDIA's driver does not answer. Restart the computer; models run on the "
                "processor until then.",
            ),
        )
    if not graphics.cards:
        return _without_card(graphics)
    if not pins:
        return Offer(
            Advice.NO_PACK,
            no_packs_sentence(),
            graphics.cards[0],
        )
    return _with_card(graphics, pins, packs, needs)


def no_packs_sentence() -> str:
    """Returns what to say where this program knows no engine packs for this system.

    PyTorch for CUDA on Windows is on PyTorch's own index alone, and for ARM there is none.
    """
    return translatable(
        "core",
        "This build of Onlooker cannot get PyTorch for graphics cards on {system}. Download the "
        "complete package for CUDA, or run Onlooker from source with PyTorch for CUDA.",
    ).format(system=_SYSTEMS.get(sys.platform, sys.platform))


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
        return translatable(
            "core", "The engine pack {pack} has no code for {card}. Choose another one."
        ).format(pack=pack.name, card=name)
    return "" if _driver_suits(pack, graphics) else _driver_sentence(graphics, pack, suited[0])


def _without_card(graphics: Graphics) -> Offer:
    makers = graphics.makers
    if Maker.NVIDIA in makers:
        return Offer(
            Advice.INSTALL_DRIVER,
            translatable(
                "core",
                "The driver of the NVIDIA graphics card cannot be reached. Install the driver from "
                "NVIDIA, then start Onlooker again.",
            ),
        )
    for maker, sentence in _OTHERS.items():
        if maker in makers:
            return Offer(Advice.OTHER_MAKER, sentence)
    sentence = translatable(
        "core", "There is no graphics card that Onlooker can use. Models run on the processor."
    )
    return Offer(Advice.NO_CARD, sentence)


_OTHERS = {
    Maker.APPLE: translatable(
        "core",
        "Onlooker does not use Apple's graphics (Metal) yet. Models run on the processor.",
    ),
    Maker.AMD: translatable(
        "core",
        "There are no engine packs for AMD cards; models run on the processor. From source, "
        "PyTorch's ROCm build may use the card, which we have not tried.",
    ),
    Maker.INTEL: translatable(
        "core", "Onlooker does not use Intel's graphics. Models run on the processor."
    ),
}


def _for_ready(
    ready: InstalledPack,
    graphics: Graphics,
    pins: Sequence[PackPins],
    needs: Mapping[Precision, int],
) -> Offer:
    """Also where this build has no packs, or the driver is slow to answer now."""
    card = max(graphics.cards, key=lambda card: card.memory, default=None)
    pack = next((pack for pack in pins if pack.name == ready.name), None)
    name = card.name if card else ready.pack.card if ready.pack else ""
    sentence = translatable("core", "The engine pack {pack} is ready for {card}.")
    sentence = sentence.format(pack=ready.name, card=name)
    return Offer(Advice.READY, sentence, card, pack, _precision(card, needs))


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
        return Offer(Advice.CARD_TOO_OLD, _too_old(cards[0], pins), cards[0])
    # The card counts more than the CUDA version: on some computers there is an old one as well.
    pack, card = max(runnable or usable, key=lambda pair: (pair[1].memory, numbers(pair[0].cuda)))
    if not runnable:
        return Offer(Advice.UPDATE_DRIVER, _driver_sentence(graphics, pack, card), card, pack)
    return _for_pack(pack, card, _precision(card, needs), packs)


def _too_old(card: NvidiaCard, pins: Sequence[PackPins]) -> str:
    """For a card that no pack of this build has code for."""
    has_older_pack = any(numbers(pack.cuda) <= _OLDER_CUDA for pack in pins)
    if card.capability >= _OLDEST_FOR_OLDER_CUDA and not has_older_pack:
        return translatable(
            "core",
            "{card} needs PyTorch for CUDA {cuda}, which this build of Onlooker cannot get. Run "
            "Onlooker from source with that PyTorch.",
        ).format(card=card.name, cuda=".".join(map(str, _OLDER_CUDA)))
    return translatable(
        "core",
        "{card} is too old for PyTorch {torch} (compute capability {capability}). Models run on "
        "the processor.",
    ).format(card=card.name, torch=pins[0].torch, capability=".".join(map(str, card.capability)))


def _precision(card: NvidiaCard | None, needs: Mapping[Precision, int]) -> Precision | None:
    memory = card.memory if card else 0
    return next((precision for precision, need in needs.items() if need <= memory), None)


def _has_code_for(pack: PackPins, card: NvidiaCard) -> bool:
    return pack.least_capability <= card.capability <= pack.most_capability


def _driver_suits(pack: PackPins, graphics: Graphics) -> bool:
    return graphics.driver_cuda >= numbers(pack.needs_driver)


def _driver_sentence(graphics: Graphics, pack: PackPins, card: NvidiaCard) -> str:
    sentence = translatable(
        "core",
        "The driver of {card} is too old. Install NVIDIA's driver {needed} or newer to use the "
        "card.",
    )
    if graphics.driver:
        sentence = translatable(
            "core",
            "The driver {driver} of {card} is too old. Install NVIDIA's driver {needed} or newer "
            "to use the card.",
        )
        return sentence.format(driver=graphics.driver, card=card.name, needed=pack.driver)
    return sentence.format(card=card.name, needed=pack.driver)


def _for_pack(
    pack: PackPins,
    card: NvidiaCard,
    precision: Precision | None,
    packs: Sequence[InstalledPack],
) -> Offer:
    there = {found.name: found for found in packs if found.state is not PackState.PARTIAL}
    outdated = [found for found in packs if found.state is PackState.OUTDATED]
    size = format_bytes(pack.download_bytes)
    if outdated:
        old = next((found for found in outdated if found.name == pack.name), outdated[0])
        sentence = translatable(
            "core",
            "The engine pack {pack} is for another version of Onlooker. Replace it to use {card} "
            "again; the new one is a download of {size}.",
        ).format(pack=old.name, card=card.name, size=size)
        return Offer(Advice.REPLACE, sentence, card, pack, precision, old.name)
    aside = there.get(pack.name)
    if aside and aside.state is PackState.FAILED:
        sentence = translatable(
            "core",
            "The engine pack {pack} {problem} Update the driver and try it again, or remove it.",
        ).format(pack=pack.name, problem=aside.note)
        return Offer(Advice.FAILED, sentence, card, pack, precision)
    sentence = joined(
        _fit(card, precision),
        translatable(
            "core",
            "The download is {size}; PyTorch's and NVIDIA's licences apply.",
        ).format(size=size),
    )
    return Offer(Advice.GET, sentence, card, pack, precision)


def _fit(card: NvidiaCard, precision: Precision | None) -> Message:
    if precision is None:
        return translatable(
            "core", "{card} can run models, though {model} does not fit on it."
        ).format(card=card.name, model=LLAVA_7B)
    bits = precision.weight_bits or 16
    measured = _TOKENS_ON_H200[precision]
    if not card.bandwidth or card.capability < _OWN_KERNELS:
        return translatable(
            "core",
            "{card} can run {model}, which fits in {bits} bits; an H200 writes {tokens} tokens a "
            "second.",
        ).format(card=card.name, model=LLAVA_7B, bits=bits, tokens=measured)
    return translatable(
        "core",
        "{card} can run {model}, which fits in {bits} bits, at about {tokens} tokens a second "
        "(estimated from its memory bandwidth).",
    ).format(
        card=card.name,
        model=LLAVA_7B,
        bits=bits,
        tokens=_rounded(measured * card.bandwidth / _H200),
    )


def _rounded(tokens: float) -> int:
    """Two digits: it is an estimate."""
    return int(float(f"{max(1.0, tokens):.2g}"))
