"""Earlier runs: which there were, and how far each came."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from core.batch.journal import SUFFIX, has_damaged_end, read_first_line, read_kinds_backwards
from core.batch.kinds import DAMAGE, VERSION, Kind
from core.batch.options import BatchOptions
from core.batch.run_events import Begun
from core.captions.formats import CaptionFormat
from core.errors import StoreError
from core.files import open_regular

_MOST_BYTES = 2**16
_DECIDING = (Kind.END, Kind.UNDO, Kind.UNDONE, Kind.RETRY, Kind.RUN, Kind.ITEM)
"""The kinds of line after which it is known whether a run is over."""


@dataclass(frozen=True)
class KeptRun:
    """An earlier run. `is_over` once no image waits, or its undo is finished; `is_undone` from the
    moment that its undo began. A run with a higher `number` began later; those of version 0.1 have
    none, and come before all others."""

    journal: Path
    roots: tuple[Path, ...]
    options: BatchOptions
    began: datetime
    is_over: bool
    is_undone: bool
    number: int | None = None
    tables: dict[CaptionFormat, Path] = field(default_factory=dict[CaptionFormat, Path])

    @property
    def runs_left(self) -> int:
        """How many runs over the same images were to follow this one, which is over."""
        return len(self.options.then) if self.is_over and not self.is_undone else 0


def find_runs(journals: Path) -> list[KeptRun]:
    """Returns the runs whose journals are in the folder, the newest first. Journals that are
    damaged in their first line are left out; `unreadable_journals` has them."""
    runs: list[KeptRun] = []
    for path, begun in _begun_runs(journals):
        last = next((kind for kind in read_kinds_backwards(path) if kind in _DECIDING), "")
        runs.append(
            KeptRun(
                path,
                begun.roots,
                begun.options,
                begun.when,
                is_over=last in (Kind.END, Kind.UNDONE),
                is_undone=last in (Kind.UNDO, Kind.UNDONE),
                number=begun.number,
                tables=begun.tables,
            )
        )
    return runs


def unreadable_journals(journals: Path) -> list[Path]:
    """Returns the journals that `find_runs` leaves out. Of a run that never began, which is an
    empty file, there is nothing to read."""
    paths = sorted(journals.glob(f"*{SUFFIX}"))
    return [path for path in paths if read_begin(path) is None and not _is_empty(path)]


def next_number(journals: Path) -> int:
    """Returns the number of a run that begins now, whatever the clock says."""
    newest = next((begun for _, begun in _begun_runs(journals)), None)
    return 1 + ((newest.number or 0) if newest else 0)


def read_begin(journal: Path) -> Begun | None:
    """Returns the first line of a journal; None if it is damaged, or not one of a version that we
    know."""
    try:
        first = read_first_line(journal)
        if first.get("kind") != Kind.BEGIN or first.get("journal") != VERSION:
            return None
        return Begun.from_json(first)
    except (StoreError, *DAMAGE):
        return None


def _begun_runs(journals: Path) -> list[tuple[Path, Begun]]:
    """Returns the journals with their first lines, the newest first."""
    read = ((path, read_begin(path)) for path in sorted(journals.glob(f"*{SUFFIX}")))
    found = [(path, begun) for path, begun in read if begun is not None]
    return sorted(found, key=lambda one: (one[1].number or 0, one[0].name), reverse=True)


def _is_empty(path: Path) -> bool:
    """Returns whether there is not one whole line in the file."""
    try:
        with open_regular(path) as file:
            line = file.readline(_MOST_BYTES)
            is_torn = not (line.endswith(b"\n") or has_damaged_end(line))
            return len(line) < _MOST_BYTES and is_torn
    except OSError:
        return False
