"""Where the captions of images go: into files beside them, and into rows of tables."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.batch.options import BatchOptions
from core.batch.stored import StoredChange, StoredTable
from core.captions import xmp
from core.captions.encoding import decoded
from core.captions.naming import CaptionNames
from core.captions.open_tables import OpenTables, RowChange, TablePlaces, no_text, place_in
from core.captions.sidecar import NAME, encoded, fingerprint
from core.captions.table import LARGEST, CaptionTable, caption_of_raw
from core.errors import StoreError
from core.files import is_folder, read_bytes, restore
from core.message import translatable
from core.picture import is_image

_LARGEST_TEXT = 4_000_000


class Target(Protocol):
    """One place for the caption of an image. All content is as it is stored there; None for none.
    What reads or writes raises StoreError, and DiskFull."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def row(self) -> str:
        """The image whose row of the file it is; "" for the whole file."""
        ...

    @property
    def key(self) -> str:
        """What identifies the place."""
        ...

    @property
    def is_xmp(self) -> bool:
        """Whether the caption is one of several texts there."""
        ...

    @property
    def largest(self) -> int:
        """The bytes up to which it is read."""
        ...

    def content(self) -> bytes | None:
        """Returns what is stored there now."""
        ...

    def caption(self, data: bytes | None) -> str:
        """Returns the caption that is stored so."""
        ...

    def stored(self, caption: str) -> bytes | None:
        """Returns how a caption is to be stored, where it is all there is."""
        ...

    def put(self, before: bytes | None, after: bytes | None) -> None:
        """Stores `after` in the place of `before`; it is on the disk on return."""
        ...

    def is_newer(self, began: float) -> bool:
        """Returns whether it was changed since a run `began`, in seconds since 1970."""
        ...


@dataclass(frozen=True)
class FileTarget:
    """A text or XMP file beside the image."""

    path: Path
    row: str = ""

    @property
    def key(self) -> str:
        """See `Target`."""
        return str(self.path)

    @property
    def is_xmp(self) -> bool:
        """See `Target`."""
        return self.path.suffix.lower() == ".xmp"

    @property
    def largest(self) -> int:
        """See `Target`."""
        return xmp.LARGEST if self.is_xmp else _LARGEST_TEXT

    def content(self) -> bytes | None:
        """See `Target`."""
        if not self._is_there():
            return None
        data = read_bytes(self.path, most=self.largest)
        if data and is_image(data):
            raise StoreError(
                translatable(
                    "core",
                    "“{name}” is an image, not a caption file. Rename it, or name the captions "
                    "{pattern}.",
                ).format(name=self.path.name, pattern=NAME)
            )
        return data

    def caption(self, data: bytes | None) -> str:
        """See `Target`."""
        if self.is_xmp:
            return xmp.read(data, self.path.name).description
        return decoded(data, self.path.name)

    def stored(self, caption: str) -> bytes | None:
        """See `Target`."""
        return encoded(caption)

    def put(self, before: bytes | None, after: bytes | None) -> None:
        """See `Target`."""
        self._is_there()
        restore(self.path, after)

    def is_newer(self, began: float) -> bool:
        """See `Target`."""
        try:
            return self.path.stat().st_mtime > began
        except OSError:
            return False

    def _is_there(self) -> bool:
        """Returns whether there may be a file: a run asks several times for each image. Raises
        StoreError for a link: `CaptionNames` follows those that stay in the folders."""
        try:
            mode = os.lstat(self.path).st_mode
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            return True  # Reading says what is wrong.
        if stat.S_ISLNK(mode):
            raise StoreError(
                translatable(
                    "core",
                    "“{name}” is a link that leads out of the folder, or to no caption file. "
                    "Replace it with a file, then try again.",
                ).format(name=self.path.name)
            )
        return True


class _SinceStart:
    """As `Origins`: a table is made by the run that was not there when it began."""

    def __init__(self, at_start: Collection[str]):
        self._others = set(at_start)

    def is_made_here(self, path: str) -> bool:
        return path not in self._others

    def note(self, path: str, *, is_made_here: bool) -> None:
        if not is_made_here:
            self._others.add(path)


