"""What earlier runs wrote last into each caption file, by which a later one knows its own work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from core.batch.changes import EDITED_FILE, Change, WrittenFile
from core.batch.events import Captioned, Edited, EditUndone, Failed, Unused, Written
from core.batch.history import KeptRun, find_runs
from core.batch.journal import read_events
from core.batch.run_events import UndoBegun
from core.batch.stored import StoredChange
from core.batch.targets import Rows
from core.captions.sidecar import fingerprint
from core.errors import StoreError


def files_written_by_runs(journals: Path, roots: Iterable[Path]) -> dict[str, WrittenFile]:
    """Returns what runs over these folders wrote last into each place, by its key (`targets`). Of
    runs that are undone, only what was edited by hand and left counts. Raises StoreError."""
    written: dict[str, WrittenFile] = {}
    for kept in reversed(find_runs(journals)):
        if _overlap(kept.roots, roots):
            _WrittenByRun(written, kept).add()
    return written


def captions_written(
    journal: Path, pictures: Iterable[Path] | None = None
) -> Iterator[WrittenCaption]:
    """Yields how a run has written its captions of these images, or without any given, of all that
    no person has edited since. Raises StoreError."""
    wanted = None if pictures is None else set(map(str, pictures))
    captioned: dict[str, Captioned] = {}
    for event in read_events(journal):
        if isinstance(event, Captioned) and (wanted is None or event.picture in wanted):
            captioned[event.picture] = event
        elif isinstance(event, Failed | Unused) or (isinstance(event, Edited) and wanted is None):
            captioned.pop(event.picture, None)
    for event in captioned.values():
        for change in event.changes:
            content = change.before_bytes, change.after_bytes
            kind = bool(change.row)
            yield WrittenCaption(event.picture, change.path, *content, kind, event.caption)


class WrittenCaption(NamedTuple):
    """What a file, or with `is_row` the image's row of a table, held before a run and after it,
    and the `caption` that the model wrote."""

    image: str
    path: str
    before: bytes | None
    after: bytes | None
    is_row: bool
    caption: str


class _WrittenByRun:
    """Adds what one run has written to what earlier ones wrote."""

    def __init__(self, written: dict[str, WrittenFile], kept: KeptRun):
        self._written, self._kept = written, kept
        self._before: dict[str, WrittenFile | None] = {}
        self._by_run: dict[str, WrittenFile] = {}
        self._under_way: dict[str, _UnderWay] = {}
        self._rows = Rows()

    def add(self) -> None:
        """Reads the run's journal. Raises StoreError."""
        for event in read_events(self._kept.journal):
            match event:
                case Captioned() | Edited() | EditUndone():
                    self._add(event)
                case Written(picture=picture):
                    self._under_way.pop(picture, None)
                case Failed(picture=picture) | Unused(picture=picture):
                    self._take_back(picture)
                case UndoBegun(keeps_edits=keeps_edits):
                    self._undo(keeps_edits=keeps_edits)
                case _:
                    pass
        for picture, under_way in list(self._under_way.items()):
            # The process was killed: it had written these files or had not.
            if any(_is_as_before(one, self._rows) for one in under_way.changes):
                self._take_back(picture)

    def _add(self, event: Captioned | Edited | EditUndone) -> None:
        paths = [change.key for change in event.changes]
        files = {path: self._written.get(path) for path in paths}
        by_run = {path: self._by_run.get(path) for path in paths}
        self._under_way[event.picture] = _UnderWay(event.changes, files, by_run)
        for change in event.changes:
            path = change.key
            self._before.setdefault(path, self._written.get(path))
            if isinstance(event, Captioned):
                file = self._captioned(change, event.recipe)
                self._written[path] = self._by_run[path] = file
            elif isinstance(event, Edited):
                is_by_hand = event.is_by_hand
                self._written[path] = (
                    EDITED_FILE if is_by_hand else self._captioned(change, event.recipe)
                )
            else:
                _put(self._written, path, self._by_run.get(path, self._before[path]))

    def _captioned(self, change: StoredChange, recipe: str) -> WrittenFile:
        last = self._written.get(change.key)
        recipes = {recipe}
        is_added = self._kept.options.adds_to_captions
        if is_added and last and last.fingerprint == fingerprint(change.before_bytes):
            recipes |= last.recipes
        earlier = last.history if last else ()
        after = fingerprint(change.after_bytes)
        return WrittenFile(after, recipe, frozenset(recipes), earlier)

    def _take_back(self, picture: str) -> None:
        """Forgets what the last event of an image says, as its files were not written."""
        if under_way := self._under_way.pop(picture, None):
            for path, file in under_way.files.items():
                _put(self._written, path, file)
                _put(self._by_run, path, under_way.by_run[path])

    def _undo(self, *, keeps_edits: bool) -> None:
        for path, file in self._before.items():
            is_edited = path in self._by_run and self._written.get(path) == EDITED_FILE
            if not (is_edited and keeps_edits):
                _put(self._written, path, file)
        self._by_run.clear()
        self._under_way.clear()


@dataclass(frozen=True)
class _UnderWay:
    """Changes that may not be made, and what was known of their files before."""

    changes: tuple[StoredChange, ...]
    files: dict[str, WrittenFile | None]
    by_run: dict[str, WrittenFile | None]


def _put(files: dict[str, WrittenFile], path: str, file: WrittenFile | None) -> None:
    if file is None:
        files.pop(path, None)
    else:
        files[path] = file


def _is_as_before(stored: StoredChange, rows: Rows) -> bool:
    try:
        return Change.from_stored(stored, rows).is_to_make
    except StoreError:
        return False


def _overlap(one: Iterable[Path], other: Iterable[Path]) -> bool:
    others = list(other)
    return any(a == b or a in b.parents or b in a.parents for a in one for b in others)
