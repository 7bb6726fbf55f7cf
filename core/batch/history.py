"""Earlier runs: which there were, how far each came, and what they wrote last into each file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.batch import events, sidecar
from core.batch.changes import EDITED_FILE, WrittenFile
from core.batch.events import Begun, Captioned, Edited, EditUndone, Kind
from core.batch.journal import SUFFIX, read_events, read_kinds_backwards, read_lines
from core.batch.options import BatchOptions
from core.errors import StoreError

_DECIDING = (Kind.END, Kind.UNDO, Kind.UNDONE, Kind.RETRY, Kind.RUN, Kind.ITEM)
"""The kinds of line after which it is known whether a run is over."""


@dataclass(frozen=True)
class KeptRun:
    """An earlier run. `is_over` once no image waits, or its undo is finished; `is_undone` from the
    moment that its undo began."""

    journal: Path
    roots: tuple[Path, ...]
    options: BatchOptions
    began: datetime
    is_over: bool
    is_undone: bool


def find_runs(journals: Path) -> list[KeptRun]:
    """Returns the runs whose journals are in the folder, the newest first. Damaged journals are
    left out."""
    runs: list[KeptRun] = []
    for path in sorted(journals.glob(f"*{SUFFIX}"), reverse=True):
        begun = read_begin(path)
        if begun is None:
            continue
        last = next((kind for kind in read_kinds_backwards(path) if kind in _DECIDING), "")
        runs.append(
            KeptRun(
                path,
                begun.roots,
                begun.options,
                begun.when,
                is_over=last in (Kind.END, Kind.UNDONE),
                is_undone=last in (Kind.UNDO, Kind.UNDONE),
            )
        )
    return runs


def read_begin(journal: Path) -> Begun | None:
    """Returns the first line of a journal; None if it is not one of a version that we know."""
    try:
        first = next(read_lines(journal), None)
    except StoreError:
        return None
    if first is None or first.get("kind") != Kind.BEGIN or first.get("journal") != events.VERSION:
        return None
    return Begun.from_json(first)


def files_written_by_runs(journals: Path, roots: Iterable[Path]) -> dict[str, WrittenFile]:
    """Returns what runs over these folders wrote last into each file, by its path. Runs that are
    undone do not count. Raises StoreError."""
    written: dict[str, WrittenFile] = {}
    for kept in reversed(find_runs(journals)):
        if not kept.is_undone and _overlap(kept.roots, roots):
            _add_written(written, kept.journal)
    return written


def _add_written(written: dict[str, WrittenFile], journal: Path) -> None:
    by_run: dict[str, WrittenFile] = {}
    for event in read_events(journal):
        match event:
            case Captioned(changes=changes, recipe=recipe):
                for change in changes:
                    file = WrittenFile(sidecar.fingerprint(change.after_bytes), recipe)
                    written[change.path] = by_run[change.path] = file
            case Edited(changes=changes):
                written.update((change.path, EDITED_FILE) for change in changes)
            case EditUndone(changes=changes):
                for change in changes:
                    if change.path in by_run:
                        written[change.path] = by_run[change.path]
                    else:
                        written.pop(change.path, None)
            case _:
                pass


def _overlap(one: Iterable[Path], other: Iterable[Path]) -> bool:
    others = list(other)
    return any(a == b or a in b.parents or b in a.parents for a in one for b in others)
