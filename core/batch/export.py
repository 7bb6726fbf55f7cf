"""All captions of a run in one file: JSON, one object a line, or CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.files import write_atomically, write_error

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
)
KINDS = ("jsonl", "csv")
# Files of version 0.1 have no more.
_FIRST_COLUMNS = COLUMNS.index("version") + 1

Row = dict[str, Any]


def free_path(folder: Path, kind: str) -> Path:
    """`captions.csv`, or with the first number that is not taken."""
    names = (f"captions{f'-{number}' if number > 1 else ''}.{kind}" for number in range(1, 10_000))
    return next(path for name in names if not (path := folder / name).exists())


def taken_path(folder: Path, kind: str) -> Path:
    """The same, and it is there from now on, empty, so that nobody else takes it."""
    while True:
        path = free_path(folder, kind)
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        except OSError:
            return path  # Who writes to it tells what is wrong there.
        return path


def encoded(rows: Iterable[Row], kind: str) -> bytes:
    """The whole file."""
    if kind == "csv":
        # Spreadsheets know UTF-8 by its mark alone.
        return b"\xef\xbb\xbf" + _csv([list(COLUMNS), *map(_cells, rows)])
    return b"".join(map(_json_line, rows))


def write(path: Path, rows: Iterable[Row], kind: str) -> None:
    """Write all of it in one step. Raises StoreError."""
    write_atomically(path, encoded(rows, kind))


def append(path: Path, rows: Iterable[Row], kind: str) -> None:
    """Add rows at the end. What a crash tears here, `write` puts right from the journal."""
    data = _csv(map(_cells, rows)) if kind == "csv" else b"".join(map(_json_line, rows))
    try:
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error) from error


def holds_only(data: bytes, rows: Iterable[Row], kind: str) -> bool:
    """Whether every row of a file is among `rows`, the last one perhaps torn by a crash."""
    if kind == "csv":
        text = data.decode("utf-8-sig", "replace")
        found = [_shortened(cells) for cells in csv.reader(io.StringIO(text, newline=""))]
        heads = (COLUMNS[:count] for count in range(_FIRST_COLUMNS, len(COLUMNS) + 1))
        known: set[Any] = {*heads, *(_shortened(_cells(row)) for row in rows)}
    else:
        found = data.splitlines(keepends=True)
        known = set(map(_json_line, rows))
    if found and not data.endswith(b"\n"):
        torn = found.pop()
        if not any(_begins(line, torn) for line in known):
            return False
    return known.issuperset(found)


def _begins(line: Any, torn: Any) -> bool:
    """Whether `torn` is the beginning of a whole line; both are bytes, or cells."""
    if isinstance(line, bytes):
        return line.startswith(torn)
    cells = len(torn)
    return (
        0 < cells <= len(line)
        and line[: cells - 1] == torn[:-1]
        and line[cells - 1].startswith(torn[-1])
    )


def _json_line(row: Row) -> bytes:
    # A file name may hold bytes that are no text; JSON can only escape them.
    text = json.dumps(row, ensure_ascii=False)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(row)}\n".encode()


def _csv(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cells(row: Row) -> list[str]:
    return [_cell(row.get(column)) for column in COLUMNS]


def _shortened(cells: Sequence[str]) -> tuple[str, ...]:
    """Without the empty ones at the end, which files of an older version may lack."""
    count = next((n for n in range(len(cells), 0, -1) if cells[n - 1]), 0)
    return tuple(cells[:count])


def _cell(value: Any) -> str:
    """As text that no spreadsheet takes for a formula: a model's words must not run."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    text = json.dumps(value) if isinstance(value, dict | bool) else str(value)
    starts = text.lstrip(" ")[:1] or text[:1]
    return f"'{text}" if starts and starts in "=+-@\t\r\n|%" else text
