"""Tables of captions in their files: read once, written as a whole, searched for an image's row.

A table is written in one step, so that a kill leaves it with all captions of an edit or with none.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from core.captions.stamps import stamp_after, stamp_of
from core.captions.table import LARGEST, CaptionTable, TableLine, all_of, key_of
from core.errors import StoreError
from core.files import is_link, read_bytes, remove_partial, restore
from core.message import Message, translatable
from core.write_lock import replacing

# So many rows are looked at between two looks at what else there is to do.
_AT_ONCE = 500


class RowChange(NamedTuple):
    """How the caption of an image is written in a table before a change and after it; None for no
    row."""

    image: str
    before: bytes | None
    after: bytes | None


class Origins(Protocol):
    """Remembers which tables the program has made, also after a restart. Called by whoever writes
    tables."""

    def is_made_here(self, path: str) -> bool:
        """Returns whether a table was made here, and goes once it has no row."""
        ...

    def note(self, path: str, *, is_made_here: bool) -> None:
        """Notes that a table is about to be made, or that another program's was found without any
        row. It is on the disk on return."""
        ...


class OpenTables:
    """The tables that were read, so that they are taken apart once. Used from any thread."""

    def __init__(self, origins: Origins) -> None:
        self._lock = threading.Lock()
        self._origins = origins
        self._is_changed = False
        self._known: dict[str, tuple[tuple[int, int], bytes | None, CaptionTable | StoreError]] = {}

    def table(self, path: str, *, is_sure: bool = False) -> CaptionTable:
        """Returns the table in a file, an empty one for no file. With `is_sure` the content is
        compared, else the file's time and size. Raises StoreError."""
        with self._lock:
            stamp = stamp_of(path)
            known = self._known.get(path)
            if known is None or known[0] != stamp or is_sure:
                before = known
                known = self._known[path] = _read(path, stamp, known)
                self._is_changed |= before is None or known[2] is not before[2]
            if isinstance(known[2], StoreError):
                raise known[2]
            return known[2]

    def take_changes(self, paths: Iterable[str]) -> bool:
        """Returns whether other programs have changed the tables that were read, or made those at
        `paths`, since the last call."""
        for path in {*self.times, *filter(os.path.lexists, paths)}:
            with suppress(StoreError):
                self.table(path)
        with self._lock:
            changed, self._is_changed = self._is_changed, False
            return changed

    @property
    def notes(self) -> list[Message]:
        """What to say of the tables that were read: some have images more than once."""
        text = translatable(
            "core",
            "“{name}” has several captions for {count} of its images. The last one of each is "
            "shown and changed; the others stay in the file.",
        )
        with self._lock:
            tables = [(path, known[2]) for path, known in self._known.items()]
        return [
            text.format(name=Path(path).name, count=f"{len(table.doubles):,}")
            for path, table in tables
            if isinstance(table, CaptionTable) and table.doubles
        ]

    @property
    def times(self) -> dict[str, int]:
        """When the files that were read were changed last, in nanoseconds."""
        with self._lock:
            return {path: stamp[0] for path, (stamp, _, _) in self._known.items()}

    def write(self, path: str, table: CaptionTable) -> None:
        """Puts a table into its file, in one step; one that was made here goes once it has no row.
        Raises StoreError, and DiskFull."""
        self._note_origin(path)
        is_to_go = table.is_empty and self._origins.is_made_here(path)
        data = None if is_to_go else table.data
        with self._lock:
            restore(Path(path), data)
            self._known[path] = stamp_after(path, data), data, table

    def _note_origin(self, path: str) -> None:
        """Before a table is written, as it was read last."""
        with self._lock:
            _, data, table = self._known[path]
        if data is None:
            self._origins.note(path, is_made_here=True)
        elif isinstance(table, CaptionTable) and table.is_empty:
            self._origins.note(path, is_made_here=False)

    def put(
        self, path: str, changes: Sequence[RowChange], *, is_recovery: bool = False
    ) -> dict[int, bytes | None]:
        """Makes changes to rows of a table, if they are as before. Returns what those rows hold
        that another program has changed, by their place in `changes`. Raises StoreError, and
        DiskFull; then the table is as it was."""
        return all_of(self.put_in_parts(path, changes, is_recovery=is_recovery))

    def put_in_parts(
        self, path: str, changes: Sequence[RowChange], *, is_recovery: bool = False
    ) -> Generator[None, None, dict[int, bytes | None]]:
        """As `put`; yields between some rows, so that others are not kept waiting. One that is left
        half-way changes nothing."""
        with _alone(path):
            if is_recovery:
                remove_partial(Path(path))
            while True:
                table = self.table(path, is_sure=True)
                raws, left = yield from _raws(table, path, changes)
                if not raws:
                    return left
                changed = yield from table.with_raws_in_parts(raws)
                # Another program may have written it meanwhile, as one that knows no locks.
                if table is self.table(path, is_sure=True):
                    self.write(path, changed)
                    return left

    def put_lines_in_parts(
        self, path: str, changes: Sequence[tuple[TableLine | None, TableLine | None]]
    ) -> Generator[None, None, list[int]]:
        """Changes whole rows of a table; see `CaptionTable.with_lines_in_parts`. Returns which
        changes were not made. Raises StoreError, and DiskFull; then the table is as it was."""
        with _alone(path):
            remove_partial(Path(path))
            while True:
                table = self.table(path, is_sure=True)
                yield
                try:
                    changed, left = yield from table.with_lines_in_parts(changes)
                except (ValueError, KeyError, IndexError) as error:
                    raise StoreError(changed_outside(path)) from error
                if changed.rows == table.rows:
                    return left
                # Another program may have written it meanwhile.
                if table is self.table(path, is_sure=True):
                    self.write(path, changed)
                    return left


