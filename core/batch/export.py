"""The tables of a run: all captions in one file, JSON with one object per line, or CSV."""

from __future__ import annotations

import codecs
import csv
import errno
import io
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.captions.cells import cell
from core.captions.formats import CaptionFormat
from core.files import write_atomically, write_error
from core.transcript import Sampling

COLUMNS = (
    "picture",
    "prompt",
    "caption",
    "edited",
    "model",
    "model_fingerprint",
    "sampling",
    "seed",
    "ending",
    "tokens",
    "seconds",
    "version",
    "doubtful_word",
    "doubt",
    "notes",
    "file_name",
    "existing",
)
# Files of version 0.1 have no more.
_FIRST_COLUMNS = COLUMNS.index("version") + 1
_CAPTION = COLUMNS.index("caption")
# Python's own limit is 128 KB; a caption may take as much as a text file can hold.
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True)
class TableFormat:
    """A table's file format; `separator` stands between the columns of a CSV file."""

    kind: CaptionFormat
    separator: str = ","

    @property
    def is_csv(self) -> bool:
        """Returns whether it is CSV, and not JSON lines."""
        return self.kind is CaptionFormat.CSV


@dataclass(frozen=True)
class Row:
    """One caption in a table: the answer to one prompt about one image, or an edited caption.

    `doubtful_word` is the most doubtful one and `doubt` how doubtful it is, if that is known.
    `notes` are those of the image; None for rows of version 0.1, which are to be known again.
    `file_name` is the image's path from the table's folder, with `/`, as Hugging Face's
    `imagefolder` wants it; version 0.1 did not write it. A row that `is_existing` has the caption
    of an image that the run skipped, and only this: nobody knows how it was made.
    """

    picture: str
    model: str
    model_fingerprint: str
    sampling: Sampling
    version: str
    prompt: str
    caption: str
    seed: int | None
    ending: str
    tokens: int
    seconds: float
    is_edited: bool = False
    doubtful_word: str | None = None
    doubt: float | None = None
    notes: tuple[str, ...] | None = None
    file_name: str | None = None
    is_existing: bool = False

    def to_json(self) -> dict[str, Any]:
        """Returns the object of a JSON line; its keys are also the columns of a CSV file."""
        values: dict[str, Any]
        if self.is_existing:
            values = {
                "picture": self.picture,
                "caption": self.caption,
                "edited": self.is_edited,
                "existing": True,
            }
            return values if self.file_name is None else {**values, "file_name": self.file_name}
        sampling = asdict(self.sampling)
        del sampling["seed"]  # The seed that was used has a column of its own.
        values = {
            "picture": self.picture,
            "model": self.model,
            "model_fingerprint": self.model_fingerprint,
            "sampling": sampling,
            "version": self.version,
            "edited": self.is_edited,
            "prompt": self.prompt,
            "caption": self.caption,
            "seed": self.seed,
            "ending": self.ending,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }
        if self.doubtful_word is not None:
            values |= {"doubtful_word": self.doubtful_word, "doubt": self.doubt}
        if self.notes is not None:
            values["notes"] = list(self.notes)
        if self.file_name is not None:
            values["file_name"] = self.file_name
        return values


@dataclass(frozen=True)
class KeptRow:
    """A row that an earlier run wrote, as it is in the table: cells of a CSV file without the empty
    ones at the end, or a line of JSON. `picture` and `caption` are as that table has them."""

    picture: str
    caption: str
    content: tuple[str, ...] | bytes


def free_path(folder: Path, table_format: CaptionFormat) -> Path:
    """Returns `captions.csv`, or the same with the first number that is not taken."""
    numbers = (f"-{number}" if number > 1 else "" for number in range(1, 10_000))
    paths = (folder / f"captions{number}.{table_format}" for number in numbers)
    return next(path for path in paths if not os.path.lexists(path))  # Also of a link to nothing.


def reserve(path: Path) -> None:
    """Creates an empty file, so that no other run takes the path."""
    with suppress(OSError):  # Writing the table will say what is wrong there.
        path.open("xb").close()


def encoded(rows: Iterable[Row | KeptRow], table_format: TableFormat) -> bytes:
    """Returns the content of a whole table."""
    if table_format.is_csv:
        # Spreadsheets recognise UTF-8 only by its byte order mark.
        table = _csv([list(COLUMNS), *map(_cells, rows)], table_format.separator)
        return b"\xef\xbb\xbf" + table
    return b"".join(map(_json_line, rows))


def write(path: Path, rows: Iterable[Row | KeptRow], table_format: TableFormat) -> None:
    """Replaces the whole table in one step. Raises StoreError."""
    write_atomically(path, encoded(rows, table_format))


def append(path: Path, rows: Iterable[Row], table_format: TableFormat) -> None:
    """Adds rows at the end. Raises StoreError. A row that a crash tears is repaired when the table
    is next written from the journal."""
    if table_format.is_csv:
        data = _csv(map(_cells, rows), table_format.separator)
    else:
        data = b"".join(map(_json_line, rows))
    try:
        # A pipe would wait for a reader, and a link may lead out of the folder.
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise OSError(errno.EINVAL, "it is not a file")
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error


