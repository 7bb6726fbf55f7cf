"""Where the captions of folders are: as a person has chosen, or where the only ones are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.open_tables import OpenTables
from core.captions.sidecar import NAME, STEM
from core.captions.table import LARGEST, CaptionTable
from core.errors import StoreError
from core.files import open_regular, read_bytes
from core.picture import PICTURE_SUFFIXES
from core.workspace.data import CaptionMode, CaptionSource, WorkspaceOptions
from core.workspace.images import Images
from core.workspace.kept_options import KeptOptions
from core.workspace.opening import failing

USUAL_TABLES = ("metadata.jsonl", "metadata.csv", "captions.jsonl", "captions.csv")
"""What tables of captions are called, those for Hugging Face's image folders first."""

_SIDECARS = (".txt", ".caption", ".xmp")
_TABLES = (".jsonl", ".csv")
# Of an image folder, these are its splits and classes.
_MOST_SUBFOLDERS = 50
_MOST_TABLES = 8
_HEAD = 2**16
# An opening is not to wait for a folder of 100,000 images to be listed.
_MOST_LOOKED_AT = 2_000
# Photo programs write XMP files without descriptions beside all images, which are no captions.
_MOST_XMP_READ = 50
# Text files named after their images are what is read anyway.
_LIKELIEST = tuple(
    CaptionSource(one, pattern)
    for one in (CaptionFormat.TXT, CaptionFormat.CAPTION, CaptionFormat.XMP)
    for pattern in (STEM, NAME)
)


@dataclass(frozen=True)
class PossibleSources:
    """The tables with captions that there are, by name, and the name of an image for examples."""

    tables: tuple[str, ...] = ()
    example: str = ""


class Sources:
    """Where the captions of an open workspace could be. Used from any thread."""

    def __init__(
        self,
        guard: AbstractContextManager[object],
        images: Images,
        kept: KeptOptions,
        places: Sequence[Path],
        tables: OpenTables,
    ):
        """`guard` is the lock of the columns and the database."""
        self._guard, self._images, self._kept = guard, images, kept
        self._places, self._tables = places, tables

    def choose(self, source: CaptionSource) -> None:
        """Keeps where the captions of these folders are, for when they are opened again; the open
        workspace goes on with those that it has. Raises StoreError."""
        with self._guard, failing():
            self._kept.source = source

    def possible(self) -> PossibleSources:
        """Looks for tables in the folders."""
        with self._guard:
            example = next((self._images.names[id] for id in self._images.ids), "")
        return PossibleSources(tuple(tables_in(self._places)), example)

    @property
    def files(self) -> dict[Path, int]:
        """The tables in use, which other programs may overwrite in place, and when they were
        changed last, in nanoseconds, as far as that was read."""
        return {Path(path): time for path, time in self._tables.times.items()}


def chosen_options(
    options: WorkspaceOptions, kept: KeptOptions, places: Sequence[Path]
) -> WorkspaceOptions:
    """Returns the options with what a person has chosen for these folders, or with the files or
    the table that are the only source of captions there, if they leave that open. Raises
    sqlite3.Error."""
    if not options.takes_kept_format:
        return options
    source = kept.source
    if source is None:
        source = _only_source(places)
        if source:  # Also once a folder run has made other files there.
            kept.source = source
        source = source or options.source
    if source.format is CaptionFormat.XMP:
        options = replace(options, mode=kept.mode or CaptionMode.TEXT)
    return replace(options, format=source.format, pattern=source.pattern, table=source.table)


def _only_source(places: Sequence[Path]) -> CaptionSource | None:
    """Returns where the captions of these folders are, if they are nowhere else and not in the
    usual text files."""
    files: dict[CaptionSource, list[Path]] = {one: [] for one in _LIKELIEST}
    for place in places:
        for folder in (place, *_subfolders(place)):
            for source, path in _sidecars_in(folder):
                files[source].append(path)
    for source, paths in files.items():
        is_xmp = source.format is CaptionFormat.XMP
        if paths and (not is_xmp or any(map(_has_description, paths[:_MOST_XMP_READ]))):
            return source if source != CaptionSource() else None
    table = only_table(places)
    return CaptionSource.of_table(table) if table else None


def only_table(places: Iterable[Path]) -> str:
    """Returns the name of the table that has the captions of these folders; "" for none, or where
    files beside the images have some."""
    for place in places:
        folders = [place, *_subfolders(place)]
        for name in USUAL_TABLES:
            if any(_has_captions(folder / name) for folder in folders):
                return "" if any(map(_has_sidecars, folders)) else name
    return ""


def tables_in(places: Iterable[Path]) -> list[str]:
    """Returns the names of the tables with captions in these folders."""
    found: dict[str, None] = {}
    for place in places:
        for folder in (place, *_subfolders(place)):
            names = sorted(one for one in _names_in(folder) if one.lower().endswith(_TABLES))
            for name in names[:_MOST_TABLES]:
                if name not in found and _has_captions(folder / name):
                    found[name] = None
    return list(found)[:_MOST_TABLES]


def _has_captions(path: Path) -> bool:
    try:
        with open_regular(path, most=LARGEST) as file:
            data = file.read(_HEAD)
            rows = data if len(data) < _HEAD else data[: data.rfind(b"\n") + 1]
            try:
                return CaptionTable.of(rows, path.name).has_captions
            except StoreError:  # A row may have been cut.
                return CaptionTable.of(data + file.read(), path.name).has_captions
    except (StoreError, OSError):
        return False


def _has_sidecars(folder: Path) -> bool:
    """Returns whether a file beside an image is named after it as captions are."""
    names = [os.path.splitext(one) for one in _names_in(folder)]  # noqa: PTH122 (quick)
    images = [(stem, end) for stem, end in names if end.lower() in PICTURE_SUFFIXES]
    known = {stem for stem, _ in images} | {stem + end for stem, end in images}
    return any(end.lower() in _SIDECARS and stem in known for stem, end in names)


def _sidecars_in(folder: Path) -> list[tuple[CaptionSource, Path]]:
    """Returns the files beside images that are named after them, among the first entries."""
    with suppress(OSError), os.scandir(folder) as entries:
        names = [one.name for one in islice(entries, _MOST_LOOKED_AT)]
        parts = [os.path.splitext(one) for one in names]  # noqa: PTH122 (quick)
        images = {(stem, end) for stem, end in parts if end.lower() in PICTURE_SUFFIXES}
        stems, whole = {stem for stem, _ in images}, {stem + end for stem, end in images}
        return [
            (CaptionSource(CaptionFormat(end[1:].lower()), pattern), folder / (stem + end))
            for stem, end in parts
            if end.lower() in _SIDECARS
            for pattern, known in ((STEM, stems), (NAME, whole))
            if stem in known
        ]
    return []


def _has_description(path: Path) -> bool:
    try:
        return bool(xmp.description_of(read_bytes(path)))
    except StoreError:
        return False


def _subfolders(folder: Path) -> list[Path]:
    found: list[Path] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in islice(entries, _MOST_LOOKED_AT):
            if len(found) < _MOST_SUBFOLDERS and entry.is_dir(follow_symlinks=False):
                found.append(Path(entry.path))
    return sorted(found)


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []
