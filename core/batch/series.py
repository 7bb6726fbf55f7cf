"""Several runs over the same images, one after the other: with other models or presets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from core.batch.items import Item, ItemState
from core.batch.options import BatchOptions
from core.captions.sidecar import Existing
from core.model_reference import short_name


class OtherKind(StrEnum):
    """What is another in a later run; stored in journals."""

    MODEL = "model"
    PRESET = "preset"


@dataclass(frozen=True)
class Other:
    """What a later run has instead: a model, by its reference, or a preset, by its name."""

    kind: OtherKind
    name: str

    @property
    def stored(self) -> str:
        """How `BatchOptions.then` has it."""
        return f"{self.kind}:{self.name}"

    @staticmethod
    def of(stored: str) -> Other | None:
        """Reads it; None for what a newer version may have."""
        kind, _, name = stored.partition(":")
        return Other(OtherKind(kind), name) if kind in set(OtherKind) else None

    @property
    def shown(self) -> str:
        """What it is called on screen."""
        return short_name(self.name) if self.kind is OtherKind.MODEL else self.name


def next_options(options: BatchOptions) -> BatchOptions:
    """Returns the options of the run after one with these, but for what is another there. It
    replaces what the run before has written, and what a person wrote only if that did too."""
    skips = options.existing is Existing.SKIP
    existing = Existing.GENERATED if skips else options.existing
    other = Other.of(options.then[0])
    model = other.name if other and other.kind is OtherKind.MODEL else options.model
    then, turn = options.then[1:], options.turn + 1
    return replace(options, existing=existing, then=then, turn=turn, model=model)


def roots_of_next(
    roots: Sequence[Path], options: BatchOptions, items: Iterable[Item]
) -> list[Path]:
    """Returns what the next run is over: the images that this one has captioned, if it skipped
    others."""
    if options.existing is not Existing.SKIP:
        return list(roots)
    captioned = [item for item in items if item.state is ItemState.DONE and not item.is_edited]
    others = any(item.state is ItemState.SKIPPED for item in items)
    return [item.path for item in captioned] if others else list(roots)