class Rows:
    """The tables whose rows a run changes. `at_start` is what they held when it began, by path."""

    def __init__(self, at_start: Mapping[str, StoredTable] | None = None):
        self.tables = OpenTables(_SinceStart(at_start or ()))
        self._stored = dict(at_start or {})
        self._at_start: dict[str, CaptionTable] = {}

    def raw(self, path: Path, image: str) -> bytes | None:
        """Returns how the caption of an image is written in a table. Raises StoreError."""
        table = self.tables.table(str(path))
        key, _ = place_in(table, str(path), image)
        if not table.is_text(key):
            raise StoreError(no_text(str(path), image))
        return table.raw(key)

    def written(self, path: Path, image: str, caption: str) -> bytes | None:
        """Returns how another caption is to be written. Raises StoreError."""
        table = self.tables.table(str(path))
        return table.written(place_in(table, str(path), image)[0], caption)

    def raw_at_start(self, path: Path, image: str) -> bytes | None:
        """Returns how the caption was written when the run began. Raises StoreError."""
        table = self._at_start.get(str(path))
        if table is None:
            stored = self._stored.get(str(path))
            table = CaptionTable.of(stored.content if stored else None, path.name)
            self._at_start[str(path)] = table
        return table.raw(place_in(table, str(path), image)[0])

    def put(self, changes: Sequence[tuple[Target, bytes | None, bytes | None]]) -> None:
        """Makes changes to rows, all those of a table in one step. Rows that another program has
        changed stay. Raises StoreError, and DiskFull."""
        by_path: dict[str, list[RowChange]] = {}
        for target, before, after in changes:
            change = RowChange(target.row, before, after)
            by_path.setdefault(str(target.path), []).append(change)
        for path, those in by_path.items():
            self.tables.put(path, those, is_recovery=True)


@dataclass(frozen=True)
class RowTarget:
    """The caption in a table's row for the image `row`."""

    path: Path
    row: str
    rows: Rows = field(compare=False, repr=False)
    is_xmp: bool = False

    @property
    def key(self) -> str:
        """See `Target`."""
        return f"{self.path}\n{self.row}"

    @property
    def largest(self) -> int:
        """See `Target`."""
        return LARGEST

    def content(self) -> bytes | None:
        """See `Target`."""
        return self.rows.raw(self.path, self.row)

    def caption(self, data: bytes | None) -> str:
        """See `Target`."""
        return caption_of_raw(self.path.name, data)

    def stored(self, caption: str) -> bytes | None:
        """See `Target`."""
        return self.rows.written(self.path, self.row, caption)

    def put(self, before: bytes | None, after: bytes | None) -> None:
        """See `Target`."""
        self.rows.put([(self, before, after)])

    def is_newer(self, began: float) -> bool:
        """See `Target`: by what the table held then, as all its rows have one time."""
        now = self.rows.raw(self.path, self.row)
        return fingerprint(now) != fingerprint(self.rows.raw_at_start(self.path, self.row))


class CaptionTargets:
    """Where a run with these options puts captions. `pictures` are all images, and `roots` the
    folders and files of the run. May be used from any thread."""

    def __init__(
        self,
        options: BatchOptions,
        roots: Iterable[Path] = (),
        pictures: Sequence[Path] = (),
        at_start: Mapping[str, StoredTable] | None = None,
    ):
        roots = list(roots)
        self.names = CaptionNames(options.name, options.writes, roots, pictures)
        self.rows = Rows(at_start)
        folders = [root if is_folder(root) else root.parent for root in roots]
        places: dict[str, list[Path]] = {}
        for table in map(Path, options.tables):
            is_named = table.parent == Path()
            places.setdefault(table.name, []).extend(folders if is_named else [table.parent])
        self._places = [
            TablePlaces(self.rows.tables, name, folders) for name, folders in places.items()
        ]

    def of(self, picture: Path) -> list[Target]:
        """Returns where the caption of an image goes. Raises StoreError for a damaged table."""
        found: list[Target] = [FileTarget(path) for path in self.names.targets(picture)]
        for place in self._places:
            path, _, _ = place.row(str(picture))
            found.append(RowTarget(Path(path), str(picture), self.rows))
        return found

    def of_stored(self, stored: StoredChange) -> Target:
        """Returns where a change was made that a journal has."""
        return target_of(stored, self.rows)

    def tables_of(self, pictures: Iterable[Path]) -> list[str]:
        """Returns the tables that may have rows of these images, whether they exist or not."""
        folders = dict.fromkeys(os.path.dirname(str(path)) for path in pictures)  # noqa: PTH120
        return list(
            dict.fromkeys(
                path for place in self._places for folder in folders for path in place.paths(folder)
            )
        )


def target_of(stored: StoredChange, rows: Rows) -> Target:
    """Returns where a change was made that a journal has."""
    path = Path(stored.path)
    return RowTarget(path, stored.row, rows) if stored.row else FileTarget(path)
