"""What became of a folder run, as data: how many images were captioned, skipped and failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.batch.items import Item, ItemState, Tally
from core.batch.options import BatchOptions
from core.message import without_numbers


@dataclass(frozen=True)
class Summary:
    """The outcome of a run. `skips` counts why images were skipped, the most frequent first, and
    `notes` what was noted of captioned ones, with … for numbers. `tables` are the files with all
    captions. `seconds` is how long images were captioned; 0 where an early journal does not say."""

    tally: Tally
    skips: tuple[tuple[str, int], ...]
    options: BatchOptions
    tables: tuple[Path, ...]
    seconds: float
    notes: tuple[tuple[str, int], ...] = ()


def summary_of(
    tally: Tally,
    items: Sequence[Item],
    options: BatchOptions,
    tables: Sequence[Path],
    seconds: float,
) -> Summary:
    """Counts the skipped items. 100,000 take some 50 ms, so do not call it in the GUI thread."""
    skips = Counter(item.reason for item in items if item.state is ItemState.SKIPPED)
    notes = Counter(kind for kind, _, _ in noted(items))
    counted = tuple(notes.most_common())
    return Summary(tally, tuple(skips.most_common()), options, tuple(tables), seconds, counted)


def noted(items: Iterable[Item]) -> Iterator[tuple[str, Item, str]]:
    """Yields each note of a captioned image: its kind, which is the note without its numbers, the
    item, and the note itself."""
    for item in items:
        if item.state is ItemState.DONE:
            for note in item.notes:
                yield without_numbers(note), item, note
