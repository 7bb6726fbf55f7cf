"""What is known about engines and the graphics card, and what is under way, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from core.engine_packs.choice import CPU
from core.engine_packs.installed import InstalledPack, PackState
from core.engine_packs.offer import Advice
from core.engine_packs.overview import Overview
from core.hub import JobKind, ModelJob


class Stage(Enum):
    """Where a person is on the way to an engine for the graphics card."""

    LOOKING = auto()
    FROM_SOURCE = auto()
    """PyTorch is the one installed with Python."""
    OWN_CUDA = auto()
    """The program was built for graphics cards and needs no pack."""
    IN_USE = auto()
    NEEDS_RESTART = auto()
    """A pack is ready, and the processor is still used."""
    REMOVED = auto()
    """The pack in use was removed; its files go at the next start."""
    GETTING = auto()
    REMOVING = auto()
    PAUSED = auto()
    """A part of the pack has been downloaded."""
    OFFERED = auto()
    OUTDATED = auto()
    FAILED = auto()
    """The pack failed its trial."""
    DRIVER = auto()
    """NVIDIA's driver has to be installed, updated or restarted first."""
    NONE = auto()
    """There is no card that could be used, or no pack for it."""


_STAGES = {
    Advice.GET: Stage.OFFERED,
    Advice.REPLACE: Stage.OUTDATED,
    Advice.FAILED: Stage.FAILED,
    Advice.READY: Stage.NEEDS_RESTART,
    Advice.UPDATE_DRIVER: Stage.DRIVER,
    Advice.INSTALL_DRIVER: Stage.DRIVER,
    Advice.RESTART: Stage.DRIVER,
}


@dataclass(frozen=True)
class EnginesState:
    """What is known. `overview` is None before anybody looked, `problem` why it could not be seen.

    `engines` is the folder of the packs. `uses_pack` says whether the engine of this process is one
    of them. `job` is under way on a pack, or has failed.
    """

    engines: Path = Path()
    overview: Overview | None = None
    uses_pack: bool = False
    job: ModelJob | None = None
    problem: str = ""

    @property
    def stage(self) -> Stage:
        """Where the person is."""
        found, job = self.overview, self.job
        if job and job.is_under_way:
            return Stage.REMOVING if job.kind is JobKind.REMOVE else Stage.GETTING
        if found is None:
            return Stage.NONE if self.problem else Stage.LOOKING
        if not found.in_use:
            return Stage.FROM_SOURCE
        if self.uses_pack:
            return Stage.IN_USE if self._on_disk(found.in_use) else Stage.REMOVED
        if found.in_use != CPU:
            return Stage.OWN_CUDA
        stage = _STAGES.get(found.offer.advice, Stage.NONE)
        can_resume = stage in (Stage.OFFERED, Stage.OUTDATED) and self.partial is not None
        return Stage.PAUSED if can_resume else stage

    @property
    def partial(self) -> InstalledPack | None:
        """What has been downloaded so far of the pack that is offered."""
        if self.overview is None or self.overview.offer.pack is None:
            return None
        name = self.overview.offer.pack.name
        packs = self.overview.packs
        return next((p for p in packs if (p.name, p.state) == (name, PackState.PARTIAL)), None)

    @property
    def removable(self) -> InstalledPack | None:
        """The pack that *Remove* is about: the one in use, else a ready one, else any other."""
        found = self.overview
        if found is None or self.stage in (Stage.GETTING, Stage.REMOVING):
            return None
        packs = [pack for pack in found.packs if pack is not self.partial]
        ranks = {found.in_use: 0} if self.uses_pack else {}
        ready = PackState.READY
        return min(
            packs, key=lambda pack: (ranks.get(pack.name, 1), pack.state is not ready), default=None
        )

    def _on_disk(self, name: str) -> bool:
        packs = self.overview.packs if self.overview else ()
        return any(p.name == name and p.state is not PackState.PARTIAL for p in packs)
