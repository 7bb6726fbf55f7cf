"""A table with the captions of many images: read, and changed so that all else in it stays.

JSON lines or CSV with a column of file names, as `file_name` of Hugging Face's image folders, and
one of captions. Other columns, their order, the encoding, the quoting, the line ends and whatever
is in rows without an image stay as they are, byte for byte.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple, Protocol, TypeVar
from unicodedata import normalize

from core.captions.encoding import StoredText, plain, stored_text
from core.captions.table_cells import CellRows
from core.captions.table_lines import LineRows
from core.captions.table_rows import Row, TableError
from core.errors import StoreError
from core.message import translatable

_PLAIN = re.compile(r"/?[^/\\.][^/\\]*+(?:/[^/\\.][^/\\]*+)*+")

# So many rows are changed between two looks at what else there is to do.
_AT_ONCE = 500
_PLACED_AT_ONCE = 10_000

_Result = TypeVar("_Result")

LARGEST = 200_000_000
"""The bytes up to which a table is read."""


class RowFormat(Protocol):
    """What a kind of table knows of its rows."""

    def rows(self, text: str) -> list[Row]:
        """Takes a text apart. Raises TableError."""
        ...

    def value(self, raw: str) -> str:
        """Returns the caption that stands in the text as `raw`."""
        ...

    def raw(self, caption: str, old: str) -> str:
        """Returns how a caption is written in the place of `old`."""
        ...

    def can_name(self, name: str) -> bool:
        """Returns whether a new row can have the name of an image."""
        ...

    def with_raw(self, row: Row, raw: str) -> Row:
        """Returns a row with another caption."""
        ...

    def new_row(self, name: str, raw: str) -> Row:
        """Returns a row for an image, without a line end."""
        ...

    def row_of(self, text: str) -> Row:
        """Takes one row apart that is of this table. Raises ValueError."""
        ...

    def renamed(self, row: Row, name: str) -> Row:
        """Returns a row for another image, in which all else stays."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """What rows need in common to be of one table."""
        ...

    def head(self) -> str:
        """Returns what a new table begins with."""
        ...


class TableLine(NamedTuple):
    """A whole row, with its line end, and its place among the rows; places beyond the last stand
    for the end."""

    text: str
    at: int

    def is_same(self, row: Row) -> bool:
        """Whether the row says so, wherever it stands."""
        return row.without_end().text == self.text.rstrip("\r\n")


class CaptionTable(NamedTuple):
    """A table as it stands in a file. Never changed: `with_raws` returns another one."""

    stored: StoredText
    form: RowFormat
    rows: tuple[Row, ...]
    places: Mapping[str, int]
    """The last row of each image, by `key_of` its name."""
    doubles: Mapping[str, Sequence[int]]
    """All rows of images that have several."""
    end: str
    """What stands between rows."""

    @classmethod
    def of(cls, data: bytes | None, name: str) -> CaptionTable:
        """Takes a file apart, whose name says what kind it is; None for one that is to be made.
        Raises StoreError for what is not a table of captions."""
        form = _form_of(name)
        stored = stored_text(data or b"", name)
        try:
            rows = tuple(form.rows(stored.text or form.head()))
        except TableError as error:
            text = translatable(
                "core", "“{name}” is not a table of captions ({reason}). Repair it, then try again."
            )
            raise StoreError(text.format(name=name, reason=error.reason)) from error
        end = "\r\n" if "\r\n" in stored.text else "\n"
        return cls(stored, form, rows, *_placed(rows), end)

    @property
    def data(self) -> bytes:
        """The content of the file."""
        return self.stored.encoded("".join(row.text for row in self.rows))

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing but what a new table begins with."""
        return "".join(row.text for row in self.rows[:2]) == self.form.head()

    @property
    def has_captions(self) -> bool:
        """Whether some row has both an image's name and a caption."""
        return any(row.name and row.is_text and row.raw for row in self.rows)

    def raw(self, key: str) -> bytes | None:
        """Returns how an image's caption is written; None for no row, empty for no caption."""
        place = self.places.get(key)
        return None if place is None else _bytes(self.rows[place].raw)

    def caption(self, raw: bytes | None) -> str:
        """Returns the caption that is written so."""
        return _caption(self.form, raw)

    def is_text(self, key: str) -> bool:
        """Whether the caption of an image is a text, and not a number or a list."""
        place = self.places.get(key)
        return place is None or self.rows[place].is_text

    def written(self, key: str, caption: str) -> bytes | None:
        """Returns how another caption is to be written; None if no row is needed for it. Raises
        StoreError for an image that no row can name."""
        raw = self.raw(key)
        if raw is None and not caption:
            return None
        if raw is None:
            self._require_name(key)
        return _bytes(self.form.raw(plain(caption), _text(raw)))

    def with_raws(self, raws: Sequence[tuple[str, str, bytes | None]]) -> CaptionTable:
        """Returns the table with other captions: of each image its key, the name for a new row, and
        how the caption is written. None takes a row away that has nothing else."""
        return all_of(self.with_raws_in_parts(raws))

    def with_raws_in_parts(
        self, raws: Sequence[tuple[str, str, bytes | None]]
    ) -> Generator[None, None, CaptionTable]:
        """As `with_raws`; yields between some rows, so that others are not kept waiting."""
        rows, places, doubles = list(self.rows), dict(self.places), self.doubles
        gone: set[int] = set()
        for number, (key, name, raw) in enumerate(raws, 1):
            place = places.get(key)
            if raw is None:
                if place is not None:
                    self._take_away(rows, places, key, gone)
            elif place is None:
                places[key] = len(rows)
                self._append(rows, name, _text(raw))
            else:
                rows[place] = self.form.with_raw(rows[place], _text(raw))
            if number % _AT_ONCE == 0:
                yield
        if gone:
            rows = [row for number, row in enumerate(rows) if number not in gone]
            places, doubles = yield from _placed_in_parts(rows)
        return self._replace(rows=tuple(rows), places=places, doubles=doubles)

    def line(self, key: str) -> TableLine | None:
        """Returns the row of an image, the last one of several."""
        place = self.places.get(key)
        return None if place is None else TableLine(self.rows[place].text, place)

    def lines(self, key: str) -> list[TableLine]:
        """Returns all rows of an image."""
        places = self.doubles.get(key) or [self.places[key]] if key in self.places else []
        return [TableLine(self.rows[place].text, place) for place in places]

    def line_for(self, line: TableLine, source: CaptionTable, key: str, name: str) -> TableLine:
        """Returns how the row of an image in another table, or in this one, is to stand here under
        another name: with all that it has, if that fits. Where a row stands under that name, it is
        to take its place. Raises StoreError for a name that no row can have."""
        self._require_name(name)
        row = source.form.row_of(line.text)
        is_fit = source.form.columns == self.form.columns
        if not is_fit and self.is_empty and not self.form.head():
            is_fit = not source.form.head()
        if is_fit:
            text = source.form.renamed(row, name).text
        else:
            caption = source.form.value(row.raw) if row.raw and row.is_text else ""
            raw = self.form.raw(caption, "") if caption else ""
            text = self.form.new_row(name, raw).text
        end = sys.maxsize if source is not self else line.at
        return TableLine(text, self.places.get(key, end))

    def with_lines_in_parts(
        self, changes: Sequence[tuple[TableLine | None, TableLine | None]]
    ) -> Generator[None, None, tuple[CaptionTable, list[int]]]:
        """Returns the table with other rows, and which of the changes are not made, because the row
        is not as before any more. Each change takes a row away, adds one, or puts one in the place
        of another. Yields as `with_raws_in_parts`."""
        rows: list[Row | None] = list(self.rows)
        places, added, left = dict(self.places), list[TableLine](), list[int]()
        changed: set[int] = set()
        for number, (before, after) in enumerate(changes):
            if number % _AT_ONCE == _AT_ONCE - 1:
                yield
            if before is None:
                assert after is not None
                known = places.get(key_of(self.form.row_of(after.text).name))
                found = None if known is None else rows[known]
                if found is None or known in changed:  # Another row of the same image.
                    added.append(after)
                elif not after.is_same(found):
                    left.append(number)
                continue
            key = key_of(self.form.row_of(before.text).name)
            place = self._place_of(key, before, rows, places)
            row = None if place is None else rows[place]
            if row is not None and place is not None and before.is_same(row):
                rows[place] = None if after is None else self.form.row_of(after.text)
                changed.add(place)
            elif not self._is_made(rows, places, after, row):
                left.append(number)
        kept = [row for row in rows if row is not None]
        whole = yield from self._with_added(kept, sorted(added, key=lambda one: one.at))
        return (yield from self._of_rows(whole)), left

    def _with_added(
        self, rows: Sequence[Row], added: Sequence[TableLine]
    ) -> Generator[None, None, list[Row]]:
        """Returns rows with others among them, whose places are in ascending order."""
        whole: list[Row] = []
        taken = 0
        for number, line in enumerate(added):
            if number % _AT_ONCE == _AT_ONCE - 1:
                yield
            before = max(line.at - len(whole), 0)
            whole += rows[taken : taken + before]
            taken = min(taken + before, len(rows))
            whole.insert(line.at, self.form.row_of(line.text))
        return [*whole, *rows[taken:]]

    def _place_of(
        self, key: str, line: TableLine, rows: Sequence[Row | None], places: Mapping[str, int]
    ) -> int | None:
        """Returns the place of a row; of several of an image that of the one that says so."""
        for place in self.doubles.get(key, ()):
            row = rows[place]
            if row is not None and line.is_same(row):
                return place
        return places.get(key)

    def _is_made(
        self,
        rows: Sequence[Row | None],
        places: Mapping[str, int],
        after: TableLine | None,
        row: Row | None,
    ) -> bool:
        """Returns whether a change was made already, as before a kill."""
        if after is None:
            return row is None
        place = places.get(key_of(self.form.row_of(after.text).name))
        found = None if place is None else rows[place]
        return found is not None and after.is_same(found)

    def _of_rows(self, rows: Sequence[Row]) -> Generator[None, None, CaptionTable]:
        """Returns the table with these rows, which ends with a line end if it did."""
        has_end = not self.rows or self.rows[-1].text.endswith(("\n", "\r"))
        whole = [row if row.text.endswith(("\n", "\r")) else row.with_end(self.end) for row in rows]
        if whole and not has_end:
            whole[-1] = whole[-1].without_end()
        yield
        places, doubles = yield from _placed_in_parts(whole)
        return self._replace(rows=tuple(whole), places=places, doubles=doubles)

    def _require_name(self, name: str) -> None:
        if not self.form.can_name(name):
            text = translatable(
                "core",
                "The name of “{image}” is not Unicode, so a CSV file cannot have its caption. "
                "Rename the image, then try again.",
            )
            raise StoreError(text.format(image=PurePosixPath(name).name))

    def _append(self, rows: list[Row], name: str, raw: str) -> None:
        row, end = self.form.new_row(name, raw), self.end
        if rows and not rows[-1].text.endswith(("\n", "\r")):
            # A file whose last line has no end keeps to that.
            rows[-1] = rows[-1].with_end(end)
            end = ""
        rows.append(row.with_end(end))

    def _take_away(self, rows: list[Row], places: dict[str, int], key: str, gone: set[int]) -> None:
        place = places[key]
        row = rows[place]
        alone = self.form.new_row(row.name, row.raw)
        if row.text.rstrip("\r\n") != alone.text:
            rows[place] = self.form.with_raw(row, "")
            return
        is_last = not row.text.endswith(("\n", "\r"))
        before = next((n for n in range(place - 1, -1, -1) if n not in gone), None)
        if is_last and before is not None:
            rows[before] = rows[before].without_end()
        gone.add(place)
        del places[key]


