"""The images of a run, as data: the state of each, and how the run as a whole stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.message import translatable, without_names

NO_WORDS = translatable("core", "The model wrote nothing of its own. Try another prompt or model.")
EDITED = translatable("core", "Edited by hand and kept.")
HAS_THIS_CAPTION = translatable("core", "Already has this caption.")
HAS_CAPTION = translatable("core", "Already has a caption.")


class ItemState(StrEnum):
    """The state of one image in its run; stored in journals."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a run. `reason` says why it failed or was skipped.

    `notes` are those of its `Picture`: why what was seen of it is less than the file holds.
    """

    path: Path
    state: ItemState = ItemState.WAITING
    caption: str = ""
    reason: str = ""
    is_edited: bool = False
    notes: tuple[str, ...] = ()


class Phase(StrEnum):
    """What a run is doing, for whoever shows it."""

    CHOOSING = "choosing"
    FINDING = "finding"
    RUNNING = "running"
    ENDING = "ending"
    PAUSED = "paused"
    OVER = "over"
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True)
class Progress:
    """How far a run is. `edited` are those done images whose caption was edited by hand. `rate` is
    in images per second; `seconds_left` is None while unknown."""

    counts: dict[ItemState, int]
    edited: int = 0
    rate: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class Tally:
    """How many images are in which state, and how many of those that are `done` have a caption that
    was `edited` by hand. `reasons` counts why images failed, the most frequent first."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    waiting: int = 0
    undone: int = 0
    edited: int = 0
    reasons: tuple[tuple[str, int], ...] = ()

    @property
    def captioned(self) -> int:
        """Returns how many images have a caption that the model wrote."""
        return self.done - self.edited

    @property
    def total(self) -> int:
        """Returns the number of images of the run."""
        return self.done + self.skipped + self.failed + self.waiting + self.undone


def tally_of(items: Iterable[Item]) -> Tally:
    """Counts the items by state; reasons that differ only in a quoted name count as one, without
    the name. One that is alone keeps it."""
    items = list(items)
    counts = Counter(item.state for item in items)
    failures = [item.reason for item in items if item.state is ItemState.FAILED]
    reasons = Counter(map(without_names, failures))
    named = {without_names(reason): reason for reason in failures}
    return Tally(
        done=counts[ItemState.DONE],
        skipped=counts[ItemState.SKIPPED],
        failed=counts[ItemState.FAILED],
        waiting=counts[ItemState.WAITING] + counts[ItemState.WORKING],
        undone=counts[ItemState.UNDONE],
        edited=sum(item.is_edited and item.state is ItemState.DONE for item in items),
        reasons=tuple(
            (named[reason] if count == 1 else reason, count)
            for reason, count in reasons.most_common()
        ),
    )
