"""The tables of a run, kept up to date while it writes captions; the journal has the truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from core.batch import export
from core.batch.events import (
    Adopted,
    Captioned,
    ChangedElsewhere,
    DoubtFound,
    Edited,
    EditUndone,
    Failed,
    Skipped,
    Unused,
)
from core.batch.export import KeptRow, Row, TableFormat
from core.batch.journal import read_events
from core.batch.options import BatchOptions
from core.batch.replay import CaptionEvent
from core.batch.run_events import Begun, Started
from core.batch.stored import StoredTable
from core.captions.formats import CaptionFormat, TablePaths
from core.engine import EngineFacts
from core.errors import StoreError
from core.files import DiskFull, read_bytes, remove_partial, restore, write_error
from core.message import translatable
from core.transcript import Sampling
from core.version import program_version

# A larger file than this, and so many bytes for each of the journal's, is not the run's, and is not
# read: the journal has everything that is in a row, but for the names of the columns.
_MOST_BYTES, _MOST_FOR_EACH = 2**24, 16


class Tables:
    """The tables of one run, by format. Use it from one thread at a time.

    A table that cannot be written gets a note and does not end the run, since the journal has its
    rows. A full disk does. `old` are the tables that may lack rows. `earlier` is what those
    tables held that the run continues; its rows stay, but for images that this run captions too.
    A run of version 0.1 is early (`is_early`): its tables are written as that version did. Images
    with a caption that is `unwritten` still wait for it, and are in no table.
    """

    def __init__(
        self,
        paths: Mapping[CaptionFormat, Path],
        options: BatchOptions,
        journal: Path,
        note: Callable[[str], None],
        earlier: Mapping[CaptionFormat, StoredTable] | None = None,
        *,
        is_early: bool,
        unwritten: Mapping[str, CaptionEvent],
    ):
        self.paths = dict(paths)
        self.earlier = dict(earlier or {})
        self.old: set[CaptionFormat] = set()
        self._options = options
        self._journal = journal
        self._note = note
        self._is_early = is_early
        self._unwritten = unwritten
        self._folder = next((path.parent for path in self.paths.values()), None)

    @property
    def has_skipped(self) -> bool:
        """Returns whether there are tables that have the captions of skipped images too."""
        return bool(self.paths) and not self._is_early

    @property
    def complete(self) -> list[Path]:
        """Returns the tables that hold all captions."""
        return [path for one, path in self.paths.items() if one not in self.old and path.is_file()]

    def mark_old(self) -> None:
        """Says that the tables lack what was added to the journal; `renew` writes it."""
        self.old.update(self.paths)

    def clear_partial_files(self) -> None:
        """Removes what a killed process left of the tables that it was writing."""
        for path in self.paths.values():
            remove_partial(path)

    def renew(self, *, keeps_empty: bool = True) -> None:
        """Writes all tables from the journal. What somebody else has written there is kept under
        another name. Without `keeps_empty`, a table without a row of this run is given back what it
        held before. Raises DiskFull."""
        self.mark_old()
        is_empty = not keeps_empty and next(self._rows(), None) is None
        for table_format, path in self.paths.items():
            try:
                self._set_aside(path, table_format)
                if is_empty:
                    restore(path, self._content_before(table_format))
                else:
                    rows = self._merged_rows(table_format)
                    export.write(path, rows, self._format(table_format))
                self.old.discard(table_format)
            except DiskFull:
                raise
            except StoreError as error:
                self._note(error.message)

    def add(self, captioned: Iterable[Captioned], engine: EngineFacts) -> None:
        """Appends the rows of new captions, made by `engine`. Raises DiskFull."""
        if not self.paths:
            return
        version = program_version()
        rows = [row for event in captioned for row in self._rows_of(event, engine, version)]
        if not rows:
            return
        for table_format, path in self.paths.items():
            try:
                export.append(path, rows, self._format(table_format))
            except DiskFull:
                self.old.add(table_format)
                raise
            except StoreError as error:
                self.old.add(table_format)
                self._note(error.message)

    def remove(self) -> list[Path]:
        """Gives tables that hold only our rows the content from before the run, which for most is
        none; returns the others. Raises StoreError."""
        left: list[Path] = []
        for table_format, path in self.paths.items():
            if path.is_symlink() or not path.exists():
                continue
            if self._is_ours(path, table_format):
                restore(path, self._content_before(table_format))
            else:
                left.append(path)
        return left

    def _set_aside(self, path: Path, table_format: CaptionFormat) -> None:
        """Renames a file that holds more than our rows, or is a link, which would be written
        through. Raises StoreError."""
        if not path.is_symlink() and self._is_ours(path, table_format):
            return
        aside = export.free_path(path.parent, table_format)
        try:
            path.rename(aside)
        except OSError as error:
            raise write_error(path, error) from error
        self._note(
            translatable(
                "core", "“{name}” did not contain this run's captions. It is kept as “{aside}”."
            ).format(name=path.name, aside=aside.name)
        )

    def _is_ours(self, path: Path, table_format: CaptionFormat) -> bool:
        """Returns whether a file holds nothing but rows of this run and of those that it continues,
        or does not exist. Raises StoreError."""
        before, most = self._content_before(table_format), self.most_bytes(table_format)
        if path.is_file() and path.stat().st_size > most:
            return False
        data = read_bytes(path, most=most)
        # A crash may have torn the row at the end of what this run continues.
        if not data or data == before:
            return True
        own = self._format(table_format)
        return export.holds_only(data, self.known_rows(table_format), own)

    def _rows(self) -> Iterator[Row]:
        """Yields the rows of each caption in the journal, as it was last written."""
        rows: dict[str, list[Row]] = {}
        for picture, of_picture in self._versions():
            rows[picture] = of_picture
        for picture, of_picture in rows.items():
            if not isinstance(self._unwritten.get(picture), Captioned):
                yield from of_picture

    def _merged_rows(self, table_format: CaptionFormat) -> Iterator[Row | KeptRow]:
        """Yields the rows of the continued table, with those of this run in the place of those
        about the same image, and then the others of this run."""
        if table_format not in self.earlier:
            yield from self._rows()
            return
        own = self._format(table_format)
        new = _by_picture(self._rows(), own)
        earlier = _by_picture(self._kept_rows(table_format), own)
        for picture, kept in earlier.items():
            rows = new.pop(picture, [])
            yield from rows if rows and not _is_only_skipped(rows, kept, own) else kept
        for rows in new.values():
            yield from rows

    def most_bytes(self, table_format: CaptionFormat) -> int:
        """Returns how large the table can be at most, so that no larger file need be read."""
        before = self._content_before(table_format) or b""
        return _MOST_BYTES + len(before) + _MOST_FOR_EACH * self._journal.stat().st_size

    def known_rows(self, table_format: CaptionFormat) -> Iterator[Row | KeptRow]:
        """Yields every row that the table ever had by this run, and those that it continues."""
        yield from self._kept_rows(table_format)
        for _, of_picture in self._versions():
            yield from of_picture

    def _kept_rows(self, table_format: CaptionFormat) -> list[KeptRow]:
        content = self._content_before(table_format)
        return export.kept_rows(content, self._format(table_format)) if content else []

    def _content_before(self, table_format: CaptionFormat) -> bytes | None:
        earlier = self.earlier.get(table_format)
        return earlier.content if earlier else None

    def _versions(self) -> Iterator[tuple[str, list[Row]]]:
        """Yields an image's path and rows, each time that an event changes them."""
        engine: EngineFacts | None = None
        version = ""
        by_run: dict[str, list[Row]] = {}
        now: dict[str, list[Row]] = {}
        doubts: dict[str, DoubtFound] = {}
        whole: dict[str, str] = {}
        captioned: dict[str, str] = {}
        for event in read_events(self._journal):
            match event:
                case Begun():
                    version = event.version
                    continue
                case Started():
                    engine = event.engine
                    version = version if event.version is None else event.version
                    continue
                case Captioned(picture=picture):
                    whole[picture] = captioned[picture] = event.caption
                    now[picture] = by_run[picture] = self._rows_of(event, engine, version)
                case Skipped(picture=picture) if event.caption:
                    whole[picture] = captioned[picture] = event.caption
                    now[picture] = by_run[picture] = [self._existing_row(event)]
                case Failed(picture=picture) | Unused(picture=picture):
                    by_run.pop(picture, None)
                    now[picture] = []
                case Edited(picture=picture) | Adopted(picture=picture) if picture in by_run:
                    whole[picture] = event.caption
                    first = by_run[picture][0]
                    is_edited = isinstance(event, Adopted) or event.is_by_hand
                    now[picture] = [replace(first, caption=event.caption, is_edited=is_edited)]
                case EditUndone(picture=picture) | ChangedElsewhere(picture=picture) if (
                    picture in by_run
                ):
                    after = event.after if isinstance(event, EditUndone) else event
                    caption, is_edited = after.caption, after.is_edited
                    # An image that was skipped has no caption of the run.
                    is_by_run = not is_edited and caption in ("", captioned[picture])
                    whole[picture] = captioned[picture] if is_by_run else caption
                    edited = replace(by_run[picture][0], caption=caption, is_edited=is_edited)
                    now[picture] = by_run[picture] if is_by_run else [edited]
                case DoubtFound(picture=picture) if picture in by_run:
                    doubts[picture] = event
                case _:
                    continue
            found = doubts.get(picture)
            if found is not None and found.caption == whole[picture]:
                yield picture, _with_doubt(now[picture], found)
            else:
                yield picture, now[picture]

    def _rows_of(self, event: Captioned, engine: EngineFacts | None, version: str) -> list[Row]:
        """Returns the rows of one image, one for each prompt."""
        return [
            Row(
                picture=self._named(event.picture),
                file_name=self._file_name(event.picture),
                model=engine.model if engine else "",
                model_fingerprint=engine.fingerprint if engine else "",
                sampling=self._options.sampling,
                version=version,
                prompt=answer.prompt,
                caption=self._options.whole_caption([answer.caption]),
                seed=answer.seed,
                ending=answer.ending,
                tokens=answer.tokens,
                seconds=answer.seconds,
                notes=event.notes,
            )
            for answer in event.answers
        ]

    def _existing_row(self, event: Skipped) -> Row:
        """Returns the row of an image that was skipped."""
        return Row(
            picture=self._named(event.picture),
            file_name=self._file_name(event.picture),
            caption=event.caption,
            is_existing=True,
            model="",
            model_fingerprint="",
            sampling=Sampling(),
            version="",
            prompt="",
            seed=None,
            ending="",
            tokens=0,
            seconds=0.0,
        )

    def _named(self, picture: str) -> str:
        is_relative = self._options.table_paths is TablePaths.RELATIVE
        return self._file_name(picture) or picture if is_relative else picture

    def _file_name(self, picture: str) -> str | None:
        """Returns the image's path from the tables' folder; None if it is on another drive."""
        if self._is_early or self._folder is None:
            return None
        try:
            return Path(os.path.relpath(picture, self._folder)).as_posix()
        except ValueError:
            return None

    def _format(self, kind: CaptionFormat) -> TableFormat:
        return TableFormat(kind, self._options.csv_separator)


_Rows = TypeVar("_Rows", Row, KeptRow)


def _by_picture(rows: Iterable[_Rows], table_format: TableFormat) -> dict[str, list[_Rows]]:
    """Returns the rows by the name that a table of this format has for their image."""
    found: dict[str, list[_Rows]] = {}
    for row in rows:
        found.setdefault(export.picture_in(row, table_format), []).append(row)
    return found


def _is_only_skipped(
    rows: Sequence[Row], kept: Sequence[KeptRow], table_format: TableFormat
) -> bool:
    """Returns whether the image was skipped by this run with the caption that the continued table
    has, which says more about it."""
    caption = "\n".join(row.caption for row in kept)
    return all(row.is_existing and export.caption_in(row, table_format) == caption for row in rows)


def _with_doubt(rows: list[Row], found: DoubtFound) -> list[Row]:
    """Adds the most doubtful word to the row that has it."""
    if not found.word or not rows:
        return rows
    index = next((n for n, row in enumerate(rows) if found.word in row.caption), 0)
    doubtful = replace(rows[index], doubtful_word=found.word, doubt=round(found.doubt, 4))
    return [doubtful if n == index else row for n, row in enumerate(rows)]
