"""The rows of a CSV file, of which only the captions' cells are changed.

They are what Python's `csv` reads with the separator that the first line has: a cell in quotation
marks may hold line breaks, and the marks themselves twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from core.captions.cells import cell, text_in
from core.captions.formats import SEPARATORS
from core.captions.table_rows import (
    CAPTION_COLUMNS,
    FILE_COLUMNS,
    Row,
    TableError,
    first_of,
    usual_caption_column,
)
from core.message import translatable

_QUOTED = re.compile(r'"((?:[^"]++|"")*+)"(.*+)', re.DOTALL)
_FIELDS = {
    separator: re.compile(
        rf'("(?:[^"]++|"")*+"[^{separator}\r\n]*+|[^{separator}\r\n]*+)({separator}|\r\n|\r|\n|\Z)'
    )
    for separator in SEPARATORS.values()
}


class _Cell(NamedTuple):
    """Where a cell stands in its row, with its quotation marks."""

    start: int
    end: int


class CellRows:
    """The rows of a file. In `metadata.csv`, which programs read, captions stand as they are; in
    other tables they are guarded from being taken for formulas, as in those that we export."""

    def __init__(self, name: str):
        self._caption_column = usual_caption_column(name)
        self._is_guarded = not name.lower().startswith("metadata")
        self._separator = ","
        self._name_at, self._caption_at, self._width = 0, 1, 2
        self._quotes_all = False
        self._names: tuple[str, ...] = ()

    def rows(self, text: str) -> list[Row]:
        """Takes a file apart. Raises TableError."""
        self._separator = _separator_of(text)
        rows = _rows(text, _FIELDS[self._separator])
        if not rows:
            raise TableError(translatable("core", "it is empty"))
        line, cells = rows[0]
        names = [_value(line[one.start : one.end]) for one in cells]
        file, caption = first_of(FILE_COLUMNS, names), first_of(CAPTION_COLUMNS, names)
        if file is None or caption is None:
            missing = FILE_COLUMNS[0] if file is None else CAPTION_COLUMNS[0]
            reason = translatable("core", "it has no column such as {column}")
            raise TableError(reason.format(column=missing))
        self._name_at, self._caption_at = names.index(file), names.index(caption)
        self._width = len(names)
        self._names = tuple(names)
        written = [line[one.start : one.end] for one in cells]
        self._quotes_all = all(raw.startswith('"') for raw in written)
        return [Row(line), *(self._row(*row) for row in rows[1:])]

    def value(self, raw: str) -> str:
        """Returns what a cell says."""
        value = _value(raw)
        return text_in(value) if self._is_guarded else value

    def raw(self, caption: str, old: str) -> str:
        """Returns a cell, in quotation marks where the old one has them or some are needed."""
        value = cell(caption) if self._is_guarded else caption
        is_quoted = old.startswith('"') or self._quotes_all
        return self._cell(value, is_quoted=is_quoted)

    def can_name(self, name: str) -> bool:
        """Returns whether a name is Unicode: a cell has no other way to write it."""
        try:
            name.encode()
        except UnicodeEncodeError:
            return False
        return True

    def with_raw(self, row: Row, raw: str) -> Row:
        """Returns a row with another caption; one that is too short gets more cells."""
        if row.start < 0:
            text = row.without_end().text
            end = row.text[len(text) :]
            (_, cells), *_ = _rows(text, _FIELDS[self._separator])
            text = f"{text}{self._separator * (self._caption_at + 1 - len(cells))}{raw}{end}"
            return self.row_of(text)
        return row.with_caption_written(raw)

    def new_row(self, name: str, raw: str) -> Row:
        """Returns a row whose other cells are empty."""
        cells = [self._cell("", is_quoted=self._quotes_all)] * self._width
        cells[self._name_at] = self._cell(name, is_quoted=self._quotes_all)
        cells[self._caption_at] = raw or cells[self._caption_at]
        return self.row_of(self._separator.join(cells))

    def renamed(self, row: Row, name: str) -> Row:
        """Returns a row for another image, whose other cells stay."""
        (line, cells), *_ = _rows(row.text, _FIELDS[self._separator])
        start, end = cells[self._name_at]
        is_quoted = line.startswith('"', start) or self._quotes_all
        return self.row_of(f"{line[:start]}{self._cell(name, is_quoted=is_quoted)}{line[end:]}")

    @property
    def columns(self) -> tuple[str, ...]:
        """What rows need in common to be of one table."""
        return ("csv", self._separator, str(self._is_guarded), *self._names)

    def head(self) -> str:
        """Returns the names of the columns of a new table."""
        return f"{FILE_COLUMNS[0]},{self._caption_column}\n"

    def row_of(self, text: str) -> Row:
        """Takes one row apart."""
        (line, cells), *_ = _rows(text, _FIELDS[self._separator])
        return self._row(line, cells)

    def _row(self, line: str, cells: list[_Cell]) -> Row:
        if len(cells) <= self._name_at:
            return Row(line)
        name = cells[self._name_at]
        name = _value(line[name.start : name.end])
        name = text_in(name) if self._is_guarded else name
        if len(cells) <= self._caption_at:
            return Row(line, name, -1, -1)
        return Row(line, name, *cells[self._caption_at])

    def _cell(self, value: str, *, is_quoted: bool) -> str:
        if is_quoted or value.startswith(" ") or re.search(rf'[{self._separator}"\r\n]', value):
            doubled = value.replace('"', '""')
            return f'"{doubled}"'
        return value


def csv_records(text: str) -> Iterator[dict[str, str]]:
    """Yields the cells of each row of a file by the names in its first one. Raises TableError."""
    rows = _rows(text, _FIELDS[_separator_of(text)])
    values = ([_value(line[start:end]) for start, end in cells] for line, cells in rows)
    names = next(values, list[str]())
    for row in values:
        yield dict(zip(names, row, strict=False))


def _separator_of(text: str) -> str:
    return max("\t;,", key=text.partition("\n")[0].count)


def _value(raw: str) -> str:
    quoted = _QUOTED.fullmatch(raw) if raw.startswith('"') else None
    return raw if quoted is None else quoted[1].replace('""', '"') + quoted[2]


def _rows(text: str, field: re.Pattern[str]) -> list[tuple[str, list[_Cell]]]:
    """Returns the rows, with their line ends, and the cells of each. Raises TableError."""
    rows: list[tuple[str, list[_Cell]]] = []
    cells: list[_Cell] = []
    begin = at = 0
    while at < len(text):
        found = field.match(text, at)
        # Only a quotation mark that none follows does not fit.
        raw = found[1] if found else ""
        if found is None or (raw.startswith('"') and _QUOTED.fullmatch(raw) is None):
            reason = translatable("core", "a quotation mark in row {number} is not closed")
            raise TableError(reason.format(number=f"{len(rows) + 1:,}"))
        cells.append(_Cell(at - begin, found.end(1) - begin))
        at = found.end()
        if found[2] in ("\r\n", "\r", "\n") or (at == len(text) and not found[2]):
            rows.append((text[begin:at], cells))
            begin, cells = at, []
    if begin < at:  # The last cell is an empty one, behind a separator.
        rows.append((text[begin:at], [*cells, _Cell(at - begin, at - begin)]))
    return rows