def kept_rows(data: bytes, table_format: TableFormat) -> list[KeptRow]:
    """Returns the rows of a table's content that runs wrote, without the head of a CSV file and
    without a row that a crash has torn."""
    data = _without_torn_row(data, table_format)
    if table_format.is_csv:
        rows = _rows_of_csv(data, table_format.separator)[1:]
        return [
            KeptRow(cells[0], cells[_CAPTION], cells) for cells in rows if len(cells) > _CAPTION
        ]
    parsed = ((json.loads(line), line) for line in data.splitlines(keepends=True))
    return [KeptRow(values["picture"], values["caption"], line) for values, line in parsed]


def picture_in(row: Row | KeptRow, table_format: TableFormat) -> str:
    """Returns how a table of this format names the row's image."""
    if isinstance(row, KeptRow) or not table_format.is_csv:
        return row.picture
    return _cells(row)[0]


def caption_in(row: Row | KeptRow, table_format: TableFormat) -> str:
    """Returns the row's caption as a table of this format holds it."""
    if isinstance(row, KeptRow) or not table_format.is_csv:
        return row.caption
    return _cells(row)[_CAPTION]


def holds_only(data: bytes, rows: Iterable[Row | KeptRow], table_format: TableFormat) -> bool:
    """Returns whether every row in a table's content is among `rows`. A crash may have torn the
    last one."""
    known: set[Any] = set()
    if table_format.is_csv:
        found = _rows_of_csv(data, table_format.separator)
        heads = {COLUMNS[:count] for count in range(_FIRST_COLUMNS, len(COLUMNS) + 1)}
        # A table of an older version has fewer columns.
        width = len(found[0]) if found and found[0] in heads else len(COLUMNS)
        known = {*heads, *(_shortened(_cells(row)[:width]) for row in rows)}
    else:
        found = data.splitlines(keepends=True)
        known.update(map(_json_line, rows))
    if found and len(_without_torn_row(data, table_format)) < len(data):
        torn = found.pop()
        if not any(_begins(line, torn) for line in known):
            return False
    return known.issuperset(found)


def _without_torn_row(data: bytes, table_format: TableFormat) -> bytes:
    """Returns a table's content without the row at its end that a crash has torn, if there is one.

    A row of CSV goes on behind a line end between quotation marks, which come in pairs.
    """
    if not table_format.is_csv:
        return data[: data.rfind(b"\n") + 1]
    whole = data[: data.rfind(b"\r\n") + 2] if b"\r\n" in data else b""
    quotes = whole.count(b'"')
    while quotes % 2:
        shorter = whole[: whole.rfind(b"\r\n", 0, -2) + 2] if b"\r\n" in whole[:-2] else b""
        quotes -= whole.count(b'"', len(shorter))
        whole = shorter
    return whole


def _begins(line: Any, torn: Any) -> bool:
    """Returns whether `torn` is the beginning of a whole line; both are bytes, or cells."""
    if isinstance(line, bytes):
        return line.startswith(torn)
    cells = len(torn)
    return (
        0 < cells <= len(line)
        and line[: cells - 1] == torn[:-1]
        and line[cells - 1].startswith(torn[-1])
    )


def _rows_of_csv(data: bytes, separator: str) -> list[tuple[str, ...]]:
    csv.field_size_limit(_LONGEST_CELL)
    rows = csv.reader(io.StringIO(_as_text(data), newline=""), delimiter=separator)
    return [_shortened(cells) for cells in rows]


def _json_line(row: Row | KeptRow) -> bytes:
    if isinstance(row, KeptRow):
        assert isinstance(row.content, bytes)
        return row.content
    values = row.to_json()
    try:
        return f"{json.dumps(values, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        # A file name may have bytes that are not text; JSON can only escape them.
        return f"{json.dumps(values)}\n".encode()


def _csv(rows: Iterable[list[str]], separator: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue().encode("utf-8")


def _cells(row: Row | KeptRow) -> list[str]:
    """Returns the row as a CSV file holds it: names that are not text are escaped there."""
    if isinstance(row, KeptRow):
        assert isinstance(row.content, tuple)
        return [*row.content, *[""] * (len(COLUMNS) - len(row.content))]
    values = row.to_json()
    cells = (cell(values.get(column)) for column in COLUMNS)
    return [text.encode("utf-8", "backslashreplace").decode() for text in cells]


def _as_text(data: bytes) -> str:
    """Decodes a CSV file, without the half of a character where a crash has torn it."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    return decoder.decode(data)


def _shortened(cells: Sequence[str]) -> tuple[str, ...]:
    """Returns the cells without the empty ones at the end, which files of an older version lack."""
    count = next((n for n in range(len(cells), 0, -1) if cells[n - 1]), 0)
    return tuple(cells[:count])
