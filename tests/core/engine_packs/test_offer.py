from dataclasses import replace
from pathlib import Path

import pytest

from core.engine_packs.choice import Pack
from core.engine_packs.driver import Graphics, Maker, NvidiaCard
from core.engine_packs.installed import InstalledPack, PackState
from core.engine_packs.offer import Advice, llava_needs, make_offer, obstacle_to
from core.transcript import Precision
from tests.support.packs import make_wheels, pins_of

NEEDS = llava_needs()
WHEELS = make_wheels()
CUDA130 = pins_of(WHEELS, least_capability=(7, 5))
CUDA126 = pins_of(
    WHEELS,
    name="cuda126",
    cuda="12.6",
    needs_driver="12.0",
    driver="525",
    least_capability=(5, 0),
    most_capability=(9, 0),
)
PINS = (CUDA130, CUDA126)
GB = 10**9


def card(memory: float = 12, capability: tuple[int, int] = (8, 6), name: str = "RTX 3060"):
    return NvidiaCard(name, int(memory * GB), capability)


def graphics(*cards: NvidiaCard, cuda: tuple[int, ...] = (13, 0), driver: str = "580.65.06"):
    return Graphics(cards, cuda, driver, frozenset({Maker.NVIDIA}))


def installed(name: str, state: PackState, torch: str = "2.13.0", note: str = "") -> InstalledPack:
    pack = Pack(Path(name), name, torch, "13.0", "linux", "cp311", "13.0", 1, {})
    return InstalledPack(name, state, 1, note, pack)


def test_needs_of_the_model_shrink_with_the_precision():
    assert list(NEEDS) == [Precision.BITS_16, Precision.BITS_8, Precision.BITS_4]
    assert [*NEEDS.values()] == sorted(NEEDS.values(), reverse=True)
    assert 14 * GB < NEEDS[Precision.BITS_16] < 16 * GB
    assert 4 * GB < NEEDS[Precision.BITS_4] < 6 * GB


@pytest.mark.parametrize(
    ("memory", "precision", "words"),
    [
        (24, Precision.BITS_16, "fits in 16 bits"),
        (12, Precision.BITS_8, "fits in 8 bits"),
        (6.2, Precision.BITS_4, "fits in 4 bits"),
        (4, None, "does not fit"),
    ],
)
def test_offer_says_which_card_what_fits_and_how_much_is_fetched(memory, precision, words):
    offer = make_offer(graphics(card(memory)), PINS, [], NEEDS)
    assert (offer.advice, offer.pack, offer.precision) == (Advice.GET, CUDA130, precision)
    assert offer.is_actionable
    assert words in offer.sentence
    assert offer.sentence.startswith("RTX 3060 ")
    assert "The download is 502 kB" in offer.sentence
    assert "NVIDIA" in offer.sentence


@pytest.mark.parametrize(
    ("memory", "bandwidth", "capability", "words"),
    [
        (141, 4917, (9, 0), "in 16 bits, at about 290 tokens a second (estimated"),
        (24, 1008, (8, 9), "in 16 bits, at about 59 tokens a second (estimated"),
        (8, 256, (8, 9), "in 4 bits, at about 29 tokens a second (estimated"),
        (24, 0, (8, 9), "in 16 bits; an H200 writes 289 tokens a second"),
        (24, 1008, (6, 1), "in 16 bits; an H200 writes 289 tokens a second"),
    ],
)
def test_offer_estimates_the_speed_from_the_memory_bandwidth(memory, bandwidth, capability, words):
    found = graphics(replace(card(memory, capability), bandwidth=bandwidth * GB))
    assert words in make_offer(found, PINS, [], NEEDS).sentence


def test_older_cuda_is_taken_for_an_older_driver_or_card():
    old_driver = make_offer(graphics(card(), cuda=(12, 2)), PINS, [], NEEDS)
    old_card = make_offer(graphics(card(8, (6, 1))), PINS, [], NEEDS)
    assert (old_driver.advice, old_driver.pack) == (Advice.GET, CUDA126)
    assert (old_card.advice, old_card.pack) == (Advice.GET, CUDA126)


def test_newest_card_is_not_given_an_older_cuda_that_has_no_code_for_it():
    blackwell = graphics(card(32, (12, 0), "RTX 5090"), cuda=(12, 8), driver="572.16")
    offer = make_offer(blackwell, PINS, [], NEEDS)
    assert (offer.advice, offer.pack) == (Advice.UPDATE_DRIVER, CUDA130)
    assert "driver 572.16" in offer.sentence
    assert "driver 580 or newer" in offer.sentence
    assert not offer.is_actionable


