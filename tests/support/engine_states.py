"""Every state of the window's part about graphics cards, made by core from made-up cards."""

from __future__ import annotations

from pathlib import Path

from core.engine_packs.choice import Pack
from core.engine_packs.driver import Graphics, Maker, NvidiaCard
from core.engine_packs.installed import InstalledPack, PackState
from core.engine_packs.offer import llava_needs, make_offer
from core.engine_packs.overview import Overview
from core.errors import HubNeed, PackError
from core.hub import JobKind, JobState, ModelJob
from core.message import translatable
from core.transfer.meter import Progress
from gui.engines.state import EnginesState
from tests.support.packs import make_wheels, pins_of

PINS = pins_of(make_wheels())
CARD = NvidiaCard("NVIDIA GeForce RTX 4070 Laptop GPU", 8_585_740_288, (8, 9), 256_032_000_000)
DRIVEN = Graphics((CARD,), (13, 0), "580.65.06", frozenset({Maker.NVIDIA}))
OLD_DRIVER = Graphics((CARD,), (12, 2), "535.183.01", frozenset({Maker.NVIDIA}))
OLD_CARD = Graphics(
    (NvidiaCard("Tesla K80", 11_997_020_160, (3, 7)),), (11, 4), "470.256.02", DRIVEN.makers
)
ENGINES = Path("/home/ada/.local/share/onlooker/engines")


def pack(state: PackState, note: str = "", name: str = PINS.name, size: int = 4_912_345_678):
    folder = ENGINES / name
    content = Pack(folder, name, "2.13.0", "13.0", PINS.platform, PINS.python, "13.0", size, {})
    return InstalledPack(name, state, size, note, content)


def seen(
    graphics: Graphics = DRIVEN,
    *packs: InstalledPack,
    in_use: str = "cpu",
    note: str = "",
    pins=(PINS,),
    **others,
) -> EnginesState:
    """What is known with these cards and packs."""
    offer = make_offer(graphics, pins, packs, llava_needs())
    found = Overview("2.13.0", in_use, note, graphics, packs, tuple(pins), offer)
    return EnginesState(ENGINES, found, **others)


def running(kind: JobKind, *progress: object) -> ModelJob:
    return ModelJob(kind, progress=Progress(*progress) if progress else None)  # type: ignore[arg-type]


TRIAL = translatable("core", "failed its trial: {failure}").format(
    failure="PyTorch cannot use the card: CUDA driver version is insufficient."
)
DAMAGED = translatable("core", "The engine pack {pack} is not used: it {obstacle}.").format(
    pack="cuda130",
    obstacle=translatable("core", "is damaged ({name})").format(name="torch/lib/libtorch_cuda.so"),
)
LOST = PackError(
    translatable(
        "core", "The connection to {host} was lost. Check the network, then resume."
    ).format(host="files.pythonhosted.org"),
    HubNeed.NETWORK,
)
PARTIAL = pack(PackState.PARTIAL, size=PINS.download_bytes // 3)

STATES: dict[str, EnginesState] = {
    "looking": EnginesState(ENGINES),
    "from source": seen(in_use=""),
    "own CUDA": seen(in_use="cuda130"),
    "own CUDA, no card": seen(Graphics(), in_use="cuda130"),
    "offered": seen(),
    "offered, with a damaged pack": seen(DRIVEN, pack(PackState.UNUSABLE), note=DAMAGED),
    "getting": seen(
        job=running(
            JobKind.DOWNLOAD, "Downloading nvidia-cublas", 912_000_000, 2_412_000_000, 31e6, 48.0
        )
    ),
    "trying": seen(
        job=running(JobKind.DOWNLOAD, "Trying the engine pack on the graphics card", 0, 0)
    ),
    "paused": seen(DRIVEN, PARTIAL),
    "lost": seen(DRIVEN, PARTIAL, job=ModelJob(JobKind.DOWNLOAD, JobState.FAILED, error=LOST)),
    "needs a restart": seen(DRIVEN, pack(PackState.READY)),
    "in use": seen(DRIVEN, pack(PackState.READY), in_use="cuda130", uses_pack=True),
    "removed": seen(in_use="cuda130", uses_pack=True),
    "removing": seen(DRIVEN, pack(PackState.READY), job=running(JobKind.REMOVE)),
    "outdated": seen(DRIVEN, pack(PackState.OUTDATED)),
    "failed": seen(DRIVEN, pack(PackState.FAILED, TRIAL)),
    "old driver": seen(OLD_DRIVER),
    "no driver": seen(Graphics(makers=frozenset({Maker.NVIDIA}))),
    "hanging driver": seen(Graphics(makers=frozenset({Maker.NVIDIA}), is_hanging=True)),
    "old card": seen(OLD_CARD),
    "AMD": seen(Graphics(makers=frozenset({Maker.AMD}))),
    "Apple": seen(Graphics(makers=frozenset({Maker.APPLE})), pins=()),
    "Intel": seen(Graphics(makers=frozenset({Maker.INTEL}))),
    "no card": seen(Graphics()),
    "no packs": seen(pins=()),
    "damaged list": EnginesState(
        ENGINES, problem="The list of engine packs is damaged. Install Onlooker again."
    ),
}
"""By name, in the order in which a person may meet them."""