def _placed(rows: Iterable[Row]) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Returns the last row of each image, and all rows of those that have several."""
    return all_of(_placed_in_parts(rows))


def _placed_in_parts(
    rows: Iterable[Row],
) -> Generator[None, None, tuple[dict[str, int], dict[str, list[int]]]]:
    places: dict[str, int] = {}
    doubles: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if number % _PLACED_AT_ONCE == _PLACED_AT_ONCE - 1:
            yield
        if row.name:
            key = key_of(row.name)
            if key in places:
                doubles.setdefault(key, [places[key]]).append(number)
            places[key] = number
    return places, doubles


def all_of(parts: Generator[None, None, _Result]) -> _Result:
    """Returns what comes of work that is done in parts, all in one go."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            return end.value


def caption_of_raw(name: str, raw: bytes | None) -> str:
    """Returns the caption that is written so in the table called `name`."""
    return _caption(_form_of(name), raw)


def key_of(name: str) -> str:
    """Returns what a file's name in a table is compared by: its path with `/`, in one normal
    form, as names that were copied from a Mac are in another."""
    if not _PLAIN.fullmatch(name):  # Most are, and need no parts.
        is_windows = "\\" in name and "/" not in name
        name = (PureWindowsPath(name) if is_windows else PurePosixPath(name)).as_posix()
    return name if name.isascii() else normalize("NFC", name)


def _form_of(name: str) -> RowFormat:
    return CellRows(name) if name.lower().endswith(".csv") else LineRows(name)


def _caption(form: RowFormat, raw: bytes | None) -> str:
    return plain(form.value(_text(raw))) if raw else ""


def _bytes(raw: str) -> bytes:
    return raw.encode("utf-8", "surrogatepass")


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "surrogatepass")