def test_driver_that_is_too_old_for_all_packs_is_named_with_what_is_needed():
    offer = make_offer(graphics(card(), cuda=(11, 4), driver="470.1"), PINS, [], NEEDS)
    assert offer.advice is Advice.UPDATE_DRIVER
    assert "470.1" in offer.sentence
    only_new = make_offer(graphics(card(), cuda=(12, 2), driver="535.1"), (CUDA130,), [], NEEDS)
    assert "580" in only_new.sentence


def test_card_that_no_pack_has_code_for_is_named():
    offer = make_offer(graphics(card(2, (3, 5), "GT 710")), PINS, [], NEEDS)
    assert (offer.advice, offer.is_actionable) == (Advice.CARD_TOO_OLD, False)
    assert "GT 710" in offer.sentence


def test_build_without_a_pack_for_the_card_or_system_says_what_to_do():
    old = make_offer(graphics(card(8, (6, 1), "GTX 1080")), (CUDA130,), [], NEEDS)
    assert old.advice is Advice.CARD_TOO_OLD
    assert "GTX 1080 needs PyTorch for CUDA 12.6, which this build" in old.sentence
    assert "Run Onlooker from source" in old.sentence
    none = make_offer(graphics(card()), (), [], NEEDS)
    assert (none.advice, none.is_actionable) == (Advice.NO_PACK, False)
    assert "Download the complete package for CUDA" in none.sentence


def test_card_with_the_most_memory_that_can_be_used_counts():
    found = graphics(card(48, (3, 5), "old"), card(8, name="small"), card(24, name="large"))
    offer = make_offer(found, PINS, [], NEEDS)
    assert offer.card
    assert offer.card.name == "large"


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        (PackState.READY, Advice.READY),
        (PackState.OUTDATED, Advice.REPLACE),
        (PackState.FAILED, Advice.FAILED),
        (PackState.PARTIAL, Advice.GET),
        (PackState.UNUSABLE, Advice.GET),
    ],
)
def test_packs_on_the_disk_change_the_offer(state, advice):
    found = installed("cuda130", state, note="failed its trial: It crashed.")
    offer = make_offer(graphics(card()), PINS, [found], NEEDS)
    assert (offer.advice, offer.pack) == (advice, CUDA130)
    assert offer.replaces == ("cuda130" if advice is Advice.REPLACE else "")


def test_old_pack_of_another_name_is_replaced_too():
    offer = make_offer(
        graphics(card()), PINS, [installed("cuda128", PackState.OUTDATED, "2.12.0")], NEEDS
    )
    assert (offer.advice, offer.replaces) == (Advice.REPLACE, "cuda128")


@pytest.mark.parametrize(
    ("makers", "advice", "word"),
    [
        ({Maker.NVIDIA, Maker.INTEL}, Advice.INSTALL_DRIVER, "driver from NVIDIA"),
        ({Maker.AMD, Maker.INTEL}, Advice.OTHER_MAKER, "AMD"),
        ({Maker.INTEL}, Advice.OTHER_MAKER, "Intel"),
        ({Maker.APPLE}, Advice.OTHER_MAKER, "Metal"),
        (set(), Advice.NO_CARD, "no graphics card"),
    ],
)
def test_other_cards_are_spoken_of_plainly(makers, advice, word):
    offer = make_offer(Graphics(makers=frozenset(makers)), PINS, [], NEEDS)
    assert (offer.advice, offer.is_actionable, word in offer.sentence) == (advice, False, True)


def test_driver_that_hangs_and_programs_without_packs_offer_nothing():
    hanging = make_offer(Graphics(is_hanging=True), PINS, [], NEEDS)
    assert hanging.advice is Advice.RESTART
    assert make_offer(graphics(card()), (), [], NEEDS).advice is Advice.NO_PACK


@pytest.mark.parametrize("found", [graphics(card()), Graphics(is_hanging=True), Graphics()])
def test_ready_pack_is_said_to_be_ready_whatever_else_is_missing(found):
    offer = make_offer(found, (), [installed("cuda130", PackState.READY)], NEEDS)
    assert (offer.advice, offer.is_actionable) == (Advice.READY, False)


def test_a_pack_is_refused_before_it_is_fetched_where_it_could_not_run():
    assert obstacle_to(CUDA130, graphics(card())) == ""
    assert "too old" in obstacle_to(CUDA130, graphics(card(), cuda=(12, 8)))
    assert "no code for" in obstacle_to(CUDA130, graphics(card(8, (6, 1))))
    assert "no graphics card" in obstacle_to(CUDA130, Graphics())
