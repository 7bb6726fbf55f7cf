"""What became of a folder run, as data: how many images were captioned, skipped and failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.batch.items import Item, ItemState, Tally
from core.batch.options import BatchOptions


@dataclass(frozen=True)
class Summary:
    """The outcome of a run. `skips` counts why images were skipped, the most frequent first.
    `tables` are the files with all captions. `seconds` is how long the last stretch took."""

    tally: Tally
    skips: tuple[tuple[str, int], ...]
    options: BatchOptions
    tables: tuple[Path, ...]
    seconds: float


def summary_of(
    tally: Tally,
    items: Sequence[Item],
    options: BatchOptions,
    tables: Sequence[Path],
    seconds: float,
) -> Summary:
    """Counts the skipped items. 100,000 take some 50 ms, so do not call it in the GUI thread."""
    skips = Counter(item.reason for item in items if item.state is ItemState.SKIPPED)
    return Summary(tally, tuple(skips.most_common()), options, tuple(tables), seconds)
