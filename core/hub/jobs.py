"""Work on a model as data: what is done, in which state it is, and how far."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.errors import AppError
from core.transfer.meter import Progress


class JobKind(StrEnum):
    """What is done with a model."""

    LOOK_UP = "asking"
    DOWNLOAD = "getting"
    MOVE = "moving"
    CHECK = "checking"
    REMOVE = "removing"


class JobState(StrEnum):
    """Whether a job waits for its turn, runs, or has failed. A finished job is dropped."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True)
class ModelJob:
    """One piece of work on one model. `error` is why it failed."""

    kind: JobKind
    state: JobState = JobState.RUNNING
    progress: Progress | None = None
    error: AppError | None = None

    @property
    def is_under_way(self) -> bool:
        """True while it waits or runs."""
        return self.state is not JobState.FAILED


@dataclass(frozen=True)
class DownloadOptions:
    """Where models are downloaded to and looked for, and whether the network may be asked.

    `downloads` is the folder for new models, None for the hub's `cache`. `is_bound` is True if
    HF_HUB_OFFLINE keeps this program offline, whatever is chosen in it.
    """

    downloads: Path | None
    is_offline: bool
    cache: Path = Path()
    folders: tuple[Path, ...] = ()
    is_bound: bool = False