def _raws(
    table: CaptionTable, path: str, changes: Sequence[RowChange]
) -> Generator[None, None, tuple[list[tuple[str, str, bytes | None]], dict[int, bytes | None]]]:
    """Returns what the table is to be given, and the rows that are not as before, by their place in
    `changes`."""
    raws: list[tuple[str, str, bytes | None]] = []
    left: dict[int, bytes | None] = {}
    for number, change in enumerate(changes):
        if number % _AT_ONCE == _AT_ONCE - 1:
            yield
        key, name = place_in(table, path, change.image)
        found = table.raw(key)
        if found == change.before:
            raws.append((key, name, change.after))
            continue
        caption = table.caption(found)
        if caption == table.caption(change.before):
            raws.append((key, name, change.after))
        elif caption != table.caption(change.after):
            left[number] = found
    return raws, left


@contextmanager
def _alone(path: str) -> Generator[None]:
    """Lets no other Onlooker change a table within the block, also that of another user: each reads
    the whole table and writes it, and the later one would undo what the other wrote."""
    try:
        with replacing(Path(path)):
            yield
    except TimeoutError as error:
        text = translatable("core", "Another program is writing “{name}”. Try again later.")
        raise StoreError(text.format(name=Path(path).name)) from error


class TablePlaces:
    """Finds the row of an image in tables called `name`: in its folder or one above it, up to the
    one of `places` that it is in, where a new table is made. Used from any thread."""

    def __init__(self, tables: OpenTables, name: str, places: Iterable[Path]):
        self._tables, self._name = tables, name
        self._places = [Path(place) for place in places]
        self._paths: dict[str, list[str]] = {}

    def row(self, image: str) -> tuple[str, CaptionTable, str]:
        """Returns the table with the row of an image, or else the nearest one, and the row's key.
        Raises StoreError."""
        nearest: tuple[str, CaptionTable, str] | None = None
        for path in self.paths(os.path.dirname(image)):  # noqa: PTH120 (quick)
            table = self._tables.table(path)
            key, _ = place_in(table, path, image)
            nearest = nearest or (path, table, key)
            if key in table.places:
                return path, table, key
        assert nearest is not None
        return nearest

    def paths(self, folder: str) -> list[str]:
        """Returns the tables that may have rows of a folder's images, the nearest first; the one
        to be made if there is none."""
        known = self._paths.get(folder)
        if known is None:
            known = self._paths[folder] = self._listed(folder)
        return known

    def _listed(self, folder: str) -> list[str]:
        at, found = Path(folder), list[str]()
        place = next((one for one in self._places if at.is_relative_to(one)), at)
        while True:
            path = at / self._name
            if os.path.lexists(path):
                found.append(str(path))
            if at in (place, at.parent):
                return found or [str(place / self._name)]
            at = at.parent


def place_in(table: CaptionTable, path: str, image: str) -> tuple[str, str]:
    """Returns the key of an image's row in a table, and what a new row calls the image."""
    folder = os.path.dirname(path).rstrip(os.sep) + os.sep  # noqa: PTH120 (quick)
    name = image.removeprefix(folder) if image.startswith(folder) else image
    if os.sep != "/":
        name = name.replace(os.sep, "/")
    key = key_of(name)
    if key not in table.places and (absolute := key_of(image)) in table.places:
        return absolute, image
    return key, name


def changed_outside(path: str) -> Message:
    """Returns why a row is left as it is."""
    text = translatable("core", "Another program has changed “{name}”. Look at it, then try again.")
    return text.format(name=Path(path).name)


def no_text(path: str, image: str) -> Message:
    """Returns why a caption that is a number or a list is not changed."""
    text = translatable(
        "core", "The caption of “{image}” in “{name}” is not text. Change it in another program."
    )
    return text.format(image=Path(image).name, name=Path(path).name)


def _read(
    path: str,
    stamp: tuple[int, int],
    known: tuple[tuple[int, int], bytes | None, CaptionTable | StoreError] | None,
) -> tuple[tuple[int, int], bytes | None, CaptionTable | StoreError]:
    file = Path(path)
    try:
        if is_link(file):
            text = translatable("core", "“{name}” is a link. Replace it with a file.")
            raise StoreError(text.format(name=file.name))
        data = read_bytes(file, most=LARGEST)
        if known is not None and data == known[1] and isinstance(known[2], CaptionTable):
            return stamp, data, known[2]
        return stamp, data, CaptionTable.of(data, file.name)
    except StoreError as error:
        return stamp, None, error
